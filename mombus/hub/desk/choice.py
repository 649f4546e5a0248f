"""What a person chooses for a bulk action: among what waits for a target, or what is kept of a system."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from canonical.objects import CATALOGUE
from mombus.bus.commands import UnknownNameError
from mombus.config.duration import duration
from mombus.delivery.commands import Command
from mombus.journal import parked, selection
from mombus.journal.selection import Selection
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import Connection

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


class Choice(BaseModel):
    """What a person chooses: all that is given must apply, and the target must be given.

    `target` is the system that is waited for, of kept items the one they are from. `reason` is a part of the reason,
    `older` a span such as 1h: what has waited for longer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: str
    target: str | None = None
    kind: str | None = None
    reason: str | None = None
    object: str | None = None
    lane: str | None = None
    older: str | None = None

    def words(self) -> str:
        """The choice for people."""
        said = self.model_dump(exclude_none=True, exclude={"command"})
        return ", ".join(f"{name} {value}" for name, value in said.items())


def choice_of(said: Mapping[str, Any]) -> Choice:
    """Check what was chosen. Raises BulkError, and UnknownNameError for a kind or object that there isn't."""
    try:
        wanted = Choice.model_validate(said)
        duration(wanted.older)
    except ValidationError as error:
        first = error.errors()[0]
        raise BulkError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except ValueError as error:
        raise BulkError(f"older: {error}") from None
    if wanted.command not in (*_MEANT, *KEPT):
        raise BulkError(f"'{wanted.command}' can't be done to many: {', '.join((*_MEANT, *KEPT))} can")
    if wanted.command in KEPT and (wanted.object or wanted.lane):
        raise BulkError("what is kept is chosen by kind, reason and age")
    if wanted.target is None:
        raise BulkError(f"say for which system: `--{'system' if wanted.command in KEPT else 'target'} NAME`")
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
        target=wanted.target, kinds=kinds, reason=wanted.reason, object=wanted.object, lane=wanted.lane,
        before=_before(wanted, now),
    )  # fmt: skip


def kept_choice(wanted: Choice, now: datetime) -> dict[str, Any]:
    """Which of the kept items are chosen, as arguments of `parked.chosen`."""
    return {"system": wanted.target, "kind": wanted.kind, "reason": wanted.reason, "before": _before(wanted, now)}


def _before(wanted: Choice, now: datetime) -> datetime | None:
    span: timedelta | None = duration(wanted.older)
    return None if span is None else now - span


def things(connection: Connection, wanted: Choice, now: datetime) -> Sequence[tuple[str | None, str]]:
    """What is chosen, in the order it is done.

    What is skipped is skipped from the end, so that nothing behind it goes on first.
    """
    if wanted.command in KEPT:
        return [(None, id) for id in parked.chosen(connection, **kept_choice(wanted, now))]
    found = selection.ids(connection, waiting_choice(wanted, now))
    return found[::-1] if wanted.command == Command.SKIP else found
