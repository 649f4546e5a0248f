"""How many readings `plc.opcua` takes per second of processor time, against a bare asyncua subscription.

    python -m bench.opcua [SIGNALS] [SECONDS]

The server runs in a process of its own and writes every node 20 times a second, as far as it can; both clients read all
of them for the same time, one after the other. asyncua's own server is slower than either client, so the ratio is that
of readings per second of the client's processor time.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from asyncua import Client, Server, ua

from connectors.connector import Gap, Surroundings
from connectors.plc.opcua import PlcOpcua

if TYPE_CHECKING:
    from collections.abc import Callable

NAMESPACE = "urn:bench"


async def _serve(count: int) -> None:
    server = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:0/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace(NAMESPACE)
    nodes = [await server.nodes.objects.add_variable(index, f"V{n}", 0.0) for n in range(count)]
    await server.start()
    print(server.bserver.port, flush=True)
    value = 0.0
    while True:
        value += 1
        for node in nodes:
            await server.write_attribute_value(node.nodeid, ua.DataValue(ua.Variant(value, ua.VariantType.Double)))
        await asyncio.sleep(0.05)


class _Count:
    """A bare handler that does nothing but count."""

    def __init__(self) -> None:
        self.values = 0

    def datachange_notification(self, *_: object) -> None:
        self.values += 1


async def _bare(url: str, count: int, seconds: float) -> float:
    handler = _Count()
    async with Client(url) as client:
        index = await client.get_namespace_index(NAMESPACE)
        nodes = [await client.nodes.objects.get_child(f"{index}:V{n}") for n in range(count)]
        subscription = await client.create_subscription(50, handler)
        await subscription.subscribe_data_change(nodes, queuesize=20, sampling_interval=0)
        return await _rate(lambda: handler.values, seconds)


async def _connector(url: str, count: int, seconds: float, folder: Path) -> float:
    signals = "\n".join(
        f"      - {{signal: v{n}, node: V{n}, object: process_value, sampling_interval_ms: 0}}" for n in range(count)
    )
    text = f"namespace: {NAMESPACE}\nequipment:\n  E1:\n    path: /Objects\n    signals:\n{signals}\n"
    (folder / "signals.yaml").write_text(text, "utf-8")
    config = PlcOpcua.Config(connector="plc.opcua", url=url, signals="signals.yaml", publishing_interval_ms=50)
    plc = PlcOpcua(config, Surroundings("e1", "bench", ZoneInfo("UTC"), folder=str(folder)))
    await plc.connect()
    total = lost = 0

    async def read() -> None:
        nonlocal total, lost
        async for item in plc.read(None):
            for message in item.messages:
                if isinstance(message, Gap):
                    lost += message.lost or 0
                else:
                    total += len(message.body.reading)

    task = asyncio.create_task(read())
    rate = await _rate(lambda: total, seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await plc.close()
    print(f"lost by the connector: {lost}")
    return rate


async def _rate(total: Callable[[], int], seconds: float) -> float:
    """Values per second of this process's processor time."""
    await asyncio.sleep(1)
    start, begun, used = total(), time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    came, used = total() - start, time.process_time() - used
    print(f"{came / (time.perf_counter() - begun):,.0f} values/s came, {used / seconds:.0%} of a core")
    return came / used


def main() -> None:
    """Run both and print the ratio."""
    count, seconds = int((sys.argv[1:] or ["500"])[0]), float((sys.argv[2:] or ["5"])[0])
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.opcua", "--serve", str(count)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        url = f"opc.tcp://127.0.0.1:{server.stdout.readline().strip()}/"
        bare_rate = asyncio.run(_bare(url, count, seconds))
        print(f"bare asyncua subscription: {bare_rate:,.0f} values per processor second")
        with tempfile.TemporaryDirectory() as folder:
            own_rate = asyncio.run(_connector(url, count, seconds, Path(folder)))
        print(f"plc.opcua, canonical messages: {own_rate:,.0f} values per processor second")
        print(f"ratio: {own_rate / bare_rate:.2f}")
    finally:
        server.kill()


if __name__ == "__main__":
    if "--serve" in sys.argv:
        asyncio.run(_serve(int(sys.argv[2])))
    else:
        main()
