"""The journal's database URL, with the driver that mombus brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import URL

DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
"""What is meant by a URL that names a database and no driver."""


def database_url(text: str) -> URL:
    """The URL to connect to. Raises SQLAlchemyError for what isn't one."""
    from sqlalchemy import make_url  # noqa: PLC0415 - heavy, only where a database is named

    url = make_url(text)
    return url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
