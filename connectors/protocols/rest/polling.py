"""Polls one list: what is new since the bookmark becomes messages, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from connectors.protocols.rest.mapping import at, exact_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from canonical.message import Message
    from connectors.connector import Fault
    from connectors.protocols.rest.hearing import Hearing
    from connectors.protocols.rest.paging import Lists, Page
    from connectors.protocols.rest.settings import Read

RESUMED = frozenset({"none", "page", "offset"})
"""Styles whose pages shift while things change: the next page is asked from the bookmark, not by its number."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a read has got: the value of its bookmark, and digests of the items at that value."""

    value: Any = None
    seen: frozenset[str] = frozenset()

    @classmethod
    def of(cls, stored: Any) -> Mark:
        """From a bookmark's JSON; the beginning for anything else."""
        if isinstance(stored, dict) and isinstance(stored.get("seen"), list):
            return cls(stored.get("value"), frozenset(map(str, stored["seen"])))
        return cls()

    def stored(self) -> dict[str, Any]:
        """For a bookmark's JSON."""
        return {"value": self.value, "seen": sorted(self.seen)}


@dataclass(frozen=True, slots=True)
class Heard:
    """What one page said that is new, and where to go on once it is stored."""

    messages: tuple[Message, ...]
    faults: tuple[Fault, ...]
    content: bytes
    mark: Mark


class Poll:
    """One polled read."""

    def __init__(self, read: Read, lists: Lists, hearing: Hearing) -> None:
        self.read = read
        self._lists = lists
        self._hearing = hearing

    async def sweep(self, mark: Mark) -> AsyncIterator[Heard]:
        """Yield what is new since `mark`, and at last nothing but the final mark. Raises what calls raise."""
        bookmark = self.read.bookmark
        if bookmark is None:
            async for heard in self._whole(mark):
                yield heard
            return
        reached, moved = mark, True
        while moved:
            moved = False
            start = bookmark.start if reached.value is None else str(reached.value)
            extra = {} if start is None else {bookmark.query: start}
            async for page in self._lists.pages(self.read, self._data(), extra):
                fresh, new = _fresh(page, bookmark.field, reached)
                moved = bookmark.ordered and new.value != reached.value and not page.last
                reached = new
                yield await self._heard(fresh, page.content, reached if bookmark.ordered else mark)
                if moved and self.read.paging.style in RESUMED:
                    break
                moved = False
        yield Heard((), (), b"", reached)

    async def _whole(self, mark: Mark) -> AsyncIterator[Heard]:
        """Without a bookmark everything is read each time, and what was there last time left out."""
        seen: set[str] = set()
        async for page in self._lists.pages(self.read, self._data()):
            fresh = [item for item in page.items if _digest(item) not in mark.seen]
            seen.update(map(_digest, page.items))
            yield await self._heard(fresh, page.content, mark)
        yield Heard((), (), b"", Mark(None, frozenset(seen)))

    def _data(self) -> dict[str, Any]:
        return self._hearing.place

    async def _heard(self, items: Sequence[Any], content: bytes, mark: Mark) -> Heard:
        messages, faults = await self._hearing.understood(self.read, items, self.read.name)
        return Heard(tuple(messages), tuple(faults), content if messages or faults else b"", mark)


def _fresh(page: Page, field: str, mark: Mark) -> tuple[list[Any], Mark]:
    """The items that weren't there yet, and the mark behind the page."""
    digests = {_digest(item): item for item in page.items}
    fresh = [item for digest, item in digests.items() if digest not in mark.seen]
    values = [value for item in page.items if _order(value := at(item, field))[0]]
    highest = max([*values, *([mark.value] if mark.value is not None else [])], key=_order, default=None)
    at_border = {digest for digest, item in digests.items() if _order(at(item, field)) == _order(highest)}
    if mark.value is not None and _order(highest) == _order(mark.value):
        at_border |= mark.seen
    return fresh, Mark(highest if highest is None or isinstance(highest, int) else str(highest), frozenset(at_border))


def _order(value: Any) -> tuple[int, Decimal | float, str]:
    """Numbers by size, times by the moment they mean, other texts as such; anything else is no bookmark."""
    match value:
        case bool():
            return 0, 0.0, ""
        case int() | Decimal():
            return 1, Decimal(value), ""
        case str() if value.isascii() and value.isdigit():
            return 1, Decimal(value), ""
        case str():
            return _text_order(value)
    return 0, 0.0, ""


def _text_order(value: str) -> tuple[int, float, str]:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return 3, 0.0, value
    return 2, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), ""


def _digest(item: Any) -> str:
    return blake2b(exact_json(item), digest_size=12).hexdigest()
