"""The side of a call that answers."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connectors.protocols.nats.arrival import arrived
from mombus.bus.calls import framing
from mombus.bus.calls.framing import AT, DROP, ERROR, FRAME, ID, INBOXES, MORE, WORKING, Call, Failure
from mombus.journal.leaseholder import clock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from nats.aio.client import Client
    from nats.aio.msg import Msg

MAX_PARTIAL = 256
"""How many questions of one caller may be half there; the oldest is forgotten, its caller begins again."""
MAX_REST = 4
"""How many long answers are kept for each system that fetches them."""
MAX_OPEN = 256
"""How many calls of one system are worked on at once."""
MAX_HELD = 2 * framing.MAX_BYTES
"""Bytes of one system's questions that are held at once: being worked on, and half there beside these."""
FRESH_S = 4.0
"""A last frame that comes later after the one before it was held up on its way, and may have been given up."""


@dataclass(slots=True)
class _Partial:
    """A question that is half there."""

    frames: int
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    answered: float = 0.0


@dataclass(slots=True)
class _Caller:
    """What one system has with us: it has bounds of its own, so that it can't keep another from being answered."""

    partial: OrderedDict[str, _Partial] = field(default_factory=OrderedDict)
    rest: OrderedDict[str, list[bytes]] = field(default_factory=OrderedDict)
    open: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    working_on: int = 0
    """Bytes of the questions in `open`."""

    def limit(self) -> None:
        """Forget the oldest of what is half there until the rest isn't too much."""
        size = self.working_on + sum(partial.size for partial in self.partial.values())
        while len(self.partial) > 1 and (len(self.partial) > MAX_PARTIAL or size > MAX_HELD):
            size -= self.partial.popitem(last=False)[1].size


