"""What was exchanged with a target for one message, as people see it."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from mombus.desk.question import QuestionError
from mombus.desk.stages import Attempt, Content, Stage
from mombus.hub.desk.contents import missing
from mombus.journal.deliveries import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mombus.hub.desk.contents import Room
    from mombus.journal.standing import Standing

NOTHING_CAME = "nothing came back"
EMPTY = "it was empty"


def told(row: Any, number: int, room: Room) -> Attempt:
    """One exchange."""
    sent = _content(_unpacked(row.request), row.request_type, row.request_size, room)
    reply = _content(_unpacked(row.response), row.response_type, row.response_size, room)
    return Attempt(
        number=number, attempt=row.attempt, asked=row.asked, at=row.at.isoformat(), took_s=round(row.took_s, 6),
        how=row.how, status=row.status, trouble=row.trouble, sent=sent, reply=reply,
    )  # fmt: skip


def why_none(known: Standing | None, dropped: int) -> str:
    """Why nothing is shown that was exchanged."""
    if known is None:
        return "nothing was sent yet, or it isn't kept any more"
    if known.state in {Outcome.SUPERSEDED, Outcome.SKIPPED}:
        return f"it was {known.state}: nothing had to be sent"
    some = f", {dropped} weren't kept since the hub started because too much came at once" if dropped else ""
    return (
        "nothing was exchanged yet, or the connector doesn't tell, or it isn't kept any more "
        f"(`bus: {{keep: {{exchanges_age, exchanges_size}}}}`{some}); of several hubs, name the target"
    )


def text(rows: Sequence[Any], stage: Stage, number: int | None) -> bytes | str:
    """What was sent or answered, or why there is nothing. Raises QuestionError for a call that isn't there."""
    if number is not None and number > len(rows):
        raise QuestionError(f"there is no call {number}: {len(rows)} are kept")
    chosen = rows[number - 1] if number else next((row for row in reversed(rows) if not row.asked), None)
    if chosen is None:
        return "nothing that was written to it is kept"
    content = _unpacked(chosen.request if stage is Stage.SENT else chosen.response)
    return NOTHING_CAME if content is None else content or EMPTY


def _content(content: bytes | None, media_type: str | None, size: int, room: Room) -> Content:
    if content is None:
        return missing(NOTHING_CAME)
    return room.content(content, media_type, size) if content else missing(EMPTY, 0)


def _unpacked(content: bytes | None) -> bytes | None:
    return None if content is None else zlib.decompress(content)
