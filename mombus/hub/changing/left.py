"""What still waits for a system that isn't there any more, and what the broker has for it."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from canonical.subjects import PARTITIONS
from mombus.delivery.reader import STREAM
from mombus.journal import audit, leaving
from mombus.journal.audit import Deed
from mombus.journal.inboxes import inboxes_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from mombus.hub.changing.work import Core


async def clear(core: Core, *, gone: Collection[str], skip: Collection[str], who: str, why: str) -> None:
    """Skip what waits for `skip`, and forget where the routes to `gone` began and their consumers.

    None of them is a system now, at this hub or at another one.
    """
    for target in skip:
        await core.journal.write(partial(_skip, target=target, who=who, why=why))
    for target in gone:
        await core.journal.write(partial(leaving.forget_beginnings, target=target))
        await _forget_consumers(core, target)


def _skip(connection: Connection, *, target: str, who: str, why: str) -> None:
    """One deed for all of them, in the same transaction."""
    now = datetime.now(UTC)
    count = leaving.skip_waiting(connection, target, now=now, why=why)
    if count:
        result = f"{count} waiting messages skipped: there is no system '{target}' any more"
        deed = Deed(at=now, who=who, action="skip", target=target, message_id=None, why=why, result=result)
        audit.note(connection, deed)


async def _forget_consumers(core: Core, target: str) -> None:
    from nats.js.errors import NotFoundError  # noqa: PLC0415 - heavy, imported where it is used

    for inbox in {*inboxes_of(target, 1), *inboxes_of(target, PARTITIONS)}:
        with suppress(NotFoundError):
            await core.bus.js.delete_consumer(STREAM, f"to-{inbox}")
