"""Single keys from the terminal, while something is shown there."""

from __future__ import annotations

import os
import select
import sys
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LEAVE = "q"


@contextmanager
def keys() -> Iterator[Callable[[float], str]]:
    """Called with seconds to wait, it gives the key that was pressed, none if none was.

    Keys aren't shown and need no Enter; Ctrl-C stays what it is. Afterwards the terminal is as it was before. Where
    nobody can press a key, it only waits.
    """
    if not sys.stdin.isatty():
        yield _waited
        return
    import termios  # noqa: PLC0415 - there are terminals without
    import tty  # noqa: PLC0415

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield partial(_pressed, terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _pressed(terminal: int, wait_s: float) -> str:
    """A terminal that is gone leaves as well."""
    ready, _, _ = select.select([terminal], [], [], wait_s)
    return (os.read(terminal, 1).decode("utf-8", "replace") or LEAVE) if ready else ""


def _waited(wait_s: float) -> str:
    time.sleep(wait_s)
    return ""
