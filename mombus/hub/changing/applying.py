"""A change of the configuration, from the file that is read again to the audit trail that tells of it."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog

from mombus.config.finding import Severity
from mombus.delivery.breaking import break_off
from mombus.desk.planning import SALT_BYTES, Apply, Changed, Planned
from mombus.desk.question import QuestionError
from mombus.hub.changing import left
from mombus.hub.changing.changing import NotTakenError
from mombus.hub.changing.finishing import finish
from mombus.hub.changing.trying import try_new
from mombus.hub.session import Condition
from mombus.journal import audit
from mombus.journal.audit import Deed
from mombus.plan.comparing import compare
from mombus.plan.files import contents
from mombus.plan.picture import picture, sealing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from mombus.config.loader import Loaded
    from mombus.config.model import Config
    from mombus.hub.changing.changing import Changing
    from mombus.hub.changing.work import Core
    from mombus.hub.parts import Parts
    from mombus.plan.plan import Plan

END_S = 25.0
"""How long a change that has begun may still take when the hub ends."""

APART = (
    "parts of this hub run in processes of their own: give each the new configuration and start it again, connectors "
    "first; what isn't delivered meanwhile waits"
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a configuration was read from: the files given, all that were looked at, and how they are read again."""

    paths: tuple[Path, ...]
    files: tuple[str, ...]
    load: Callable[[], Loaded]


class Applying:
    """Takes over what the files say now. `origin` is None for a hub that wasn't started from files."""

    def __init__(self, changing: Changing, origin: Origin | None, parts: Parts) -> None:
        self._changing = changing
        self._origin = origin
        self._parts = parts
        self._last = Changed(number=0, state="none", step="", reason=None)
        self._job: asyncio.Task[None] | None = None
        self._wrong: str | None = None
        self.files = origin.files if origin is not None else ()

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that the hub was started from, the first one the base; none if it wasn't."""
        return tuple(map(str, self._origin.paths)) if self._origin is not None else ()

    @property
    def last(self) -> Changed:
        """How the last change goes, or went."""
        return self._last

    @property
    def failed(self) -> bool:
        """True while the file on disk couldn't be taken when it was read again."""
        return self._wrong is not None

    def notices(self) -> Sequence[str]:
        """What a person should look at."""
        return (f"the changed configuration was not taken, the one before works on: {self._wrong}",) * self.failed

    async def plan(self, salt: str | None = None) -> Planned:
        """What the files would change now. Raises QuestionError."""
        salt = salt or secrets.token_hex(SALT_BYTES)
        loaded, plan = await self._planned(salt)
        findings = tuple(str(one) for one in loaded.findings if one.severity is Severity.ERROR)
        return Planned(salt=salt, files=self.paths, findings=findings, plan=plan)

    def begin(self, asked: Apply) -> Changed:
        """Begin to change. Raises QuestionError while another change is under way."""
        self._free()
        self._start(asked, again=False)
        return self._last

    def reload(self, who: str, why: str) -> bool:
        """Take over what the files say now, unless a change is under way; what fails is told in `notices`."""
        if self._origin is None or (self._job is not None and not self._job.done()):
            return False
        self._start(Apply(who=who, why=why), again=True)
        return True

    async def close(self) -> None:
        """Let what has begun come to its end."""
        if self._job is not None:
            await asyncio.wait({self._job}, timeout=END_S)
            await break_off(self._job)

    def _free(self) -> None:
        if self._origin is None:
            raise QuestionError("this hub wasn't started from a file: start it with `mombus run`")
        if not self._parts.whole:
            raise QuestionError(APART)
        if self._changing.work.config.bus.shared:
            raise QuestionError(
                "several hubs share this journal: give each machine the new file and have its hub read it again, one "
                "after the other (`systemctl reload mombus`, or SIGHUP)"
            )
        if self._job is not None and not self._job.done():
            raise QuestionError("another change is under way: ask again when it is done")

    def _start(self, asked: Apply, *, again: bool) -> None:
        self._last = Changed(number=self._last.number + 1, state="changing", step="reading the files", reason=None)
        self._job = asyncio.create_task(self._run(asked, again=again), name="changing the configuration")

    async def _run(self, asked: Apply, *, again: bool) -> None:
        try:
            state, reason = await self._change(asked)
        except (NotTakenError, QuestionError) as error:
            await self._refused(asked, str(error), again=again)
        except Exception as error:
            log.exception("changing the configuration failed")
            await self._refused(asked, f"{type(error).__name__}: {error}", again=again)
        else:
            self._wrong = None
            self._step("", state=state, reason=reason)

    async def _change(self, asked: Apply) -> tuple[str, str | None]:
        """How it ended, and what is to be said of that. Raises what keeps the configuration from being taken."""
        if not self._parts.whole:
            raise NotTakenError(APART)
        loaded, plan = await self._planned(asked.salt or secrets.token_hex(SALT_BYTES))
        if loaded.config is None or plan is None:
            raise NotTakenError("\n".join(str(one) for one in loaded.findings if one.severity is Severity.ERROR))
        check(plan, asked)
        core = self._core()
        if plan.changes:
            self._parts.check(loaded.config)
            await self._switch(loaded.config, plan, asked, core)
        elif not asked.skip:
            await self._note(asked, "nothing to change")
            return "nothing to change", None
        self._step("clearing up")
        gone = plan.removed_systems - {*asked.keep} if not loaded.config.bus.shared else set()
        return "applied", await self._clear_up(plan, asked, gone)

    async def _clear_up(self, plan: Plan, asked: Apply, gone: Collection[str]) -> str | None:
        """What works now works: it isn't called refused because something of the one before can't be put away."""
        try:
            await left.clear(self._core(), gone=gone, skip=sorted({*asked.skip}), who=asked.who, why=asked.why)
            await self._note(asked, "applied: " + told(plan))
        except Exception as error:
            log.exception("the new configuration works; what is left of the one before isn't all cleared up")
            why = str(error) or type(error).__name__
            return f"it works, but what is left of the one before isn't all cleared up: {why}"
        return None

    async def _switch(self, config: Config, plan: Plan, asked: Apply, core: Core) -> None:
        if not asked.unreached:
            self._step("connecting what is new")
            await try_new(config, plan.added_systems)
        self._step("delivering what was stored before")
        await finish(core, plan, within_s=asked.within_s, decided={*asked.skip, *asked.keep})
        await self._note(asked, "begun: " + told(plan))
        self._step("changing over")
        reached = {name for name, one in core.sessions.items() if one.condition is Condition.OK}
        first = {*plan.added_systems, *(plan.changed_systems & reached)} if not asked.unreached else ()
        await self._changing.change(config, first)

    async def _planned(self, salt: str) -> tuple[Loaded, Plan | None]:
        if self._origin is None:
            raise QuestionError("this hub wasn't started from a file: start it with `mombus run`")
        loaded = await asyncio.to_thread(self._origin.load)
        self.files = loaded.files
        if loaded.config is None:
            return loaded, None
        core = self._core()
        new = await asyncio.to_thread(_drawn, loaded.config, salt)
        return loaded, compare(await core.planning.drawn(salt), new, await core.planning.flow())

    def _core(self) -> Core:
        core = self._changing.work.core
        if core is None:
            raise QuestionError("the hub itself runs in another process: ask there")
        return core

    async def _refused(self, asked: Apply, reason: str, *, again: bool) -> None:
        reason = reason or "it can't be read"
        log.error("the configuration was not taken: the one before works on", reason=reason)
        if again:
            self._wrong = reason
        if self._changing.work.core is not None:
            try:
                await self._note(asked, f"not done: {reason}")
            except Exception:
                log.exception("the audit trail doesn't take it")
        self._step("", state="kept", reason=reason)

    async def _note(self, asked: Apply, result: str) -> None:
        deed = Deed(
            at=datetime.now(UTC), who=asked.who, action="apply", target=None, message_id=None, why=asked.why,
            result=result,
        )  # fmt: skip
        await self._core().journal.write(partial(audit.note, deed=deed))

    def _step(self, step: str, state: str = "changing", reason: str | None = None) -> None:
        self._last = Changed(number=self._last.number, state=state, step=step, reason=reason)


