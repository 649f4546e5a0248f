"""The ownership matrix: what is declared, with what happens about it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from canonical.objects import Kind, data_object
from mombus.bus.commands import UnknownNameError
from mombus.desk.ownership import LATE, OWNERSHIP
from mombus.index import traffic
from mombus.journal import audit, disagreements, parked, promises, requests

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from mombus.config.model import Config, Ownership, Route
    from mombus.desk.ownership import LateAsked
    from mombus.desk.question import Nothing, Question
    from mombus.hub.desk.topic import Answer
    from mombus.index.flows import Flows
    from mombus.index.traffic import Known, Said
    from mombus.journal.audit import Noted
    from mombus.journal.journal import Journal
    from mombus.journal.promises import Done, Owed

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FRESH_S = 15.0
"""How long what was counted is shown: a day's handovers may be a million rows."""
NEWEST = 500
"""Late handovers and refusals that are looked at."""

Pair = tuple[str, str]
"""An object and a system."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What happened, by object and system. `worst` are seconds from storing to the late effect."""

    at: datetime
    said: Mapping[Pair, Said]
    done: Mapping[Pair, Done]
    owed: Mapping[Pair, Owed]
    worst: Mapping[Pair, float]
    disagreements: Mapping[Pair, int]
    refused: Mapping[Pair, int]
    tried: Mapping[Pair, int]
    asked: Mapping[Pair, int]


