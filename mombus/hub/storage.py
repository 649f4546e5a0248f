"""How the disk is used, for people: what is kept there because it can't go on, and what was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mombus.config.size import Size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mombus.bus.spool import SpoolState


class Storage:
    """What the status says of the disk. `spools` tells how the spools are that hold or have lost anything."""

    def __init__(self) -> None:
        self.spools: Callable[[], Sequence[SpoolState]] = list

    def trouble(self) -> list[str]:
        """One sentence each, the worst first."""
        states = self.spools()
        lost = [_lost(state) for state in states if state.lost]
        return lost + [_kept(state) for state in states if state.items]


def _lost(state: SpoolState) -> str:
    gap = state.lost
    assert gap is not None  # noqa: S101 - asked for only then
    return (
        f"{state.system}: {gap.lost} values lost since {gap.since.astimezone():%H:%M:%S} ({gap.reason}): "
        "let the bus store again, or give the system a larger `spool`"
    )


def _kept(state: SpoolState) -> str:
    since = f" since {state.since.astimezone():%H:%M:%S}" if state.since else ""
    return (
        f"{state.system}: {state.items} items ({Size(state.size)} of {Size(state.limit)}) wait on disk{since}: "
        f"{state.reason}"
    )
