"""Answers for the hub: to its pages and to commands that come over the bus."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from connectors.connector import ConnectorError
from mombus.bus.commands import UnknownNameError, listen
from mombus.delivery.commands import Command
from mombus.delivery.delivery import UnknownTargetError
from mombus.desk.question import Deed as DeedAsked
from mombus.desk.question import QuestionError
from mombus.hub.desk import reporting, waits
from mombus.hub.desk.auditing import Auditing
from mombus.hub.desk.measuring import measure, what_is_open
from mombus.hub.desk.overview import Overview
from mombus.hub.desk.topic import understood
from mombus.hub.several import whole
from mombus.hub.several.shards import by_target
from mombus.journal import audit, causes, disagreements, parked, selection
from mombus.journal.audit import Deed
from mombus.journal.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mombus.bus.connection import Bus
    from mombus.bus.intake import Intake
    from mombus.config.model import Config
    from mombus.delivery.delivery import Delivery
    from mombus.desk.question import Asked, Question
    from mombus.hub.desk.bulk import BulkActions
    from mombus.hub.desk.topic import Answer, Topic
    from mombus.hub.observing import Observing
    from mombus.hub.replay.replays import Replays
    from mombus.hub.session import Session
    from mombus.hub.several.neighbours import Neighbours
    from mombus.hub.store.storage import Storage
    from mombus.journal.causes import Cause
    from mombus.journal.journal import Journal

MOST = 1000
EVERYTHING = Selection()
LISTED_MOST, START_BYTES = 500, 300
"""How many waiting messages or kept items are shown, and how much of each: they must fit into one answer."""

log = structlog.get_logger()


class FrontDesk:
    """The hub as its pages and commands see it. `neighbours` are the other hubs of its journal, if it is shared."""

    def __init__(
        self, *, config: Config, bus: Bus, journal: Journal, index: Journal, sessions: Mapping[str, Session],
        intake: Intake, delivery: Delivery, observing: Observing, storage: Storage, replays: Replays,
        bulk: BulkActions,
    ) -> None:  # fmt: skip
        self._config = config
        self._bus = bus
        self._journal = journal
        self._index = index
        self._sessions = sessions
        self._intake = intake
        self._delivery = delivery
        self._observing = observing
        self._storage = storage
        self.bulk = bulk
        self.audit = Auditing(journal, storage.trail)
        self.replays = replays
        self.overview = Overview(
            config=config, sessions=sessions, delivery=delivery, observing=observing, storage=storage
        )  # fmt: skip
        self.neighbours: Neighbours | None = None
        self._topics: dict[str, tuple[Question, Answer]] = {}
        self.take(self.audit)

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
            self._hubs(), self._causes(now),
            self._journal.survey(partial(selection.groups, selection=EVERYTHING, now=now)), self._open(),
        )  # fmt: skip
        systems, link = whole.systems(hubs), self._bus.link
        return reporting.summary(
            self._config.plant.site, hubs=whole.rows(hubs, silent), systems=systems,
            flows=reporting.flow_rows(self._config, flows, whole.flows(hubs), groups),
            waiting=waits.cause_rows(found, now)[: waits.SHOWN], causes_total=len(found),
            waiting_total=sum(group.count for group in groups),
            messages=reporting.message_rows(flows, whole.arrivals(hubs)),
            broker={"up": link.up, "reason": link.reason, "since": link.since.isoformat()}, disagreements=quarrels,
            kept=kept,
            trouble=reporting.trouble(
                systems, found, broker=link.denied if link.up else link.reason, disagreements=quarrels, kept=kept,
                hubs=[*whole.trouble(hubs, silent), *self.heard()], answers=self._process_owners(),
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

    async def ready(self) -> Mapping[str, str]:
        """What the hub depends on, each with what is wrong: broker, journal, store; if they are well, inboxes."""
        link = self._bus.link
        broken = link.denied if link.up and not link.stalled else link.reason
        found = {"broker": broken or "", "journal": self._journal.trouble or "", **self._storage.dependencies()}
        if any(found.values()):
            return found
        routed = {target for route in self._config.routes for target in route.to}
        routed |= {ownership.owner for ownership in self._config.objects}
        return found | (reporting.unready(await self._delivery.status(), routed) or {"delivery": ""})

    async def _causes(self, now: datetime, target: str | None = None) -> list[Cause]:
        look = partial(causes.causes, now=now, target=target, shown=waits.SHOWN, each=waits.EACH)
        return await self._journal.survey(look)

    async def causes(self, target: str | None = None) -> Sequence[Mapping[str, Any]]:
        """What waits by cause; of each the first messages. Raises QuestionError."""
        self._known(target)
        now = datetime.now(UTC)
        return waits.cause_rows(await self._causes(now, target), now)

    def _known(self, system: str | None) -> None:
        if system is not None and system not in self._config.systems:
            raise UnknownNameError("system", system, self._config.systems)

    async def waiting(self, target: str | None = None) -> Sequence[Mapping[str, Any]]:
        """What waits, in the order it came. Raises QuestionError."""
        self._known(target)
        now = datetime.now(UTC)
        return [waits.waiting_row(row, now) for row in await self._delivery.waiting(target=target, limit=LISTED_MOST)]

    async def kept(self) -> Sequence[Mapping[str, Any]]:
        """What came in and could not be taken; of a long one the beginning."""
        rows = await self._journal.survey(lambda c: parked.glimpses(c, limit=LISTED_MOST, start_bytes=START_BYTES))
        now = datetime.now(UTC)
        return [
            {
                "id": row.id, "system": row.system, "kind": str(row.kind), "place": row.place, "reason": row.reason,
                "since": row.since.isoformat(), "age_s": round((now - row.since).total_seconds(), 1),
                "size": row.size, "content": row.start.decode("utf-8", "replace"),
            }
            for row in rows
        ]  # fmt: skip

    async def do(
        self, *, command: str, target: str, id: str, why: str, who: str, document: str | None = None
    ) -> Mapping[str, Any]:
        """Do what a person decided about a waiting message, named by its id or the beginning of it."""
        _check_deed(who, why)
        self._known(target)
        message_id = _whole(id, [row.message_id for row in await self._delivery.waiting(target=target)])
        done = await self._delivery.do(Command(command), target, message_id, who=who, why=why, document=document)
        return {"ok": done.ok, "text": done.text}

    async def do_kept(self, *, command: str, id: str, why: str, who: str) -> Mapping[str, Any]:
        """`take` tries a kept message again, `dismiss` says that a kept item is dealt with. Both are audited."""
        _check_deed(who, why)
        rows = await self._journal.survey(lambda c: parked.glimpses(c, limit=MOST, start_bytes=0))
        item = _whole(id, [row.id for row in rows])
        if command == "take":
            outcome = await self._intake.retry(item)
            ok, text = outcome.accepted, "taken in" if outcome.accepted else outcome.reason or "refused again"
        elif command == "dismiss":
            ok = await self._intake.dismiss(item, who=who, why=why)
            text = "dismissed" if ok else "it isn't kept (any more)"
        else:
            raise QuestionError(f"'{command}' is neither take nor dismiss")
        deed = Deed(at=datetime.now(UTC), who=who, action=command, target=None, message_id=item, why=why, result=text)
        await self._journal.write(lambda connection: audit.note(connection, deed))
        return {"ok": ok, "text": text}

    async def resume(self, *, system: str, why: str, who: str) -> Mapping[str, Any]:
        """A person says that a halted system can work again: its credentials were mended, say. Audited."""
        _check_deed(who, why)
        session = self._sessions.get(system)
        if session is None:
            raise UnknownNameError("system", system, self._sessions)
        try:
            await session.resume()
        except ConnectorError as error:
            raise QuestionError(f"{system} can't be told: {error}") from error
        with suppress(UnknownTargetError):
            self._delivery.resume(system)
        deed = Deed(
            at=datetime.now(UTC), who=who, action="resume", target=system, message_id=None, why=why, result="tried"
        )  # fmt: skip
        await self._journal.write(lambda connection: audit.note(connection, deed))
        return {"ok": True, "text": f"{system} is tried again; `mombus status` shows how it goes"}

    async def metrics(self) -> str:
        """Prometheus text."""
        metrics = self._observing.metrics
        measure(
            metrics, sessions=self._sessions.values(), statuses=by_target(await self._delivery.status()).values(),
            open=await self._journal.survey(partial(what_is_open, now=datetime.now(UTC))),
            broker_up=self._bus.link.up, disk_free=self._storage.disk.free,
        )  # fmt: skip
        return metrics.text().decode()

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
        if name in self._topics:
            return await self._of_topic(*self._topics[name], question)
        rooms = {"replay": self.replays.answer, "bulk": self.bulk.answer}
        which = rooms.get(name.partition("_")[0], self._answer)
        if name not in {"replay_begin", "replay_cancel", "replay_translate"}:
            return await which(name, question)
        async with self.audit.refusals(name, question):
            return await which(name, question)

    async def _of_topic(self, question: Question, answer: Answer, said: Mapping[str, Any]) -> Any:
        if not issubclass(question.asked, DeedAsked):
            return await answer(understood(question, said))
        async with self.audit.refusals(question.name, said):
            asked: Any = understood(question, said)
            _check_deed(asked.who, asked.why)
            return await answer(asked)

    async def _answer(self, name: str, question: Mapping[str, Any]) -> Any:
        match name:
            case "status" | "own" | "kept" | "ready" | "metrics":
                return await getattr(self, name)()
            case "waiting" | "causes":
                return await getattr(self, name)(**_texts(question, target=None))
            case "do" | "resume" | "do_kept":
                async with self.audit.refusals(name, question):
                    return await self._done(name, question)
        raise QuestionError(f"the hub knows no command '{name}'")

    async def _done(self, name: str, question: Mapping[str, Any]) -> Mapping[str, Any]:
        match name:
            case "do":
                return await self.do(**_texts(question, "command", "target", "id", "why", "who", document=None))
            case "resume":
                return await self.resume(**_texts(question, "system", "why", "who"))
        return await self.do_kept(**_texts(question, "command", "id", "why", "who"))


def _check_deed(who: str, why: str) -> None:
    if not why.strip() or not who.strip():
        raise QuestionError("say who decides and why: both are kept in the audit trail")


def _whole(start: str, ids: Sequence[str]) -> str:
    """The one id that begins like that, `start` itself if none does. Raises QuestionError for several."""
    found = [id for id in ids if id.startswith(start)]
    if len(found) > 1:
        raise QuestionError(f"{len(found)} ids begin with '{start}': give more of it")
    return found[0] if found else start


def _texts(question: Mapping[str, Any], *needed: str, **optional: None) -> dict[str, Any]:
    """What a command was given, each a text. Raises QuestionError."""
    for name, value in question.items():
        if name not in needed and name not in optional:
            raise QuestionError(f"'{name}' has no meaning here: {', '.join((*needed, *optional)) or 'nothing'} is")
        if not isinstance(value, str) and not (value is None and name in optional):
            raise QuestionError(f"'{name}' must be text")
    missing = [name for name in needed if name not in question]
    if missing:
        raise QuestionError(f"'{missing[0]}' is missing")
    return {**optional, **question}
