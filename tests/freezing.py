"""A process that stands still, as one does whose machine is suspended: its connections stay open and nothing moves."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FREEZES_S = 10.0


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Freeze a process for as long as the block lasts. Raises TimeoutError when it doesn't stand still.

    A signal is only handed over by `kill`: on a busy machine other threads of the process go on for a while.
    """
    os.kill(pid, signal.SIGSTOP)
    try:
        _stands_still(pid)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _stands_still(pid: int) -> None:
    end = time.monotonic() + FREEZES_S
    while any(_state(thread) not in "TZX" for thread in Path(f"/proc/{pid}/task").iterdir()):
        if time.monotonic() > end:
            raise TimeoutError(f"process {pid} doesn't stand still within {FREEZES_S:g} s")
        time.sleep(0.001)


def _state(thread: Path) -> str:
    """One letter of proc(5), behind the name, which may hold anything; X for a thread that has just ended."""
    try:
        return (thread / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"
