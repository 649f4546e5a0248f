"""Publishing that is done only when the broker has stored it.

A timeout is no failure: the same message is published again under the same id until it is stored. A batch is stored
whole or not at all. What is too large for the broker is stored apart first (claims.py) and travels without its content.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from canonical.claim import Claim
from canonical.wire import CLAIM, MESSAGE_ID, to_headers
from mombus.bus import claims
from mombus.bus.errors import Conflict, NotPermitted, NotReachable, NotStored, StreamFull, StreamGone, TooLarge
from mombus.bus.streams import MOM, SIGNALS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    from nats.js import JetStreamContext
    from nats.js.api import PubAck

    from canonical.message import Message
    from mombus.bus.link import Link

IN_FLIGHT = 256
"""Publishes that wait for their confirmation at once."""
TRY_S = 5.0
"""How long one try waits for its confirmation; a lost connection ends it earlier."""
MAX_BATCH = 1000
LARGEST_BODY = 256 * 1024**2
"""Bytes of a body that are taken, unless told otherwise."""
EXPECTED = "Nats-Expected-Last-Subject-Sequence"

_WRONG_LAST = {10071, 10164}
_DUPLICATE_IN_BATCH = 10201
_TOO_LARGE = {10054, 10097}
_FULL = {10077, 10109, 10122}
_NO_ROOM_S = 1.0
_PART_HEADERS = 4096
"""Room for the headers of a part of a body."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a message is kept. `duplicate`: its id was stored before, `seq` is where."""

    stream: str
    seq: int
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """A message ready to publish: subject, headers, content. `expect` is the last sequence its subject may have."""

    subject: str
    headers: Mapping[str, str]
    content: bytes
    expect: int | None = None

    @classmethod
    def of(cls, message: Message, *, expect: int | None = None, headers: Mapping[str, str] | None = None) -> Letter:
        """The letter of a message; `headers` are added to its own."""
        return cls(message.subject, {**to_headers(message), **(headers or {})}, message.content, expect)

    @property
    def id(self) -> str:
        """The id by which the broker recognises it."""
        return self.headers[MESSAGE_ID]

    @property
    def what(self) -> str:
        """How errors name it."""
        return f"{self.headers.get('ce-type', self.subject)} {self.headers.get('ce-subject', '')}".strip()


