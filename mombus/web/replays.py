"""A signed webhook that comes twice is answered as before: who overhears one can't make it happen again."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Message, Send

MOST = 100_000
"""Webhooks remembered."""
NOT_FINAL = frozenset({408, 413, 425, 429})
"""Answers after which the same webhook may be tried again, as after all of 5xx."""


class Answer(NamedTuple):
    """A whole answer."""

    events: tuple[Message, ...]

    @property
    def final(self) -> bool:
        """True if sending it again would change nothing."""
        status = self.events[0]["status"] if self.events else 500
        return status < 500 and status not in NOT_FINAL

    async def send(self, send: Send) -> None:
        """Say it, again."""
        for event in self.events:
            await send(event)


class Replays:
    """The answers given to webhooks, by id, for `remember_s`.

    They are in memory: after a restart a replay meets the ids of its messages instead, which the bus knows.
    """

    def __init__(self, remember_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._remember_s, self._clock = remember_s, clock
        self._answers: OrderedDict[str, tuple[float, asyncio.Future[Answer]]] = OrderedDict()

    async def once(self, id: str, call: Callable[[], Awaitable[Answer]]) -> tuple[Answer, bool]:
        """The answer to a webhook, and whether it was given before; two at a time are one. Raises as `call`."""
        self._forget()
        while id in self._answers:
            given = self._answers[id][1]
            await asyncio.wait([given])
            if not given.cancelled() and given.result().final:
                return given.result(), True
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[id] = (self._clock() + self._remember_s, answer)
        try:
            answer.set_result(await call())
        finally:
            if not answer.done() or not answer.result().final:
                del self._answers[id]
            answer.cancel()
        return answer.result(), False

    def _forget(self) -> None:
        while self._answers:
            until, given = next(iter(self._answers.values()))
            if not given.done() or (until > self._clock() and len(self._answers) < MOST):
                return
            self._answers.popitem(last=False)
