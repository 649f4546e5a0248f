"""What the MES writes to its hosts: one function per kind of note, numbers derived from the order's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from plant.line_link import Count

Note = dict[str, Any]

ZONE = ZoneInfo("Europe/Paris")
LINE = "LINE1"
EQUIPMENT = (
    ("LYON", "Lyon", "Site", None),
    ("PACKAGING", "Packaging hall", "Area", "LYON"),
    ("WH1", "Warehouse 1", "StorageZone", "LYON"),
    ("LINE1", "Packaging line 1", "ProductionLine", "PACKAGING"),
    ("FILLER1", "Filler", "WorkUnit", "LINE1"),
    ("CAPPER1", "Capper", "WorkUnit", "LINE1"),
    ("LABELER1", "Labeler", "WorkUnit", "LINE1"),
    ("PACKER1", "Case packer", "WorkUnit", "LINE1"),
)


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A material of a recipe: `per` of it for every `bottles` that `machine` handles; water comes by pipe, unstaged."""

    article: str
    machine: str
    per: Decimal
    uom: str
    bottles: int = 1
    staged: bool = True

    def used(self, bottles: int) -> Decimal:
        """How much of it so many bottles take; a case that isn't full isn't used up yet."""
        return bottles // self.bottles * self.per


RECIPES: Mapping[str, tuple[Ingredient, ...]] = MappingProxyType({
    "FG-1000": (
        Ingredient("BOTTLE-05", "FILLER1", Decimal(1), "PC"),
        Ingredient("CAP-28", "CAPPER1", Decimal(1), "PC"),
        Ingredient("LABEL-A", "LABELER1", Decimal(1), "PC"),
        Ingredient("WATER", "FILLER1", Decimal("0.5"), "L", staged=False),
        Ingredient("CASE-12", "PACKER1", Decimal(1), "PC", bottles=12),
    ),
})  # fmt: skip


@dataclass
class Totals:
    """Bottles since the order began, by machine; what was confirmed of them is kept beside."""

    counts: dict[str, Count] = field(default_factory=dict)

    @property
    def good(self) -> int:
        """Bottles that were packed."""
        return self.counts["PACKER1"].processed if self.counts else 0

    @property
    def scrap(self) -> int:
        """Bottles that any machine rejected."""
        return sum(count.defective for count in self.counts.values())

    def used(self, ingredient: Ingredient) -> Decimal:
        """How much of an ingredient is used up."""
        count = self.counts.get(ingredient.machine)
        return ingredient.used(count.processed) if count else Decimal()


@dataclass
class Order:
    """An order and everything the MES knows about it."""

    number: str
    article: str
    qty: Decimal
    step: str = "0010"
    phase: str = "RELEASED"
    job_rev: int = 0
    job_start: datetime | None = None
    totals: Totals = field(default_factory=Totals)
    confirmed: Totals = field(default_factory=Totals)
    confirmed_at: datetime | None = None
    movements: dict[str, list[Note]] = field(default_factory=dict)
    stops: list[Stop] = field(default_factory=list)
    requests: dict[str, Note] = field(default_factory=dict)
    results: dict[str, Note] = field(default_factory=dict)
    decision: str | None = None

    @property
    def job(self) -> str:
        """The number of its job on the line."""
        return f"{self.number}-J1"

    @property
    def lot(self) -> str:
        """The lot it makes."""
        return f"{self.number}-L1"

    def staged(self, article: str) -> Decimal:
        """How much of an article has come to the line for it."""
        items = (item for items in self.movements.values() for item in items)
        return sum((Decimal(item["qty"]) for item in items if item["article"] == article), Decimal())

    @property
    def is_staged(self) -> bool:
        """True when the line has all packaging material for it."""
        needed = (part for part in RECIPES[self.article] if part.staged)
        return all(self.staged(part.article) >= part.used(int(self.qty)) for part in needed)


@dataclass
class Stop:
    """One stop of one machine."""

    number: str
    equipment: str
    start: datetime
    end: datetime | None = None
    reason: tuple[str, str, str] | None = None


def envelope(number: str) -> Note:
    """What every note begins with."""
    return {"msgId": number, "ts": now()}


