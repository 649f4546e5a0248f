"""A hub in a process of its own between a load and counting targets, to be killed, frozen and cut off."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import load
from patience import PATIENCE_S, until
from ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from books import Books, Count

ROOT = Path(__file__).parents[2]
READY_S = 120.0


def findable(port: int, **more: Any) -> dict[str, Any]:
    """How the configuration declares a counting target that is read back when an outcome is unknown."""
    find = {"url": "/findable", "query": {"id": "{body.id}"}, "items": "documents", "document": "item.number"}
    write = {"object": "production_response", "url": "/findable", "body": BODY, "document": "number", "find": find}
    return _system(port, write, more)


def keyed(port: int, **more: Any) -> dict[str, Any]:
    """How the configuration declares a counting target that knows a message's id."""
    write = {
        "object": "production_response", "url": "/keyed", "body": BODY, "document": "number",
        "idempotency_header": "idempotency-key",
    }  # fmt: skip
    return _system(port, write, more)


BODY = '{"id": body.id, "lane": body.operations_request_id}'


def _system(port: int, write: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    base = {"connector": "rest", "url": f"http://127.0.0.1:{port}", "calm": "1s"}
    return {**base, "timeout_s": 1.5, "connect_timeout_s": 1.0, "writes": [write], **more}


def configuration(
    folder: Path, port: int, targets: Mapping[str, Any], *, name: str = "routes.yaml", **sections: Any
) -> Path:
    """Write a configuration: the load's production responses go to every target. `sections` are laid over it."""
    routes = {
        "version": 1,
        "plant": {"enterprise": "acme", "site": "lyon", "timezone": "Europe/Paris"},
        "bus": {"folder": str(folder / "hub")},
        "http": {"port": port},
        "systems": {"mes": load.SYSTEM, **targets},
        "objects": {"production_response": {"owner": "mes"}},
        "routes": [{"object": "production_response", "to": list(targets)}],
        **sections,
    }
    file = folder / name
    file.write_text(json.dumps(routes))
    return file


class HubProcess:
    """`mombus run` with `configuration`; started again as often as you like. `environment` goes over ours."""

    def __init__(
        self, file: Path, port: int, environment: Mapping[str, str] | None = None, parts: Sequence[str] = ()
    ) -> None:
        self._file = file
        self.url = f"http://127.0.0.1:{port}"
        self._environment = environment
        self._parts = [argument for part in parts for argument in ("--part", part)]
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; `ready` waits for it."""
        with (self._file.parent / "hub.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "mombus", "run", str(self._file), *self._parts, cwd=ROOT, stdout=log, stderr=log,
                env=os.environ | dict(self._environment or {}),
            )  # fmt: skip

    async def ready(self) -> None:
        """Return once it says that it is ready."""

        async def ready() -> bool:
            assert self.process
            assert self.process.returncode is None, (self._file.parent / "hub.log").read_text()[-3000:]
            return await self.is_ready()

        await until(ready, READY_S)

    async def is_ready(self) -> bool:
        """Whether it says so now."""
        async with httpx.AsyncClient(trust_env=False, timeout=2) as http:
            with suppress(httpx.HTTPError):
                return (await http.get(f"{self.url}/readyz")).status_code == httpx.codes.OK
        return False

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def kill(self) -> None:
        """End it without a word."""
        self.signal(signal.SIGKILL)
        await self.ended()

    async def stop(self) -> int:
        """Ask it to end, as soon as it hears that, and return its exit code."""
        assert self.process
        await hears_or_ended(self.process)
        self.signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for its end; its exit code."""
        assert self.process
        return await asyncio.wait_for(self.process.wait(), PATIENCE_S)


async def hears_or_ended(process: asyncio.subprocess.Process) -> None:
    """Return once it would notice SIGTERM, as the kernel knows it: before that it just dies of it."""

    def hears() -> bool:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            return True
        caught = next((line for line in status.splitlines() if line.startswith("SigCgt:")), None)
        return caught is None or bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)

    await until(hears)


@asynccontextmanager
async def running(
    folder: Path, targets: Mapping[str, Any], environment: Mapping[str, str] | None = None, **sections: Any
) -> AsyncIterator[HubProcess]:
    """A ready hub for these targets; ended at the end however it is."""
    port = free_port()
    hub = HubProcess(configuration(folder, port, targets, **sections), port, environment)
    await hub.start()
    try:
        await hub.ready()
        yield hub
    finally:
        if hub.process and hub.process.returncode is None:
            await hub.stop()


async def counted(books: Books, sent: list[str], timeout_s: float = 60.0) -> Count:
    """The count once there are as many effects as were sent, or nothing more has come for `timeout_s`."""
    size = -1
    while size < books.size() < len(sent):
        size = books.size()
        with suppress(TimeoutError):
            await until(lambda: books.size() >= len(sent), timeout_s)
    return books.count(sent)
