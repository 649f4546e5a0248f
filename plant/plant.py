"""The whole simulated plant: six systems, each behind its own protocol, as routes.yaml names them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plant.broker import Broker
from plant.cmms import Cmms
from plant.erp import Erp
from plant.line import PackagingLine
from plant.mes import Mes
from plant.qms import Qms
from plant.wms import Wms

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

HUB = "http://127.0.0.1:8080"
ERP_DOOR = "/in/erp"
"""Where the hub listens for the ERP's documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The port of each system; 0 takes a free one."""

    erp: int = 0
    mes: int = 0
    line1: int = 0
    qms: int = 0
    cmms: int = 0
    wms: int = 0


EPHEMERAL = Ports()
USUAL = Ports(erp=8101, mes=1883, line1=4840, qms=8102, cmms=8103, wms=8104)
"""The ports that routes.yaml has."""


class Plant:
    """Runs every system between `start` and `stop`, or as an async context.

    `hub` is the address of the hub's HTTP server, `pace` stretches every wait (1 is live, 0 at once). The quality
    system asks for the token that lies in plant/secrets.
    """

    def __init__(self, hub: str = HUB, pace: float = 1.0, ports: Ports = EPHEMERAL) -> None:
        token = (Path(__file__).parent / "secrets" / "QMS_TOKEN").read_text("utf-8").strip()
        self.pace = pace
        self.broker = Broker(ports.mes)
        self.line = PackagingLine(ports.line1, pace)
        self.qms = Qms(ports.qms, pace, token)
        self.cmms = Cmms(ports.cmms, pace)
        self.wms = Wms(ports.wms, pace)
        self.erp = Erp(ports.erp, hub.rstrip("/") + ERP_DOOR, pace)
        self.mes: Mes | None = None
        self._running = AsyncExitStack()

    async def start(self) -> None:
        """Start one after the other; what was started is stopped again when one can't. Raises OSError, RuntimeError."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.broker.close)
            await self.broker.start()
            for system in (self.line, self.qms, self.cmms, self.wms, self.erp):
                await system.start()
                stack.push_async_callback(system.stop)
            self.mes = Mes(self.broker.url, self.line.url, self.pace)
            await self.mes.start()
            stack.push_async_callback(self.mes.stop)
            self._running = stack.pop_all()

    async def stop(self) -> None:
        """Stop everything, the last started first."""
        await self._running.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def urls(self) -> dict[str, str]:
        """Where each system really is, by its name in routes.yaml."""
        return {
            "erp": self.erp.url, "mes": self.broker.url, "line1": self.line.url, "qms": self.qms.url,
            "cmms": self.cmms.url, "wms": self.wms.url,
        }  # fmt: skip

    async def release_orders(self, count: int, interval_s: float) -> None:
        """Have the ERP send its materials, then `count` orders (0: for ever), one every `interval_s`."""
        await self.erp.publish_materials()
        released = 0
        while count == 0 or released < count:
            await self.erp.release()
            released += 1
            await asyncio.sleep(interval_s)
