"""Name a thing without saying more about it: the items of a get, a cancel or a deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from canonical.b2mml.frame import add, tag
from canonical.b2mml.table import V7, Kind, Row, named
from canonical.b2mml.tables import load

if TYPE_CHECKING:
    from canonical.b2mml.nouns import Form


def mention(parent: etree._Element, form: Form, ident: str) -> etree._Element:
    """An item with its ID (empty: all) and what the XSD wants besides, empty."""
    load()
    element = add(parent, form.element)
    _fill(element, form.table, ident)
    return element


def _fill(element: etree._Element, table: str, ident: str = "") -> None:
    declared = named(V7, table)
    for row in declared.rows:
        if row.name == "ID":
            add(element, "ID", ident)
        elif row.required and row.kind is not Kind.PLACED:
            _required(etree.SubElement(element, row.name if declared.unqualified else tag(row.name)), row)


def _required(element: etree._Element, row: Row) -> None:
    if row.kind in (Kind.NESTED, Kind.GROUP):
        _fill(element, row.table)
    elif row.kind is Kind.CONST:
        element.text = row.text
