"""Handovers per second of processor time while a thousand lanes are parked, against the same without any.

Each poisoned lane has a message that the target never takes, and two behind it. All of them wait before the others are
published. Both ways a new broker and a new journal; the median of the rounds counts.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bench.figure import Aim, Figure, amount
from bench.handovers import LONG_AGO
from bench.stream import IDEMPOTENT, Rate, Sink, Tally, broker, confirmation, delivery, middle
from canonical.isa95.operations import SegmentResponse
from canonical.message import Message
from connectors.connector import PermanentError
from mombus.delivery.target import Hop, State

if TYPE_CHECKING:
    from collections.abc import Sequence

PARKED = 1000
DEEP = 3
AIM = Aim("ratio", "least", 0.9)


class Picky(Sink):
    """Never takes what is about a poisoned order."""

    async def write(self, messages: Sequence[Message]) -> list[Any]:
        """Take the others."""
        taken: list[Any] = list(await super().write(messages))
        return [
            PermanentError("the order is closed") if message.key.startswith("BAD-") else receipt
            for message, receipt in zip(messages, taken, strict=True)
        ]


def run(quick: bool) -> list[Figure]:
    """Handovers per second of the lanes that aren't parked."""
    number, rounds = (4000, 1) if quick else (20_000, 3)
    rates = [(asyncio.run(_rate(number, 0)), asyncio.run(_rate(number, PARKED))) for _ in range(rounds)]
    free, parked = map(middle, zip(*rates, strict=True))
    note = f"bare is without any; {number:,} messages, {DEEP - 1} behind each parked one, median of {rounds}"
    return [
        Figure(
            name=f"handovers beside {PARKED:,} parked lanes", value=parked.of_processor, unit="/s",
            bare=free.of_processor, aim=AIM,
            note=f"{note}; by the clock {amount(parked.by_clock)}/s, without {amount(free.by_clock)}/s",
        )
    ]  # fmt: skip


async def _rate(number: int, lanes: int) -> Rate:
    tally, parked, left = Tally(number), asyncio.Event(), lanes * DEEP
    if not left:
        parked.set()

    def observe(hop: Hop) -> None:
        nonlocal left
        if hop.state is State.DELIVERED:
            tally.add()
        elif hop.state in {State.PARKED, State.WAITING}:
            left -= 1
            if not left:
                parked.set()

    async with broker() as (bus, folder):
        said = [_poisoned(lane, place) for place in range(DEEP) for lane in range(lanes)]
        for start in range(0, len(said), 1000):
            await bus.publish_batch(said[start : start + 1000])
        async with delivery(bus, folder, [Picky(IDEMPOTENT)], start=LONG_AGO, observe=observe):
            await parked.wait()
            for start in range(0, number, 1000):
                await bus.publish_batch([confirmation(n) for n in range(start, start + 1000)])
            await tally.reached.wait()
    return tally.rate


def _poisoned(lane: int, place: int) -> Message:
    like = confirmation(0)
    body = SegmentResponse(id=f"BAD-{lane}-{place}", operations_request_id=f"PO-BAD-{lane}")
    return Message.of(
        like.object, body, source=like.source, site=like.site, occurred=like.occurred, recorded=like.recorded
    )
