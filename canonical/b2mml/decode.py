"""Elements to plain dicts, as the tables say; what the tables don't hold is kept as foreign pieces.

The dicts are what the models validate, once per item. `Foreign.place` is one of

    @name        an attribute of the element itself; `xml` is its value
    Name         a further element of that name; written after those the model holds
    Name?        an element without a value; left out once the field has one
    Name=        a field's element as it was spelt; written instead of ours while it means the same
    Name[ID]=    the same for the element with that ID
    Name-        an element that we would write wasn't there; `xml` is the value it would repeat
    after Name   an element of another namespace, behind the last element called Name
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from lxml import etree

from canonical.b2mml.faults import Misfit
from canonical.b2mml.leaves import DATA_TYPES, TIME, Leaf, shape
from canonical.b2mml.table import NAMESPACES, V7, Kind, Row, Table, named
from canonical.b2mml.tables import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from canonical.element import Element

Plain = dict[str, Any]


@dataclass(slots=True)
class Pending:
    """What can be decided only when a whole object was read: copies of fields, and groups that say more than fields."""

    copies: list[tuple[list[Plain], str, etree._Element, str, Leaf]] = field(default_factory=list)
    groups: list[tuple[list[Plain], str, etree._Element, list[Plain]]] = field(default_factory=list)


@dataclass(slots=True)
class Into:
    """Where a read element goes: the object's fields, its foreign pieces, the zone for times that name none."""

    out: Plain
    foreign: list[Plain]
    zone: ZoneInfo | None
    pending: Pending | None = None

    def keep(self, place: str, element: etree._Element) -> None:
        """Keep an element as it came."""
        self.foreign.append({"place": place, "xml": etree.tostring(element, encoding="unicode", with_tail=False)})

    def later(self) -> Pending:
        """What waits for the end of the object."""
        if self.pending is None:
            self.pending = Pending()
        return self.pending


@dataclass(frozen=True, slots=True)
class Slot:
    """What to do with one element name of a type."""

    rank: int
    bit: int
    name: str
    single: bool
    read: Callable[[etree._Element, Into, bool], None]


def put(out: Plain, path: str, value: Any) -> None:
    """Set `a` or `a.b`."""
    if "." in path:
        head, _, path = path.partition(".")
        out = out.setdefault(head, {})
    out[path] = value


def held(out: Plain, path: str) -> bool:
    """True when `a` or `a.b` is set."""
    head, dot, rest = path.partition(".")
    return head in out and (not dot or rest in out[head])


class Reader:
    """Reads one type. Made by `reader`; `read` gives the dict that the type's model validates."""

    def __init__(self, table: Table, model: type[Element], dollar: str, implied: frozenset[str]) -> None:
        self.table = table
        self.implied = implied | {path for path, _ in table.implied}
        self.model = model
        self.dollar = dollar
        self.namespace = "" if table.unqualified else f"{{{NAMESPACES[table.version]}}}"
        self.strict = table.version == V7
        self.slots: dict[str, Slot] = {}
        self.required = 0
        self.echoes: list[tuple[int, Row]] = []
        self.names: list[str] = []

    def compile(self) -> None:
        """Fill the slots; done apart from the constructor because types nest themselves."""
        from canonical.b2mml.slots import slot_reader  # noqa: PLC0415 - the two need each other

        placed: dict[str, dict[str, Row]] = {}
        for row in self.table.rows:
            if row.kind is Kind.PLACED:
                placed.setdefault(row.name, {})[row.text] = row
        for rank, row in enumerate(row for row in self.table.rows if row.kind is not Kind.PLACED):
            bit = 1 << rank
            self.names.append(row.name)
            slot = Slot(rank, bit, row.name, row.single, slot_reader(self, row, placed.get(row.name, {})))
            for name in filter(None, (row.name, row.alias)):
                self.slots[self.namespace + name] = slot
            self.required |= bit if row.required and not self._stands_aside(row) else 0
            if row.kind in (Kind.CONST, Kind.MIRROR):
                self.echoes.append((bit, row))

    def _stands_aside(self, row: Row) -> bool:
        """A choice of two: the one that isn't modelled may stand instead (ExternalReferenceID)."""
        return row.name == "InformationObject"

    def leaf(self, path: str) -> Leaf:
        """How the field at `path` stands in an element."""
        model = self.model
        head, dot, rest = path.partition(".")
        if dot:
            model, head = shape(model, head)[1] or model, rest
        leaf = shape(model, head)[0]
        if leaf is None:
            raise KeyError(f"{self.table.name}: {path} is no leaf")
        return leaf

    def read(self, element: etree._Element, zone: ZoneInfo | None) -> Plain:
        """The dict of one element. Raises Misfit with the path below the element."""
        out: Plain = {}
        into = Into(out, [], zone)
        self.read_into(element, into)
        if into.pending is not None:
            _settle(into)
        for path, implied in self.table.implied:
            if not held(out, path):
                put(out, path, implied(out.get))
        if self.table.lifts:
            _lift(self, out)
        for name, value in out.items():
            if type(value) is list:
                out[name] = tuple(value)
        if into.foreign:
            out["foreign"] = tuple(into.foreign)
        return out

    def read_into(self, element: etree._Element, into: Into) -> None:
        """Read a type's elements into an object."""
        if element.attrib:
            into.foreign.extend({"place": f"@{name!s}", "xml": str(value)} for name, value in element.items())
        rank, mask, slots, strict = 0, 0, self.slots, self.strict
        no_text(element.text)
        for child in element:
            no_text(child.tail)
            slot = slots.get(child.tag)
            if slot is None:
                self._stranger(child, into, rank if mask else -1)
                continue
            seen = mask & slot.bit
            if strict:
                if slot.rank < rank:
                    raise Misfit(f"{slot.name} stands after {self.names[rank]}: B2MML wants it before", slot.name)
                if seen and slot.single:
                    raise Misfit(f"{slot.name} occurs twice", slot.name)
            rank = slot.rank
            mask |= slot.bit
            slot.read(child, into, not seen)
        if strict and self.required & ~mask:
            missing = next(name for at, name in enumerate(self.names) if self.required & ~mask & (1 << at))
            raise Misfit(f"{missing} is missing: B2MML wants it in {self.table.name.partition('/')[0]}")
        for bit, row in self.echoes:
            if not mask & bit:
                into.foreign.append({"place": f"{row.name}-", "xml": ""})

    def _stranger(self, child: etree._Element, into: Into, rank: int) -> None:
        if not isinstance(child.tag, str):
            return
        name = etree.QName(child)
        if name.namespace == NAMESPACES[self.table.version] and self.strict:
            kind = self.table.name.partition("/")[0]
            raise Misfit(f"{name.localname} is no element of {kind} in B2MML {self.table.version}", name.localname)
        into.keep(f"after {self.names[rank]}" if rank >= 0 else "after ", child)


