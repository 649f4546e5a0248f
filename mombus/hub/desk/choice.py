"""What a person chooses for a bulk action: among what waits for a target, or what is kept of a system."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from canonical.objects import CATALOGUE
from mombus.bus.commands import UnknownNameError
from mombus.delivery.commands import Command
from mombus.hub.desk.waiting import before, lane_of
from mombus.journal import parked, selection
from mombus.journal.selection import Selection
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from mombus.desk.bulk import Choice

KEPT = ("take", "dismiss")


def _but(*kinds: Wait) -> tuple[Wait, ...]:
    return tuple(kind for kind in Wait if kind not in {Wait.BEHIND, *kinds})


_MEANT: Mapping[str, tuple[Wait, ...]] = {
    Command.RETRY: _but(Wait.HELD), Command.RELEASE: _but(Wait.IN_DOUBT, Wait.POSTING),
    Command.HOLD: _but(Wait.HELD, Wait.POSTING), Command.SKIP: (), Command.SENT: (Wait.IN_DOUBT,),
    Command.NOT_SENT: (Wait.IN_DOUBT,),
}  # fmt: skip
"""What is chosen where no kind is named. What waits behind follows by itself, unless it is to be skipped as well."""


class BulkError(ValueError):
    """A bulk action can't be begun or found; the text says what was expected."""


def check(wanted: Choice) -> Choice:
    """Check what was chosen. Raises BulkError, and UnknownNameError for a kind or object that there isn't."""
    if wanted.command in KEPT and (wanted.object or wanted.lane):
        raise BulkError("what is kept is chosen by kind, reason and age")
    if wanted.target is None:
        raise BulkError(f"say for which system: `--{'system' if wanted.command in KEPT else 'target'} NAME`")
    before(wanted.older, datetime.now(UTC))
    known = [kind.value for kind in (parked.Parked if wanted.command in KEPT else Wait)]
    if wanted.kind is not None and wanted.kind not in known:
        raise UnknownNameError("kind", wanted.kind, known)
    if wanted.object is not None and wanted.object not in CATALOGUE:
        raise UnknownNameError("data object", wanted.object, CATALOGUE)
    return wanted


def waiting_choice(wanted: Choice, now: datetime) -> Selection:
    """Which of the waiting messages are chosen."""
    kinds = (Wait(wanted.kind),) if wanted.kind else _MEANT[wanted.command]
    return Selection(
        target=wanted.target, kinds=kinds, reason=wanted.reason, object=wanted.object, lane=lane_of(wanted.lane),
        before=before(wanted.older, now),
    )  # fmt: skip


def kept_choice(wanted: Choice, now: datetime) -> dict[str, Any]:
    """Which of the kept items are chosen, as arguments of `parked.chosen`."""
    return {"system": wanted.target, "kind": wanted.kind, "reason": wanted.reason, "before": before(wanted.older, now)}


def things(connection: Connection, wanted: Choice, now: datetime) -> Sequence[tuple[str | None, str]]:
    """What is chosen, in the order it is done.

    What is skipped is skipped from the end, so that nothing behind it goes on first.
    """
    if wanted.command in KEPT:
        return [(None, id) for id in parked.chosen(connection, **kept_choice(wanted, now))]
    found = selection.ids(connection, waiting_choice(wanted, now))
    return found[::-1] if wanted.command == Command.SKIP.value else found
