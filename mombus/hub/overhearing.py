"""Keeps what is exchanged with the targets: on disk, bounded, and never in the way of a handover.

What comes is queued as it is. A task of its own takes it in batches; secrets are hidden and texts compressed in a
thread, a batch is one commit. What comes faster than that, doesn't fit into the queue, or can't be written isn't kept:
it is counted, and of the last ones it is remembered which messages they were for.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import OrderedDict, deque
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from connectors.exchange import MOST_BYTES
from mombus.journal import exchanges
from mombus.journal.databases import storable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connectors.exchange import Noted
    from mombus.delivery.target import Heard
    from mombus.journal.journal import Journal

QUEUED, QUEUED_BYTES = 1000, 16 * 1024 * 1024
"""What may wait to be kept."""
BATCH = 200
PAUSE_S = 0.25
"""How long a batch is gathered: at most BATCH exchanges in so long are kept."""
ROW_BYTES = 250
"""What a row takes beside its texts, about."""
ROWS_AT_ONCE = 500
TIDY_S = 600.0
AGAIN_S = 5.0
JUST_S = 3.0
"""How long what was just exchanged is waited for by who asks."""
REMEMBERED = 10_000
"""Messages of which it is remembered that something exchanged for them wasn't kept: the last ones."""

log = structlog.get_logger()


class WhyNot(StrEnum):
    """Why an exchange wasn't kept."""

    TOO_MUCH = "too much at once"
    DISK = "not written"
    """The hub's disk, or the database on it, didn't take it."""


class NotKept(NamedTuple):
    """Exchanges for a message with a target that weren't kept: how many, and why the last one wasn't."""

    calls: int
    why: WhyNot


