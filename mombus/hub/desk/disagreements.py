"""Disagreements as a process owner sees them, and the requests that wait for their owner's answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from canonical.objects import shown_key
from mombus.bus.commands import UnknownNameError
from mombus.desk import disagreements as desk
from mombus.hub.desk.effects import effect
from mombus.hub.desk.fitting import fitting
from mombus.journal import disagreements, requests
from mombus.journal.disagreements import Standing, Wanted
from mombus.journal.requests import Asked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from canonical.message import Message
    from mombus.config.model import Config
    from mombus.desk.question import Nothing, Question
    from mombus.hub.desk.arbitration import Arbitration
    from mombus.hub.desk.topic import Answer
    from mombus.journal.disagreements import Disagreement
    from mombus.journal.journal import Journal
    from mombus.journal.requests import OpenRequest

MOST_DIFFERENCES = 200
MOST_TEXT = 500
"""Characters of a value that differs; all of it is in the bodies, if they aren't too large."""
MOST_BODY = 200_000
"""Bytes of a body that is shown whole: both must fit into one answer."""
EARLIER = 20
NAMED = 3
"""Fields named in a sentence."""


class Disagreements:
    """Answers about disagreements, and carries out what is decided."""

    def __init__(self, config: Config, journal: Journal, arbitration: Arbitration) -> None:
        self._journal = journal
        self._arbitration = arbitration
        self._responsible = {row.object: row.process_owner for row in config.objects}

    def answers(self) -> Mapping[Question, Answer]:
        """As `mombus.hub.desk.topic.Topic`."""
        return {
            desk.DISAGREEMENTS: self.listed, desk.SHOW: self.shown, desk.DECIDE: self.decided,
            desk.REQUESTS: self.requests,
        }  # fmt: skip

    async def listed(self, asked: desk.Wanted) -> dict[str, Any]:
        """Those that are asked for, the newest first."""
        now = datetime.now(UTC)
        return await self._journal.survey(partial(self._listed, wanted=self._wanted(asked), asked=asked, now=now))

    def _wanted(self, asked: desk.Wanted) -> Wanted:
        theirs = [name for name, owner in self._responsible.items() if owner == asked.process_owner]
        return Wanted(
            standing=None if asked.standing == "all" else Standing(asked.standing), object=asked.object,
            objects=theirs if asked.process_owner is not None else None, system=asked.system, owner=asked.owner,
            key=asked.key, before=asked.before,
        )  # fmt: skip

    def _listed(self, connection: Connection, wanted: Wanted, asked: desk.Wanted, now: datetime) -> dict[str, Any]:
        rows = disagreements.listed(connection, wanted, now=now, limit=asked.limit + 1)
        anyhow = Wanted(
            object=wanted.object, objects=wanted.objects, system=wanted.system, owner=wanted.owner, key=wanted.key
        )
        shown = fitting([self._row(connection, row, now) for row in rows[: asked.limit]])
        return {
            "at": now.isoformat(), "rows": shown, "more": len(rows) > len(shown),
            "counts": {str(one): n for one, n in disagreements.counts(connection, anyhow, now=now).items()},
        }  # fmt: skip

    async def shown(self, asked: desk.Number) -> dict[str, Any]:
        """One side by side, with what may be decided. Raises UnknownNameError."""
        row = await self._find(asked.number)
        now = datetime.now(UTC)
        word, may = await self._arbitration.owners_word(row), await self._arbitration.may(row)
        found = disagreements.differences(row.said, row.owner_says, MOST_DIFFERENCES + 1)
        same = Wanted(object=row.object, system=row.system, key=row.key, before=row.id)
        this, before = await self._journal.survey(lambda connection: (
            self._row(connection, row, now),
            [
                self._row(connection, one, now)
                for one in disagreements.listed(connection, same, now=now, limit=EARLIER) if one.key == row.key
            ],
        ))  # fmt: skip
        return {
            "at": now.isoformat(), "row": this, "before": before, "may": {str(one): why for one, why in may.items()},
            "differences": [
                {"path": one.path, "owner_says": _text(one.other), "said": _text(one.one)}
                for one in found[:MOST_DIFFERENCES]
            ],
            "more_differences": len(found) > MOST_DIFFERENCES, "said": _parsed(row.said),
            "owner_says": _parsed(row.owner_says),
            "owners_word": _word(*word) if word is not None else None,
        }  # fmt: skip

    async def decided(self, asked: desk.Decide) -> dict[str, Any]:
        """What the decision did. Raises UnknownNameError; QuestionError with the reason why it can't be carried out."""
        return {"ok": True, "text": await self._arbitration.do(await self._find(asked.number), asked)}

    async def requests(self, _asked: Nothing) -> dict[str, Any]:
        """Requests that nobody answered yet."""
        now = datetime.now(UTC)
        look = partial(requests.rows, state=Asked.OPEN, limit=desk.MOST_REQUESTS + 1)
        rows: Sequence[OpenRequest] = await self._journal.survey(look)
        shown = fitting([self._request(row, now) for row in rows[: desk.MOST_REQUESTS]])
        return {"at": now.isoformat(), "rows": shown, "more": len(rows) > len(shown)}

    async def _find(self, number: int) -> Disagreement:
        row = await self._journal.survey(partial(disagreements.find, id=number))
        if row is None:
            raise UnknownNameError("disagreement", str(number), hint="`mombus disagreements` lists them")
        return row

    def _row(self, connection: Connection, row: Disagreement, now: datetime) -> dict[str, Any]:
        return {
            "number": row.id, "standing": str(row.standing(now)), "object": row.object, "key": row.key,
            "name": shown_key(row.object, row.key), "system": row.system, "owner": row.owner,
            "process_owner": self._responsible.get(row.object), "fields": list(row.fields), "about": _about(row),
            "since": row.since.isoformat(), "last_seen": row.last_seen.isoformat(), "times": row.times,
            "age_s": round(((row.closed or now) - row.since).total_seconds(), 1), "message_id": row.message_id,
            "closed": row.closed.isoformat() if row.closed else None, "how": row.how,
            "decided": _decided(connection, row, now),
        }  # fmt: skip

    def _request(self, row: OpenRequest, now: datetime) -> dict[str, Any]:
        return {
            "id": row.id, "asker": row.asker, "owner": row.owner, "object": row.object, "verb": row.verb,
            "key": row.key, "name": shown_key(row.object, row.key), "asked": row.asked.isoformat(),
            "expires": row.expires.isoformat(), "age_s": round((now - row.asked).total_seconds(), 1),
            "told": row.acted_on, "process_owner": self._responsible.get(row.object),
        }  # fmt: skip


def _decided(connection: Connection, row: Disagreement, now: datetime) -> dict[str, Any] | None:
    if row.decision is None or row.decided is None:
        return None
    state, text = effect(connection, row, now)
    return {
        "decision": str(row.decision), "who": row.decided_by, "why": row.decided_why, "at": row.decided.isoformat(),
        "until": row.tolerated_until.isoformat() if row.tolerated_until else None, "sent": row.sent,
        "effect": {"state": state, "text": text},
    }  # fmt: skip


def _about(row: Disagreement) -> str:
    if row.owner_says is None:
        return f"{row.owner} has said nothing about it"
    if not row.owner_says:
        return f"{row.owner} has deleted it"
    if not row.said:
        return f"{row.system} has deleted it"
    more = len(row.fields) - NAMED
    return ", ".join(row.fields[:NAMED]) + (f" and {more} more" if more > 0 else "") or "the whole"


def _word(seq: int, message: Message) -> dict[str, Any]:
    return {"id": message.id, "seq": seq, "revision": message.revision, "recorded": message.recorded.isoformat()}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}… ({len(text)} characters)"


def _parsed(content: bytes | None) -> Any:
    return json.loads(content) if content and len(content) <= MOST_BODY else None
