"""What the night shift needs to know, from the status, what waits, and the notes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from mombus.delivery.commands import Command
from mombus.desk.night import NIGHT
from mombus.desk.notes import Notes
from mombus.hub.desk import waits
from mombus.hub.desk.undelivered import AWAY, ill, touched, undelivered
from mombus.index import rows
from mombus.journal import selection
from mombus.journal.selection import Selection
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from mombus.config.model import Config
    from mombus.desk.question import Nothing, Question
    from mombus.hub.desk.notes import HandingOver
    from mombus.hub.desk.topic import Answer
    from mombus.journal.journal import Journal
    from mombus.journal.selection import Group

    Told = Mapping[str, Any]

WORST = ("bad", "warn", "good", "calm")
ORDERS = 3
SAFE = (Command.RETRY, Command.RELEASE, Command.HOLD)


class NightShift:
    """Answers what the first page shows. `status` is the whole status."""

    def __init__(
        self, *, config: Config, journal: Journal, index: Journal, notes: HandingOver,
        status: Callable[[], Awaitable[Told]],
    ) -> None:  # fmt: skip
        self._journal = journal
        self._index = index
        self._notes = notes
        self._status = status
        self._owners = {ownership.object: ownership.process_owner for ownership in config.objects}
        self._contacts = {name: system.contact for name, system in config.systems.items()}

    def answers(self) -> Mapping[Question, Answer]:
        """As `mombus.hub.desk.topic.Topic`."""
        return {NIGHT: self.look}

    async def look(self, _asked: Nothing) -> dict[str, Any]:
        """All of it."""
        status, notes, now = await self._status(), await self._notes.rows(Notes()), datetime.now(UTC)
        groups = await self._journal.survey(partial(selection.groups, selection=Selection(), now=now))
        orders = await self._orders(status)
        found = lines(status, groups, self._owners, orders)
        away = undelivered(status["systems"], self._contacts, orders, now)
        return {
            "at": status["at"], "site": status["site"], "how": _overall(status, found), "trouble": status["trouble"],
            "besides": status["besides"], "lines": found,
            "causes": [_safely(cause) for cause in sorted(status["waiting"], key=_urgency)],
            "causes_total": status["causes_total"],
            "undelivered": away, "systems": ill(status["systems"], self._contacts, away), "notes": notes,
        }  # fmt: skip

    async def _orders(self, status: Told) -> Mapping[int, Sequence[str]]:
        """The orders that messages are about which systems that are away haven't got."""
        away = [one for system in status["systems"] if system["health"] in AWAY for one in system["in_hand"]]
        seqs = [seq for one in away for seq in one["seqs"]]
        return await self._index.survey(partial(rows.orders, seqs=seqs)) if seqs else {}


def lines(
    status: Told, groups: Iterable[Group], owners: Mapping[str, str | None], orders: Mapping[int, Sequence[str]]
) -> list[dict[str, Any]]:
    """One line for each object and where it comes from, with a way to each system; what nobody gets has none.

    `orders` as for `undelivered`.
    """
    health = {system["name"]: system for system in status["systems"]}
    stuck: dict[tuple[str, str], list[Group]] = {}
    for group in groups:
        stuck.setdefault((group.object, group.target), []).append(group)
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for flow in status["flows"]:
        ways = found.setdefault((flow["object"], flow["source"]), [])
        if flow["target"]:
            waiting = stuck.get((flow["object"], flow["target"]), [])
            ways.append(_way(flow, waiting, health, status["waiting"], orders))
    return [
        {
            "object": object, "source": source, "process_owner": owners.get(object), "ways": ways,
            "how": _worst(way["how"] for way in ways),
        }
        for (object, source), ways in found.items()
    ]  # fmt: skip