class OwnershipMatrix:
    """Answers who owns what. `flows` has the signals that run through this hub."""

    def __init__(self, config: Config, journal: Journal, index: Journal, flows: Flows) -> None:
        self._config = config
        self._journal = journal
        self._index = index
        self._flows = flows
        self._counted: Counted | None = None
        self._turn = asyncio.Lock()

    def answers(self) -> Mapping[Question, Answer]:
        """As `mombus.hub.desk.topic.Topic`."""
        return {OWNERSHIP: self.matrix, LATE: self.late}

    async def matrix(self, _asked: Nothing) -> dict[str, Any]:
        """Every declared object, by system."""
        now = datetime.now(UTC)
        async with self._turn:
            if self._counted is None or (now - self._counted.at).total_seconds() > FRESH_S:
                self._counted = await self._count(now)
        counted, rows = self._counted, []
        for name in dict.fromkeys(row.object for row in self._config.objects):
            rows.append(self._row(name, counted, now))
        return {
            "at": now.isoformat(), "counted": counted.at.isoformat(), "rows": rows,
            "systems": [self._column(name, rows) for name in self._config.systems],
        }  # fmt: skip

    async def late(self, asked: LateAsked) -> dict[str, Any]:
        """What the matrix counts as late. Raises UnknownNameError."""
        for what, name, names in (
            ("object", asked.object, [row.object for row in self._config.objects]),
            ("system", asked.system, self._config.systems),
        ):
            if name not in names:
                raise UnknownNameError(what, name, names)
        now = datetime.now(UTC)
        rows, number = await self._late((asked.object, asked.system), now)
        return {
            "at": now.isoformat(), "object": asked.object, "system": asked.system, "number": number, "rows": rows
        }  # fmt: skip

    async def _count(self, now: datetime) -> Counted:
        journal, said = await asyncio.gather(
            self._journal.survey(partial(_journal_counts, now=now)),
            self._index.survey(partial(traffic.said, since=now - HOUR)),
        )
        said = {**await self._last_said(said), **said}
        late = [pair for pair, done in journal["done"].items() if done.late]
        worst = {pair: worst for pair in late if (worst := await self._worst(pair, now)) is not None}
        return Counted(at=now, said=said, worst=worst, **journal)

    async def _last_said(self, said: Mapping[Pair, Said]) -> dict[Pair, Said]:
        """When owners that said nothing lately spoke last."""
        quiet = [(row.object, row.owner) for row in self._config.objects if (row.object, row.owner) not in said]

        def look(connection: Connection) -> dict[Pair, Said]:
            found = {pair: traffic.last_said(connection, *pair) for pair in quiet}
            return {pair: traffic.Said(0, last) for pair, last in found.items() if last is not None}

        return await self._index.survey(look)

    async def _worst(self, pair: Pair, now: datetime) -> float | None:
        rows, _ = await self._late(pair, now)
        return max((row["took_s"] for row in rows if row["took_s"] is not None), default=None)

    async def _late(self, pair: Pair, now: datetime) -> tuple[list[dict[str, Any]], int]:
        late, number = await self._journal.survey(partial(
            promises.newest_late, object=pair[0], target=pair[1], since=now - DAY, limit=NEWEST
        ))  # fmt: skip
        ids = [one.message_id.partition(":replay-")[0] for one in late]
        known = await self._index.survey(partial(traffic.known, ids=ids))
        return [_late_row(id, one.at, known.get(id)) for id, one in zip(ids, late, strict=True)], number

    def _row(self, name: str, counted: Counted, now: datetime) -> dict[str, Any]:
        row = data_object(name)
        declared = [one for one in self._config.objects if one.object == name]
        routes = [route for route in self._config.routes if route.object == name]
        kept_for = next((one.kept_for for one in declared if one.kept_for), None)
        cells = [self._cell(name, system, declared, routes, counted, now) for system in self._config.systems]
        return {
            "object": name, "kind": str(row.kind), "isa95": row.isa95, "kept_for": kept_for,
            "unused": not routes and kept_for is None and row.kind is Kind.FACT,
            "owners": [
                {"system": one.owner, "process_owner": one.process_owner, "scope": one.scope} for one in declared
            ],
            "cells": [cell for cell in cells if _has_to_do(cell)],
        }  # fmt: skip

    def _cell(  # noqa: PLR0917 - what one cell is made of
        self, name: str, system: str, declared: Sequence[Ownership], routes: Sequence[Route], counted: Counted,
        now: datetime,
    ) -> dict[str, Any]:  # fmt: skip
        pair = (name, system)
        broken = {
            "disagreements": counted.disagreements.get(pair, 0), "refused": counted.refused.get(pair, 0),
            "tried": counted.tried.get(pair, 0),
        }  # fmt: skip
        return {
            "system": system, "owns": any(one.owner == system for one in declared),
            "stated": self._stated(pair, counted, now), "asks": counted.asked.get(pair, 0),
            "promises": [_promise(route, pair, counted, now) for route in routes if system in route.to],
            "violations": broken if any(broken.values()) else None,
        }  # fmt: skip

    def _stated(self, pair: Pair, counted: Counted, now: datetime) -> dict[str, Any] | None:
        said = counted.said.get(pair)
        if said is not None:
            return {"hour": said.number, "last": said.last.isoformat()}
        flow = self._flows.incoming.get(pair)
        if flow is None or data_object(pair[0]).kind is not Kind.SIGNAL:
            return None
        return {"hour": flow.rate.per_minute(now), "last": flow.last.isoformat() if flow.last else None}

    def _column(self, name: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        system = self._config.systems[name]
        mine = [cell for row in rows for cell in row["cells"] if cell["system"] == name]
        return {
            "name": name, "kind": system.kind, "decides": list(system.decides), "contact": system.contact,
            "owns": sum(cell["owns"] for cell in mine), "consumes": sum(bool(cell["promises"]) for cell in mine),
        }  # fmt: skip


def _late_row(id: str, done: datetime, known: Known | None) -> dict[str, Any]:
    return {
        "message_id": id, "key": known.key if known else None, "stored": known.stored.isoformat() if known else None,
        "done": done.isoformat(), "took_s": (done - known.stored).total_seconds() if known else None,
    }  # fmt: skip


def _has_to_do(cell: Mapping[str, Any]) -> bool:
    return any(cell[what] for what in ("owns", "stated", "promises", "asks", "violations"))


def _promise(route: Route, pair: Pair, counted: Counted, now: datetime) -> dict[str, Any]:
    done, owed = counted.done.get(pair), counted.owed.get(pair)
    overdue = owed.deadline if owed is not None and owed.overdue else None
    return {
        "effect": str(route.effect), "within_s": route.within.total_seconds() if route.within else None,
        "conditional": route.when is not None, "done": done.number if done else 0, "late": done.late if done else 0,
        "worst_late_s": counted.worst.get(pair), "waiting": owed.number if owed else 0,
        "overdue": owed.overdue if owed else 0,
        "most_overdue_s": (now - overdue).total_seconds() if overdue else None,
    }  # fmt: skip


def _journal_counts(connection: Connection, now: datetime) -> dict[str, Any]:
    refused = parked.refused_statements(connection, NEWEST)
    return {
        "done": promises.done(connection, now - DAY), "owed": promises.owed(connection, now),
        "disagreements": disagreements.by_object(connection, now=now),
        "refused": Counter((place.split()[1], system) for system, place in refused if len(place.split()) > 1),
        "tried": _tried(audit.of_accounts(connection, now - DAY, NEWEST)),
        "asked": requests.open_by_asker(connection),
    }  # fmt: skip


def _tried(refusals: Iterable[Noted]) -> Counter[Pair]:
    """How often each account tried to say an object that isn't its own, as `mombus/hub/refusals.py` notes that."""
    found: Counter[Pair] = Counter()
    for refusal in refusals:
        name = _object_of(refusal.action)
        if name is not None:
            times = refusal.result.removeprefix("refused").strip(", times")
            found[name, refusal.who.removeprefix("account ")] += int(times) if times.isdigit() else 1
    return found


def _object_of(action: str) -> str | None:
    """Of `publish on mom.lyon.production_order.…` and `hand over sync production_order of erp`."""
    words = action.split()
    if action.startswith("publish on ") and words[-1].startswith("mom."):
        return next(iter(words[-1].split(".")[2:3]), None)
    return words[3] if action.startswith("hand over ") and len(words) > 3 else None
