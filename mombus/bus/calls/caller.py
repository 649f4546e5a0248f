"""The side of a call that asks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mombus.bus.calls import framing
from mombus.bus.calls.framing import AT, DROP, ERROR, FRAME, ID, MORE, WORKING
from mombus.bus.errors import AnswerLost, NobodyAnswers

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

LOOK_S = 2.0
LOST_S = 6.0
"""After so many seconds' looks without a sign of work the answer won't come; a process that stood still missed one."""
LONGEST_S = 86_400.0


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
        frames = max(framing.frames(len(content), self._room), 2 if once else 1)
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
                reply = await self._ask(where, self._frame(content, number), headers, framing.FRAME_S)
            except AnswerLost as lost:
                raise NobodyAnswers(f"{lost}; not all of it was sent") from lost
            where = f"{subject}.{(reply.headers or {}).get(AT, '')}"
        return where

    async def _send_last(self, where: str, subject: str, id: str, content: bytes, frames: int) -> Msg:
        headers = {ID: id, FRAME: f"{frames}/{frames}"}
        asked = asyncio.ensure_future(self._ask(subject, self._frame(content, frames), headers, LONGEST_S))
        missed = 0
        try:
            while not (await asyncio.wait({asked}, timeout=LOOK_S))[0]:
                missed = 0 if await self._is_working(where, id) else missed + 1
                if missed * LOOK_S >= LOST_S:
                    raise AnswerLost(f"nobody works on it any more: {self._nobody}")
            return asked.result()
        finally:
            asked.cancel()

    async def _whole(self, subject: str, id: str, answer: Msg) -> bytes:
        headers = answer.headers or {}
        rest = f"{subject}.{headers.get(AT, '')}"
        parts, size = [answer.data], len(answer.data)
        for number in range(2, framing.count(headers, self._room) + 1):
            more = {ID: id, MORE: str(number)}
            part = await self._ask(rest, b"", more, framing.FRAME_S, AnswerLost)
            parts.append(part.data)
            size += len(parts[-1])
            if size > framing.MAX_BYTES:
                raise AnswerLost(f"the answer has more than {framing.MAX_BYTES} bytes")
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
            raise framing.told(kind, reply.data)
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
        return framing.room(self._client)

    def _frame(self, content: bytes, number: int) -> bytes:
        return content[(number - 1) * self._room : number * self._room]