class Overhearing:
    """Keeps exchanges in a database. `count` is called for each that isn't kept, with its target."""

    def __init__(
        self, store: Journal, *, age: timedelta, most_bytes: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._store = store
        self._age = age
        self._most_bytes = most_bytes
        self._clock = clock
        self._queue: deque[Heard] = deque()
        self._queued_bytes = 0
        self._bytes = self._last = 0
        self._keeping: asyncio.Future[None] | None = None
        self._news = asyncio.Event()
        self._kept = asyncio.Event()
        self._not_kept: OrderedDict[tuple[str, str], NotKept] = OrderedDict()
        self._told = False
        self.count: Callable[[str, WhyNot], None] = lambda _target, _why: None

    def hear(self, heard: Heard) -> None:
        """Keep it soon, if there is room. Returns at once."""
        size = _size(heard)
        if len(self._queue) >= QUEUED or self._queued_bytes + size > QUEUED_BYTES:
            if not self._told:
                self._told = True
                log.warning("more is exchanged with the targets than can be kept: not all of it can be looked at later")
            self._left_out(heard, WhyNot.TOO_MUCH)
            return
        self._queue.append(heard)
        self._queued_bytes += size
        self._news.set()

    async def run(self) -> None:
        """Keep what comes, for ever; what can't be kept is no reason to stop."""
        while True:
            try:
                await self._run()
            except Exception:
                log.exception("what was exchanged with the targets can't be kept now")
            await asyncio.sleep(AGAIN_S)

    async def _run(self) -> None:
        there = await self._store.read(exchanges.kept)
        self._bytes, self._last = there.bytes, there.last
        clock = asyncio.get_running_loop().time
        tidy_at = clock()
        while True:
            if self._bytes > self._most_bytes or clock() >= tidy_at:
                await self._tidy()
                tidy_at = clock() + TIDY_S
            try:
                async with asyncio.timeout_at(tidy_at):
                    await self._news.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(PAUSE_S)
            self._keeping = asyncio.ensure_future(self._keep_batch())
            await asyncio.shield(self._keeping)

    async def close(self) -> None:
        """Keep what is queued; `run` was cancelled before."""
        if self._keeping is not None:
            await self._keeping
        while self._queue:
            await self._keep_batch()

    async def of(self, message_id: str, targets: Sequence[str], most: int) -> Sequence[Any]:
        """What was exchanged for a message with these targets, with each the last ones; what just was, too."""
        with suppress(TimeoutError):
            async with asyncio.timeout(JUST_S):
                while any(message_id in heard.attempts for heard in self._queue):
                    self._kept.clear()
                    await self._kept.wait()
        return await self._store.survey(
            partial(exchanges.of_message, message_id=message_id, targets=targets, most=most)
        )  # fmt: skip

    def not_kept(self, message_id: str, targets: Sequence[str]) -> dict[str, NotKept]:
        """Of which targets something wasn't kept for a message, as far as it is remembered."""
        found = {target: self._not_kept.get((message_id, target)) for target in targets}
        return {target: one for target, one in found.items() if one is not None}

    def _left_out(self, heard: Heard, why: WhyNot) -> None:
        self.count(heard.target, why)
        for id in heard.noted.messages:
            before = self._not_kept.pop((id, heard.target), None)
            self._not_kept[id, heard.target] = NotKept((before.calls if before else 0) + 1, why)
        while len(self._not_kept) > REMEMBERED:
            self._not_kept.popitem(last=False)

    async def _keep_batch(self) -> None:
        batch = [self._queue[at] for at in range(min(BATCH, len(self._queue)))]
        try:
            rows, messages = await asyncio.to_thread(_rows, batch, self._last + 1)
            await self._store.write(partial(exchanges.keep, rows=rows, messages=messages))
            self._last += len(rows)
            self._bytes += sum(row["bytes"] for row in rows)
        except Exception:
            log.exception("what was exchanged with the targets can't be kept now")
            for heard in batch:
                self._left_out(heard, WhyNot.DISK)
        for _ in batch:
            self._queued_bytes -= _size(self._queue.popleft())
        if not self._queue:
            self._news.clear()
        self._kept.set()

    async def _tidy(self) -> None:
        """Make room down to nine tenths, and forget what is too old."""
        before, more = self._clock() - self._age, True
        while more:
            over = self._bytes - int(self._most_bytes * 0.9) if self._bytes > self._most_bytes else 0
            freed, more = await self._store.write(
                partial(exchanges.make_room, bytes=over, before=before, most=ROWS_AT_ONCE)
            )
            self._bytes -= freed


def _size(heard: Heard) -> int:
    exchange = heard.noted.exchange
    return len(exchange.request) + len(exchange.response or b"") + ROW_BYTES


def _rows(batch: Sequence[Heard], first: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A row for each exchange, its secrets hidden, and for each message that it was for."""
    told = [heard for heard in batch if heard.noted.messages]
    rows = [_row(heard.noted, heard.asked) | {"number": first + at} for at, heard in enumerate(told)]
    messages = [
        {"message_id": id, "target": heard.target, "number": first + at, "attempt": heard.attempts.get(id, 0)}
        for at, heard in enumerate(told) for id in heard.noted.messages
    ]  # fmt: skip
    return rows, messages


def _row(noted: Noted, asked: bool) -> dict[str, Any]:
    exchange = noted.hide(noted.exchange)
    request = zlib.compress(exchange.request[:MOST_BYTES], 1)
    response = None if exchange.response is None else zlib.compress(exchange.response[:MOST_BYTES], 1)
    how, status, trouble = map(_text, (exchange.how, exchange.status, exchange.trouble))
    texts = len(request) + len(response or b"") + len(how or "") + len(trouble or "")
    return {
        "asked": asked, "at": exchange.at, "took_s": exchange.took_s, "how": how, "status": status,
        "trouble": trouble, "request": request, "request_size": exchange.request_size,
        "request_type": exchange.request_type, "response": response, "response_size": exchange.response_size,
        "response_type": exchange.response_type, "bytes": texts + ROW_BYTES * (1 + len(noted.messages)),
    }  # fmt: skip


def _text(text: str | None) -> str | None:
    return None if text is None else storable(text)
