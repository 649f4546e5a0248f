"""Answers for the hub: to its pages and to commands that come over the bus."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy.exc import DBAPIError

from mombus.bus.commands import AwayError, UnknownNameError, listen
from mombus.desk.question import Deed as DeedAsked
from mombus.desk.question import NoAnswerError, QuestionError
from mombus.hub.desk import reporting, waits
from mombus.hub.desk.auditing import Auditing
from mombus.hub.desk.kept import KeptThings
from mombus.hub.desk.measuring import Open, measure, what_is_open
from mombus.hub.desk.notes import HandingOver
from mombus.hub.desk.overview import Overview
from mombus.hub.desk.sending import Sending
from mombus.hub.desk.systems import Systems
from mombus.hub.desk.topic import understood
from mombus.hub.desk.undertakings import Undertakings
from mombus.hub.desk.waiting import WaitingRoom
from mombus.hub.several import whole
from mombus.hub.several.shards import by_target
from mombus.journal import disagreements, parked, selection
from mombus.journal.databases import away, in_words
from mombus.journal.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mombus.bus.connection import Bus
    from mombus.bus.intake import Intake
    from mombus.config.model import Config
    from mombus.delivery.delivery import Delivery
    from mombus.delivery.target import Status
    from mombus.desk.question import Asked, Question
    from mombus.hub.desk.bulk import BulkActions
    from mombus.hub.desk.topic import Answer, Topic
    from mombus.hub.observing import Observing
    from mombus.hub.replay.replays import Replays
    from mombus.hub.session import Session
    from mombus.hub.several.neighbours import Neighbours
    from mombus.hub.store.storage import Storage
    from mombus.journal.journal import Journal

EVERYTHING = Selection()

log = structlog.get_logger()


class FrontDesk:
    """The hub as its pages and commands see it. `neighbours` are the other hubs of its journal, if it is shared."""

    def __init__(
        self, *, config: Config, bus: Bus, journal: Journal, sessions: Mapping[str, Session],
        intake: Intake, delivery: Delivery, observing: Observing, storage: Storage, replays: Replays,
        bulk: BulkActions,
    ) -> None:  # fmt: skip
        self._config = config
        self._bus = bus
        self._journal = journal
        self._sessions = sessions
        self._intake = intake
        self._delivery = delivery
        self._observing = observing
        self._storage = storage
        self.bulk = bulk
        self.waiting = WaitingRoom(config=config, journal=journal, delivery=delivery)
        self.undertaken = Undertakings(journal)
        self.kept = KeptThings(journal=journal, intake=intake, undertaken=self.undertaken)
        self.systems = Systems(
            config=config, journal=journal, delivery=delivery, sessions=sessions, rows=self._systems
        )  # fmt: skip
        self.notes = HandingOver(journal)
        self.audit = Auditing(journal, storage.trail)
        self.replays = replays
        self.overview = Overview(
            config=config, sessions=sessions, delivery=delivery, observing=observing, storage=storage
        )  # fmt: skip
        self.neighbours: Neighbours | None = None
        self._topics: dict[str, tuple[Question, Answer]] = {}
        for topic in (self.audit, bulk, self.waiting, self.kept, self.systems, self.notes, Sending(replays)):
            self.take(topic)

    async def listen(self, bus: Bus) -> None:
        """Answer commands that come over the bus."""
        if self.neighbours is not None:
            await self.neighbours.listen(self._answered)
            return
        await listen(
            bus, site=self._config.plant.site, answer=self._answered,
            observe=lambda text: log.error("command failed", reason=text),
        )  # fmt: skip

    async def ask(self, question: Question, asked: Asked) -> Any:
        """As `mombus.desk.question.Desk`, of whichever hub has what it is about."""
        said = asked.model_dump(mode="json", exclude_none=True)
        try:
            if self.neighbours is not None:
                return await self.neighbours.answered(self._answered, question.name, said)
            return await self._answered(question.name, said)
        except (UnknownNameError, QuestionError):
            raise
        except AwayError as error:
            raise NoAnswerError(str(error)) from error
        except (ValueError, LookupError) as error:
            raise QuestionError(str(error)) from error

    def take(self, topic: Topic) -> None:
        """Answer the questions of one more topic. Raises ValueError for one that is answered already."""
        for question, answer in topic.answers().items():
            if question.name in self._topics:
                raise ValueError(f"'{question.name}' has two answers")
            self._topics[question.name] = question, answer

    def meet(self, neighbours: Neighbours) -> None:
        """There are other hubs: ask them when what is asked is about all of them, or about what they have."""
        self.neighbours = neighbours
        self.overview.leases = lambda: neighbours.leases

    def heard(self) -> Sequence[str]:
        """What is wrong among the hubs, as of the last look."""
        return self.neighbours.trouble() if self.neighbours else ()

    async def status(self) -> Mapping[str, Any]:
        """Hubs, systems, flows, what waits, the last messages, and what a person should look at: of all hubs.

        Asked for side by side: under load each question alone waits for its turn among the messages.
        """
        flows, now = self._observing.flows, datetime.now(UTC)
        (hubs, silent), found, groups, (quarrels, kept) = await asyncio.gather(
            self._hubs(), self.waiting.found(now),
            self._journal.survey(partial(selection.groups, selection=EVERYTHING, now=now)), self._open(),
        )  # fmt: skip
        systems, link, zone = whole.systems(hubs), self._bus.link, self._config.plant.timezone
        return reporting.summary(
            self._config.plant.site, hubs=whole.rows(hubs, silent), systems=systems,
            flows=reporting.flow_rows(self._config, flows, whole.flows(hubs), groups),
            waiting=self.waiting.rows(found, now)[: waits.SHOWN], causes_total=len(found),
            waiting_total=sum(group.count for group in groups),
            messages=reporting.message_rows(flows, whole.arrivals(hubs)),
            broker={"up": link.up, "reason": link.reason, "since": link.since.isoformat()}, disagreements=quarrels,
            kept=kept,
            **reporting.trouble(
                systems, found, broker=link.denied if link.up else link.reason, disagreements=quarrels, kept=kept,
                hubs=[*whole.trouble(hubs, silent, zone), *self.heard()], answers=self._process_owners(),
            ),
        )  # fmt: skip

    async def own(self) -> Mapping[str, Any]:
        """What this hub tells of itself to others."""
        return await self.overview.own()

    async def _hubs(self) -> tuple[Sequence[dict[str, Any]], Sequence[dict[str, Any]]]:
        """What this hub tells of itself and then the others; and those that don't answer."""
        if self.neighbours is None:
            return [await self.overview.own()], []
        own, (others, silent) = await asyncio.gather(self.overview.own(), self.neighbours.overviews())
        return [own, *others], silent

    async def _systems(self) -> Sequence[dict[str, Any]]:
        """How each system is, of all hubs."""
        return whole.systems((await self._hubs())[0])

    async def ready(self) -> Mapping[str, str]:
        """What the hub depends on, each with what is wrong: broker, journal, store; if they are well, inboxes."""
        link = self._bus.link
        broken = link.denied if link.up and not link.stalled else link.reason
        found = {"broker": broken or "", "journal": self._journal.trouble or "", **self._storage.dependencies()}
        if any(found.values()):
            return found
        routed = {target for route in self._config.routes for target in route.to}
        routed |= {ownership.owner for ownership in self._config.objects}
        try:
            statuses = await self._delivery.status()
        except DBAPIError as error:
            return found | {"journal": away(error) or in_words(error)}
        return found | (reporting.unready(statuses, routed) or {"delivery": ""})

    async def metrics(self) -> str:
        """Prometheus text. While the journal's database is away, what only it knows is left out."""
        metrics = self._observing.metrics
        statuses, open = await self._found_open()
        measure(
            metrics, sessions=list(self._sessions.values()), statuses=by_target(statuses).values(), open=open,
            broker_up=self._bus.link.up, storage=self._storage, flows=self._observing.flows,
            hub=self.overview.examined(), spools={name: one.spool for name, one in self._config.systems.items()},
        )  # fmt: skip
        return metrics.text().decode()

    async def _found_open(self) -> tuple[list[Status], Open | None]:
        """How every inbox is, and what the journal has open; nothing and None while its database doesn't answer."""
        if self._journal.trouble:
            return [], None
        try:
            return await asyncio.gather(
                self._delivery.status(), self._journal.survey(partial(what_is_open, now=datetime.now(UTC)))
            )  # fmt: skip
        except DBAPIError as error:
            if away(error):
                return [], None
            raise

    def _process_owners(self) -> dict[str, str | None]:
        return {ownership.object: ownership.process_owner for ownership in self._config.objects}

    async def _open(self) -> tuple[int, int]:
        """How many disagreements and kept items are open."""
        return await self._journal.survey(
            lambda connection: (
                disagreements.count(connection, datetime.now(UTC)),
                parked.count(connection),
            )
        )

    async def _answered(self, name: str, question: Mapping[str, Any]) -> Any:
        """The answer of this hub. Raises AwayError while the journal's database can't be used."""
        try:
            return await self._by_name(name, question)
        except DBAPIError as error:
            if reason := away(error):
                raise AwayError(reason) from error
            raise

    async def _by_name(self, name: str, question: Mapping[str, Any]) -> Any:
        if name in self._topics:
            return await self._of_topic(*self._topics[name], question)
        which = self.replays.answer if name.startswith("replay_") else self._answer
        if name not in {"replay_begin", "replay_cancel", "replay_translate"}:
            return await which(name, question)
        async with self.audit.refusals(name, question):
            return await which(name, question)

    async def _of_topic(self, question: Question, answer: Answer, said: Mapping[str, Any]) -> Any:
        if not issubclass(question.asked, DeedAsked):
            return await answer(understood(question, said))
        async with self.audit.refusals(question.name, said):
            _check_deed(*(str(said.get(name) or "") for name in ("who", "why")))
            return await answer(understood(question, said))

    async def _answer(self, name: str, question: Mapping[str, Any]) -> Any:
        match name:
            case "status" | "own" | "ready" | "metrics":
                return await getattr(self, name)()
        raise QuestionError(f"the hub knows no command '{name}'")


def _check_deed(who: str, why: str) -> None:
    if not why.strip() or not who.strip():
        raise QuestionError("say who decides and why: both are kept in the audit trail")
