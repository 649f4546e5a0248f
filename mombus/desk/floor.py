"""The shop floor as it stands on the bus: KPIs, stops, shifts, and where lots come from and went."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from mombus.desk.question import Asked, Question


class Span(Asked):
    """A stretch of time, and the equipment that is looked at."""

    since: str | None = Field(
        default=None, max_length=40,
        description="From then on: a time of the plant unless it has an offset, or 8h for so long ago. Default: a day.",
    )  # fmt: skip
    until: str | None = Field(default=None, max_length=40, description="Before then. Default: now.")
    shift: str | None = Field(
        default=None, max_length=140, description="A shift of the plant's calendar by its id, in place of both."
    )
    equipment: str | None = Field(
        default=None, max_length=250, description="Only this piece of equipment, and what is below it."
    )


class Stops(Span):
    """Which stops are looked at."""

    reason: str | None = Field(default=None, max_length=250, description="Only of this reason, as the bars name it.")
    category: str | None = Field(default=None, max_length=250, description="Only of this category of reasons.")
    kind: Literal["planned", "unplanned", "outside shifts", "not said"] | None = Field(
        default=None, description="Only those that were planned, or weren't, or of which that isn't known."
    )
    short: str = Field(
        default="5m", max_length=20, description="What lasted less is a short stop. No standard says how long that is."
    )
    size: Literal["short", "long"] | None = Field(default=None, description="Only short stops, or only the others.")


class KpiAsked(Asked):
    """Which KPI is opened."""

    id: str = Field(min_length=1, max_length=200, description="The id of a message that states it.")


class Lot(Asked):
    """A lot whose origin and use is looked for."""

    lot: str = Field(min_length=1, max_length=250, description="The lot's id.")
    depth: int = Field(default=4, ge=1, le=10, description="So many steps of work in each direction.")


class Shift(BaseModel):
    """A shift of the calendar."""

    id: str
    name: str
    start: datetime
    end: datetime


class Period(BaseModel):
    """The time that an answer is about."""

    at: datetime
    since: datetime
    until: datetime
    shift: Shift | None
    shifts: list[Shift] = Field(description="Shifts around that time, to choose from; none: no calendar is declared.")
    partial: bool = Field(description="There is more than is counted here: the newest are. Choose less time.")


class Stop(BaseModel):
    """A downtime, as far as it lies in the period."""

    id: str
    message_id: str
    seq: int
    equipment: str
    start: datetime = Field(description="When it began, which may be before the period.")
    end: datetime | None = Field(description="Null: it is open.")
    seconds: float = Field(description="How long it lasted in the period, until now.")
    open: bool
    reason: str | None
    reason_name: str | None = Field(description="As the bars name it: by the reason list, else as it was said.")
    category: str | None
    order: str | None
    kind: str = Field(description="planned, unplanned, outside shifts, or not said.")
    short: bool = Field(description="It lasted less than what counts as a short stop.")


class ShortStops(BaseModel):
    """Short stops of one piece of equipment for one reason."""

    equipment: str
    reason: str
    count: int
    seconds: float
    longest_s: float


class Bar(BaseModel):
    """Stops of one reason, or of one piece of equipment."""

    name: str
    count: int
    open: int
    seconds: float
    share: float | None = Field(description="Percent of all the downtime that is counted; null: there is none.")
    cumulated: float | None = Field(description="Percent of this bar and those before it.")


class Downtimes(BaseModel):
    """What stood still, why and for how long."""

    period: Period
    count: int
    open: int
    seconds: float
    overlap_s: float = Field(
        description="So much of it is counted more than once: stops of one piece of equipment that overlap."
    )
    by_reason: list[Bar]
    by_category: list[Bar]
    by_equipment: list[Bar]
    by_kind: list[Bar] = Field(description="Whether they were planned, as far as somebody said so.")
    more_bars: dict[str, int] = Field(
        description="How many shorter bars by reason, category or equipment aren't told; their stops are in the sums."
    )
    short_s: float = Field(description="What lasted less is a short stop, in seconds.")
    short_stops: list[ShortStops] = Field(description="They are in all sums as well; the 100 that come to most.")
    stops: list[Stop] = Field(description="The longest first, 500 at most: `count` says how many there are.")
    reversed: int = Field(description="Stops of that time that were taken back: they aren't counted.")


class Stretch(BaseModel):
    """Something that went on at a piece of equipment."""

    what: Literal["stop", "work"]
    name: str
    start: datetime
    end: datetime | None
    open: bool
    message_id: str
    seq: int
    kind: str | None = Field(description="Of a stop: planned, unplanned, outside shifts, or not said.")


class Lane(BaseModel):
    """One piece of equipment."""

    equipment: str
    stretches: list[Stretch]
    stopped_s: float = Field(description="For how long it stood in the period: once, where stops overlap.")


class ShiftPlan(BaseModel):
    """What went on at each piece of equipment."""

    period: Period
    lanes: list[Lane]


class KpiRow(BaseModel):
    """One value of one indicator of ISO 22400-2, as somebody stated it."""

    id: str
    formula_version: str
    equipment: str
    start: datetime
    end: datetime
    value: str | None = Field(description="Null: not defined, `findings` says why.")
    unit: str | None
    status: str
    findings: list[str]
    source: str
    message_id: str
    seq: int
    revision: int | None


class Kpis(BaseModel):
    """KPIs on the bus."""

    period: Period
    rows: list[KpiRow] = Field(description="The newest revision of each, the newest period first, 500 at most.")


class Events(BaseModel):
    """Messages of a KPI's period and equipment: what somebody said of it."""

    object: str
    count: int
    seconds: float | None = Field(description="Of stops: how long they lasted in the period.")
    late: int = Field(description="Noted after the value was stated: it can't know of them.")


