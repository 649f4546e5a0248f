"""A door with something behind it, on a real server: what got in, and how it looks from the street."""

from __future__ import annotations

import asyncio
import base64
import hmac
import time
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from patience import PATIENCE_S
from starlette.requests import Request
from starlette.responses import Response

from connectors.door import DoorConfig
from mombus.config.model import Http
from mombus.hub.server import Server
from mombus.web.app import make_app
from mombus.web.doorkeeper import Doorkeeper
from plant.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Receive, Scope, Send


class House:
    """Takes every body it is given, when `ready`; answers with how many it has."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.status = 202
        self.ready = asyncio.Event()
        self.ready.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        self.taken.append(await Request(scope, receive).body())
        await self.ready.wait()
        await Response(f"{len(self.taken)}", self.status)(scope, receive, send)


class Street:
    """A served door."""

    def __init__(self, house: House, keeper: Doorkeeper, port: int) -> None:
        self.house, self.keeper, self.port = house, keeper, port
        self.url = f"http://127.0.0.1:{port}/in/erp"

    async def says(self, *pieces: bytes, pause_s: float = 0.0) -> bytes:
        """Everything that comes back until the connection is closed by the other side."""
        return await heard(self.port, *pieces, pause_s=pause_s)


async def heard(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """Say the pieces with a pause after each; everything that comes back until the other side hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    listening = asyncio.create_task(_all(reader))
    with suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.wait([listening], timeout=pause_s)
    try:
        return await asyncio.wait_for(listening, PATIENCE_S)
    finally:
        writer.close()


async def _all(reader: asyncio.StreamReader) -> bytes:
    """What came, also when the other side hung up rudely."""
    pieces = []
    with suppress(ConnectionError):
        while piece := await reader.read(65536):
            pieces.append(piece)
    return b"".join(pieces)


@asynccontextmanager
async def street(clock: Callable[[], float] = time.monotonic, **door: Any) -> AsyncIterator[Street]:
    """A door declared like that, on a real server."""
    house = House()
    keeper = Doorkeeper(house, DoorConfig.model_validate(door), system="erp", path="/in/erp", clock=clock)
    served = Served(keeper)
    await served.start()
    try:
        yield Street(house, keeper, served.port)
    finally:
        await served.stop()


class Desk:
    """A hub that is well."""

    async def ready(self) -> dict[str, str]:
        return {}

    async def ask(self, _question: Any, _asked: Any) -> list[dict[str, Any]]:
        return []


@asynccontextmanager
async def served(door: DoorConfig | None = None, **http: Any) -> AsyncIterator[tuple[str, int, House]]:
    """The hub's server with one door, as the hub opens it: its address, port, and what is behind the door."""
    house = House()
    keeper = Doorkeeper(house, door or DoorConfig(), system="erp", path="/in/erp")
    server = Server(Http(port=0, **http))
    await server.start(make_app(Desk(), {"/in/erp": keeper}, names=http.get("names", ())))
    try:
        yield server.url, int(server.url.rpartition(":")[2]), house
    finally:
        await server.stop()


def signed(secret: str, body: bytes, id: str = "msg_1", at: int | None = None) -> dict[str, str]:
    """The headers of a signed webhook, made as the standard says and not as the hub does."""
    stamp = str(int(time.time()) if at is None else at)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    made = hmac.new(key, f"{id}.{stamp}.".encode() + body, sha256).digest()
    return {"webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{base64.b64encode(made).decode()}"}
