"""A process owner's decision about a disagreement carried out, and how far it has got.

The owner's word stays the owner's: to adopt the other's value is to ask the owner for it, in the hub's own name; to
overrule is to send the owner's statement again to who says otherwise. Both go by the ways of every message: intake and
owner check, replay and waiting room.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from canonical.message import Message, Origin, Verb, message_id
from canonical.objects import Kind, data_object, shown_key
from connectors.connector import Item, Offer, Sink
from mombus.bus.streams import MOM
from mombus.config.duration import duration
from mombus.delivery.replaying import SENDING, second_id
from mombus.desk.question import QuestionError
from mombus.hub.replay.wishes import Wish
from mombus.index import selection
from mombus.journal import audit, deliveries, disagreements, requests, waiting
from mombus.journal.audit import Deed
from mombus.journal.deliveries import Outcome
from mombus.journal.disagreements import Decision
from mombus.journal.replays import Manner
from mombus.journal.requests import Asked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from sqlalchemy import Connection

    from mombus.bus.connection import Bus
    from mombus.bus.intake import Intake
    from mombus.config.model import Config
    from mombus.desk.disagreements import Decide
    from mombus.hub.replay.replays import Replays
    from mombus.hub.session import Session
    from mombus.journal.disagreements import Disagreement
    from mombus.journal.journal import Journal

HUB = "mombus"
"""In whose name the owner is asked: a person's at the hub, not the system's whose value it is."""
LONGEST = timedelta(days=366)
"""How long a disagreement is tolerated at most."""


class Arbitration:
    """Carries decisions out. What can't be is refused with the reason, and nothing is changed."""

    def __init__(
        self, *, config: Config, bus: Bus, journal: Journal, index: Journal, sessions: Mapping[str, Session],
        intake: Intake, replays: Replays,
    ) -> None:  # fmt: skip
        self._config = config
        self._bus = bus
        self._journal = journal
        self._index = index
        self._sessions = sessions
        self._intake = intake
        self._replays = replays

    async def do(self, row: Disagreement, asked: Decide) -> str:
        """What was done. Raises QuestionError with the reason when it can't be."""
        if row.closed is not None:
            raise QuestionError(f"it is closed: {row.how}")
        match asked.decision:
            case Decision.ADOPT:
                return await self._adopt(row, asked)
            case Decision.OVERRULE:
                return await self._overrule(row, asked)
        return await self._tolerate(row, asked)

    async def may(self, row: Disagreement) -> dict[Decision, str]:
        """Why each decision can't be carried out now; empty text where it can."""
        closed = f"it is closed: {row.how}" if row.closed is not None else ""
        return {
            Decision.ADOPT: closed or await self._why_not_adopt(row),
            Decision.OVERRULE: closed or self._why_not_overrule(row),
            Decision.TOLERATE: closed,
        }

    async def owners_word(self, row: Disagreement) -> tuple[int, Message] | None:
        """The owner's newest statement about the thing, with its sequence; None where history has none."""
        look = partial(selection.newest, object=row.object, key=row.key, source=row.owner)
        seq = await self._index.survey(look)
        message = await self._bus.at(MOM, seq) if seq is not None else None
        return None if seq is None or message is None else (seq, message)

    async def _adopt(self, row: Disagreement, asked: Decide) -> str:
        reason = await self._why_not_adopt(row)
        if reason:
            raise QuestionError(reason)
        lanes = None if row.said else (await self._lanes(row))
        request = _request(row, site=self._config.plant.site, who=asked.who, now=datetime.now(UTC), lanes=lanes)
        (outcome,) = await self._intake.accept(HUB, Item(messages=(request,)))
        if not outcome.accepted:
            raise QuestionError(f"{row.owner} can't be asked: {outcome.reason}")
        text = f"{row.owner} is asked to say what {row.system} says ({request.verb})"
        await self._note(row, asked, text, sent=request.id)
        return f"{text}; its answer is shown here"

    async def _why_not_adopt(self, row: Disagreement) -> str:
        if not row.said and not row.owner_says:
            return f"neither {row.owner} nor {row.system} has it: there is nothing to adopt"
        verb = _verb(row)
        session = self._sessions.get(row.owner)
        if session is None:
            return f"{row.owner} is no system of this hub (any more)"
        if not isinstance(session.connector, Sink) or Offer(row.object, verb) not in session.connector.accepts:
            contact = self._contact(row.owner)
            return f"{row.owner} takes no {verb} of {row.object}: it must be changed there by hand{contact}"
        if row.decision is Decision.ADOPT and row.sent is not None:
            request = await self._journal.survey(partial(requests.find, id=row.sent))
            if request is not None and request.state is Asked.OPEN:
                return f"{row.owner} was asked already and hasn't answered"
        return ""

    async def _lanes(self, row: Disagreement) -> tuple[str, ...]:
        word = await self.owners_word(row)
        return word[1].lanes if word is not None else (f"{row.object}:{row.key}",)

    async def _overrule(self, row: Disagreement, asked: Decide) -> str:
        reason = self._why_not_overrule(row)
        word = None if reason else await self.owners_word(row)
        if word is None:
            raise QuestionError(reason or f"what {row.owner} said isn't in history any more: it can't be sent again")
        message = word[1]
        whole = await self._bus.whole(message)
        if (b"" if message.action == "Delete" else whole.content) != row.owner_says:
            raise QuestionError(f"{row.owner} has just said something new, or the index is being built: look again")
        manner = _manner(message)
        await self._must_be_sent(row, message, manner)
        begun = await self._replays.begin(
            Wish(selection={"id": [message.id]}, to=(row.system,), manner=manner, who=asked.who, why=asked.why)
        )
        sent = second_id(message, begun["id"]) if manner is Manner.AGAIN else message.id
        text = f"what {row.owner} says is sent to {row.system} again, by {begun['id']}"
        await self._note(row, asked, text, sent=sent, how=f"overruled by {asked.who}: {asked.why}")
        return text

    async def _must_be_sent(self, row: Disagreement, message: Message, manner: Manner) -> None:
        judged = await self._replays.fate(message.id, row.system, manner)
        if judged is None or judged["fate"] not in {fate.value for fate in SENDING}:
            why = f"{judged['fate']}: {judged['reason']}" if judged else "the index is being built: look again"
            raise QuestionError(f"{row.system} would not get it: {why}")

    def _why_not_overrule(self, row: Disagreement) -> str:
        if row.owner_says is None:
            return f"{row.owner} has said nothing about {shown_key(row.object, row.key)}: there is nothing to send"
        if not any(route.object == row.object and row.system in route.to for route in self._config.routes):
            contact = self._contact(row.system)
            return f"no route brings {row.object} to {row.system}: it must be changed there by hand{contact}"
        return ""

    async def _tolerate(self, row: Disagreement, asked: Decide) -> str:
        until = moment_ahead(asked.until, self._config.plant.timezone, datetime.now(UTC))
        text = f"tolerated until {until.astimezone(self._config.plant.timezone).isoformat(timespec='minutes')}"
        await self._note(row, asked, text, until=until)
        return f"{text}, or until one of the two says something new"

    async def _note(self, row: Disagreement, asked: Decide, result: str, **decided: Any) -> None:
        now = datetime.now(UTC)
        deed = Deed(
            at=now, who=asked.who, action=f"{asked.decision} disagreement", target=row.system,
            message_id=row.message_id, why=asked.why,
            result=f"{row.object} {shown_key(row.object, row.key)}, owned by {row.owner}: {result}",
        )  # fmt: skip

        def work(connection: Connection) -> None:
            audit.note(connection, deed)
            disagreements.decide(
                connection, row.id, asked.decision, who=asked.who, why=asked.why, now=now, **decided
            )  # fmt: skip

        await self._journal.write(work)

    def _contact(self, system: str) -> str:
        declared = self._config.systems.get(system)
        return f" ({declared.contact})" if declared is not None and declared.contact else ""