def check(plan: Plan, asked: Apply) -> None:
    """Raises NotTakenError when what was asked for isn't what would be done, or can't be done."""
    if asked.base is not None and asked.base != plan.base:
        raise NotTakenError("the hub runs another configuration than when that was planned: make a new plan")
    if asked.to is not None and asked.to != plan.to:
        raise NotTakenError("the files say something else than when that was planned: make a new plan")
    if plan.restart:
        raise NotTakenError("it takes a restart of the hub: " + "; ".join(plan.restart))
    strange = sorted({*asked.skip, *asked.keep} - plan.decidable)
    if strange:
        raise NotTakenError(f"{', '.join(strange)} doesn't go: --skip and --keep are for systems that are removed")
    if both := sorted({*asked.skip} & {*asked.keep}):
        raise NotTakenError(f"{', '.join(both)} can't be skipped and kept: say one of them")
    undecided = {name: count for name, count in plan.undecided.items() if name not in {*asked.skip, *asked.keep}}
    if undecided:
        waits = ", ".join(f"{count} for {name}" for name, count in undecided.items())
        raise NotTakenError(f"messages wait for what would go ({waits}): decide with --skip or --keep, or clear them")


def told(plan: Plan) -> str:
    """The changes in a line, for the audit trail."""
    marks: Mapping[str, str] = {"added": "+", "changed": "~", "removed": "-"}
    said = ", ".join(f"{marks[change.how]}{change.what}" for change in plan.changes)
    return f"{said or 'nothing but what was left'} (configuration {plan.to})"


def _drawn(config: Config, salt: str) -> dict[str, dict[str, dict[str, object]]]:
    return picture(config, contents(config), sealing(salt))
