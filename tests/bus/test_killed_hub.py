"""A hub that is killed while it takes items in, again and again: every message is stored once, in order."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from patience import PATIENCE_S, until

from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.streams import MOM, Limits
from mombus.journal.journal import Journal

HERE = Path(__file__).parent
ITEMS = 120
HUB = f"""
import asyncio, sys
sys.path[:0] = {[str(HERE), str(HERE.parent)]!r}
from pathlib import Path
from sayings import consumption, order
from test_intake import an_intake
from connectors.connector import Fault, Item
from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.streams import Limits
from mombus.journal.journal import Journal

async def main(folder):
    async with EmbeddedBroker(folder / "broker") as broker, connect(broker.url, limits=Limits()) as bus:
        journal = await Journal.open(f"sqlite:///{{folder / 'journal.db'}}")
        intake = await an_intake(bus, journal)
        print("begins", flush=True)
        for n in range(int(await intake.bookmark("mes") or -1) + 1, {ITEMS}):
            states = tuple(order(f"PO-{{n % 7}}-{{i}}", f"version {{n}}") for i in range(3))
            await intake.accept("erp", Item(messages=states, raw=b"document %d" % n, bookmark=str(n)))
            await intake.accept("mes", Item(messages=(consumption("1", response=f"R-{{n}}"),), bookmark=str(n)))
        print("done", flush=True)

asyncio.run(main(Path(sys.argv[1])))
"""


def run_until_killed(folder: Path, after_s: float) -> bool:
    """Run the hub and kill it; True when it came to its end first."""
    hub = subprocess.Popen([sys.executable, "-c", HUB, str(folder)], stdout=subprocess.PIPE, text=True)
    assert hub.stdout is not None
    assert hub.stdout.readline() == "begins\n"
    killer = threading.Timer(after_s, hub.kill)
    killer.start()
    said = hub.stdout.read()
    killer.cancel()
    hub.wait()
    hub.stdout.close()
    return said == "done\n"


async def test_every_message_is_stored_once_and_in_order(tmp_path):
    chance = random.Random(7)  # noqa: S311
    for _ in range(5):
        run_until_killed(tmp_path, chance.uniform(0.02, 0.2))
    assert run_until_killed(tmp_path, PATIENCE_S)
    async with EmbeddedBroker(tmp_path / "broker") as broker, connect(broker.url, limits=Limits()) as bus:
        journal = await Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
        last = (await bus.js.stream_info(MOM)).state.last_seq
        messages = [await bus.at(MOM, seq) for seq in range(1, last + 1)]
        await journal.close()
        await until(lambda: bus.latest("production_order", "PO-0-0", site="lyon"))
    facts = Counter(m.key for m in messages if m.object == "material_consumption")
    assert facts == {f"R-{n}/1": 1 for n in range(ITEMS)}
    states: dict[str, list[tuple[int, str]]] = {}
    for message in messages:
        if message.object == "production_order":
            states.setdefault(message.key, []).append((message.revision, message.body.description))
    for key, versions in states.items():
        first = int(key.split("-")[1])
        assert versions == [(number, f"version {n}") for number, n in enumerate(range(first, ITEMS, 7), 1)], key
