"""OPC UA readings per second into the stream, against a bare asyncua subscription to the same server.

The server runs in a process of its own and writes each of its nodes 20 times a second, or as often as it can. Bare is a
subscription whose handler counts; the bus is a whole hub with `plc.opcua`, and what counts are the readings that the
broker has stored and confirmed. They take turns; the first second of each warms up, the median of the rounds counts.

asyncua's server is slower than either of its readers, so that readings per second would compare the server with itself:
the figure is readings per second of processor time that the reading process takes.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.figure import Aim, Figure, amount
from bench.hub import ROOT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from mombus.bus.connection import Bus

NAMESPACE = "urn:bench"
NODES = 500
PUBLISHING_MS = 50
AIM = Aim("ratio", "least", 0.5)
ROUTES = """
version: 1
plant: {{enterprise: acme, site: lyon, timezone: Europe/Paris}}
bus: {{broker: embedded, store: embedded, folder: hub}}
http: {{port: 0}}
systems:
  line1: {{connector: plc.opcua, url: "{url}", signals: signals.yaml, publishing_interval_ms: {interval}}}
objects:
  process_value: {{owner: line1, process_owner: automation@acme.example}}
"""


def run(quick: bool) -> list[Figure]:
    """Readings per second of processor time."""
    rounds, seconds = (1, 2.0) if quick else (3, 6.0)
    bare, stored = [], []
    with _server() as url:
        for _ in range(rounds):
            bare.append(asyncio.run(_bare(url, seconds)))
            stored.append(asyncio.run(_stored(url, seconds)))
    came, busy = (median(each) for each in zip(*((rate, share) for _, rate, share in stored), strict=True))
    note = (
        f"per second of processor time: {NODES} nodes, {amount(came)} readings/s came for {busy:.0%} of a core, all "
        f"the server gave; bare {amount(median(rate for _, rate, _ in bare))}/s"
    )
    return [
        Figure(
            name="OPC UA readings into the stream", value=median(each[0] for each in stored), unit="/s",
            bare=median(each[0] for each in bare), aim=AIM, note=note,
        )
    ]  # fmt: skip


class _Count:
    """A handler that does nothing but count."""

    def __init__(self) -> None:
        self.values = 0

    def datachange_notification(self, *_: object) -> None:
        """One more."""
        self.values += 1


Rate = tuple[float, float, float]
"""Readings per second of processor time, per second, and the share of a core that was taken."""


async def _bare(url: str, seconds: float) -> Rate:
    from asyncua import Client  # noqa: PLC0415 - heavy

    handler = _Count()

    async def counted() -> int:
        return handler.values

    async with Client(url) as client:
        index = await client.get_namespace_index(NAMESPACE)
        nodes = [await client.nodes.objects.get_child(f"{index}:V{n}") for n in range(NODES)]
        subscription = await client.create_subscription(PUBLISHING_MS, handler)
        await subscription.subscribe_data_change(nodes, queuesize=20, sampling_interval=0)
        before, after, rate = await _measured(counted, seconds)
        return rate(after - before)


async def _stored(url: str, seconds: float) -> Rate:
    from mombus.bus.connection import connect  # noqa: PLC0415 - the server's process needs none of it
    from mombus.config.loader import load  # noqa: PLC0415
    from mombus.hub import note  # noqa: PLC0415
    from mombus.hub.hub import open_hub  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _configure(folder, url)
        config = load([folder / "routes.yaml"]).config
        assert config is not None
        async with open_hub(config), connect(note.find(folder / "hub").broker) as bus:

            async def last() -> int:
                return (await bus.js.stream_info("SIGNALS")).state.last_seq

            while not await last():  # noqa: ASYNC110 - the broker is another process
                await asyncio.sleep(0.1)
            before, after, rate = await _measured(last, seconds)
            assert not (await bus.js.stream_info("MOM")).state.messages, "the connector lost readings"
            return rate(await _readings(bus, before, after))


def _configure(folder: Path, url: str) -> None:
    signals = "\n".join(
        f"      - {{signal: v{n}, node: V{n}, object: process_value, sampling_interval_ms: 0}}" for n in range(NODES)
    )
    text = f"namespace: {NAMESPACE}\nequipment:\n  E1:\n    path: /Objects\n    signals:\n{signals}\n"
    (folder / "signals.yaml").write_text(text, "utf-8")
    (folder / "routes.yaml").write_text(ROUTES.format(url=url, interval=PUBLISHING_MS), "utf-8")


async def _readings(bus: Bus, before: int, after: int) -> int:
    """How many readings the messages in between hold."""
    from canonical.wire import from_headers  # noqa: PLC0415

    number = 0
    for seq in range(before + 1, after + 1):
        raw: Any = await bus.js.get_msg("SIGNALS", seq)
        body: Any = from_headers(raw.headers, raw.data).body
        number += len(body.reading)
    return number


async def _measured(count: Callable[[], Awaitable[int]], seconds: float) -> tuple[int, int, Callable[[int], Rate]]:
    """What was counted before and after, and what makes rates of how many came in between."""
    await asyncio.sleep(1)
    before, begin, used = await count(), time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    after, took, took_of_core = await count(), time.perf_counter() - begin, time.process_time() - used
    return before, after, lambda came: (came / took_of_core, came / took, took_of_core / took)


@contextmanager
def _server() -> Iterator[str]:
    """The URL of a server in a process of its own."""
    command = [sys.executable, "-m", "bench.opcua"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield f"opc.tcp://127.0.0.1:{process.stdout.readline().strip()}/"
    finally:
        process.kill()
        process.wait()


async def _serve() -> None:
    from asyncua import Server, ua  # noqa: PLC0415 - heavy

    server = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:0/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace(NAMESPACE)
    nodes = [await server.nodes.objects.add_variable(index, f"V{n}", 0.0) for n in range(NODES)]
    await server.start()
    print(server.bserver.port, flush=True)
    value = 0.0
    while True:
        value += 1
        for node in nodes:
            await server.write_attribute_value(node.nodeid, ua.DataValue(ua.Variant(value, ua.VariantType.Double)))
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(_serve())
