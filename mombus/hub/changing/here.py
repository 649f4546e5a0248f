"""A change at this hub, step by step: looked at, tried, finished with the old, switched, and gone back from."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mombus.config.finding import Severity
from mombus.desk.question import QuestionError
from mombus.hub.changing.changing import NotTakenError
from mombus.hub.changing.finishing import finish
from mombus.hub.changing.trying import try_new
from mombus.hub.session import Condition
from mombus.plan.apart import at_connectors, at_pages, settings
from mombus.plan.comparing import compare
from mombus.plan.fates import Flow
from mombus.plan.files import contents
from mombus.plan.picture import picture, sealing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mombus.config.loader import Loaded
    from mombus.config.model import Config
    from mombus.desk.planning import Apply
    from mombus.hub.changing.changing import Changing
    from mombus.hub.changing.work import Core
    from mombus.hub.parts import Parts
    from mombus.plan.picture import Picture
    from mombus.plan.plan import Apart, Plan

NO_FILE = "this hub wasn't started from a file: start it with `mombus run`"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a configuration was read from: the files given, all that were looked at, and how they are read again."""

    paths: tuple[Path, ...]
    files: tuple[str, ...]
    load: Callable[[], Loaded]


class Looked(NamedTuple):
    """What a look at the files found: `new` is None if they have errors."""

    loaded: Loaded
    running: Picture
    new: Picture | None
    flow: Flow

    @property
    def config(self) -> Config:
        """What the files say. Raises NotTakenError with the errors in them."""
        if self.loaded.config is None:
            raise NotTakenError("\n".join(self.findings))
        return self.loaded.config

    @property
    def findings(self) -> tuple[str, ...]:
        """The errors in the files, each with its place."""
        return tuple(str(one) for one in self.loaded.findings if one.severity is Severity.ERROR)


class Here:
    """This hub, as it changes. `origin` is None for one that wasn't started from files."""

    def __init__(self, changing: Changing, origin: Origin | None, parts: Parts) -> None:
        self._changing = changing
        self._parts = parts
        self._former: Config | None = None
        self.origin = origin
        self.files = origin.files if origin is not None else ()

    @property
    def config(self) -> Config:
        """What works now."""
        return self._changing.work.config

    @property
    def core(self) -> Core:
        """Raises QuestionError where the hub itself is another process."""
        core = self._changing.work.core
        if core is None:
            raise QuestionError("the hub itself runs in another process: ask there")
        return core

    async def look(self, salt: str) -> Looked:
        """Read the files. Raises QuestionError if there are none."""
        if self.origin is None:
            raise QuestionError(NO_FILE)
        loaded = await asyncio.to_thread(self.origin.load)
        self.files = loaded.files
        planning = self.core.planning
        new = await asyncio.to_thread(_drawn, loaded.config, salt) if loaded.config is not None else None
        return Looked(loaded, await planning.drawn(salt), new, await planning.flow())

    async def prepare(self, config: Config, plan: Plan, asked: Apply, step: Callable[[str], object]) -> None:
        """Try what is new, and deliver what was stored before. Nothing is changed yet. Raises NotTakenError."""
        self._parts.check(config)
        if not asked.unreached:
            step("connecting what is new")
            await try_new(config, plan.added_systems, self._parts, self.core.bus.client)
        step("delivering what was stored before")
        await finish(self.core, plan, within_s=asked.within_s, decided={*asked.skip, *asked.keep})

    async def take(self, config: Config, plan: Plan, asked: Apply) -> None:
        """Change over. Raises NotTakenError: the configuration before works again then."""
        first = () if asked.unreached else plan.added_systems | (plan.changed_systems & self._reached)
        before = self.config
        await self._changing.change(config, first)
        self._former = before

    async def take_alone(self) -> None:
        """Change the process of a part that isn't the hub itself. Raises NotTakenError, PartsError."""
        assert self.origin is not None, "it has files"  # noqa: S101 - or nobody reads them again
        loaded = await asyncio.to_thread(self.origin.load)
        self.files = loaded.files
        config = Looked(loaded, {}, None, Flow()).config
        self._parts.check(config)
        before = self.config
        plan = compare(picture(before, {}, _unsealed), picture(config, {}, _unsealed), Flow())
        if plan.restart:
            raise NotTakenError("it takes a restart of this part: " + "; ".join(plan.restart))
        old, new = settings(before), settings(config)
        changed = {name for name in new if old.get(name) != new[name]}
        await self._changing.change(config, changed & self._reached)

    @property
    def _reached(self) -> frozenset[str]:
        """The systems that this process is connected with: with new settings they must be, too."""
        sessions = self._changing.work.sessions
        return frozenset(name for name, one in sessions.items() if one.condition is Condition.OK and one.connected)

    async def parts_apart(self, config: Config, plan: Plan) -> tuple[Apart, ...]:
        """What a change is for the processes of other parts, by what they say now."""
        far = self.core.far
        await asyncio.gather(*(session.probe() for session in far.values()))
        told = {name: session.settings() for name, session in far.items()}
        names = [*far, *(name for name in config.systems if name not in far and not self._parts.runs(name))]
        found = at_connectors(settings(self.config), settings(config), told, names)
        pages = () if self._parts.web else at_pages([change.kind for change in plan.changes])
        return (*found, *pages)

    async def go_back(self) -> None:
        """Work as before the last change. Raises NotTakenError if there was none, or if that doesn't work any more."""
        former, self._former = self._former, None
        if former is None:
            raise NotTakenError("it knows no configuration before the one it runs")
        await self._changing.change(former, ())


def _unsealed(_secret: str) -> str:
    """Where only what isn't secret is compared."""
    return ""


def _drawn(config: Config, salt: str) -> Picture:
    return picture(config, contents(config), sealing(salt))
