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
from mombus.hub.desk.reporting import AWAY
from mombus.journal import selection
from mombus.journal.selection import Selection

if TYPE_CHECKING:
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
    """Answers what the first page shows. `status` is the whole status, `owners` who answers for each object."""

    def __init__(
        self, *, journal: Journal, notes: HandingOver, status: Callable[[], Awaitable[Told]],
        owners: Mapping[str, str | None],
    ) -> None:  # fmt: skip
        self._journal = journal
        self._notes = notes
        self._status = status
        self._owners = owners

    def answers(self) -> Mapping[Question, Answer]:
        """As `mombus.hub.desk.topic.Topic`."""
        return {NIGHT: self.look}

    async def look(self, _asked: Nothing) -> dict[str, Any]:
        """All of it."""
        status, notes = await self._status(), await self._notes.rows(Notes())
        groups = await self._journal.survey(
            partial(selection.groups, selection=Selection(), now=datetime.now(UTC))
        )  # fmt: skip
        rows = lines(status, groups, self._owners)
        return {
            "at": status["at"], "site": status["site"], "how": _overall(status, rows), "trouble": status["trouble"],
            "lines": rows, "causes": sorted(status["waiting"], key=_urgency), "causes_total": status["causes_total"],
            "systems": [system for system in status["systems"] if system["health"] != "ok"], "notes": notes,
        }  # fmt: skip


def lines(status: Told, groups: Iterable[Group], owners: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """One line for each object and where it comes from, with a way to each system; what nobody gets has none."""
    health = {system["name"]: system for system in status["systems"]}
    stuck: dict[tuple[str, str], list[Group]] = {}
    for group in groups:
        stuck.setdefault((group.object, group.target), []).append(group)
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for flow in status["flows"]:
        ways = found.setdefault((flow["object"], flow["source"]), [])
        if flow["target"]:
            waiting = stuck.get((flow["object"], flow["target"]), [])
            ways.append(_way(flow, waiting, health, _orders(status["waiting"], flow)))
    return [
        {
            "object": object, "source": source, "process_owner": owners.get(object), "ways": ways,
            "how": _worst(way["how"] for way in ways),
        }
        for (object, source), ways in found.items()
    ]  # fmt: skip


def _way(flow: Told, groups: Sequence[Group], health: Mapping[str, Told], orders: list[str]) -> dict[str, Any]:
    how, word = _state(flow, groups, health)
    queues = _held_up(flow, health)
    since = [group.oldest.isoformat() for group in groups] + [queue["since"] for queue in queues]
    orders = list(dict.fromkeys([*orders, *(order for queue in queues for order in queue["orders"])]))[:ORDERS]
    return {
        "target": flow["target"], "how": how, "word": word,
        "waiting": sum(group.count for group in groups),
        "since": min(since, key=datetime.fromisoformat, default=None), "orders": orders, "may": _may(groups),
        "per_minute": flow["per_minute"], "last": flow["last"],
    }  # fmt: skip


def _held_up(flow: Told, health: Mapping[str, Told]) -> list[Told]:
    """What is in hand for a target that is away or late: of any other it is on its way."""
    system = health.get(flow["target"])
    if system is None or not (system["late"] or system["health"] in AWAY):
        return []
    return [queue for queue in system["queues"] if queue["object"] == flow["object"]]


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
        away = AWAY.get(health.get(end, {}).get("health", ""))
        if away:
            return "bad", f"{end} {away}"
    if groups:
        largest = max(groups, key=lambda group: group.count)
        return "warn", f"{sum(group.count for group in groups)} {largest.kind}"
    if not flow["last"]:
        return "calm", "nothing yet"
    return "good", "flows"


def _may(groups: Sequence[Group]) -> list[str]:
    """What is safe to do to everything that waits on a way."""
    offered = {command for group in groups for command in waits.OFFERED[group.kind]}
    return [str(command) for command in SAFE if command in offered]


def _orders(causes: Iterable[Told], flow: Told) -> list[str]:
    """The first of the orders that wait on this way."""
    lanes = dict.fromkeys(
        lane.removeprefix(waits.ORDER)
        for cause in causes if cause["target"] == flow["target"]
        for row in cause["rows"] if row["object"] == flow["object"]
        for lane in row["lanes"]
    )  # fmt: skip
    return list(lanes)[:ORDERS]


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
