"""A hub that kills itself at one exact place: `python dying_hub.py URL FOLDER EFFECT PLACE`; PLACE `none`: it lives.

Its one target refuses every fact of lane PO-0, so that these are parked.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

sys.path.extend([str(Path(__file__).parents[1] / "delivery"), str(Path(__file__).parents[1])])

from delivery_plant import CALM_S, FACT, Ledger, Patience, Rule, Sink, Target, fact
from nats.aio.msg import Msg

from connectors.connector import Accept, Effect, Rejected
from mombus.bus.connection import connect
from mombus.delivery.dead import Dead
from mombus.delivery.delivery import Delivery
from mombus.journal.journal import Journal

__all__ = ["Ledger", "Place", "fact"]

if TYPE_CHECKING:
    from collections.abc import Sequence

    from canonical.message import Message

PATIENCE = Patience(first_s=0.02, most_s=0.2, idle_s=0.2, ack_wait_s=30)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


class Place(StrEnum):
    """Where it dies."""

    BEFORE_CALL = "before the target's call"
    AFTER_CALL = "after the target's call"
    BEFORE_ACK = "after the outcome is committed, before its ack"
    AFTER_DEAD_LETTER = "after the dead letter, before its ack"
    NONE = "none"


class Death:
    """Comes when the hub gets to the place for the fifth time; there is one dead letter only."""

    def __init__(self, at: Place) -> None:
        self._at = at
        self._left = 1 if at is Place.AFTER_DEAD_LETTER else 5

    def comes(self, place: Place) -> None:
        """Die, if this is the place and it was reached often enough."""
        self._left -= place is self._at
        if self._left == 0:
            _die()


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


class DyingSink(Sink):
    """The target; the hub may die on both sides of its effect."""

    death: Death

    async def write(self, messages: Sequence[Message]) -> Any:
        self.death.comes(Place.BEFORE_CALL)
        said = await super().write(messages)
        self.death.comes(Place.AFTER_CALL)
        return said


def refused(message: Message, _attempt: int) -> BaseException | None:
    return Rejected("the period is closed") if "PO-0" in message.lanes[0] else None


def lurk(death: Death) -> None:
    """Let death wait behind what the hub does to the broker."""
    ack, publish = Msg.ack, Dead._publish

    async def acked(self: Msg) -> None:
        death.comes(Place.BEFORE_ACK)
        await ack(self)

    async def published(self: Dead, *what: Any) -> None:
        await publish(self, *what)
        death.comes(Place.AFTER_DEAD_LETTER)

    Msg.ack, Dead._publish = acked, published  # type: ignore[method-assign]


async def main(url: str, folder: Path, effect: Effect, place: Place) -> None:
    death = Death(place)
    lurk(death)
    sink = DyingSink(Ledger(folder / "books.db"), {FACT: Accept(effect, concurrency=3)})
    sink.trouble, sink.death = refused, death
    journal = await Journal.open(f"sqlite:///{folder / 'journal.db'}")
    rules = (Rule(object="production_response", start=SINCE),)
    target = Target(system="erp", sink=sink, rules=rules, calm_s=CALM_S)
    async with connect(url) as bus:
        await Delivery(
            js=bus.js, journal=journal, site="lyon", targets=[target], publish=bus.publish, patience=PATIENCE
        ).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Effect(sys.argv[3]), Place[sys.argv[4]]))
