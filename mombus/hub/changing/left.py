"""What still waits for a system that isn't there any more, and what the broker has for it.

What is to be put away is noted before the change and done after it, by the next start if a kill comes in between.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog

from canonical.subjects import PARTITIONS
from mombus.delivery.reader import STREAM
from mombus.journal import audit, clearing, leaving
from mombus.journal.audit import Deed
from mombus.journal.clearing import ToClear
from mombus.journal.databases import alone
from mombus.journal.inboxes import inboxes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy import Connection

    from mombus.desk.planning import Apply
    from mombus.hub.changing.work import Core
    from mombus.plan.plan import Plan

LOOK_S = 1.0
"""How often is looked whether all hubs agree, so that what a kill left may be put away."""

log = structlog.get_logger()


def to_clear(plan: Plan, asked: Apply) -> list[ToClear]:
    """What a change leaves: systems that go are forgotten, but for those that are kept, and what waits is skipped."""
    gone = plan.removed_systems - {*asked.keep}
    return [
        ToClear(name, forget=name in gone, skip=name in asked.skip, who=asked.who, why=asked.why)
        for name in sorted({*gone, *asked.skip})
    ]


async def clear(core: Core, declared: Collection[str]) -> None:
    """Put away what was noted of systems that aren't `declared` now, at this hub or at another one."""
    noted = await core.journal.read(clearing.rows)
    for one in noted:
        if one.target not in declared:
            await _put_away(core, one)
    if noted:
        await core.journal.write(partial(clearing.done, noted=noted))


async def clear_by_and_by(core: Callable[[], Core], declared: Callable[[], Collection[str]]) -> None:
    """Do what is left of a change, once all hubs agree about who there is."""
    while True:
        try:
            if not await core().journal.read(clearing.rows):
                return
            neighbours = core().neighbours
            if neighbours is None or neighbours.agree():
                await clear(core(), declared())
        except Exception:
            log.exception("what is left of systems that went can't be put away now")
        await asyncio.sleep(LOOK_S)


async def forget(core: Core, targets: Collection[str]) -> None:
    """Forget where the routes to systems began that aren't there after all, or any more, and their consumers."""
    for target in targets:
        await core.journal.write(partial(leaving.forget_beginnings, target=target))
        await _forget_consumers(core, target)


async def _put_away(core: Core, one: ToClear) -> None:
    if one.skip:
        now = datetime.now(UTC)
        await core.journal.write(partial(_skip, one=one, now=now))
        core.ended(one.target, now)
    if one.forget:
        await forget(core, [one.target])


def _skip(connection: Connection, *, one: ToClear, now: datetime) -> None:
    """One deed for all that waits, in the same transaction; hubs that look at the same time don't both do it."""
    alone(connection)
    count = leaving.skip_waiting(connection, one.target, now=now, why=one.why)
    if count:
        result = f"{count} waiting messages skipped: there is no system '{one.target}' any more"
        deed = Deed(
            at=now, who=one.who, action="skip", target=one.target, message_id=None, why=one.why, result=result
        )  # fmt: skip
        audit.note(connection, deed)


async def unread(core: Core, target: str) -> bool:
    """True if the broker has something for a target that wasn't given to it yet, whichever hub delivered last."""
    from nats.js.errors import NotFoundError  # noqa: PLC0415 - heavy, imported where it is used

    for consumer in _consumers(target):
        with suppress(NotFoundError):
            info = await core.bus.js.consumer_info(STREAM, consumer)
            if info.num_pending or info.num_ack_pending:
                return True
    return False


async def _forget_consumers(core: Core, target: str) -> None:
    from nats.js.errors import NotFoundError  # noqa: PLC0415

    for consumer in _consumers(target):
        with suppress(NotFoundError):
            await core.bus.js.delete_consumer(STREAM, consumer)


def _consumers(target: str) -> Collection[str]:
    """The names of all that it can have had, in shards or not."""
    return {f"to-{inbox}" for inbox in (*inboxes_of(target, 1), *inboxes_of(target, PARTITIONS))}
