"""The waiting room as people see it: what waits, page by page or by cause, and what they decide about it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from canonical.objects import CATALOGUE
from mombus.bus.commands import UnknownNameError
from mombus.config.duration import duration
from mombus.desk.question import QuestionError
from mombus.desk.waiting import CAUSES, DO, WAITING, Decision, Target, Waits
from mombus.hub.desk import waits
from mombus.hub.desk.fitting import fitting
from mombus.journal import causes, selection, waiting
from mombus.journal.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mombus.config.model import Config
    from mombus.delivery.delivery import Delivery
    from mombus.desk.question import Question
    from mombus.hub.desk.topic import Answer
    from mombus.journal.causes import Cause
    from mombus.journal.journal import Journal
    from mombus.journal.selection import Place


ALIKE = 2
"""So many ids that begin alike are enough to know that the beginning is too short."""


class WaitingRoom:
    """Answers about what waits for the systems."""

    def __init__(self, *, config: Config, journal: Journal, delivery: Delivery) -> None:
        self._journal = journal
        self._delivery = delivery
        self._systems, self._zone = config.systems, config.plant.timezone
        self._contacts = {name: system.contact for name, system in config.systems.items()}

    def answers(self) -> Mapping[Question, Answer]:
        """As `mombus.hub.desk.topic.Topic`."""
        return {WAITING: self.page, CAUSES: self.causes, DO: self.do}

    async def page(self, asked: Waits) -> dict[str, Any]:
        """Some of what waits, in the order it came, and where it goes on."""
        self._known(asked.target)
        if asked.object is not None and asked.object not in CATALOGUE:
            raise UnknownNameError("data object", asked.object, CATALOGUE)
        now = datetime.now(UTC)
        look = partial(
            selection.rows, selection=_selection(asked, now), after=_place(asked.after), limit=asked.limit + 1
        )  # fmt: skip
        found = await self._journal.survey(look)
        shown = fitting([waits.waiting_row(row, now, self._zone, self._contacts) for row in found[: asked.limit]])
        last = found[len(shown) - 1] if len(found) > len(shown) else None
        return {"rows": shown, "next": _cursor(selection.place_of(last)) if last is not None else None}

    async def causes(self, asked: Target) -> Sequence[Mapping[str, Any]]:
        """What waits by cause; of each the first messages."""
        self._known(asked.target)
        now = datetime.now(UTC)
        return self.rows(await self.found(now, asked.target), now)

    def rows(self, found: Sequence[Cause], now: datetime) -> list[dict[str, Any]]:
        """The causes as they are told."""
        return waits.cause_rows(found, now, self._zone, self._contacts)

    async def found(self, now: datetime, target: str | None = None) -> list[Cause]:
        """The causes themselves, the largest first."""
        look = partial(causes.causes, now=now, target=target, shown=waits.SHOWN, each=waits.EACH)
        return await self._journal.survey(look)

    async def do(self, asked: Decision) -> Mapping[str, Any]:
        """Do what a person decided about a waiting message, named by its id or the beginning of it."""
        self._known(asked.target)
        look = partial(waiting.beginning, target=asked.target, start=asked.id, limit=ALIKE)
        message_id = whole_id(asked.id, await self._journal.survey(look))
        done = await self._delivery.do(
            asked.command, asked.target, message_id, who=asked.who, why=asked.why, document=asked.document
        )
        return {"ok": done.ok, "text": done.text}

    def _known(self, system: str | None) -> None:
        if system is not None and system not in self._systems:
            raise UnknownNameError("system", system, self._systems)


def _selection(asked: Waits, now: datetime) -> Selection:
    """Raises QuestionError for a span that is none."""
    return Selection(
        target=asked.target, kinds=(asked.kind,) if asked.kind else (), reason=asked.reason, object=asked.object,
        lane=lane_of(asked.lane), before=before(asked.older, now),
    )  # fmt: skip


def lane_of(said: str | None) -> str | None:
    """A lane, or an order's by the order's number."""
    return said if said is None or ":" in said else f"{waits.ORDER}{said}"


def before(older: str | None, now: datetime) -> datetime | None:
    """When a span ago was. Raises QuestionError."""
    try:
        span = duration(older)
        return None if span is None else now - span
    except (ValueError, OverflowError) as error:
        raise QuestionError(f"older: {error}") from None


def whole_id(start: str, ids: Sequence[str]) -> str:
    """The one id that begins like that, `start` itself if none does. Raises QuestionError for several."""
    found = [id for id in ids if id.startswith(start)]
    if start in found:
        return start
    if len(found) > 1:
        raise QuestionError(f"several ids begin with '{start}': give more of it")
    return found[0] if found else start


def _cursor(place: Place) -> str:
    return "/".join(map(str, place))


def _place(cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    target, seq, history, id = cursor.split("/", 3)
    return target, int(seq), int(history), id
