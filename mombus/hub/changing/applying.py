"""A change of the configuration, from the file that is read again to the audit trail that tells of it."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import DBAPIError

from mombus.delivery.breaking import break_off
from mombus.desk.planning import SALT_BYTES, Apply, Changed, GoBack, Planned, Seen, Share
from mombus.desk.question import QuestionError
from mombus.hub.changing import left
from mombus.hub.changing.changing import NotTakenError
from mombus.hub.changing.checking import check, told
from mombus.hub.changing.here import NO_FILE, Here
from mombus.hub.changing.leading import Leading
from mombus.hub.changing.others import look_at_others
from mombus.journal import audit, clearing
from mombus.journal.audit import Deed
from mombus.journal.databases import away, in_words
from mombus.plan.comparing import compare
from mombus.plan.hubs import together
from mombus.plan.picture import fingerprint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence
    from typing import TypeAlias

    from sqlalchemy import Connection

    from mombus.desk.planning import HubStep, State
    from mombus.hub.changing.changing import Changing
    from mombus.hub.changing.here import Looked, Origin
    from mombus.hub.changing.others import Other
    from mombus.hub.parts import Parts
    from mombus.plan.plan import Plan

    Ended: TypeAlias = tuple[State, str | None]

END_S = 25.0
"""How long a change that has begun may still take when the hub ends."""

log = structlog.get_logger()


class Applying:
    """Takes over what the files say now. `origin` is None for a hub that wasn't started from files."""

    def __init__(self, changing: Changing, origin: Origin | None, parts: Parts) -> None:
        self._here = Here(changing, origin, parts)
        self._parts = parts
        self._last = Changed(number=0, state="none", step="", reason=None)
        self._job: asyncio.Task[None] | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._wrong: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """All files that were looked at when the configuration was read the last time."""
        return self._here.files

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that the hub was started from, the first one the base; none if it wasn't."""
        return tuple(map(str, self._here.origin.paths)) if self._here.origin is not None else ()

    @property
    def last(self) -> Changed:
        """How the last change goes, or went."""
        return self._last

    @property
    def failed(self) -> bool:
        """True while the file on disk couldn't be taken when it was read again."""
        return self._wrong is not None

    @property
    def busy(self) -> bool:
        """True while a change is under way."""
        return self._job is not None and not self._job.done()

    def notices(self) -> Sequence[str]:
        """What a person should look at."""
        return (f"the changed configuration was not taken, the one before works on: {self._wrong}",) * self.failed

    def tidy(self) -> None:
        """Do what is left of a change: of one that a kill broke off, or that other hubs haven't made yet."""
        if not self._parts.delivery:
            return
        here = self._here
        tidying = left.clear_by_and_by(lambda: here.core, lambda: here.config.systems)
        self._tidying = asyncio.create_task(tidying, name="putting away what a kill left")

    async def plan(self, salt: str | None = None) -> Planned:
        """What the files would change now. Raises QuestionError."""
        salt = salt or secrets.token_hex(SALT_BYTES)
        looked = await self._here.look(salt)
        plan, _ = await self._planned(looked, salt)
        return Planned(salt=salt, files=self.paths, findings=looked.findings, plan=plan)

    async def seen(self, salt: str) -> Seen:
        """What this hub says of a change that another one leads. Raises QuestionError."""
        looked = await self._here.look(salt)
        return Seen(
            running=looked.running, new=looked.new, flow=looked.flow, findings=looked.findings, busy=self.busy,
            place=self._here.core.spooling.place,
        )  # fmt: skip

    def begin(self, asked: Apply) -> Changed:
        """Begin to change, with the other hubs. Raises QuestionError while another change is under way."""
        return self._start(asked, partial(self._change, asked, alone=False))

    def share(self, asked: Share) -> Changed:
        """Begin with this hub's part of a change that another hub leads. Raises QuestionError as `begin`."""
        return self._start(asked, partial(self._share, asked))

    def go_back(self, asked: GoBack) -> Changed:
        """Begin to work as before. Raises QuestionError as `begin`."""
        return self._start(asked, partial(self._go_back, asked))

    def reload(self, who: str, why: str) -> bool:
        """Take over what the files say now, unless a change is under way; what fails is told in `notices`."""
        if self._here.origin is None or self.busy:
            return False
        asked = Apply(who=who, why=why)
        work = partial(self._change, asked, alone=True) if self._parts.delivery else self._change_part
        self._run_on(asked, work, again=True)
        return True

    async def close(self) -> None:
        """Let what has begun come to its end."""
        if self._job is not None:
            await asyncio.wait({self._job}, timeout=END_S)
            await break_off(self._job)
        await self._untidy()

    def _start(self, asked: Apply | GoBack, work: Callable[[], Awaitable[Ended]]) -> Changed:
        if self._here.origin is None:
            raise QuestionError(NO_FILE)
        if self.busy:
            raise QuestionError("another change is under way: ask again when it is done")
        self._run_on(asked, work, again=False)
        return self._last

    def _run_on(self, asked: Apply | GoBack, work: Callable[[], Awaitable[Ended]], *, again: bool) -> None:
        self._last = Changed(number=self._last.number + 1, state="changing", step="reading the files", reason=None)
        self._job = asyncio.create_task(self._run(asked, work, again=again), name="changing the configuration")

    async def _run(self, asked: Apply | GoBack, work: Callable[[], Awaitable[Ended]], *, again: bool) -> None:
        await self._untidy()
        try:
            state, reason = await work()
        except (NotTakenError, QuestionError) as error:
            await self._refused(asked, str(error), again=again)
        except Exception as error:
            log.exception("changing the configuration failed")
            await self._refused(asked, _of_database(error) or f"{type(error).__name__}: {error}", again=again)
        else:
            self._wrong = None
            self._step("", state=state, reason=reason)
        if not isinstance(asked, Share | GoBack):  # who leads may still have all go back, and puts it away itself
            self.tidy()

    async def _untidy(self) -> None:
        if self._tidying is not None:
            await break_off(self._tidying)

    async def _change(self, asked: Apply, *, alone: bool) -> Ended:
        """How it ended, and what is to be said of that. Raises what keeps the configuration from being taken."""
        salt = asked.salt or secrets.token_hex(SALT_BYTES)
        looked = await self._here.look(salt)
        config = looked.config
        plan, others = await self._planned(looked, salt, alone=alone)
        assert plan is not None, "there is a configuration"  # noqa: S101 - or it would have been refused
        check(plan, asked)
        if not plan.open and not asked.skip:
            await self._note(asked, "nothing to change")
            return "nothing to change", None
        leading = Leading(self._here, asked, salt, looked, plan, others, self._step)
        if plan.open:
            await leading.prepare()
        noted = left.to_clear(plan, asked)
        await self._here.core.journal.write(partial(_begun, asked=asked, plan=plan, noted=noted))
        if plan.open:
            await leading.switch()
        self._step("clearing up")
        by_and_by = alone and self._here.core.neighbours is not None
        uncleared = await self._clear_up(plan, asked, None if by_and_by else config.systems)
        return "applied", "; ".join([*leading.missing, *([uncleared] if uncleared else [])]) or None

    async def _change_part(self) -> Ended:
        """The process of a part has neither journal nor audit trail."""
        self._step("changing over")
        await self._here.take_alone()
        return "applied", None

    async def _share(self, asked: Share) -> Ended:
        """What another hub asks of this one: it has the rest in hand."""
        looked = await self._here.look(asked.salt or "")
        config, plan = looked.config, (await self._planned(looked, "", alone=True))[0]
        assert plan is not None, "there is a configuration"  # noqa: S101
        check(plan, asked)
        if asked.part == "prepare":
            await self._here.prepare(config, plan, asked, self._step)
            return "ready", None
        self._step("changing over")
        await self._here.take(config, plan, asked)
        return "applied", None

    async def _go_back(self, asked: GoBack) -> Ended:
        self._step("going back")
        running = await self._here.core.planning.drawn(asked.salt)
        if fingerprint(running) == asked.to:
            await self._here.go_back()
        return "applied", None

    async def _clear_up(self, plan: Plan, asked: Apply, declared: Collection[str] | None) -> str | None:
        """What works now works: it isn't called refused because something of the one before can't be put away.

        Where not all hubs have changed, it is put away when they have: without `declared`.
        """
        try:
            if declared is not None:
                await left.clear(self._here.core, declared)
            await self._note(asked, "applied: " + told(plan))
        except Exception as error:
            log.exception("the new configuration works; what is left of the one before isn't all cleared up")
            why = _of_database(error) or str(error) or type(error).__name__
            return f"it works, but what is left of the one before isn't all cleared up: {why}"
        return None

    async def _planned(self, looked: Looked, salt: str, *, alone: bool = False) -> tuple[Plan | None, list[Other]]:
        """The plan, and the other hubs that are to change as well."""
        if looked.new is None or looked.loaded.config is None:
            return None, []
        others = [] if alone else await look_at_others(lambda: self._here.core, salt, looked.running, looked.new)
        flow = together([looked.flow, *(other.flow for other in others if other.flow is not None)])
        plan = compare(looked.running, looked.new, flow)
        apart = await self._here.parts_apart(looked.loaded.config, plan)
        plan = plan.model_copy(update={"hubs": tuple(other.at for other in others), "apart": apart})
        return plan, [other for other in others if other.at.how == "changes"]

    async def _refused(self, asked: Apply | GoBack, reason: str, *, again: bool) -> None:
        reason = reason or "it can't be read"
        log.error("the configuration was not taken: the one before works on", reason=reason)
        if again:
            self._wrong = reason
        if self._parts.delivery and not isinstance(asked, Share | GoBack):
            try:
                await self._note(asked, f"not done: {reason}")
            except Exception:
                log.exception("the audit trail doesn't take it")
        self._step("", state="kept", reason=reason)

    async def _note(self, asked: Apply | GoBack, result: str) -> None:
        await self._here.core.journal.write(partial(_deed, asked=asked, result=result))

    def _step(
        self, step: str, *, state: State = "changing", reason: str | None = None, hubs: Sequence[HubStep] | None = None
    ) -> None:
        hubs = self._last.hubs if hubs is None else tuple(hubs)
        self._last = Changed(number=self._last.number, state=state, step=step, reason=reason, hubs=hubs)


def _of_database(error: Exception) -> str:
    """What a database said, without what it was asked; empty for another error."""
    return away(error) or (in_words(error) if isinstance(error, DBAPIError) else "")


def _begun(connection: Connection, *, asked: Apply, plan: Plan, noted: Sequence[clearing.ToClear]) -> None:
    """What is decided stands before anything is changed: a kill from now on leaves what the next start does."""
    clearing.note(connection, noted)
    if plan.open:
        _deed(connection, asked=asked, result="begun: " + told(plan))


def _deed(connection: Connection, *, asked: Apply | GoBack, result: str) -> None:
    deed = Deed(
        at=datetime.now(UTC), who=asked.who, action="apply", target=None, message_id=None, why=asked.why, result=result
    )  # fmt: skip
    audit.note(connection, deed)