def now() -> datetime:
    """The plant's time to the millisecond, with its offset."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000).astimezone(ZONE)


def equipment_list() -> Note:
    """All equipment in one note."""
    units = [
        {"code": code, "name": name, "level": level, **({"parent": parent} if parent else {})}
        for code, name, level, parent in EQUIPMENT
    ]
    return envelope("EQ-1") | {"units": units}


def job(order: Order, status: str) -> Note:
    """The order's job, as revision `job_rev`."""
    parts = [
        {"article": part.article, "qty": part.used(int(order.qty)), "uom": part.uom} for part in RECIPES[order.article]
    ]
    return envelope(f"{order.job}/{order.job_rev}") | {
        "jobNo": order.job, "rev": order.job_rev, "orderNo": order.number, "status": status, "workCenter": LINE,
        "article": order.article, "qty": order.qty, "uom": "PC", "step": order.step, "parts": parts,
    }  # fmt: skip


def job_report(order: Order, end: datetime) -> Note:
    """What became of the job, with its totals."""
    number = f"{order.job}-R1"
    return envelope(number) | {
        "reportNo": number, "jobNo": order.job, "orderNo": order.number, "status": "DONE", "workCenter": LINE,
        "article": order.article, "good": order.totals.good, "scrap": order.totals.scrap, "uom": "PC",
        "startAt": order.job_start, "endAt": end,
    }  # fmt: skip


def confirmation(order: Order, number: str, at: datetime, *, final: bool) -> Note:
    """What was made since the confirmation before."""
    scrap = order.totals.scrap - order.confirmed.scrap
    note = envelope(number) | {
        "confirmationNo": number, "orderNo": order.number, "jobNo": order.job, "step": order.step, "final": final,
        "workCenter": LINE, "article": order.article, "lot": order.lot,
        "good": order.totals.good - order.confirmed.good, "scrap": scrap, "uom": "PC",
        "startAt": order.confirmed_at or order.job_start, "endAt": at, "postingDate": at.date().isoformat(),
    }  # fmt: skip
    return note | {"scrapReason": "REJECT"} if scrap else note


def usages(order: Order, number: str, at: datetime) -> list[Note]:
    """What was used up since the confirmation before, one note per material."""
    notes = []
    for line, part in enumerate(RECIPES[order.article], 1):
        used = order.totals.used(part) - order.confirmed.used(part)
        if used:
            notes.append(
                envelope(f"{number}/{line}") | {
                    "confirmationNo": number, "line": line, "orderNo": order.number, "jobNo": order.job,
                    "step": order.step, "workCenter": LINE, "article": part.article, "qty": used, "uom": part.uom,
                    "at": at, "postingDate": at.date().isoformat(),
                }
            )  # fmt: skip
    return notes


def stop(order: Order, stop: Stop, status: str, rev: int) -> Note:
    """A stop as it is known now."""
    note = envelope(f"{stop.number}/{rev}") | {
        "stopNo": stop.number, "rev": rev, "status": status, "workCenter": stop.equipment, "orderNo": order.number,
        "jobNo": order.job, "startAt": stop.start,
    }  # fmt: skip
    if stop.end is not None:
        note["endAt"] = stop.end
    if status == "REASONED" and stop.reason is not None:
        code, text, group = stop.reason
        note["reason"] = {"code": code, "group": group, "text": text}
    return note


def repair_wish(order: Order, number: str, equipment: str, text: str) -> Note:
    """Please have a look at a machine."""
    return envelope(number) | {
        "requestNo": number, "workCenter": equipment, "text": text, "orderNo": order.number, "priority": 2,
    }  # fmt: skip


def test_wish(order: Order, number: str) -> Note:
    """Please test the order's lot."""
    return envelope(number) | {
        "requestNo": number, "orderNo": order.number, "article": order.article, "lot": order.lot,
        "qty": order.totals.good, "uom": "PC", "text": f"Finished goods of {order.number}",
    }  # fmt: skip


def state(order: Order) -> Note:
    """Everything the MES knows of an order, for who wants to look."""
    parts = RECIPES[order.article]
    return {
        "orderNo": order.number, "phase": order.phase, "lot": order.lot, "qty": order.qty,
        "good": order.confirmed.good, "scrap": order.confirmed.scrap,
        "used": {part.article: order.confirmed.used(part) for part in parts},
        "staged": {part.article: order.staged(part.article) for part in parts if part.staged},
        "stops": [
            {"no": stop.number, "equipment": stop.equipment, "closed": stop.end is not None,
             "reason": stop.reason[0] if stop.reason else None}
            for stop in order.stops
        ],
        "requests": order.requests, "results": order.results, "decision": order.decision,
    }  # fmt: skip
