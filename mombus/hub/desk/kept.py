"""What came in and couldn't be taken, as people see it, and what they decide about it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from mombus.bus.commands import UnknownNameError
from mombus.bus.errors import BusError
from mombus.desk.kept import DO_KEPT, KEPT, KEPT_ITEM, KeptDecision, KeptItem, KeptItems
from mombus.hub.desk.fitting import fitting
from mombus.hub.desk.waiting import ALIKE, before, whole_id
from mombus.journal import audit, parked, undertakings
from mombus.journal.audit import Deed
from mombus.journal.undertakings import Undertaking

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from connectors.connector import Outcome
    from mombus.bus.intake import Intake
    from mombus.desk.question import Question
    from mombus.hub.desk.topic import Answer
    from mombus.hub.desk.undertakings import Undertakings
    from mombus.journal.journal import Journal

START_BYTES, LOOKED_AT_BYTES = 300, 50_000
"""How much is shown of each of many, and of one: they must fit into one answer."""
TAKE = "take"
TAKEN, DISMISSED, GONE = "taken in", "dismissed", "it isn't kept (any more)"


class KeptThings:
    """Answers about what is kept."""

    def __init__(self, *, journal: Journal, intake: Intake, undertaken: Undertakings) -> None:
        self._journal = journal
        self._intake = intake
        undertaken.take(TAKE, self._go_on)

    def answers(self) -> Mapping[Question, Answer]:
        """As `mombus.hub.desk.topic.Topic`."""
        return {KEPT: self.page, KEPT_ITEM: self.item, DO_KEPT: self.do}

    async def page(self, asked: KeptItems) -> dict[str, Any]:
        """Some of what is kept, of each the beginning, and where it goes on."""
        now = datetime.now(UTC)
        look = partial(
            parked.glimpses, system=asked.system, kind=asked.kind, reason=asked.reason,
            before=before(asked.older, now), after=asked.after, limit=asked.limit + 1, start_bytes=START_BYTES,
        )  # fmt: skip
        found = await self._journal.survey(look)
        shown = fitting([_row(row, now) for row in found[: asked.limit]])
        return {"rows": shown, "next": found[len(shown) - 1].number if len(found) > len(shown) else None}

    async def item(self, asked: KeptItem) -> dict[str, Any]:
        """One of them, with more of its content."""
        look = partial(parked.glimpses, id=await self._whole(asked.id), limit=1, start_bytes=LOOKED_AT_BYTES)
        found = await self._journal.survey(look)
        if not found:
            raise UnknownNameError("kept item", asked.id, hint="it may have been dealt with; `mombus kept` lists them")
        return _row(found[0], datetime.now(UTC))

    async def do(self, asked: KeptDecision) -> Mapping[str, Any]:
        """`take` tries a kept message again, `dismiss` says that a kept item is dealt with. Both are audited."""
        item = await self._whole(asked.id)
        if asked.command == "dismiss":
            ok = await self._dismiss(item, asked)
            return {"ok": ok, "text": DISMISSED if ok else GONE}
        take = Undertaking(id=item, kind=TAKE, who=asked.who, why=asked.why, said={}, since=datetime.now(UTC))
        await self._journal.write(partial(undertakings.begin, undertaking=take))
        try:
            outcome = await self._take(take)
        except BusError as error:
            return {"ok": False, "text": f"{error}; the hub tries it again by itself"}
        return {"ok": outcome.accepted, "text": _told(outcome)}

    async def _dismiss(self, item: str, asked: KeptDecision) -> bool:
        def record(connection: Connection, done: bool) -> None:
            audit.note(connection, _deed("dismiss", item, asked.who, asked.why, DISMISSED if done else GONE))

        return await self._intake.dismiss(item, who=asked.who, why=asked.why, record=record)

    async def _take(self, take: Undertaking) -> Outcome:
        """Raises LookupError for what isn't kept any more, and BusError: then it is left to be gone on with."""
        note = partial(_end, take=take)
        try:
            outcome = await self._intake.retry(take.id, lambda connection, _: note(connection, result=TAKEN))
        except LookupError:
            await self._journal.write(partial(undertakings.end, id=take.id))
            raise
        if not outcome.accepted:
            await self._journal.write(partial(note, result=_told(outcome)))
        return outcome

    async def _go_on(self, take: Undertaking) -> None:
        try:
            await self._take(take)
        except LookupError as error:
            deed = _deed(TAKE, take.id, take.who, take.why, f"not done: {error}")
            await self._journal.write(partial(audit.note, deed=deed))

    async def _whole(self, start: str) -> str:
        """The one that begins like that. Raises QuestionError for several."""
        return whole_id(start, await self._journal.survey(partial(parked.beginning, start=start, limit=ALIKE)))


def _end(connection: Connection, *, take: Undertaking, result: str) -> None:
    undertakings.end(connection, take.id)
    audit.note(connection, _deed(TAKE, take.id, take.who, take.why, result))


def _deed(action: str, item: str, who: str, why: str, result: str) -> Deed:
    return Deed(
        at=datetime.now(UTC), who=who, action=action, target=None, message_id=item, why=why, result=result
    )  # fmt: skip


def _told(outcome: Outcome) -> str:
    return TAKEN if outcome.accepted else outcome.reason or "refused again"


def _row(row: parked.Glimpse, now: datetime) -> dict[str, Any]:
    return {
        "id": row.id, "system": row.system, "kind": str(row.kind), "place": row.place, "reason": row.reason,
        "since": row.since.isoformat(), "age_s": max(0.0, round((now - row.since).total_seconds(), 1)),
        "size": row.size, "content": row.start.decode("utf-8", "replace"),
    }  # fmt: skip
