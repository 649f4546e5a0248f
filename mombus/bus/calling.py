"""Calls between the parts of a hub that run apart: a question of any size, one answer of any size, over NATS.

A call `write` of system `erp` is asked on `<base>.erp.write`, with its id in a header. What is larger than the broker
carries goes in frames: each is answered before the next is sent, and nothing is done before the last one is there.
Long answers are fetched in frames in the same way. Both go to the one process that has the rest: `<call>.<process>`.

Who waits for an answer looks every few seconds whether somebody still works on it (`<base>.erp.working`), so that the
end of the other process is noticed. Two things are told apart, since only one of them may be tried again blindly:
NobodyAnswers (nothing was done, for certain) and AnswerLost (it may have been done).

What has an effect (`once`) is sent in two frames at least. A process that was frozen, or a line that held everything
back, may bring a question long after its caller gave it up and has read back that nothing was done. The last frame is
sent only after the one before it was answered, so its age is known by one clock: too old, and the call doesn't begin.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from canonical.subjects import token
from mombus.bus.errors import AnswerLost, NobodyAnswers
from mombus.journal.leaseholder import clock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from nats.aio.client import Client
    from nats.aio.msg import Msg

INBOXES = ("_INBOX.", "_R_.")
"""Where answers go: inboxes, and what the broker makes of them between accounts. Nothing else is ever answered to."""
ID, FRAME, MORE, AT, ERROR = "mombus-call", "mombus-frame", "mombus-more", "mombus-at", "mombus-error"
WORKING, DROP = "working", "drop"
ROOM_FOR_HEADERS = 8 * 1024
MAX_BYTES = 160 * 1024 * 1024
"""The largest question or answer."""
MAX_PARTIAL = 256
"""How many questions of one caller may be half there; the oldest is forgotten, its caller begins again."""
MAX_REST = 4
"""How many long answers are kept for each system that fetches them."""
MAX_OPEN = 256
"""How many calls of one system are worked on at once."""
MAX_HELD = 2 * MAX_BYTES
"""Bytes of one system's questions that are held at once: being worked on, and half there beside these."""
LOOK_S = 2.0
LOST_S = 6.0
"""After so long without a sign of work the answer won't come."""
FRESH_S = 4.0
"""A last frame that comes later after the one before it was held up on its way, and may have been given up."""
FRAME_S = 10.0
LONGEST_S = 86_400.0


def intake_base(site: str) -> str:
    """Where connectors in other processes hand items over: `<base>.<system>.item`."""
    return f"mombus.in.{token(site)}"


def connectors_base(site: str) -> str:
    """Where those connectors are asked to write: `<base>.<system>.write`."""
    return f"mombus.connector.{token(site)}"


