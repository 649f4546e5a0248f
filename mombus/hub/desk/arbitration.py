"""A process owner's decision about a disagreement carried out, and how far it has got.

The owner's word stays the owner's: to adopt the other's value is to ask the owner for it, in the hub's own name; to
overrule is to send the owner's statement again to who says otherwise. Both go by the ways of every message: intake and
owner check, replay and waiting room.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from canonical.message import Message, Origin, Verb, message_id
from canonical.objects import Kind, data_object, shown_key
from canonical.wire import from_headers, to_headers
from connectors.connector import Item, Offer, Sink
from mombus.bus.errors import BusError
from mombus.bus.streams import MOM
from mombus.config.duration import duration
from mombus.delivery.replaying import SENDING, second_id
from mombus.desk.question import QuestionError
from mombus.hub.replay.wishes import Wish
from mombus.index import selection
from mombus.journal import audit, disagreements, requests, undertakings
from mombus.journal.audit import Deed
from mombus.journal.databases import alone
from mombus.journal.disagreements import Decision
from mombus.journal.replays import Manner
from mombus.journal.requests import Asked
from mombus.journal.undertakings import Undertaking

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from sqlalchemy import Connection

    from mombus.bus.connection import Bus
    from mombus.bus.intake import Intake
    from mombus.config.model import Config
    from mombus.desk.disagreements import Decide
    from mombus.hub.desk.undertakings import Undertakings
    from mombus.hub.replay.replays import Replays
    from mombus.hub.session import Session
    from mombus.journal.disagreements import Disagreement
    from mombus.journal.journal import Journal

HUB = "mombus"
"""In whose name the owner is asked: a person's at the hub, not the system's whose value it is."""
ASK = "ask the owner"
LONGEST = timedelta(days=366)
"""How long a disagreement is tolerated at most."""


class Arbitration:
    """Carries decisions out. What can't be is refused with the reason, and nothing is changed."""

    def __init__(
        self, *, config: Config, bus: Bus, journal: Journal, index: Journal, sessions: Mapping[str, Session],
        intake: Intake, replays: Replays, undertaken: Undertakings,
    ) -> None:  # fmt: skip
        self._config = config
        self._bus = bus
        self._journal = journal
        self._index = index
        self._sessions = sessions
        self._intake = intake
        self._replays = replays
        undertaken.take(ASK, self._go_on)

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
        now = datetime.now(UTC)
        request = _request(row, site=self._config.plant.site, who=asked.who, now=now, lanes=lanes)
        text = f"{row.owner} is asked to say what {row.system} says ({request.verb})"
        said = {
            "row": str(row.id), "owner": row.owner, "headers": json.dumps(to_headers(request)),
            "content": request.content.decode(),
        }  # fmt: skip
        asking = Undertaking(id=request.id, kind=ASK, who=asked.who, why=asked.why, said=said, since=now)

        def work(connection: Connection) -> None:
            alone(connection)
            still = disagreements.find(connection, row.id)
            if still is None or still.decided != row.decided:
                raise QuestionError("somebody has just decided about it: look again")
            undertakings.begin(connection, asking)
            _note(connection, row, asked, text, sent=request.id)

        await self._journal.write(work)
        try:
            reason = await self._ask(asking)
        except BusError as error:
            return f"{row.owner} is asked as soon as the broker takes it: {error}"
        if reason:
            raise QuestionError(reason)
        return f"{text}; its answer is shown here"

    async def _ask(self, asking: Undertaking) -> str:
        """Why the owner can't be asked; empty when it is. Asked again it is one question. Raises BusError."""
        request = from_headers(json.loads(asking.said["headers"]), asking.said["content"].encode())
        (outcome,) = await self._intake.accept(HUB, Item(messages=(request,)))
        if outcome.accepted:
            await self._journal.write(partial(undertakings.end, id=asking.id))
            return ""
        reason = f"{asking.said['owner']} can't be asked: {outcome.reason}"

        def work(connection: Connection) -> None:
            undertakings.end(connection, asking.id)
            disagreements.take_back(connection, int(asking.said["row"]), sent=asking.id)

        await self._journal.write(work)
        return reason

    async def _go_on(self, asking: Undertaking) -> None:
        reason = await self._ask(asking)
        if reason:
            deed = Deed(
                at=datetime.now(UTC), who=asking.who, action=f"{Decision.ADOPT} disagreement", target=None,
                message_id=asking.id, why=asking.why, result=f"not done: {reason}",
            )  # fmt: skip
            await self._journal.write(partial(audit.note, deed=deed))

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
        asked = row.sent if row.decision is Decision.ADOPT else None
        if asked is not None and await self._journal.survey(partial(_is_open, sent=asked)):
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

        def note(connection: Connection, replay: str) -> None:
            sent = second_id(message, replay) if manner is Manner.AGAIN else message.id
            _note(connection, row, asked, sent_again(replay), sent=sent, how=f"overruled by {asked.who}: {asked.why}")

        def sent_again(replay: str) -> str:
            return f"what {row.owner} says is sent to {row.system} again, by {replay}"

        wish = Wish(selection={"id": [message.id]}, to=(row.system,), manner=manner, who=asked.who, why=asked.why)
        return sent_again((await self._replays.begin(wish, note))["id"])

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
        await self._journal.write(partial(_note, row=row, asked=asked, result=text, until=until))
        return f"{text}, or until one of the two says something new"

    def _contact(self, system: str) -> str:
        declared = self._config.systems.get(system)
        return f" ({declared.contact})" if declared is not None and declared.contact else ""


def _is_open(connection: Connection, sent: str) -> bool:
    """True for a request that nobody answered, or that has still to be asked."""
    request = requests.find(connection, sent)
    return undertakings.is_under_way(connection, sent) or (request is not None and request.state is Asked.OPEN)


def _note(connection: Connection, row: Disagreement, asked: Decide, result: str, **decided: Any) -> None:
    """The decision, and its place in the audit trail."""
    now = datetime.now(UTC)
    audit.note(connection, Deed(
        at=now, who=asked.who, action=f"{asked.decision} disagreement", target=row.system, message_id=row.message_id,
        why=asked.why, result=f"{row.object} {shown_key(row.object, row.key)}, owned by {row.owner}: {result}",
    ))  # fmt: skip
    disagreements.decide(connection, row.id, asked.decision, who=asked.who, why=asked.why, now=now, **decided)


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
