"""A broker and a database of one's own: whether they take us in, and what they are."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mombus.bus.errors import BusError
from mombus.bus.login import login
from mombus.config.database import database_url
from mombus.doctor.certificates import in_file, peer, shown, unchecked
from mombus.doctor.check import Check, Verdict, clock
from mombus.doctor.reaching import PATIENCE_S, PORTS, tls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import URL

    from mombus.config.model import Bus
OLDEST_NATS, OLDEST_POSTGRESQL = (2, 12), 14
"""Atomic batches came with NATS 2.12."""


async def broker(bus: Bus) -> AsyncIterator[Check]:
    """The nodes of a broker of one's own, each by itself."""
    for node in bus.broker.split(","):
        found = await _node(node.strip(), bus)
        yield found
        if found.verdict is Verdict.WELL:
            async for check in tls(found.about, node.strip(), bus.ca):
                yield check
    if bus.ca:
        yield in_file("broker", "ca", "the authority's certificate", bus.ca)


async def _node(node: str, bus: Bus) -> Check:
    import nats  # noqa: PLC0415 - heavy
    from nats.errors import Error  # noqa: PLC0415
    from nats.js.errors import APIError, ServiceUnavailableError  # noqa: PLC0415

    heard: list[Exception] = []

    async def hear(error: Exception) -> None:
        """Why it doesn't work: in the end the client says only that it doesn't."""
        heard.append(error)

    about = f"broker {node}"
    token = bus.token.get_secret_value() if bus.token else None
    try:
        async with asyncio.timeout(PATIENCE_S):
            client = await nats.connect(
                node, allow_reconnect=False, max_reconnect_attempts=1, reconnect_time_wait=0, error_cb=hear,
                **login(token, bus.credentials, bus.ca),
            )  # fmt: skip
    except (Error, OSError, BusError, TimeoutError) as error:
        last = heard[-1] if heard else error
        why = str(last) or type(last).__name__
        return Check(
            about, Verdict.WRONG, f"it doesn't take us in: {why}", "see bus.broker, bus.token, bus.credentials"
        )
    try:
        await client.jetstream().account_info()
    except (APIError, ServiceUnavailableError, Error, TimeoutError) as error:
        return Check(
            about, Verdict.WRONG, f"JetStream can't be used: {str(error) or 'off'}", "turn it on (`jetstream {}`)"
        )
    finally:
        await client.close()
    version = client.connected_server_version
    if (version.major, version.minor) < OLDEST_NATS:
        return Check(
            about, Verdict.WRONG, f"NATS {version} is too old", f"update it to {_dotted(OLDEST_NATS)} or newer"
        )
    return Check(about, Verdict.WELL, f"NATS {version} with JetStream takes us in")


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


async def database(bus: Bus) -> AsyncIterator[Check]:
    """A database of one's own."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - heavy

    asked = datetime.now(UTC)
    try:
        version, number, now = await asyncio.to_thread(_asked, bus)
    except (SQLAlchemyError, OSError) as error:
        why = str(error).splitlines()[0]
        yield Check(
            "store", Verdict.WRONG, f"it doesn't take us in: {why}", "see bus.store, store_user, store_password"
        )
        return
    if number < OLDEST_POSTGRESQL * 10_000:
        yield Check("store", Verdict.WRONG, f"{version} is too old", f"update it to {OLDEST_POSTGRESQL} or newer")
    else:
        yield Check("store", Verdict.WELL, version)
    yield clock("store", now, asked, datetime.now(UTC))
    if (content := await _certificate(database_url(bus.store))) is not None:
        yield shown("store", content)


async def _certificate(url: URL) -> bytes | None:
    if not url.host:
        return None
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await peer(url.host, url.port or PORTS["postgresql"], unchecked(), "postgresql")
    except (OSError, TimeoutError, ValueError, EOFError):
        return None


def _asked(bus: Bus) -> tuple[str, int, Any]:
    from sqlalchemy import create_engine, text  # noqa: PLC0415

    password = bus.store_password.get_secret_value() if bus.store_password else None
    url = database_url(bus.store).set(username=bus.store_user, password=password)
    engine = create_engine(url, connect_args={"connect_timeout": int(PATIENCE_S)})
    try:
        with engine.connect() as connection:
            asked = text("select version(), current_setting('server_version_num')::int, now()")
            version, number, now = connection.execute(asked).one()
    finally:
        engine.dispose()
    return str(version).split(" on ", maxsplit=1)[0], number, now