class Failure(Exception):  # noqa: N818 - what is carried, not what went wrong here
    """What the other side answered instead of a result: its kind, a text and more, as JSON can say it."""

    def __init__(self, kind: str, text: str, more: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.more = dict(more or {})


class Call(NamedTuple):
    """One question: about which system, what is to be done, with what."""

    system: str
    name: str
    content: bytes


class Caller:
    """Asks on `<base>.<system>.<call>`. `nobody` says what it means when nobody answers there."""

    def __init__(self, client: Client, base: str, nobody: str) -> None:
        self._client = client
        self._base = base
        self._nobody = nobody

    async def call(
        self, system: str, name: str, content: bytes = b"", *, timeout_s: float | None = None, once: bool = False
    ) -> bytes:
        """The answer. Raises Failure, NobodyAnswers, AnswerLost; when cancelled the other side is told to stop.

        `once` is for what has an effect: it doesn't begin any more when it was given up here.
        """
        where = f"{self._base}.{system}"
        id = self._client.new_inbox().rpartition(".")[2]
        frames = max(_frames(len(content), self._room), 2 if once else 1)
        subject = await self._send_all_but_last(f"{where}.{name}", id, content, frames)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._answered(where, subject, id, name, content, frames)
        except TimeoutError:
            raise AnswerLost(f"no answer within {timeout_s:g} s") from None

    async def _answered(  # noqa: PLR0917 - one call, taken apart
        self, where: str, subject: str, id: str, name: str, content: bytes, frames: int
    ) -> bytes:
        try:
            answer = await self._send_last(where, subject, id, content, frames)
        except asyncio.CancelledError:
            await self._drop(where, id)
            raise
        return await self._whole(f"{where}.{name}", id, answer)

    async def _send_all_but_last(self, subject: str, id: str, content: bytes, frames: int) -> str:
        """Send all frames but one; returns where the last one goes."""
        where = subject
        for number in range(1, frames):
            headers = {ID: id, FRAME: f"{number}/{frames}"}
            try:
                reply = await self._ask(where, self._frame(content, number), headers, FRAME_S)
            except AnswerLost as lost:
                raise NobodyAnswers(f"{lost}; not all of it was sent") from lost
            where = f"{subject}.{(reply.headers or {}).get(AT, '')}"
        return where

    async def _send_last(self, where: str, subject: str, id: str, content: bytes, frames: int) -> Msg:
        headers = {ID: id, FRAME: f"{frames}/{frames}"}
        asked = asyncio.ensure_future(self._ask(subject, self._frame(content, frames), headers, LONGEST_S))
        loop = asyncio.get_running_loop()
        sign = loop.time()
        try:
            while not (await asyncio.wait({asked}, timeout=LOOK_S))[0]:
                if await self._is_working(where, id):
                    sign = loop.time()
                elif loop.time() - sign > LOST_S:
                    raise AnswerLost(f"nobody works on it any more: {self._nobody}")
            return asked.result()
        finally:
            asked.cancel()

    async def _whole(self, subject: str, id: str, answer: Msg) -> bytes:
        headers = answer.headers or {}
        parts, size = [answer.data], len(answer.data)
        for number in range(2, _count(headers, self._room) + 1):
            more = {ID: id, MORE: str(number)}
            parts.append((await self._ask(f"{subject}.{headers.get(AT, '')}", b"", more, FRAME_S, AnswerLost)).data)
            size += len(parts[-1])
            if size > MAX_BYTES:
                raise AnswerLost(f"the answer has more than {MAX_BYTES} bytes")
        return b"".join(parts)

    async def _ask(
        self, subject: str, content: bytes, headers: dict[str, str], timeout_s: float,
        nobody: type[AnswerLost] | type[NobodyAnswers] = NobodyAnswers,
    ) -> Msg:  # fmt: skip
        from nats.errors import Error, NoRespondersError  # noqa: PLC0415 - heavy

        if not self._client.is_connected:
            raise nobody("the broker isn't connected")
        try:
            reply = await self._client.request(subject, content, timeout=timeout_s, headers=headers)
        except NoRespondersError:
            raise nobody(self._nobody) from None
        except (Error, TimeoutError) as error:
            raise AnswerLost(f"no answer: {str(error) or type(error).__name__}") from error
        if kind := (reply.headers or {}).get(ERROR):
            raise _told(kind, reply.data)
        return reply

    async def _is_working(self, where: str, id: str) -> bool:
        from nats.errors import Error  # noqa: PLC0415

        try:
            await self._client.request(f"{where}.{WORKING}", id.encode(), timeout=LOOK_S)
        except (Error, TimeoutError):
            return False
        return True

    async def _drop(self, where: str, id: str) -> None:
        from nats.errors import Error  # noqa: PLC0415

        if self._client.is_connected:
            try:
                await self._client.publish(f"{where}.{DROP}", id.encode())
            except Error:
                return

    @property
    def _room(self) -> int:
        return _room(self._client)

    def _frame(self, content: bytes, number: int) -> bytes:
        return content[(number - 1) * self._room : number * self._room]


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
        await self._client.flush()

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
        if number == 1 and frames * _room(self._client) <= MAX_BYTES:
            waiting[id] = _Partial(frames)
        partial = waiting.get(id)
        held_up = partial is not None and number == frames and clock() - partial.answered > FRESH_S
        if partial is None or held_up or partial.frames != frames or len(partial.parts) != number - 1:
            waiting.pop(id, None)
            too_large = frames * _room(self._client) > MAX_BYTES
            reason = "it was held up on its way" if held_up else "its earlier frames aren't here"
            text = f"more than {MAX_BYTES} bytes" if too_large else reason
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
        room = _room(self._client)
        frames = _frames(len(answer), room)
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


def _room(client: Client) -> int:
    return client.max_payload - ROOM_FOR_HEADERS


def _frames(size: int, room: int) -> int:
    return max(1, -(-size // room))


def _count(headers: Mapping[str, str], room: int) -> int:
    """How many frames an answer has. Raises AnswerLost: who answers may be anybody who has the system's account."""
    said = headers.get(FRAME, "1/1").partition("/")[2]
    if not (said.isascii() and said.isdigit() and len(said) < 10 and int(said) <= _frames(MAX_BYTES, room)):
        raise AnswerLost(f"the answer says that it has {said[:20]!r} frames")
    return int(said)


def _told(kind: str, data: bytes) -> Failure | NobodyAnswers:
    """The error that was answered. What is no error as `_fail` tells them is told as it came."""
    try:
        said = json.loads(data)
        text, more = str(said["text"]), dict(said["more"])
    except (ValueError, TypeError, LookupError, RecursionError):
        text, more = f"an answer that makes no sense: {data[:200]!r}", {}
    return NobodyAnswers(text) if kind == "begin again" else Failure(kind, text, more)