class Doubt(BaseModel):
    """Something that the value may not know."""

    count: int
    text: str


class KpiDetail(BaseModel):
    """A KPI with what it stands on, as far as that is on the bus."""

    row: KpiRow
    earlier: list[KpiRow] = Field(description="What was said of it before, the newest first.")
    since: KpiRow | None = Field(description="What was said of it last, after this; null: this is the newest.")
    equipment: list[str] = Field(description="It and what is below it: their events are counted.")
    events: list[Events]
    stops: list[Bar] = Field(description="Stops by whether they were planned.")
    doubts: list[Doubt] = Field(description="What may make it untrue; empty: nothing is known.")
    partial: bool = Field(description="There is more than is counted here.")


class LotNode(BaseModel):
    """A lot."""

    id: str
    material: str | None
    depth: int = Field(description="0: the one asked for; below: what it is made of; above: what was made of it.")
    more: bool = Field(description="There may be more beyond it, which isn't shown.")


class Link(BaseModel):
    """A lot went into a piece of work, or came out of it."""

    work: str = Field(description="An order, or a lot transformation.")
    lot: str
    direction: Literal["consumed", "produced"]
    quantity: str | None = Field(description="Added up, with its unit; null: not said.")
    message_ids: list[str]


class Unnamed(BaseModel):
    """Material that a piece of work used or made, of which no lot is named."""

    work: str
    material: str | None
    direction: Literal["consumed", "produced"]
    quantity: str | None
    message_ids: list[str]


class Genealogy(BaseModel):
    """Where a lot comes from and where it went."""

    lot: str
    lots: list[LotNode]
    links: list[Link]
    without_lot: list[Unnamed] = Field(description="What can't be followed: the same work's material without a lot.")
    partial: bool = Field(description="The graph is larger than what is shown.")


DOWNTIMES = Question("floor_downtimes", Stops)
KPI = Question("floor_kpi", KpiAsked)
SHIFT = Question("floor_shift", Span)
KPIS = Question("floor_kpis", Span)
GENEALOGY = Question("floor_genealogy", Lot)