def moment_ahead(text: str | None, zone: ZoneInfo, now: datetime) -> datetime:
    """A time to come, in `zone` unless it has an offset, or a span from now. Raises QuestionError."""
    if not text or not text.strip():
        raise QuestionError("say until when: a time such as 2026-03-09 14:00, or a span such as 8h or 7d")
    try:
        until: datetime = now + duration(text)
    except (ValueError, OverflowError):
        until = _moment(text.strip(), zone)
    if not now < until <= now + LONGEST:
        raise QuestionError(f"'{text}' is {'over already' if until <= now else 'too far away: a year at most'}")
    return until


def _moment(text: str, zone: ZoneInfo) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise QuestionError(f"'{text}' is no time: write 2026-03-09, 2026-03-09 14:00, or 8h or 7d from now") from None


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
        return "over", "the request isn't kept any more"
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


def _verb(row: Disagreement) -> Verb:
    """What the owner is asked: to create, change or delete it."""
    if row.owner_says is None or not row.owner_says:
        return Verb.PROCESS
    return Verb.CHANGE if row.said else Verb.CANCEL


def _manner(message: Message) -> Manner:
    """A state is set again, a fact must not be added up twice."""
    return Manner.AGAIN if message.row.kind is Kind.STATE else Manner.RESTORED


def _request(row: Disagreement, *, site: str, who: str, now: datetime, lanes: tuple[str, ...] | None) -> Message:
    """Its id is that of the decision: made by two at once, or again after a kill before it was noted, it is one."""
    body = data_object(row.object).body.model_validate_json(row.said) if row.said else None
    verb = _verb(row)
    decided = row.decided.isoformat() if row.decided else ""
    nth = "\x1f".join((str(row.id), row.since.isoformat(), decided, sha256(row.said).hexdigest()))
    id = message_id(HUB, row.object, verb, row.key, nth)
    made = Message.of(
        row.object, body, source=HUB, site=site, occurred=now, recorded=now, verb=verb, key=row.key, lanes=lanes,
        origin=Origin.PERSON, by=who,
    )  # fmt: skip
    return replace(made, id=id)
