"""What was exchanged with a target for one message, as people see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mombus.desk.question import QuestionError
from mombus.desk.stages import Attempt, Content, Stage
from mombus.hub.desk.contents import missing
from mombus.hub.overhearing import WhyNot
from mombus.journal.deliveries import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mombus.hub.desk.contents import Room
    from mombus.hub.overhearing import NotKept
    from mombus.hub.several.exchanged import Call, Found
    from mombus.journal.standing import Standing

NOTHING_CAME = "nothing came back"
EMPTY = "it was empty"
WHY_NOT = {
    WhyNot.TOO_MUCH: "too much was exchanged at once", WhyNot.DISK: "the hub's disk didn't take it",
}  # fmt: skip


def told(call: Call, number: int, room: Room) -> Attempt:
    """One exchange."""
    sent = _content(call.request, call.request_type, call.request_size, room)
    reply = _content(call.response, call.response_type, call.response_size, room)
    return Attempt(
        number=number, attempt=call.attempt, asked=call.asked, at=call.at.isoformat(), took_s=round(call.took_s, 6),
        how=call.how, status=call.status, trouble=call.trouble, sent=sent, reply=reply,
    )  # fmt: skip


def why_none(known: Standing | None, found: Found, target: str) -> str:
    """Why nothing is shown that was exchanged with a target."""
    if known is None:
        return "nothing was sent yet, or it isn't kept any more"
    if known.state in {Outcome.SUPERSEDED, Outcome.SKIPPED}:
        return f"it was {known.state}: nothing had to be sent"
    if found.away and target not in found.not_kept:
        return f"if it is kept, then by a hub that is away: {'; '.join(found.away)}"
    return (
        "nothing was exchanged yet, or the connector doesn't tell, or it isn't kept any more "
        "(`bus: {keep: {exchanges_age, exchanges_size}}`)"
    )


def not_kept(one: NotKept | None) -> str | None:
    """What is known to be missing among what is shown."""
    if one is None:
        return None
    return f"not kept: {one.calls} call{'' if one.calls == 1 else 's'} ({WHY_NOT[one.why]})"


def text(calls: Sequence[Call], stage: Stage, number: int | None) -> bytes | str:
    """What was sent or answered, or why there is nothing. Raises QuestionError for a call that isn't there."""
    if number is not None and number > len(calls):
        raise QuestionError(f"there is no call {number}: {len(calls)} are kept")
    chosen = calls[number - 1] if number else next((call for call in reversed(calls) if not call.asked), None)
    if chosen is None:
        return "nothing that was written to it is kept"
    content = chosen.request if stage is Stage.SENT else chosen.response
    return NOTHING_CAME if content is None else content or EMPTY


def _content(content: bytes | None, media_type: str | None, size: int, room: Room) -> Content:
    if content is None:
        return missing(NOTHING_CAME)
    return room.content(content, media_type, size) if content else missing(EMPTY, 0)