def no_text(text: str | None) -> None:
    """Raise Misfit for text where only elements belong."""
    if text and not text.isspace():
        raise Misfit(f"holds elements, not the text '{text.strip()[:60]}'")


@cache
def reader(
    version: str, name: str, model: type[Element] | None = None, dollar: str = "",
    implied: frozenset[str] = frozenset(),
) -> Reader:  # fmt: skip
    """The reader of a type, to be `compiled` before use; a group has the model, `$` and implied fields around it."""
    load()
    table = named(version, name)
    return Reader(table, model or _model(table), dollar, implied)


def _model(table: Table) -> type[Element]:
    if table.model is None:
        raise KeyError(f"{table.name} is a group: it needs the model around it")
    return table.model


@cache
def compiled(made: Reader) -> Reader:
    """The reader, its slots filled."""
    made.compile()
    return made


def _settle(into: Into) -> None:
    """Fields that stood only in a copy; copies and groups that say something else than we would write."""
    pending = into.later()
    for foreign, name, element, path, leaf in pending.copies:
        text = (element.text or "").strip()
        if not held(into.out, path) and text and path != "id":
            put(into.out, path, leaf.value(text))
        head, dot, rest = path.partition(".")
        value = into.out.get(head) if not dot else into.out.get(head, {}).get(rest)
        if value is None or text != str(value) or element.attrib:
            Into(into.out, foreign, None).keep(f"{name}=", element)
    for foreign, name, element, inner in pending.groups:
        if inner:
            Into(into.out, foreign, None).keep(f"{name}=", element)


def _lift(made: Reader, out: Plain) -> None:
    for path, children, inner, ident in made.table.lifts:
        first: Plain = (out.get(children) or ({},))[0]
        for item in first.get(inner, ()):
            text = item.get("value", {}).get("value")
            if item.get("id") == ident and text:
                out[path] = made.leaf(path).value(text)
                if item.keys() == {"id", "value"} and item["value"].keys() == {"value"}:
                    first[inner] = tuple(other for other in first[inner] if other is not item)
                    if not first[inner]:
                        del first[inner]
                break


def time_with_offset(text: str, zone: ZoneInfo | None) -> Any:
    """A time's text as the model reads it. Raises Misfit for a time without offset when no zone was given."""
    when = TIME.meaning(text)
    if isinstance(when, str) or when.tzinfo is not None:
        return text
    if zone is None:
        raise Misfit(f"{text} has no offset: write 2026-03-02T06:00:00+01:00, or give the site's timezone")
    return when.replace(tzinfo=zone).isoformat()


def other_value(element: etree._Element, text: str) -> str:
    """An open list's word: `Other` with @OtherValue means that value."""
    other = element.get("OtherValue")
    return str(other) if text == "Other" and other is not None and other not in DATA_TYPES else text
