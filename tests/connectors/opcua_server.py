"""A real OPC UA server in a process of its own, for tests: the packaging line and a bench of writable nodes.

python opcua_server.py PORT MEMORY            the line (pace 0, one jam per job) and the bench
python opcua_server.py PORT FOLDER --secure   only signed and encrypted sessions of `tester` / `right`
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from asyncua import Server, ua
from asyncua.crypto.permission_rules import User, UserRole

from plant.line import PackagingLine

BENCH = "urn:acme:bench"


async def line(port: int, memory: Path) -> None:
    plant = PackagingLine(port=port, pace=0, faults=1, memory=memory)
    await plant.start()
    await bench(plant.server)
    _ready(plant.url)
    await asyncio.Event().wait()


async def bench(server: Server) -> None:
    namespace = await server.register_namespace(BENCH)
    parent = await server.nodes.objects.add_object(namespace, "Bench")
    kinds = ua.VariantType
    for name, value, kind in (
        ("Mark", "", kinds.String), ("Number", 0.0, kinds.Double), ("Single", 0.0, kinds.Float),
        ("Counter", 0, kinds.Int64), ("State", 0, kinds.Int32), ("Setpoint", 0.0, kinds.Double),
    ):  # fmt: skip
        node = await parent.add_variable(namespace, name, value, kind)
        await node.set_writable()
    array = await parent.add_variable(namespace, "Array", ua.Variant([0.0], kinds.Double, is_array=True))
    await array.set_writable()
    await parent.add_variable(namespace, "ReadOnly", 1.0, kinds.Double)


class Users:
    """`tester` with the password `right`, or whoever proves to own `operator.der`."""

    def __init__(self, operator: bytes) -> None:
        self._operator = operator

    def get_user(
        self, _server: object, username: str | None = None, password: str | None = None, certificate: object = None
    ) -> User | None:
        known = (username, password) == ("tester", "right") or (username is None and certificate == self._operator)
        return User(role=UserRole.User) if known else None


async def secure(port: int, folder: Path) -> None:
    server = Server(user_manager=Users((folder / "operator.der").read_bytes()))
    await server.init()
    await server.set_application_uri("urn:acme:secure")
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
    kinds = ua.SecurityPolicyType
    server.set_security_policy([kinds.Basic256Sha256_SignAndEncrypt, kinds.Aes128Sha256RsaOaep_Sign])
    await server.load_certificate(str(folder / "server.der"))
    await server.load_private_key(str(folder / "server.pem"))
    await bench(server)
    await server.start()
    _ready(f"opc.tcp://127.0.0.1:{server.bserver.port}/")
    await asyncio.Event().wait()


def _ready(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run((secure if "--secure" in sys.argv else line)(int(sys.argv[1]), Path(sys.argv[2])))
