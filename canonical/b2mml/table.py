"""The table language: one declaration per B2MML type says element order, cardinality, canonical field and nested type.

A table is the type's elements in XSD order, separated by blanks. Each is a name, its cardinality (`!` one, `?` none or
one, `*` any, `+` at least one) and what it carries:

    EndTime?                        the field `end_time`
    VendorID?=vendor                the field `vendor`
    Quantity*:QuantityValueType     the field `quantity`, read and written by another table
    StorageLocation?>Place          no field of its own: the table's fields belong to this element's object;
                                    in it `$` names the field `storage_location`
    Category*"Downtime"             always this text
    RecordTimeStamp?~start_time     a copy of a field: written with it, read where the field is otherwise missing
    SegmentData[Shift]=shift        the value of the SegmentData with this ID is the field `shift`
    EquipmentLevel!|ElementLevel    two names for the same element, the first is written
    (Version?)                      not modelled: kept as it came

A field that holds one is given the first of several elements; the others are kept. `a.b` is field `b` of object `a`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from canonical.element import Element

    Implied = Callable[[Callable[[str], Any]], str]

V7 = "V7.0.1"
V4 = "V4.01"
NAMESPACES = {V7: "http://www.mesa.org/xml/B2MML", V4: "http://www.wbf.org/xml/B2MML-V0401"}

_TOKEN = re.compile(
    r"""(?P<kept>\()?(?P<name>\w+)(?:\[(?P<placed>[\w ]+)\])?(?P<card>[!?*+])?(?:\|(?P<alias>\w+))?"""
    r"""(?::(?P<nested>[\w/]+)|>(?P<group>[\w/]+)|"(?P<const>[^"]*)"|~(?P<mirror>[\w.$]+))?(?:=(?P<field>[\w.$]+))?\)?"""
)
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Kind(Enum):
    """What an element carries."""

    LEAF = "leaf"
    NESTED = "nested"
    GROUP = "group"
    CONST = "const"
    MIRROR = "mirror"
    PLACED = "placed"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Row:
    """One element of a type."""

    name: str
    card: str
    kind: Kind
    field: str = ""
    table: str = ""
    text: str = ""
    alias: str = ""

    @property
    def required(self) -> bool:
        """True where the XSD wants at least one."""
        return self.card in "!+"

    @property
    def single(self) -> bool:
        """True where the XSD allows one at most."""
        return self.card in "!?"


@dataclass(frozen=True, slots=True)
class Table:
    """One B2MML type. `model` None: a group, whose fields belong to the object around it.

    `name` is the XSD type, with `/Object` where one type carries several canonical objects. `numbered` gives elements
    without an ID their position as id (V4). `lifts` are fields carried by an inner list of the first child:
    `(field, list of children, list in the child, ID)`. `implied` computes a field from the others: the value that
    follows is not written. `terse` reports errors at the element, not below it.
    """

    name: str
    model: type[Element] | None
    rows: tuple[Row, ...]
    version: str = V7
    unqualified: bool = False
    numbered: bool = False
    terse: bool = False
    lifts: tuple[tuple[str, str, str, str], ...] = ()
    implied: tuple[tuple[str, Implied], ...] = ()


_TABLES: dict[tuple[str, str], Table] = {}


def table(
    name: str, model: type[Element] | None, text: str, *, version: str = V7, unqualified: bool = False,
    numbered: bool = False, terse: bool = False, lifts: tuple[tuple[str, str, str, str], ...] = (),
    implied: tuple[tuple[str, Implied], ...] = (),
) -> Table:  # fmt: skip
    """Declare a table. Raises ValueError for text that isn't in the table language."""
    made = Table(name, model, tuple(_rows(name, text)), version, unqualified, numbered, terse, lifts, implied)
    if _TABLES.setdefault((version, name), made) is not made:
        raise ValueError(f"{version} {name} is declared twice")
    return made


def named(version: str, name: str) -> Table:
    """The table of that name. Raises KeyError."""
    return _TABLES[version, name]


def declared(version: str) -> tuple[Table, ...]:
    """Every table of a version, by name."""
    return tuple(made for (its, _), made in sorted(_TABLES.items()) if its == version)


def snake(name: str) -> str:
    """The canonical field of a B2MML name: `OperationsRequestID` is `operations_request_id`."""
    return _WORD.sub("_", name).lower()


def _rows(name: str, text: str) -> list[Row]:
    rows, end = [], 0
    for match in _TOKEN.finditer(text):
        if text[end : match.start()].strip():
            raise ValueError(f"{name}: '{text[end : match.start()].strip()}' is not in the table language")
        end = match.end()
        rows.append(_row(match))
    if text[end:].strip():
        raise ValueError(f"{name}: '{text[end:].strip()}' is not in the table language")
    return rows


def _row(match: re.Match[str]) -> Row:
    part = match.groupdict()
    name, card, alias = part["name"], part["card"] or "?", part["alias"] or ""
    field = part["field"] or snake(name)
    if part["kept"]:
        return Row(name, card, Kind.KEPT)
    if part["placed"]:
        return Row(name, "*", Kind.PLACED, field, text=part["placed"])
    if part["const"] is not None:
        return Row(name, card, Kind.CONST, text=part["const"], alias=alias)
    if part["mirror"]:
        return Row(name, card, Kind.MIRROR, part["mirror"])
    kind = Kind.NESTED if part["nested"] else Kind.GROUP if part["group"] else Kind.LEAF
    return Row(name, card, kind, field, part["nested"] or part["group"] or "", alias=alias)
