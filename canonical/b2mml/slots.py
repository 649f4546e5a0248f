"""What to do with each kind of row when it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canonical.b2mml.decode import Into, Reader, compiled, held, no_text, other_value, put, reader, time_with_offset
from canonical.b2mml.faults import Misfit
from canonical.b2mml.leaves import DATA_TYPES, TIME, Leaf, shape
from canonical.b2mml.table import Kind, Row
from canonical.element import default_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lxml import etree

    Read = Callable[[etree._Element, Into, bool], None]


def slot_reader(made: Reader, row: Row, placed: Mapping[str, Row]) -> Read:
    """The function that reads an element of `row`."""
    read = _READERS[row.kind](made, row)
    return _placed(made, row, placed, read) if placed else read


def _kept(_: Reader, row: Row) -> Read:
    def read(child: etree._Element, into: Into, first: bool) -> None:
        into.keep(row.name, child)

    return read


def _leaf(made: Reader, row: Row) -> Read:
    """Most elements are plain text for a field of their own: that way is short, `_careful_leaf` does the rest."""
    path = made.dollar if row.field == "$" else row.field
    careful, leaf, tag = _careful_leaf(made, row), made.leaf(path), made.namespace + row.name
    if "." in path or row.name == "DataType" or leaf.blank:
        return careful
    plain, value = leaf.plain, leaf.value

    def read(child: etree._Element, into: Into, first: bool) -> None:
        text = child.text
        alone = first and path not in into.out and child.tag == tag and not len(child) and not child.attrib
        if text and alone and text == text.strip() and plain(text):
            into.out[path] = value(text)
        else:
            careful(child, into, first)

    return read


def _careful_leaf(made: Reader, row: Row) -> Read:
    path = made.dollar if row.field == "$" else row.field
    name, leaf, empty_is_ours = row.name, made.leaf(path), row.required
    strip, blank, value, plain, is_time = leaf.strip, leaf.blank, leaf.value, leaf.plain, leaf is TIME
    is_open, alias = row.name == "DataType", row.alias
    says_something = row.required and "." not in path and default_of(made.model.model_fields[path]) is not None

    def read(child: etree._Element, into: Into, first: bool) -> None:
        if not first or held(into.out, path):
            into.keep(name, child)
            return
        whole = child.text or ""
        text = whole.strip() if strip else whole
        if len(child):
            raise Misfit(f"{name} holds text, not elements", name)
        if not text and not blank:
            if says_something:
                raise Misfit(f"{name} is empty: B2MML wants a value here", name)
            if not empty_is_ours:
                into.keep(f"{name}?", child)
            elif whole or child.attrib:
                into.keep(f"{name}=", child)
            return
        try:
            given = time_with_offset(text, into.zone) if is_time and not plain(text) else value(text)
        except Misfit as misfit:
            misfit.steps.append(name)
            raise
        if is_open and made.strict and text not in DATA_TYPES:
            raise Misfit(f"'{text}' is no DataType of B2MML: write Other and the word as @OtherValue", name)
        if is_open and text == "Other":
            given = other_value(child, text)
            if given != text and len(child.attrib) == 1:
                put(into.out, path, given)
                return
        put(into.out, path, given)
        if child.attrib or text != whole or not plain(text) or (alias and _aliased(child, name)):
            into.keep(f"{name}=", child)

    return read


def _aliased(child: etree._Element, name: str) -> bool:
    return not str(child.tag).endswith(f"}}{name}")


def _nested(made: Reader, row: Row) -> Read:
    name, path = row.name, row.field
    inner = reader(made.table.version, row.table)
    many, numbered = shape(made.model, path)[2], inner.table.numbered
    ready: list[Reader] = []

    def read(child: etree._Element, into: Into, first: bool) -> None:
        out = into.out
        if not many and path in out:
            into.keep(name, child)
            return
        if not ready:
            ready.append(compiled(inner))
        items = out.setdefault(path, []) if many else []
        try:
            item = ready[0].read(child, into.zone)
        except Misfit as misfit:
            misfit.steps.append(f"{name}[{len(items) + 1}]" if many else name)
            raise
        if numbered and "id" not in item:
            item["id"] = str(len(items) + 1)
        if many:
            items.append(item)
        else:
            out[path] = item

    return read


def _group(made: Reader, row: Row) -> Read:
    inner = reader(made.table.version, row.table, made.model, row.field, made.implied)
    ready: list[Reader] = []

    def read(child: etree._Element, into: Into, first: bool) -> None:
        if not first and made.strict:
            into.keep(row.name, child)
            return
        if not ready:
            ready.append(compiled(inner))
        within = Into(into.out, [], into.zone, into.later())
        try:
            ready[0].read_into(child, within)
        except Misfit as misfit:
            misfit.steps.append(row.name)
            raise
        into.later().groups.append((into.foreign, row.name, child, within.foreign))

    return read


def _const(_: Reader, row: Row) -> Read:
    def read(child: etree._Element, into: Into, first: bool) -> None:
        if not first:
            into.keep(row.name, child)
        elif child.text != row.text or child.attrib or (row.alias and _aliased(child, row.name)):
            into.keep(f"{row.name}=", child)

    return read


def _mirror(made: Reader, row: Row) -> Read:
    leaf = made.leaf(row.field)

    def read(child: etree._Element, into: Into, first: bool) -> None:
        if not first:
            into.keep(row.name, child)
        else:
            into.later().copies.append((into.foreign, row.name, child, row.field, leaf))

    return read


def _placed(made: Reader, base: Row, placed: Mapping[str, Row], otherwise: Read) -> Read:
    leaves: dict[str, Leaf] = {ident: made.leaf(row.field) for ident, row in placed.items()}
    defaults = {ident: _default_text(made, row, leaves[ident]) for ident, row in placed.items()}

    def read(child: etree._Element, into: Into, first: bool) -> None:
        ident = (child[0].text or "").strip() if len(child) and str(child[0].tag).endswith("}ID") else ""
        row, whole = placed.get(ident), value_text(child)
        text = whole.strip() if row is None or leaves[ident].strip else whole
        if row is None or not text or held(into.out, row.field):
            otherwise(child, into, first)
            return
        leaf = leaves[ident]
        _only_elements(child)
        put(into.out, row.field, time_with_offset(text, into.zone) if leaf is TIME else leaf.value(text))
        if not _simple(child) or text != whole or not leaf.plain(text) or text == defaults[ident]:
            into.keep(f"{base.name}[{ident}]=", child)

    return read


def _default_text(made: Reader, row: Row, leaf: Leaf) -> str | None:
    if "." in row.field or row.field in made.implied:
        return None
    default = default_of(made.model.model_fields[row.field])
    return None if default is None or made.model.model_fields[row.field].is_required() else leaf.text(default)


def _only_elements(child: etree._Element) -> None:
    for part in child.iter():
        if len(part):
            no_text(part.text)
        if part is not child:
            no_text(part.tail)


def value_text(element: etree._Element) -> str:
    """The first ValueString of an element with ID and Value."""
    for part in element:
        if str(part.tag).endswith("}Value"):
            return next((inner.text or "" for inner in part if str(inner.tag).endswith("}ValueString")), "")
    return ""


def _simple(child: etree._Element) -> bool:
    """True when the element is ID and Value/ValueString and nothing else: what we would write."""
    if len(child) != 2 or child.attrib or len(child[1]) != 1:
        return False
    return not any(part.attrib for part in (child[0], child[1], child[1][0]))


_READERS: dict[Kind, Callable[[Reader, Row], Read]] = {
    Kind.KEPT: _kept, Kind.LEAF: _leaf, Kind.NESTED: _nested, Kind.GROUP: _group, Kind.CONST: _const,
    Kind.MIRROR: _mirror,
}  # fmt: skip
