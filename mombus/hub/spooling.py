"""The spools of the systems that this process reads: before an intake, here or in another process."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import datetime, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any

from mombus.bus.spool import Spool
from mombus.config.size import Size
from mombus.journal.journal import Journal
from mombus.journal.spooled import its_place, spool_metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
    from pathlib import Path

    from connectors.connector import Item, Outcome
    from mombus.bus.spool import SpoolState
    from mombus.hub.connecting import TakesIn
    from mombus.journal.bookmarks import Term

FILE = "spool.sqlite"


class Spooling:
    """Takes in what systems say, by way of their spools. It is asked as the intake behind it is.

    `place` is the id of what they are kept in, wherever that is moved.
    """

    def __init__(self, spools: Mapping[str, Spool], place: str) -> None:
        self._spools = spools
        self.place = place

    async def accept(self, system: str, item: Item, term: Term | None = None) -> Sequence[Outcome]:
        """As `Spool.accept`."""
        return await self._spools[system].accept(item, term)

    async def bookmark(self, system: str, term: Term | None = None) -> str | None:
        """As `Spool.bookmark`."""
        return await self._spools[system].bookmark(term)

    def running(self) -> Mapping[str, Coroutine[None, None, None]]:
        """What runs for ever, by name."""
        return {f"spool of {system}": spool.run() for system, spool in self._spools.items()}

    def states(self) -> Sequence[SpoolState]:
        """How the spools are that hold or have lost anything."""
        return [state for system in self._spools if (state := self.state(system)) is not None]

    def state(self, system: str) -> SpoolState | None:
        """How a system's spool is; None if it holds and has lost nothing."""
        state = self._spools[system].state
        return state if state.items or state.lost else None

    def kept(self) -> int:
        """How many items are in the spools."""
        return sum(spool.state.items for spool in self._spools.values())


@asynccontextmanager
async def open_spools(
    folder: Path, limits: Mapping[str, int], intake: TakesIn, full: Callable[[], str | None] = lambda: None
) -> AsyncIterator[Spooling]:
    """A spool for every system in `limits` (bytes), all in one file of `folder`.

    What an earlier run has left there is handed over first. `full` says why nothing more may be kept on this disk.
    """
    journal = await Journal.open(f"sqlite:///{folder / FILE}", schema=spool_metadata)
    try:
        spools = {
            system: Spool(
                system, journal, accept=partial(intake.accept, system), bookmark=partial(intake.bookmark, system),
                limit=limit, full=full,
            )
            for system, limit in limits.items()
        }  # fmt: skip
        for spool in spools.values():
            await spool.open()
        yield Spooling(spools, await journal.write(its_place))
    finally:
        await journal.close()


def lost_line(spool: Mapping[str, Any], zone: tzinfo) -> str:
    """What a spool has lost, as `SpoolState.said` tells it, in a sentence without the system, with times of `zone`."""
    lost = spool["lost"]
    since = datetime.fromisoformat(lost["since"])
    return (
        f"{lost['count']} values lost since {since.astimezone(zone):%H:%M:%S} ({lost['reason']}): "
        "let the bus store again, or give the system a larger `spool`"
    )


def kept_line(spool: Mapping[str, Any], zone: tzinfo) -> str:
    """What a spool holds, as `SpoolState.said` tells it, in a sentence without the system, with times of `zone`."""
    since = f" since {datetime.fromisoformat(spool['since']).astimezone(zone):%H:%M:%S}" if spool["since"] else ""
    return (
        f"{spool['items']} items ({Size(spool['bytes'])} of {Size(spool['limit'])}) wait on disk{since}: "
        f"{spool['reason']}"
    )