class Answerer:
    """Answers the calls on `<base>.*.*`, or on those of one system, until the client is closed.

    `answer` gets the call and returns its answer, or raises Failure; anything else it raises is told as `unexpected`.
    It must not be hurt by being cancelled: who asked may have given up.
    """

    def __init__(
        self, client: Client, base: str, answer: Callable[[Call], Awaitable[bytes]], *, queue: str = ""
    ) -> None:
        self._client = client
        self._base = base
        self._answer = answer
        self._queue = queue
        self._process = client.new_inbox().rpartition(".")[2]
        self._callers: defaultdict[str, _Caller] = defaultdict(_Caller)
        self._subscriptions: list[Any] = []

    async def start(self, system: str = "*") -> None:
        """Begin to answer."""
        base = f"{self._base}.{system}"
        subscribe = self._client.subscribe
        self._subscriptions += [
            await subscribe(f"{base}.*", queue=self._queue, cb=self._asked),
            await subscribe(f"{base}.*.{self._process}", cb=self._asked),
            await subscribe(f"{base}.{WORKING}", cb=self._is_working),
            await subscribe(f"{base}.{DROP}", cb=self._drop),
        ]
        await arrived(self._client)

    async def stop(self, within_s: float) -> None:
        """Answer nothing new; finish what is being worked on, in time."""
        from nats.errors import Error  # noqa: PLC0415

        for subscription in self._subscriptions:
            try:
                await subscription.unsubscribe()
            except Error:
                continue
        if tasks := {task for caller in self._callers.values() for task in caller.open.values()}:
            _, late = await asyncio.wait(tasks, timeout=within_s)
            for task in late:
                task.cancel()

    async def _asked(self, question: Msg) -> None:
        """One frame of a question. What is no call at all isn't answered: its sender broke the rules."""
        with suppress(ValueError):
            await self._take(question)

    async def _take(self, question: Msg) -> None:
        system, name = question.subject.removeprefix(f"{self._base}.").split(".")[:2]
        headers = question.headers or {}
        id = headers.get(ID, "")
        if name in {WORKING, DROP} or not id or not question.reply.startswith(INBOXES):
            return
        if MORE in headers:
            await self._send_more(question, system, id, int(headers[MORE]))
            return
        caller = self._callers[system]
        if id in caller.open:
            return
        content = await self._assembled(question, caller, id)
        if content is None:
            return
        if len(caller.open) >= MAX_OPEN or caller.working_on + len(content) > MAX_HELD:
            many = f"{len(caller.open)} calls of {caller.working_on} bytes"
            await self._fail(question, "begin again", f"{many} are being worked on already")
            return
        self._begin(question, caller, Call(system, name, content), id)

    def _begin(self, question: Msg, caller: _Caller, call: Call, id: str) -> None:
        size = len(call.content)

        def end(_: asyncio.Task[None]) -> None:
            del caller.open[id]
            caller.working_on -= size

        caller.open[id] = task = asyncio.create_task(self._work(question, call, id), name=f"call {call.name}")
        caller.working_on += size
        task.add_done_callback(end)

    async def _assembled(self, question: Msg, caller: _Caller, id: str) -> bytes | None:
        """The whole question once its last frame is there."""
        number, frames = map(int, (question.headers or {}).get(FRAME, "1/1").split("/"))
        if frames == 1:
            return question.data
        waiting = caller.partial
        if number == 1 and frames * framing.room(self._client) <= framing.MAX_BYTES:
            waiting[id] = _Partial(frames)
        partial = waiting.get(id)
        held_up = partial is not None and number == frames and clock() - partial.answered > FRESH_S
        if partial is None or held_up or partial.frames != frames or len(partial.parts) != number - 1:
            waiting.pop(id, None)
            too_large = frames * framing.room(self._client) > framing.MAX_BYTES
            reason = "it was held up on its way" if held_up else "its earlier frames aren't here"
            text = f"more than {framing.MAX_BYTES} bytes" if too_large else reason
            await self._fail(question, "too large" if too_large else "begin again", text)
            return None
        partial.parts.append(question.data)
        partial.size += len(question.data)
        if number < frames:
            caller.limit()
            partial.answered = clock()
            await self._client.publish(question.reply, headers={AT: self._process})
            return None
        del waiting[id]
        return b"".join(partial.parts)

    async def _work(self, question: Msg, call: Call, id: str) -> None:
        try:
            answer = await self._answer(call)
        except Failure as failure:
            await self._fail(question, failure.kind, failure.text, failure.more)
        except Exception as error:  # noqa: BLE001 - who asked is told, and decides
            await self._fail(question, "unexpected", f"{type(error).__name__}: {error}")
        else:
            await self._send(question, call.system, id, answer)

    async def _send(self, question: Msg, system: str, id: str, answer: bytes) -> None:
        room = framing.room(self._client)
        frames = framing.frames(len(answer), room)
        headers = {FRAME: f"1/{frames}", AT: self._process} if frames > 1 else None
        if frames > 1:
            kept = self._callers[system].rest
            kept[id] = [answer[n * room : (n + 1) * room] for n in range(frames)]
            while len(kept) > MAX_REST:
                kept.popitem(last=False)
        await self._client.publish(question.reply, answer[:room], headers=headers)

    async def _send_more(self, question: Msg, system: str, id: str, number: int) -> None:
        kept = self._callers[system].rest
        rest = kept.get(id)
        if rest is None or not 1 < number <= len(rest):
            await self._fail(question, "unexpected", "the rest of that answer isn't kept any more")
            return
        await self._client.publish(question.reply, rest[number - 1])
        if number == len(rest):
            del kept[id]

    async def _fail(self, question: Msg, kind: str, text: str, more: Mapping[str, Any] | None = None) -> None:
        said = json.dumps({"text": text[:4000], "more": dict(more or {})}).encode()
        await self._client.publish(question.reply, said, headers={ERROR: kind})

    async def _is_working(self, question: Msg) -> None:
        """A sign of work; who doesn't work on it says nothing, since another process may."""
        if self._of(question) is not None and question.reply.startswith(INBOXES):
            await self._client.publish(question.reply)

    async def _drop(self, question: Msg) -> None:
        task = self._of(question)
        if task is not None:
            task.cancel()

    def _of(self, question: Msg) -> asyncio.Task[None] | None:
        """The work on what it asks about."""
        system = question.subject.removeprefix(f"{self._base}.").partition(".")[0]
        return self._callers[system].open.get(question.data.decode("ascii", "replace"))
