"""Put foreign pieces back where they stood. What each place means is said in `canonical.b2mml.decode`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from canonical.b2mml.decode import Into, compiled, reader
from canonical.b2mml.leaves import TIME
from canonical.b2mml.secure import parse_piece
from canonical.b2mml.slots import value_text
from canonical.b2mml.table import NAMESPACES, V7, Kind, Row

if TYPE_CHECKING:
    from lxml import etree

    from canonical.b2mml.encode import Writer
    from canonical.element import Element

_OTHER_VERSIONS = tuple(space for version, space in NAMESPACES.items() if version != V7)


class Restorer:
    """Knows the order and the rows of one type."""

    def __init__(self, made: Writer) -> None:
        self.made = made
        self.rows = {row.name: row for row in made.table.rows if row.kind is not Kind.PLACED}
        self.placed = {(row.name, row.text): row for row in made.table.rows if row.kind is Kind.PLACED}
        names = list(self.rows)
        self.ranks = {made.space + name: at for at, name in enumerate(names)}
        self.ranks |= {made.space + row.alias: names.index(row.name) for row in self.rows.values() if row.alias}

    def restore(self, element: etree._Element, body: Element) -> None:
        """Put the foreign pieces of `body` into its freshly written element. Raises ValueError for broken pieces."""
        for piece in body.foreign:
            place = piece.place
            if place.startswith("@"):
                element.set(place[1:], piece.xml)
            elif place.endswith("-"):
                self._leave_out(element, place[:-1], piece.xml)
            elif any(space in piece.xml for space in _OTHER_VERSIONS):
                continue  # kept for whoever reads the object; it has no place in a V7 document
            elif place.endswith("="):
                self._as_spelt(element, body, place[:-1], parse_piece(piece.xml))
            elif place.startswith("after "):
                self._insert(element, parse_piece(piece.xml), self._rank(place[6:], -1))
            elif not place.endswith("?") or self._find(element, place[:-1]) is None:
                name = place.rstrip("?")
                self._insert(element, parse_piece(piece.xml), self._rank(name, len(self.ranks)))

    def _rank(self, name: str, otherwise: int) -> int:
        return self.ranks.get(self.made.space + name, otherwise)

    def _find(self, element: etree._Element, name: str) -> etree._Element | None:
        return element.find(self.made.space + name)

    def _insert(self, element: etree._Element, piece: etree._Element, rank: int) -> None:
        for at, child in enumerate(element):
            if self.ranks.get(str(child.tag), -1) > rank:
                element.insert(at, piece)
                return
        element.append(piece)

    def _leave_out(self, element: etree._Element, name: str, value: str) -> None:
        fresh = self._find(element, name)
        if fresh is not None and (not value or fresh.text == value):
            element.remove(fresh)

    def _as_spelt(self, element: etree._Element, body: Element, place: str, piece: etree._Element) -> None:
        name, _, ident = place.partition("[")
        if ident:
            self._placed_as_spelt(element, body, (name, ident.rstrip("]")), piece)
            return
        row, fresh = self.rows.get(name), self._find(element, name)
        if row is None:
            return
        if fresh is not None and self._same(row, fresh, piece):
            element.replace(fresh, piece)
        elif fresh is None and row.kind is Kind.GROUP and not self._fields(row, piece):
            self._insert(element, piece, self._rank(name, len(self.ranks)))

    def _placed_as_spelt(
        self, element: etree._Element, body: Element, place: tuple[str, str], piece: etree._Element
    ) -> None:
        row = self.placed.get(place)
        if row is None:
            return
        leaf = self.made.leaf(row.field)
        text = value_text(piece)
        spelt = leaf.meaning(text.strip() if leaf.strip else text)
        if spelt != leaf.meaning(leaf.text(value) if (value := getattr(body, row.field)) is not None else ""):
            return
        for child in element.findall(self.made.space + place[0]):
            if len(child) and child[0].text == place[1]:
                element.replace(child, piece)
                return
        self._insert(element, piece, self._rank(place[0], len(self.ranks)))

    def _same(self, row: Row, fresh: etree._Element, spelt: etree._Element) -> bool:
        if row.kind is Kind.LEAF:
            leaf = self.made.leaf(self.made.path(row))
            return bool(leaf.meaning(_meant(fresh)) == leaf.meaning(_meant(spelt)))
        if row.kind is Kind.GROUP:
            return self._fields(row, fresh) == self._fields(row, spelt)
        return True

    def _fields(self, row: Row, element: etree._Element) -> dict[str, Any]:
        into = Into({}, [], None)
        compiled(reader(V7, row.table, self.made.model, self.made.path(row))).read_into(element, into)
        return {name: _meaning(value) for name, value in into.out.items()}


def _meant(element: etree._Element) -> str:
    text = (element.text or "").strip()
    return str(element.get("OtherValue", text)) if text == "Other" else text


def _meaning(value: Any) -> Any:
    return TIME.meaning(value) if isinstance(value, str) else value
