"""Bulk actions: one decision about everything that is chosen, done by the hub, resumed after a kill."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mombus.bus.commands import UnknownNameError
from mombus.bus.errors import BusError
from mombus.delivery.commands import NOT_DONE, Command
from mombus.delivery.delivery import BetweenHubsError, UnknownTargetError
from mombus.desk import bulk as asking
from mombus.desk.question import Nothing
from mombus.hub.desk.choice import KEPT, check, kept_choice, things, waiting_choice
from mombus.hub.desk.kept import DISMISSED, GONE, TAKEN
from mombus.journal import audit, bulk, parked, selection
from mombus.journal.audit import Deed
from mombus.journal.bulk import Action, Bulk, Chosen

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlalchemy import Connection

    from mombus.bus.intake import Intake
    from mombus.delivery.delivery import Delivery
    from mombus.desk.bulk import Begin, Cancel, Choice
    from mombus.desk.question import Question
    from mombus.hub.desk.topic import Answer
    from mombus.journal.journal import Journal

AT_ONCE = 50
"""Things that are worked on at the same time: their results share commits."""
AGAIN_S = 2.0
SHOWN = 200

log = structlog.get_logger()


class BulkActions:
    """Begins, does, shows and cancels bulk actions, about what waits for or came from `systems`. One at a time.

    It answers as `mombus.hub.desk.topic.Topic`. Every method that takes a choice or an id raises UnknownNameError where
    it names what isn't there.
    """

    def __init__(self, *, journal: Journal, delivery: Delivery, intake: Intake, systems: Collection[str]) -> None:
        self._journal = journal
        self._delivery = delivery
        self._intake = intake
        self._systems = systems
        self._news = asyncio.Event()

    def answers(self) -> Mapping[Question, Answer]:
        """As `mombus.hub.desk.topic.Topic`."""
        return {
            asking.BULK: self.list, asking.BULK_PREVIEW: self.preview, asking.BULK_BEGIN: self.begin,
            asking.BULK_CANCEL: self.cancel, asking.BULK_PROGRESS: lambda asked: self.progress(asked.id),
            asking.BULK_RESULTS: lambda asked: self.results(asked.id),
        }  # fmt: skip

    async def preview(self, wanted: Choice) -> Mapping[str, Any]:
        """How much would be chosen, in groups. Raises BulkError."""
        self._check(wanted)
        now = datetime.now(UTC)
        if wanted.command in KEPT:
            rows = await self._journal.survey(partial(parked.groups, **kept_choice(wanted, now)))
            groups = [{"target": s, "object": "", "kind": kind, "count": n, "reason": why} for s, kind, n, why in rows]
        else:
            found = await self._journal.survey(
                partial(selection.groups, selection=waiting_choice(wanted, now), now=now)
            )
            groups = [_group(group) for group in found]
        return {"count": sum(group["count"] for group in groups), "groups": groups[:SHOWN], "choice": wanted.words()}

    async def begin(self, wanted: Begin) -> Mapping[str, Any]:
        """Write the action down and begin it; returns its progress. Raises BulkError."""
        self._check(wanted)
        now = datetime.now(UTC)
        action = Action(
            id=uuid4().hex[:10], command=wanted.command, who=wanted.who, why=wanted.why, selection=wanted.words(),
            state=Bulk.RUNNING, begun=now,
        )  # fmt: skip

        def work(connection: Connection) -> None:
            found = things(connection, wanted, now)
            if bulk.begin(connection, action, found):
                audit.note(connection, _deed(action, now, f"begun: {len(found)} chosen: {action.selection}"))

        await self._journal.write(work)
        self._news.set()
        return await self.progress(action.id)

    async def progress(self, id: str) -> Mapping[str, Any]:
        """How far an action is."""
        action = await self._find(id)
        return _shown(action) | asdict(await self._journal.read(partial(bulk.progress, action=id)))

    async def results(self, id: str) -> Mapping[str, Any]:
        """How far an action is and what each thing got, those that were refused first."""
        found = await self._journal.read(partial(bulk.results, action=id, limit=SHOWN))
        return {**await self.progress(id), "results": [asdict(one) for one in found]}

    async def list(self, _asked: Nothing) -> Sequence[Mapping[str, Any]]:
        """The newest actions."""
        return [await self.progress(action.id) for action in await self._journal.read(bulk.rows)]

    async def cancel(self, asked: Cancel) -> Mapping[str, Any]:
        """Do nothing more of it; what is done stays done."""
        action, now = await self._find(asked.id), datetime.now(UTC)

        def work(connection: Connection) -> None:
            if bulk.end(connection, asked.id, Bulk.CANCELLED, now):
                told = _told(connection, asked.id, "cancelled")
                audit.note(connection, _deed(action, now, told, who=asked.who, why=asked.why))

        await self._journal.write(work)
        return await self.progress(asked.id)

    async def run(self) -> None:
        """Do what is begun, for ever; what a stop left is gone on with once every target's inbox is there."""
        await self._delivery.opened()
        while True:
            await self._do_all()
            await self._news.wait()

    async def run_shared(self, here: Callable[[], Collection[str | None]]) -> None:
        """Do this hub's part, for ever: what is about the targets it has now, `None` for what came in and is kept."""
        while True:
            await self._do_all(here)
            await asyncio.sleep(AGAIN_S)

    async def _do_all(self, here: Callable[[], Collection[str | None]] | None = None) -> None:
        while True:
            self._news.clear()
            try:
                for action in reversed(await self._journal.read(partial(bulk.rows, state=Bulk.RUNNING))):
                    await self._do(action, here)
            except SQLAlchemyError as error:
                log.warning("bulk action paused", reason=str(error).splitlines()[0])
                await asyncio.sleep(AGAIN_S)
            else:
                return

    async def _do(self, action: Action, here: Callable[[], Collection[str | None]] | None) -> None:
        """Pass by pass over what is left: what another hub has, or the broker can't take now, is looked at again."""
        after, put_off = -1, set[str]()
        while (await self._find(action.id)).state is Bulk.RUNNING:
            targets = here() if here is not None else None
            left = partial(bulk.left, action=action.id, targets=targets, after=after)
            some = await self._journal.read(partial(left, limit=AT_ONCE))
            if some:
                await asyncio.gather(*(self._one(action, thing, put_off) for thing in some))
                after = some[-1].number
            elif put_off:
                await asyncio.sleep(AGAIN_S)
                after, put_off = -1, set()
            else:
                if not await self._journal.read(partial(bulk.left, action=action.id, limit=1)):
                    await self._journal.write(partial(_ended, action=action))
                return

    async def _one(self, action: Action, thing: Chosen, put_off: set[str]) -> None:
        """Do one; its result is written with what it changes.

        What is put off is noted by its inbox, and so is all of that inbox until the next pass: order is kept in it.
        """
        inbox = ""
        try:
            if thing.target is not None and action.command not in KEPT:
                inbox = await self._delivery.inbox_with(thing.target, thing.subject)
                if inbox not in put_off:
                    await self._command(action, thing, thing.target)
            else:
                await self._kept(action, thing)
        except BetweenHubsError:
            put_off.add(inbox)
        except (UnknownTargetError, LookupError, ValueError) as error:
            await self._mark(action, thing, ok=False, result=str(error))
        except BusError as error:
            log.warning("bulk action waits for the broker", reason=str(error))
            put_off.add(inbox)

    async def _command(self, action: Action, thing: Chosen, target: str) -> None:
        def record(connection: Connection, deed: Deed) -> None:
            ok = not deed.result.startswith(NOT_DONE)
            bulk.mark(connection, action.id, thing.number, ok=ok, result=deed.result.removeprefix(NOT_DONE))

        await self._delivery.do(
            Command(action.command), target, thing.subject, who=action.who, why=action.why, record=record
        )  # fmt: skip

    async def _kept(self, action: Action, thing: Chosen) -> None:
        """Trying one again is harmless: what was stored before is known by its id."""
        mark = partial(bulk.mark, action=action.id, number=thing.number)
        if action.command == "dismiss":
            await self._intake.dismiss(
                thing.subject, who=action.who, why=action.why,
                record=lambda connection, done: mark(connection, ok=done, result=DISMISSED if done else GONE),
            )  # fmt: skip
            return
        outcome = await self._intake.retry(
            thing.subject, lambda connection, _: mark(connection, ok=True, result=TAKEN)
        )  # fmt: skip
        if not outcome.accepted:
            await self._mark(action, thing, ok=False, result=outcome.reason or "refused again")

    async def _mark(self, action: Action, thing: Chosen, *, ok: bool, result: str) -> None:
        await self._journal.write(partial(bulk.mark, action=action.id, number=thing.number, ok=ok, result=result))

    def _check(self, wanted: Choice) -> None:
        if check(wanted).target not in self._systems:
            raise UnknownNameError("system", str(wanted.target), self._systems)

    async def _find(self, id: str) -> Action:
        action = await self._journal.read(partial(bulk.find, action=id))
        if action is None:
            raise UnknownNameError("bulk action", id, hint="`mombus bulk` lists them")
        return action


def _ended(connection: Connection, action: Action) -> None:
    now = datetime.now(UTC)
    if bulk.end(connection, action.id, Bulk.DONE, now):
        audit.note(connection, _deed(action, now, _told(connection, action.id, "done")))


def _told(connection: Connection, id: str, how: str) -> str:
    found = bulk.progress(connection, id)
    return f"{how}: {found.done} of {found.total} changed, {found.refused} not"


def _deed(action: Action, now: datetime, result: str, *, who: str | None = None, why: str | None = None) -> Deed:
    return Deed(
        at=now, who=who or action.who, action=f"{action.command} --all", target=None, message_id=None,
        why=why or action.why, result=f"bulk {action.id} {result}",
    )  # fmt: skip


def _shown(action: Action) -> dict[str, Any]:
    said = asdict(action)
    return said | {name: said[name].isoformat() if said[name] else None for name in ("begun", "ended")}


def _group(group: selection.Group) -> dict[str, Any]:
    return asdict(group) | {"oldest": group.oldest.isoformat()}
