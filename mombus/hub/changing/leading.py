"""One change at all hubs of a journal, led by this one: every hub prepares, then they change in turn, this one last."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Protocol

import structlog

from mombus.hub.changing import left
from mombus.hub.changing.changing import NotTakenError
from mombus.hub.changing.others import steps
from mombus.journal import clearing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mombus.desk.planning import Apply, HubStep
    from mombus.hub.changing.here import Here, Looked
    from mombus.hub.changing.others import Other
    from mombus.plan.plan import Plan

LOOK_S = 0.2
SHARED_OUT_S = 15.0
"""How long it may take until the hubs have shared out what there is, beside the time to finish."""

log = structlog.get_logger()


class Step(Protocol):
    """Is told what is done now, and how far the other hubs are."""

    def __call__(self, step: str, *, hubs: Sequence[HubStep] | None = None) -> None:
        """Without `hubs` they are as before."""


class Leading:
    """`others` are those that are to change as well."""

    def __init__(  # noqa: PLR0917 - one change
        self, here: Here, asked: Apply, salt: str, looked: Looked, plan: Plan, others: Sequence[Other], step: Step
    ) -> None:
        self._here = here
        self._asked = asked
        self._salt = salt
        self._looked = looked
        self._plan = plan
        self._others = others
        self._step = step

    async def prepare(self) -> None:
        """Nothing is changed before all hubs have said that they can, but for those that end. Raises NotTakenError.

        What goes must be finished by one and the same hub: while hubs hand over to each other, all are asked again.
        """
        end = time.monotonic() + self._asked.within_s + SHARED_OUT_S
        holding = await self._holding()
        while True:
            await self._prepare_all()
            before, holding = holding, await self._holding()
            if before == holding and None not in holding.values():
                return
            if time.monotonic() > end:
                raise NotTakenError("hubs come and go, so that who finishes what isn't sure: wait until all are there")
            await asyncio.sleep(LOOK_S)

    async def _prepare_all(self) -> None:
        if self._plan.changes:
            await self._here.prepare(self._looked.config, self._plan, self._asked, self._step)
        for other in self._others:
            self._tell(f"asking the hub at {other.address}")
            await other.prepare(self._asked, self._salt)

    async def switch(self) -> None:
        """One hub after the other. Raises NotTakenError: all work as before then, but those it names."""
        begun: list[Other] = []
        try:
            for other in self._others:
                self._tell(f"changing the hub at {other.address}")
                begun.append(other)
                await other.take(self._asked, self._salt)
            self._tell("changing over")
            if self._plan.changes:
                await self._here.take(self._looked.config, self._plan, self._asked)
        except Exception as error:
            self._tell("going back")
            stay = [why for other in reversed(begun) if (why := await other.go_back(self._asked, self._salt))]
            if not stay:
                await self._undo()
            self._tell("")
            raise NotTakenError("; ".join([str(error) or type(error).__name__, *stay])) from error

    @property
    def missing(self) -> Sequence[str]:
        """What is to be said of hubs that ended meanwhile."""
        return [
            f"the hub at {other.address} ended meanwhile: it runs what its files say when it starts"
            for other in self._others if other.state == "ended"
        ]  # fmt: skip

    async def _holding(self) -> dict[str, tuple[str, int] | None]:
        """Who delivers to what goes: it has to be the same one until everything is delivered."""
        neighbours = self._here.core.neighbours
        return await neighbours.holding(self._plan.removed_systems) if neighbours is not None else {}

    async def _undo(self) -> None:
        """What would have come hasn't: where its routes began isn't to be known when it comes another time."""
        try:
            core = self._here.core
            await core.journal.write(partial(clearing.done, noted=left.to_clear(self._plan, self._asked)))
            await left.forget(core, self._plan.added_systems)
        except Exception:
            log.exception("what was noted for the new configuration isn't all put away")

    def _tell(self, step: str) -> None:
        self._step(step, hubs=steps(self._others))