class Publisher:
    """Publishes letters over one connection."""

    def __init__(self, js: JetStreamContext, link: Link, largest_body_bytes: int = LARGEST_BODY) -> None:
        self._js = js
        self._link = link
        self._largest_body_bytes = largest_body_bytes
        self._in_flight = asyncio.Semaphore(IN_FLIGHT)

    async def publish(self, letter: Letter, *, deadline_s: float | None = None) -> Stored:
        """Publish until stored.

        Raises Conflict when the subject's last sequence isn't the expected one, NotPermitted, TooLarge, StreamGone,
        and NotStored or StreamFull after `deadline_s` (None: waits for ever).
        """
        letter = await self._carried(letter, deadline_s)
        extra = {} if letter.expect is None else {EXPECTED: str(letter.expect)}
        async with self._in_flight:
            try:
                ack = await self._insist(letter, {**letter.headers, **extra}, deadline_s)
            except Conflict:
                before = await self._already(letter)
                if before is None:
                    raise
                return before
        return Stored(ack.stream, ack.seq, bool(ack.duplicate))

    async def publish_batch(self, letters: Sequence[Letter], *, deadline_s: float | None = None) -> tuple[Stored, ...]:
        """Publish all or none, in order. A batch with letters that are known already is published one by one.

        Over MAX_BATCH letters, every MAX_BATCH of them are one batch. Raises what `publish` raises.
        """
        carried = [await self._carried(letter, deadline_s) for letter in letters]
        stored: list[Stored] = []
        for part in _parts(carried, MAX_BATCH):
            if len(part) == 1:
                stored.append(await self.publish(part[0], deadline_s=deadline_s))
            else:
                stored.extend(await self._whole(part, deadline_s))
        return tuple(stored)

    async def _whole(self, letters: Sequence[Letter], deadline_s: float | None) -> list[Stored]:
        ids = [letter.id for letter in letters]
        if len(set(ids)) == len(ids):
            async with self._in_flight:
                try:
                    ack = await self._insist_batch(letters, deadline_s)
                except (Conflict, _Known):
                    ack = None
            if ack is not None:
                first = ack.seq - len(letters) + 1
                return [Stored(ack.stream, first + n) for n in range(len(letters))]
            if not await self._some_known(letters):
                raise Conflict("a key of the batch was written since it was read")
        return [await self.publish(letter, deadline_s=deadline_s) for letter in letters]

    async def _some_known(self, letters: Sequence[Letter]) -> bool:
        """Was the batch refused because parts of it are stored already, say by a try whose answer was lost?"""
        expecting = [letter for letter in letters if letter.expect is not None]
        if len(expecting) < len(letters):
            return True
        for letter in expecting:
            if await self._already(letter) is not None:
                return True
        return False

    async def _insist_batch(self, letters: Sequence[Letter], deadline_s: float | None) -> PubAck:
        last = letters[-1]

        async def attempt(timeout_s: float) -> PubAck:
            batch = self._js._nc._nuid.next().decode()
            for number, letter in enumerate(letters, 1):
                headers = {**letter.headers, "Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
                if letter.expect is not None:
                    headers[EXPECTED] = str(letter.expect)
                if letter is last:
                    return await self._js.publish(
                        letter.subject, letter.content, timeout=timeout_s, headers={**headers, "Nats-Batch-Commit": "1"}
                    )
                await self._js._nc.publish(letter.subject, letter.content, headers=headers)
            raise AssertionError("a batch has letters")

        return await self._repeat(attempt, last, deadline_s)

    async def _insist(self, letter: Letter, headers: dict[str, str], deadline_s: float | None) -> PubAck:
        async def attempt(timeout_s: float) -> PubAck:
            return await self._js.publish(letter.subject, letter.content, timeout=timeout_s, headers=headers)

        return await self._repeat(attempt, letter, deadline_s)

    async def _repeat(
        self, attempt: Callable[[float], Awaitable[PubAck]], letter: Letter, deadline_s: float | None
    ) -> PubAck:
        clock = asyncio.get_running_loop().time
        deadline = None if deadline_s is None else clock() + deadline_s
        while True:
            left_s = None if deadline is None else max(0.0, deadline - clock())
            if not await self._link.wait_up(left_s):
                raise NotStored(f"{letter.what} was not confirmed within {deadline_s:g} s: {self._link.reason}")
            denied = self._link.expect_denial(letter.subject)
            try_s = TRY_S if deadline is None else max(0.01, min(TRY_S, deadline - clock()))
            try:
                ack = await self._link.unless_lost(attempt(try_s), denied)
                self._link.confirmed(letter.subject)
                return ack
            except Exception as error:
                pause_s = await self._verdict(error, letter)
                if deadline is not None and clock() + pause_s >= deadline:
                    raise _too_late(error, letter, deadline_s) from error
            finally:
                self._link.forget_denial(letter.subject, denied)
            await asyncio.sleep(pause_s)

    async def _verdict(self, error: Exception, letter: Letter) -> float:
        """How long to wait before the next try, or the error that ends it."""
        from nats.errors import ConnectionClosedError, Error, MaxPayloadError  # noqa: PLC0415
        from nats.js.errors import APIError, NoStreamResponseError  # noqa: PLC0415

        match error:
            case NotPermitted():
                raise error
            case MaxPayloadError():
                raise TooLarge(letter.what, _size(letter), self._js._nc.max_payload)
            case ConnectionClosedError():
                raise NotReachable(f"the connection is closed: {self._link.reason}")
            case NoStreamResponseError():
                await self._check_stream(letter)
                return 0.1
            case APIError(err_code=code) if code in _WRONG_LAST:
                raise Conflict(f"{letter.what} was written by somebody else since it was read")
            case APIError(err_code=code) if code == _DUPLICATE_IN_BATCH:
                raise _Known
            case APIError(err_code=code) if code in _TOO_LARGE:
                raise TooLarge(letter.what, _size(letter), self._js._nc.max_payload)
            case APIError(err_code=code, code=status) if code in _FULL or (status or 0) >= 500:
                self._link.note(f"the broker refuses to store: {error.description}")
                return _NO_ROOM_S
            case APIError():
                raise NotStored(f"{letter.what} was refused: {error.description}")
            case TimeoutError():
                self._link.stall()
                return 0.05
            case Error() | ConnectionError():
                return 0.05
            case _:
                raise error

    async def _check_stream(self, letter: Letter) -> None:
        """No answer at all: JetStream is still starting, or the stream is gone."""
        from nats.errors import Error  # noqa: PLC0415
        from nats.js.errors import NotFoundError  # noqa: PLC0415

        try:
            await self._js.find_stream_name_by_subject(letter.subject)
        except NotFoundError:
            raise StreamGone(
                f"no stream takes {letter.subject}: it was deleted or the broker's store was wiped; "
                "stop the hub, restore the store or start with a new journal"
            ) from None
        except (Error, TimeoutError):
            return

    async def _already(self, letter: Letter) -> Stored | None:
        """After a conflict: a compare-and-set said again is refused, though it was itself what came in between.

        Raises NotStored when the broker goes away before it has said which.
        """
        from nats.errors import Error  # noqa: PLC0415
        from nats.js.errors import NotFoundError  # noqa: PLC0415

        root, site, object_, verb, system, lane, key = letter.subject.split(".")
        stream = MOM if root == "mom" else SIGNALS
        try:
            last = await self._js.get_msg(stream, subject=f"{root}.{site}.{object_}.{verb}.{system}.*.{lane}.{key}")
        except NotFoundError:
            return None
        except (Error, TimeoutError, ConnectionError) as error:
            raise NotStored(f"{letter.what}: the broker didn't say whether it is stored: {error}") from error
        headers = last.headers or {}
        same = headers.get(MESSAGE_ID) == letter.id and (last.data or b"") == letter.content
        same = same and headers.get(CLAIM) == letter.headers.get(CLAIM)
        return Stored(stream, last.seq or 0, duplicate=True) if same else None

    async def _carried(self, letter: Letter, deadline_s: float | None) -> Letter:
        """The letter as the broker carries it: what is too large has its content stored apart, before it."""
        if len(letter.content) > self._largest_body_bytes:
            raise TooLarge(letter.what, len(letter.content), self._largest_body_bytes)
        limit = self._js._nc.max_payload
        if _size(letter) <= limit:
            return letter
        claim = Claim.of(letter.subject, letter.content)
        light = replace(letter, headers={**letter.headers, CLAIM: str(claim)}, content=b"")
        if _size(light) > limit:
            raise TooLarge(f"{letter.what}, its headers alone,", _size(light), limit)
        for subject, headers, content in claims.parts(claim, letter.subject, letter.content, limit - _PART_HEADERS):
            await self.publish(Letter(subject, headers, content), deadline_s=deadline_s)
        return light


class _Known(Exception):  # noqa: N818
    """A batch holds an id that is stored already."""


def _too_late(error: Exception, letter: Letter, deadline_s: float | None) -> Exception:
    from nats.js.errors import APIError  # noqa: PLC0415

    if isinstance(error, APIError):
        return StreamFull(f"{letter.what} found no room within {deadline_s:g} s: {error.description}")
    return NotStored(f"{letter.what} was not confirmed within {deadline_s:g} s; it may have been stored")


def _size(letter: Letter) -> int:
    """As the broker counts: payload and header block, with room for what batches and expectations add."""
    return len(letter.content) + sum(len(name) + len(value) + 4 for name, value in letter.headers.items()) + 192


def _parts(letters: Iterable[Letter], size: int) -> Iterator[list[Letter]]:
    rest = iter(letters)
    while part := list(islice(rest, size)):
        yield part
