"""Answers for the message browser, from the index, the journal and the bus."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from canonical.wire import to_headers
from mombus.bus.commands import UnknownNameError
from mombus.bus.errors import BusError
from mombus.bus.streams import MOM
from mombus.desk.messages import (
    MESSAGES_EXPORT,
    MESSAGES_SEARCH,
    MESSAGES_SHOW,
    MOST_ROWS,
    MessageId,
    MessagesExport,
    MessagesSearch,
)
from mombus.desk.question import QuestionError
from mombus.hub.desk.filtering import Filtering
from mombus.index import rows, selection
from mombus.index.arrivals import arrivals, second_effects, with_unsent
from mombus.index.searching import search

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from canonical.message import Message
    from mombus.bus.connection import Bus
    from mombus.config.model import Config
    from mombus.desk.question import Question
    from mombus.hub.desk.topic import Answer
    from mombus.hub.several.unsent import UnsentMessages
    from mombus.index.arrivals import Arrival
    from mombus.journal.journal import Journal

SHOWN_BYTES = 256 * 1024
"""The largest body that is shown: it must fit into one answer."""
EXPORTED_BYTES = 384 * 1024
"""How much of bodies is in one part of an export, beside the rows."""
BEHIND_S = 1.0
"""How long the broker may take to tell how much it has."""
CAUSED_MOST = 100
REFS_MOST = 500


class MessagesTopic:
    """Finds messages and shows one."""

    def __init__(self, *, config: Config, bus: Bus, journal: Journal, index: Journal, unsent: UnsentMessages) -> None:
        self._bus = bus
        self._journal = journal
        self._index = index
        self._unsent = unsent
        self._filtering = Filtering(config, journal, index)

    def answers(self) -> Mapping[Question, Answer]:
        """Each question and its answer."""
        return {MESSAGES_SEARCH: self.search, MESSAGES_SHOW: self.show, MESSAGES_EXPORT: self.export}

    async def search(self, asked: MessagesSearch) -> Mapping[str, Any]:
        """As `mombus.desk.messages.MessagesFound`. Raises UnknownNameError, QuestionError."""
        wanted = await self._filtering.understood(asked, asked.before, datetime.now(UTC))
        found = await self._index.survey(
            partial(search, conditions=wanted.conditions, span=wanted.span, limit=asked.limit)
        )
        found = wanted.as_far(found)
        shown = await self._index.survey(partial(rows.rows, seqs=found.seqs))
        await self._told(shown)
        return {
            "messages": shown, "before": found.before, "known": found.known, "complete": found.complete,
            "looked_back_to": await self._stored(found.looked_back_to), "behind": await self._behind(),
        }  # fmt: skip

    async def export(self, asked: MessagesExport) -> Mapping[str, Any]:
        """A part of what fits: as many as one answer takes. Raises as `search`."""
        said = asked.model_dump(exclude={"bodies"}, exclude_defaults=True)
        found = await self.search(MessagesSearch(**said, limit=MOST_ROWS))
        shown, before = found["messages"], found["before"]
        if asked.bodies:
            kept = await self._with_bodies(shown)
            before = before if kept == len(shown) else shown[kept - 1]["seq"]
            shown = shown[:kept]
        return {"messages": shown, "before": before}

    async def _with_bodies(self, shown: Sequence[dict[str, Any]]) -> int:
        """Put its body into each row; returns how many of them fit into an answer."""
        room = EXPORTED_BYTES
        for number, row in enumerate(shown):
            message, _ = await self._whole(row["seq"])
            size = len(message.content) if message is not None else 0
            if number and size > room:
                return number
            row["body"] = json.loads(message.content) if message is not None and 0 < size <= room else None
            room -= size
        return len(shown)

    async def show(self, asked: MessageId) -> Mapping[str, Any]:
        """As `mombus.desk.messages.MessageShown`. Raises UnknownNameError, QuestionError."""
        row = await self._one(asked.id)
        cause = row["correlation"]
        around = await self._index.survey(partial(_around, seq=row["seq"], id=row["id"], cause=cause))
        await self._told([row, *around["caused_by"], *around["causes"]], second_of=row["id"])
        message, missing = await self._whole(row["seq"])
        return {
            "message": row, **_content(message, missing), "refs": around["refs"],
            "caused_by": next(iter(around["caused_by"]), None), "causes": around["causes"],
        }  # fmt: skip

    async def _behind(self) -> int | None:
        """How many of the newest messages the index hasn't read; None while the broker doesn't tell."""
        from nats.errors import Error  # noqa: PLC0415 - heavy

        _, indexed = await self._index.survey(selection.reach)
        try:
            async with asyncio.timeout(BEHIND_S):
                last = (await self._bus.js.stream_info(MOM)).state.last_seq
        except (Error, TimeoutError, ConnectionError):
            return None
        return max(0, last - indexed)

    async def _stored(self, seq: int | None) -> str | None:
        """When a message was stored."""
        found = await self._index.survey(partial(rows.rows, seqs=[seq])) if seq is not None else []
        return found[0]["stored"] if found else None

    async def _told(self, shown: Sequence[dict[str, Any]], second_of: str | None = None) -> None:
        """Put into each row what became of it; of one of them with its second effects."""
        by_id = {row["id"]: row for row in shown}
        unsent = await self._unsent.of(by_id)
        came = await self._journal.survey(partial(_came, ids=list(by_id), second_of=second_of))
        for arrival in with_unsent(came, unsent):
            row = by_id[arrival.message_id.partition(":")[0]]
            row["hops"].append(_hop(arrival, row))

    async def _one(self, start: str) -> dict[str, Any]:
        """The message whose id begins like that."""
        found = await self._index.survey(partial(rows.by_id, start=start, limit=2))
        if not found:
            hint = "it isn't indexed yet, or not kept any more: `mombus messages` lists what there is"
            raise UnknownNameError("message", start, hint=hint)
        if len({row["id"] for row in found}) > 1:
            raise QuestionError(f"more than one id begins with '{start}': give more of it")
        return found[0]

    async def _whole(self, seq: int) -> tuple[Message | None, str | None]:
        """The message as it is on the bus, with its body; without, and why."""
        message = None
        try:
            message = await self._bus.at(MOM, seq)
            if message is None:
                return None, "it isn't kept on the bus any more"
            return await self._bus.whole(message), None
        except BusError as error:
            return message, str(error)


def _around(connection: Connection, seq: int, id: str, cause: str | None) -> dict[str, Any]:
    """What a message names, what caused it and what it caused."""
    return {
        "refs": rows.named(connection, seq, REFS_MOST), "causes": rows.caused_by(connection, id, CAUSED_MOST),
        "caused_by": rows.by_id(connection, cause, 1) if cause else [],
    }  # fmt: skip


def _came(connection: Connection, ids: list[str], second_of: str | None) -> Sequence[Arrival]:
    seconds = second_effects(connection, second_of) if second_of else []
    return arrivals(connection, [*ids, *seconds])


def _hop(arrival: Arrival, row: Mapping[str, Any]) -> dict[str, Any]:
    said = asdict(arrival)
    delay_s = (arrival.at - datetime.fromisoformat(row["stored"])).total_seconds()
    return {
        **{name: said[name] for name in ("target", "state", "attempts", "late", "level", "document")},
        "reason": arrival.reason[: rows.MOST_REASON] if arrival.reason else None,
        "at": arrival.at.isoformat(), "delay_s": max(0.0, round(delay_s, 3)),
        "due": arrival.due.isoformat() if arrival.due else None, "second": ":" in arrival.message_id,
    }  # fmt: skip


def _content(message: Message | None, missing: str | None) -> dict[str, Any]:
    """Headers and body, as far as they are there and not too large."""
    found: dict[str, Any] = {
        "subject": None, "headers": {}, "body": None, "body_bytes": 0, "revises": None, "reverses": None,
        "body_missing": missing,
    }  # fmt: skip
    if message is None:
        return found
    size = len(message.content)
    if missing is None and size > SHOWN_BYTES:
        missing = f"it has {size} bytes: more than is shown here"
    return found | {
        "subject": message.subject, "headers": to_headers(message), "body_bytes": size, "body_missing": missing,
        "body": json.loads(message.content) if size and missing is None else None,
        "revises": message.revises, "reverses": message.reverses,
    }  # fmt: skip
