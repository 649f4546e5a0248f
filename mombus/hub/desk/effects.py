"""How far a process owner's decision about a disagreement has got."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mombus.journal import deliveries, requests, undertakings, waiting
from mombus.journal.deliveries import Outcome
from mombus.journal.disagreements import Decision
from mombus.journal.requests import Asked

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from mombus.journal.disagreements import Disagreement


def effect(connection: Connection, row: Disagreement, now: datetime) -> tuple[str, str]:
    """How far the decision about one has got: its state, and a sentence."""
    if row.decision is Decision.ADOPT:
        return _answer(connection, row)
    if row.decision is Decision.OVERRULE:
        return _arrival(connection, row)
    if row.tolerated_until is None:
        return "over", "one of the two said something new since"
    over = row.closed is not None or row.tolerated_until <= now
    return ("over", "its time is over") if over else ("tolerated", "both stand")


def _answer(connection: Connection, row: Disagreement) -> tuple[str, str]:
    request = requests.find(connection, row.sent or "")
    if request is None:
        begun = undertakings.is_under_way(connection, row.sent or "")
        soon = f"{row.owner} is asked as soon as the broker takes it"
        return ("under way", soon) if begun else ("over", "the request isn't kept any more")
    if request.state is Asked.OPEN:
        return "under way", f"{row.owner} hasn't answered"
    if request.state is Asked.EXPIRED:
        return "refused", f"{row.owner} didn't answer in time"
    if request.answer == "Rejected":
        return "refused", f"{row.owner} refuses: {request.reason or 'it gives no reason'}"
    if row.closed is not None:
        return "done", row.how or "closed"
    return "under way", f"{row.owner} has {(request.answer or 'accepted').lower()} it and hasn't said it yet"


def _arrival(connection: Connection, row: Disagreement) -> tuple[str, str]:
    sent = row.sent or ""
    done = deliveries.ended(connection, row.system, sent)
    if done is not None and row.decided is not None and done.at >= row.decided:
        if done.outcome in {Outcome.DELIVERED, Outcome.SUPERSEDED}:
            newer = "a newer revision went to" if done.outcome is Outcome.SUPERSEDED else "it was taken by"
            return "done", f"{newer} {row.system}"
        return "refused", f"{done.outcome}: {done.reason or 'no reason is known'}"
    entry = waiting.one(connection, row.system, sent)
    return "under way", f"{entry.kind}: {entry.reason}" if entry is not None else f"on its way to {row.system}"
