"""Bodies that have to be read before it is known whether who sends them may come in: so many, and so much of them.

Whose signature is good has sent all of it at once, mostly with its headers. So when there are too many, the one that
has been at it longest has to go: who only pretends can't keep the places from those who don't.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mombus.web.limits import Body

MOST_BYTES = 32 * 1024 * 1024
"""Bytes of all of them; one alone may have as many as the door takes."""


class Strangers:
    """The unproven bodies of one door: at most `places`, of which one address has half."""

    def __init__(self, places: int, most_bytes: int = MOST_BYTES) -> None:
        self._places, self._most_bytes = places, most_bytes
        self._reading: list[tuple[str, Body]] = []

    async def body(self, peer: str, body: Body) -> bytes:
        """The whole of it. Raises as Body.piece; TooSlow also for one that has to make room."""
        one = (peer, body)
        self._reading.append(one)
        try:
            self._make_room(peer)
            pieces = []
            while not body.whole:
                pieces.append(await body.piece())
                self._make_room(peer)
            return b"".join(pieces)
        finally:
            if one in self._reading:
                self._reading.remove(one)

    def _make_room(self, peer: str) -> None:
        of_one = [one for one in self._reading if one[0] == peer]
        if len(of_one) > max(1, self._places // 2):
            self._let_go(of_one[0])
        while len(self._reading) > 1 and self._too_many():
            self._let_go(self._reading[0])

    def _too_many(self) -> bool:
        return len(self._reading) > self._places or sum(body.read for _, body in self._reading) > self._most_bytes

    def _let_go(self, one: tuple[str, Body]) -> None:
        self._reading.remove(one)
        one[1].give_up()
