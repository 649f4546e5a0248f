"""What shifts hand over to each other: kept in the journal, each step in the audit trail."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mombus.bus.commands import UnknownNameError
from mombus.desk.notes import CLOSE, HAND_OVER, NOTES, TAKE_OVER, Close, HandOver, Notes, TakeOver
from mombus.journal import audit, notes
from mombus.journal.audit import Deed
from mombus.journal.notes import Note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from mombus.desk.question import Question
    from mombus.hub.desk.topic import Answer
    from mombus.journal.journal import Journal

SHOWN = 50


class HandingOver:
    """Keeps, shows and closes notes."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def answers(self) -> Mapping[Question, Answer]:
        """As `mombus.hub.desk.topic.Topic`."""
        return {NOTES: self.rows, HAND_OVER: self.add, TAKE_OVER: self.take, CLOSE: self.close}

    async def rows(self, asked: Notes) -> Sequence[Mapping[str, Any]]:
        """The newest, newest first."""
        found = await self._journal.survey(partial(notes.rows, closed=asked.closed, limit=SHOWN))
        return [_shown(note) for note in found]

    async def add(self, asked: HandOver) -> Mapping[str, Any]:
        """Leave a note; the answer is the note."""
        note = Note(
            id=uuid4().hex[:12], at=datetime.now(UTC), who=asked.who, to=asked.to.strip(), target=asked.target,
            object=asked.object, cause=asked.cause, about=asked.about, text=asked.why,
        )  # fmt: skip
        result = f"note {note.id}{f' for {note.to}' if note.to else ''}: {note.about}"

        def work(connection: Connection) -> None:
            if notes.add(connection, note):
                audit.note(connection, _deed("hand over", note, asked.who, asked.why, result))

        await self._journal.write(work)
        return _shown(note)

    async def take(self, asked: TakeOver) -> Mapping[str, Any]:
        """Somebody sees to it."""
        change = partial(notes.take, id=asked.id, who=asked.who, now=datetime.now(UTC))
        return await self._changed("take over", asked, change, f"note {asked.id} taken over")

    async def close(self, asked: Close) -> Mapping[str, Any]:
        """It is dealt with."""
        change = partial(notes.close, id=asked.id, who=asked.who, how=asked.why, now=datetime.now(UTC))
        return await self._changed("close note", asked, change, f"note {asked.id} closed")

    async def _changed(self, action: str, asked: TakeOver | Close, change: Any, result: str) -> Mapping[str, Any]:
        """The note after the change, which is audited with it. Raises UnknownNameError."""

        def work(connection: Connection) -> Note | None:
            note = notes.find(connection, asked.id)
            if note is not None and change(connection):
                audit.note(connection, _deed(action, note, asked.who, asked.why, result))
            return notes.find(connection, asked.id)

        note = await self._journal.write(work)
        if note is None:
            raise UnknownNameError("note", asked.id)
        return _shown(note)


def _deed(action: str, note: Note, who: str, why: str, result: str) -> Deed:
    return Deed(
        at=datetime.now(UTC), who=who, action=action, target=note.target, message_id=None, why=why, result=result
    )  # fmt: skip


def _shown(note: Note) -> dict[str, Any]:
    said = asdict(note)
    return said | {name: said[name].isoformat() if said[name] else None for name in ("at", "taken", "closed")}
