"""Large documents: cut into documents of their own while they are read, so that memory holds one of them at a time.

Every part has the head of the whole (ApplicationArea, verb, what the noun says of its items) and some of its items, in
their order; it is read, kept and written like any other document. `survey` goes through the whole before the first
part is used: what isn't well formed or isn't safe anywhere is refused as a whole, as with a small document. The limits
for texts, attributes and depth are those of `secure.parse`, applied to each part.
"""

from __future__ import annotations

from copy import deepcopy
from itertools import groupby
from typing import IO, TYPE_CHECKING, cast

from lxml import etree

from canonical.b2mml.envelope import open_envelope
from canonical.b2mml.faults import DocumentError
from canonical.b2mml.nouns import CONTAINERS, FORMS, local
from canonical.b2mml.secure import DOCTYPES, MAX_BYTES, NO_DTD
from canonical.b2mml.table import NAMESPACES

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 64 * 1024
PART_ITEMS = 1000
"""Items of a part at most: they are stored as one batch."""
PART_BYTES = 1_000_000
"""A part ends with the item that reaches so many bytes."""
MAX_HOLDERS = 1000
"""Nouns of a document that hold items: each is the head of parts of its own."""
MAX_AROUND = 1_000_000
"""Bytes that may stand between the items and between the nouns: they stay in memory."""
MAX_NAMESPACES = 10_000
"""Characters of the namespaces declared around an item: each item is written with them."""
_MARK = "mombus-items"
_PLACE = b"<?mombus-items here?>"
_GZIP = b"\x1f\x8b"
_OVERLAP = 32

_UNITS = frozenset(name for names in CONTAINERS.values() for name in names) | {form.noun for form in FORMS.values()}


def split(file: IO[bytes], largest_bytes: int = MAX_BYTES) -> Iterator[bytes]:
    """The parts of the document in `file`, each as bytes, no item over `largest_bytes`; all in one thread.

    Raises DocumentError, also after the first part: `survey` it before.
    """
    pieces = _Pieces(largest_bytes)
    for units in pieces.read(file):
        yield pieces.part(units)
        _take_out(units)
    yield _bytes(pieces.transaction())


def survey(file: IO[bytes], largest_bytes: int = MAX_BYTES) -> tuple[bytes, bytes]:
    """Go through the whole: what is around it, an envelope say, and the document, both with its last items only.

    Raises DocumentError when it isn't well formed, isn't safe, is no document, or has an item over `largest_bytes`.
    """
    pieces = _Pieces(largest_bytes)
    for units in pieces.read(file):
        _take_out(units)
    return _bytes(pieces.root), _bytes(pieces.transaction())


