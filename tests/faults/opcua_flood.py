"""An OPC UA server that emits as much as it is told to: `python opcua_flood.py PORT RATE [FIRST]`.

One node counts up from FIRST, RATE times a second, from when somebody is subscribed. Writing to `Stop` ends it;
`Number` stays, and is the second line on stdout.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

from asyncua import Server, ua

BENCH = "urn:acme:bench"
AT_ONCE_S = 0.02


async def main(port: int, rate: int, first: int) -> None:
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    namespace = await server.register_namespace(BENCH)
    parent = await server.nodes.objects.add_object(namespace, "Bench")
    number = await parent.add_variable(namespace, "Number", 0.0, ua.VariantType.Double)
    stop = await parent.add_variable(namespace, "Stop", False, ua.VariantType.Boolean)
    await stop.set_writable()
    async with server:
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        while not server.iserver.subscription_service.subscriptions:  # noqa: ASYNC110 - it has no event for that
            await asyncio.sleep(AT_ONCE_S)
        count = first
        while not await stop.read_value():
            for _ in range(int(rate * AT_ONCE_S)):
                count += 1
                value = ua.Variant(float(count), ua.VariantType.Double)
                await server.write_attribute_value(
                    number.nodeid, ua.DataValue(value, SourceTimestamp=datetime.now(UTC))
                )
            await asyncio.sleep(AT_ONCE_S)
        sys.stdout.write(f"{count}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 0))
