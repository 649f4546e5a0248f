"""A real hub: `mombus run` in a process of its own, beside which the bench measures."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[1]
MOMBUS = (sys.executable, "-c", "from mombus.cli.main import run; run()")
READY_S = 60.0
_LOOK_AGAIN_S = 0.005


@contextmanager
def running(files: Sequence[Path], port: int, path: Sequence[Path] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """`mombus run FILES` with `path` before Python's own; ended at the end."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT]))}
    log = files[-1].parent / "hub.log"
    with log.open("wb") as errors:
        process = subprocess.Popen([*MOMBUS, "run", *map(str, files)], env=environment, stderr=errors)
    try:
        _wait_ready(process, port, log)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        if _ready(port):
            return
        time.sleep(_LOOK_AGAIN_S)
    raise RuntimeError(f"the hub isn't ready: {log.read_text('utf-8', 'replace')[-2000:]}")


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
