"""A hub in a process of its own, to be killed: delivers to targets of each effect kind, and to one that posts late."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

sys.path.extend(map(str, Path(__file__).parents[:2]))

from delivery_plant import CALM_S, FACT, ORDER, Ledger, Patience, Rule, Sink, Target

from connectors.connector import Accept, Effect, Level
from mombus.bus.connection import connect
from mombus.delivery.delivery import Delivery
from mombus.journal.journal import Journal

KINDS = {
    "idempotent": Accept(Effect.IDEMPOTENT, batch=20, concurrency=2),
    "findable": Accept(Effect.FINDABLE, batch=5, concurrency=3),
    "blind": Accept(Effect.BLIND),
    "posting": Accept(Effect.FINDABLE, concurrency=3),
}
PATIENCE = Patience(first_s=0.02, most_s=0.2, idle_s=0.2, ack_wait_s=30)


class PostingSink(Sink):
    """Takes a message first and posts it later."""

    async def write(self, messages):
        return [replace(answer, level=Level.ACCEPTED, document=None) for answer in await super().write(messages)]


def targets(folder: Path, delay_s: float) -> list[Target]:
    found = []
    for name, accept in KINDS.items():
        late = name == "posting"
        sink = (PostingSink if late else Sink)(Ledger(folder / f"{name}.db"), {ORDER: accept, FACT: accept})
        sink.delay_s = delay_s
        level = Level.POSTED if late else Level.ACCEPTED
        rules = tuple(Rule(object=object, effect=level) for object in ("production_order", "production_response"))
        found.append(Target(system=name, sink=sink, rules=rules, calm_s=CALM_S))
    return found


async def main(url: str, folder: Path) -> None:
    journal = await Journal.open(f"sqlite:///{folder / 'journal.db'}")
    async with connect(url) as bus:
        delivery = Delivery(
            js=bus.js, journal=journal, site="lyon", targets=targets(folder, 0.004), publish=bus.publish,
            patience=PATIENCE,
        )  # fmt: skip
        await delivery.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
