"""The journal's databases: how each is opened so that what is committed stays, and what of it passes by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError

from mombus.config.database import database_url

if TYPE_CHECKING:
    from sqlalchemy import URL, Column, ColumnElement, Connection, Engine

POSTGRESQL = "postgresql"
APPLICATION = "mombus"
"""What a hub's connections are called at the server."""
_ALONE = text("SELECT pg_advisory_xact_lock(:key)")
_ALONE_KEY = 0x6D6F6D627573
_NUL = "\x00"
_NUL_SHOWN = "\u2400"
_LAST = "\U0010ffff"

WAL_BYTES = 64 * 1024 * 1024
"""What the write-ahead log keeps of the disk once it is written back, though it was larger while somebody read."""
SESSION = (
    "-c idle_in_transaction_session_timeout=4s -c lock_timeout=20s -c statement_timeout=20s -c synchronous_commit=on"
)
"""A hub that is stopped inside a transaction must not hold its locks for ever: the others would wait for it."""

_MENDED_BY_A_PERSON = {
    "password authentication failed": "check `bus: store_user` and `store_password`",
    "no password supplied": "set `bus: store_password`",
    "no pg_hba.conf entry": "let the server's pg_hba.conf take this user from this host",
    'database "': "create the database, or correct `bus: store`",
    'role "': "create that user, or correct `bus: store_user`",
}
"""What a server says that doesn't pass by itself, and what to do. It gives no code for it before a login."""

_SICK_FILE = ("database is locked", "disk I/O error", "database or disk is full", "unable to open database file")
"""What SQLite says of a file that can't be used now."""


def open_engines(url: str) -> tuple[Engine, Engine, Engine]:
    """The engine that writes, the one that reads, and the one that reads for people.

    Raises SQLAlchemyError, ModuleNotFoundError without the driver.
    """
    made = database_url(url)
    if made.get_backend_name() == POSTGRESQL:
        reading = "REPEATABLE READ"
        return _postgresql(made, "READ COMMITTED"), _postgresql(made, reading), _postgresql(made, reading)
    return _sqlite(made, "BEGIN IMMEDIATE"), _sqlite(made, "BEGIN"), _sqlite(made, "BEGIN")


def alone(connection: Connection) -> None:
    """From here to the commit nobody else does what is done `alone`, in this hub or another.

    For what looks first and writes then, such as a number that is one more than the highest. SQLite has one writer
    at a time anyway. There is one such lock, so that two works can't wait for each other.
    """
    if connection.dialect.name == POSTGRESQL:
        connection.execute(_ALONE, {"key": _ALONE_KEY})


def storable(text: str) -> str:
    """The text as PostgreSQL keeps it, which has no NUL and no lone surrogates: what is sealed must be what is kept."""
    return text.replace(_NUL, _NUL_SHOWN).encode("utf-8", "backslashreplace").decode()


def begins(connection: Connection, column: Column[str], start: str) -> ColumnElement[bool]:
    """True for texts that begin like that, found by an index of the column.

    SQLite's LIKE takes none, as it doesn't tell small letters from capitals; PostgreSQL's takes one of `pattern_ops`,
    and sorts a range by somebody's language.
    """
    if connection.dialect.name == POSTGRESQL:
        return column.startswith(start, autoescape=True)
    return and_(column >= start, column < start + _LAST)


_STOOD_STILL = "25P03"
"""PostgreSQL's code for a session that it ended because of idle_in_transaction_session_timeout."""


def passes(error: BaseException) -> bool:
    """True for a server that is away, restarts, or ended one of two that waited for each other, or one that stood
    still in a transaction: try it again.
    """
    if not isinstance(error, DBAPIError) or not type(error.orig).__module__.startswith("psycopg"):
        return False
    stood_still = getattr(error.orig, "sqlstate", None) == _STOOD_STILL
    return isinstance(error, OperationalError) or error.connection_invalidated or stood_still


def undone(connection: Connection) -> bool:
    """True if the database has undone the whole transaction by itself, as SQLite does on a full disk.

    What is said then is committed at once, and a commit at the end says nothing of what came before.
    """
    driver: Any = connection.connection.driver_connection
    return connection.dialect.name != POSTGRESQL and not driver.in_transaction


def away(error: BaseException) -> str:
    """What people are told while nothing can be asked: the server is away, the file held by somebody or on a sick disk.

    Empty for an error of another kind.
    """
    held = isinstance(error, OperationalError) and any(words in str(error.orig) for words in _SICK_FILE)
    return f"the journal's database doesn't answer: {in_words(error)}" if held or passes(error) else ""


def to_mend(error: BaseException) -> str | None:
    """What a person has to do before a server lets anybody in; None for what may pass by itself."""
    said = str(error)
    return next((advice for words, advice in _MENDED_BY_A_PERSON.items() if words in said), None)


def in_words(error: BaseException) -> str:
    """What a database said, on one line, in its own words alone."""
    said = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(said).split("\n", 1)[0].split()) or type(said).__name__


def _postgresql(url: URL, isolation: Any) -> Engine:
    engine = create_engine(
        url, isolation_level=isolation, pool_size=1, max_overflow=0, pool_pre_ping=True,
        connect_args={
            "options": SESSION, "connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 2,
            "keepalives_count": 3, "tcp_user_timeout": 10_000, "application_name": APPLICATION,
        },
    )  # fmt: skip
    event.listen(engine, "connect", _take_any_text)
    return engine


def _take_any_text(connection: Any, _record: Any) -> None:
    """An id that isn't storable must not stop a lane."""
    from psycopg.types.string import StrDumper, StrDumperUnknown  # noqa: PLC0415 - only with PostgreSQL

    def dump(self: Any, value: str) -> bytes:
        return storable(value).encode()

    for base in (StrDumper, StrDumperUnknown):
        connection.adapters.register_dumper(str, type(f"Any{base.__name__}", (base,), {"dump": dump}))


def _sqlite(url: URL, begin: str) -> Engine:
    engine = create_engine(url)
    event.listen(engine, "connect", _durable)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _durable(connection: Any, _record: Any) -> None:
    """WAL with an fsync per commit: a committed outcome survives a power cut.

    The driver's own transactions are switched off: it would begin one only at the first change, so that a savepoint
    released before would be a commit of its own.
    """
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=5000")
    connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES}")