class _Pieces:
    """One pass through a document."""

    def __init__(self, largest_bytes: int) -> None:
        self._largest_bytes = largest_bytes
        self._parser = etree.XMLPullParser(
            events=("start", "end"), tag=_tags(), resolve_entities=False, no_network=True, load_dtd=False,
            dtd_validation=False, attribute_defaults=False, huge_tree=False, remove_comments=True, remove_pis=True,
            collect_ids=False, recover=False,
        )  # fmt: skip
        self._heads: dict[etree._Element, bytes] = {}
        self._around = _Around()
        self._data: etree._Element | None = None
        self._complete: list[etree._Element] = []
        self._since = 0
        """Bytes since the last part."""
        self._item = 0
        """Bytes since the last item's end, to a chunk."""
        self.root: etree._Element

    def read(self, file: IO[bytes]) -> Iterator[list[etree._Element]]:
        """Read to the end; yields complete items of one holder, to be taken out of it. The last one of all stays.

        It stays until something has followed it: the parser still writes behind the last element it has made.
        """
        before = b""
        while chunk := file.read(CHUNK):
            self._refuse(before[-_OVERLAP:] + chunk, first=not before)
            before = chunk
            self._feed(chunk)
            if self._since >= PART_BYTES:
                yield from self._cut()
            while len(self._complete) > PART_ITEMS:
                yield from self._cut()
        if not before:
            raise DocumentError("", "the document is empty")
        try:
            self.root = self._parser.close()
        except etree.XMLSyntaxError as error:
            raise _malformed(error) from None
        while len(self._complete) > PART_ITEMS:
            yield from self._cut()

    def part(self, units: list[etree._Element]) -> bytes:
        """A document with the head of the whole and these items, which are taken out of the whole.

        It is made of texts: what a parser is still working on is better not moved into another document.
        """
        head = self._head(units[0].getparent())  # type: ignore[arg-type]
        items = (etree.tostring(unit, encoding="UTF-8", xml_declaration=False, with_tail=False) for unit in units)
        return head.replace(_PLACE, b"".join(items))

    def transaction(self) -> etree._Element:
        """The document's own root, which may be in an envelope. Raises DocumentError."""
        if self._data is None or self._data.getparent() is None:
            open_envelope(self.root, None)
            raise DocumentError(local(self.root), "DataArea is missing")
        return self._data.getparent()  # type: ignore[return-value]

    def _feed(self, chunk: bytes) -> None:
        try:
            self._parser.feed(chunk)
            for event, element in self._parser.read_events():
                self._see(event, cast("etree._Element", element))
        except etree.XMLSyntaxError as error:
            raise _malformed(error) from None
        self._since += len(chunk)
        self._item += len(chunk)
        if self._item > self._largest_bytes:
            raise DocumentError("", f"an item, or what stands around the items, is over {self._largest_bytes} bytes")

    def _see(self, event: str, element: etree._Element) -> None:
        if local(element) == "DataArea":
            self._data = self._data if self._data is not None else element
        elif event == "end" and self._is_unit(element):
            self._complete.append(element)
            self._item = 0

    def _is_unit(self, element: etree._Element) -> bool:
        """True for an item: a child of a noun that holds items, or a noun that is one."""
        holder = element.getparent()
        if holder is None or self._data is None:
            return False
        name = local(element)
        if holder is self._data:
            return name not in CONTAINERS
        return holder.getparent() is self._data and name in CONTAINERS.get(local(holder), ())

    def _cut(self) -> Iterator[list[etree._Element]]:
        ready = self._complete[: min(PART_ITEMS, len(self._complete) - 1)]
        if not ready:
            return
        self._complete, self._since = self._complete[len(ready) :], 0
        for _, same in groupby(ready, key=lambda unit: unit.getparent()):
            units = list(same)
            self._around.look(units[0])
            yield units

    def _head(self, holder: etree._Element) -> bytes:
        """The document as far as it is read, without other nouns than `holder`, and _PLACE where its items are."""
        if holder not in self._heads:
            whole = self.transaction()
            at = None if holder is self._data else self._data.index(holder)  # type: ignore[union-attr]
            root = deepcopy(whole)
            data = root[-1]
            own = data if at is None else data[at]
            for noun in [one for one in list(data)[1:] if one is not own]:
                data.remove(noun)
            for unit in [one for one in own if at is not None and local(one) in CONTAINERS[local(own)]]:
                own.remove(unit)
            own.append(etree.ProcessingInstruction(_MARK, "here"))
            self._heads[holder] = _bytes(root)
        return self._heads[holder]

    def _refuse(self, data: bytes, *, first: bool) -> None:
        """What is refused before the parser sees it; a DTD can only stand before the first element."""
        if first and data[:2] == _GZIP:
            raise DocumentError("", "the bytes are gzip: send the XML uncompressed")
        if self._data is None and any(mark in data for mark in DOCTYPES):
            raise DocumentError("1:1", NO_DTD)


class _Around:
    """What stays in memory when items are taken out, which is bounded: other elements, and the nouns themselves."""

    def __init__(self) -> None:
        self._last: dict[etree._Element, etree._Element | None] = {}
        """The last element of each holder that was counted, before which nothing is added any more."""
        self._bytes = 0

    def look(self, unit: etree._Element) -> None:
        """Count what stands before an item that is taken out next. Raises DocumentError."""
        holder = unit.getparent()
        if holder is None:
            return
        if holder not in self._last:
            self._last[holder] = None
            self._declared(unit)
            self.look(holder)
        self._bytes += self._count(unit, holder)
        if self._bytes > MAX_AROUND:
            raise DocumentError(local(holder), f"over {MAX_AROUND} bytes stand between the items: send it in parts")

    def _declared(self, unit: etree._Element) -> None:
        if len(self._last) > MAX_HOLDERS:
            raise DocumentError("", f"over {MAX_HOLDERS} nouns hold items: send it in parts")
        if sum(len(prefix or "") + len(name) for prefix, name in unit.nsmap.items()) > MAX_NAMESPACES:
            raise DocumentError("", f"the namespaces declared around the items have over {MAX_NAMESPACES} characters")

    def _count(self, unit: etree._Element, holder: etree._Element) -> int:
        """Bytes of what stands between the last one counted and the item, holders of items left out."""
        last = self._last[holder]
        between = []
        for element in unit.itersiblings(preceding=True):
            if element is last:
                break
            between.append(element)
        if between:
            self._last[holder] = between[0]
        return sum(len(etree.tostring(one)) for one in between if one not in self._last)


def _take_out(units: list[etree._Element]) -> None:
    for unit in units:
        unit.getparent().remove(unit)  # type: ignore[union-attr]


def _bytes(root: etree._Element) -> bytes:
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _malformed(error: etree.XMLSyntaxError) -> DocumentError:
    line, column = error.position
    return DocumentError(f"{line}:{column}", f"not well-formed XML: {error.msg}")


def _tags() -> list[str]:
    return [f"{{{space}}}{name}" for space in NAMESPACES.values() for name in (*_UNITS, "DataArea")]