def _way(
    flow: Told, groups: Sequence[Group], health: Mapping[str, Told], causes: Iterable[Told],
    orders: Mapping[int, Sequence[str]],
) -> dict[str, Any]:  # fmt: skip
    how, word = _state(flow, groups, health)
    unsent = _unsent(flow, health)
    since = [group.oldest for group in groups] + [datetime.fromisoformat(one["since"]) for one in unsent]
    return {
        "target": flow["target"], "how": how, "word": word,
        "waiting": sum(group.count for group in groups) + sum(one["count"] for one in unsent),
        "since": min(since).isoformat() if since else None, "orders": _orders(causes, flow, unsent, orders),
        "may": _may(groups), "per_minute": flow["per_minute"], "last": flow["last"],
    }  # fmt: skip


def _state(flow: Told, groups: Sequence[Group], health: Mapping[str, Told]) -> tuple[str, str]:
    """How it goes, in colour and in words; the worst counts."""
    for_person = [group for group in groups if group.kind in waits.PERSON]
    if for_person:
        kind = max(for_person, key=lambda group: group.count).kind
        return "bad", f"{sum(group.count for group in for_person)} {kind}"
    late = sum(group.late for group in groups)
    if late:
        return "bad", f"{late} late"
    for end in (flow["target"], flow["source"]):
        away = health.get(end, {}).get("health")
        if away in AWAY:
            return "bad", away if end == flow["target"] else f"{end} {AWAY[away]}"
    if groups:
        largest = max(groups, key=lambda group: group.count)
        return "warn", f"{sum(group.count for group in groups)} {largest.kind}"
    if not flow["last"]:
        return "calm", "nothing yet"
    return "good", "flows"


def _may(groups: Sequence[Group]) -> list[str]:
    """What is safe to do to everything that waits on a way."""
    offered = {command for group in groups for command in _safe(group.kind)}
    return [str(command) for command in SAFE if command in offered]


def _safely(cause: Told) -> dict[str, Any]:
    return {**cause, "may": [str(command) for command in _safe(Wait(cause["kind"]))]}


def _safe(kind: Wait) -> list[Command]:
    """What is safe without looking first: what is in doubt is looked up in the system by who retries it."""
    return [
        command for command in SAFE
        if command in waits.OFFERED[kind] and (command, kind) != (Command.RETRY, Wait.IN_DOUBT)
    ]  # fmt: skip


def _unsent(flow: Told, health: Mapping[str, Told]) -> list[Told]:
    """What a system that is away hasn't got of this."""
    system = health.get(flow["target"], {})
    if system.get("health") not in AWAY:
        return []
    return [one for one in system["in_hand"] if one["object"] == flow["object"]]


def _orders(
    causes: Iterable[Told], flow: Told, unsent: Iterable[Told], orders: Mapping[int, Sequence[str]]
) -> list[str]:
    """The first of the orders that wait on this way."""
    lanes = [
        lane
        for cause in causes if cause["target"] == flow["target"]
        for row in cause["rows"] if row["object"] == flow["object"]
        for lane in row["lanes"]
    ]  # fmt: skip
    about = [lane.removeprefix(waits.ORDER) for lane in lanes]
    about += [order for one in unsent for order in touched(one, orders)]
    return list(dict.fromkeys(about))[:ORDERS]


def _worst(hows: Iterable[str]) -> str:
    return min(hows, key=WORST.index, default="calm")


def _overall(status: Told, rows: Sequence[Told]) -> str:
    if status["trouble"]:
        return "bad" if any(row["how"] == "bad" for row in rows) or _is_ill(status) else "warn"
    return "warn" if any(row["how"] == "warn" for row in rows) else "good"


def _is_ill(status: Told) -> bool:
    return not status["broker"]["up"] or any(system["health"] in AWAY for system in status["systems"])


def _urgency(cause: Told) -> tuple[bool, bool, str, str]:
    """What a person must end, then what is late, then the oldest: the order stays while the numbers move."""
    return not cause["person"], not cause["late"], cause["since"], cause["id"]
