"""A nats-server process by one of the configurations in deploy/nats, with TLS by an authority of the test."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from ports import free_port

from mombus.bus.embedded import executable

if TYPE_CHECKING:
    from collections.abc import Mapping

DEPLOY = Path(__file__).parents[2] / "deploy" / "nats"
TOKEN = "the-hubs-token"


class ShippedBroker:
    """`said` are the configuration's variables, without `NATS_`, besides those that every broker has."""

    def __init__(self, configuration: str, name: str, folder: Path, files: Mapping[str, Path]) -> None:
        self.name = name
        self.said: dict[str, str] = {}
        self.port, self.monitor = free_port(), free_port()
        self._configuration = DEPLOY / configuration
        self._folder = folder
        self._files = files
        self.process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"tls://127.0.0.1:{self.port}"

    async def start(self) -> None:
        said = {
            "NAME": self.name, "LISTEN": f"127.0.0.1:{self.port}", "MONITOR": f"127.0.0.1:{self.monitor}",
            "STORE": str(self._folder / self.name), "TOKEN": TOKEN,
            **{name.upper(): str(file) for name, file in self._files.items()}, **self.said,
        }  # fmt: skip
        environment = os.environ | {f"NATS_{key}": f'"{value}"' for key, value in said.items()}
        with (self._folder / f"{self.name}.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                executable(), "-c", str(self._configuration), env=environment, stdout=log, stderr=log
            )

    async def end(self, number: signal.Signals) -> None:
        """End it by a signal and wait for its end."""
        if self.process and self.process.returncode is None:
            self.process.send_signal(number)
            await self.process.wait()

    async def healthy(self) -> bool:
        """Its own word: JetStream runs, its streams and consumers are as far as the others'."""
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=2) as http:
                return (await http.get(f"http://127.0.0.1:{self.monitor}/healthz")).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False
