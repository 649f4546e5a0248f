"""What the MES says, in its own words: one model per kind of message on `<prefix>/out/<object>/<verb>`.

Numbers are JSON numbers or decimal text, times ISO 8601 with offset, units the MES's own (`PC`, `L`, `KG`).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from canonical.element import Identifier, Timestamp
from canonical.isa95.resources import EquipmentLevel
from canonical.quantity import DecimalText, UnitOfMeasure


class Part(BaseModel):
    """An article and how much of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, strict=True)

    article: Identifier
    qty: DecimalText
    uom: UnitOfMeasure


class Native(BaseModel):
    """A message of the MES; `msgId` is its own number for it, `ts` when it was written."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, strict=True)

    msg_id: Identifier
    ts: Timestamp


class Job(Native):
    """A job for a work centre; a higher `rev` replaces what was said before."""

    job_no: Identifier
    rev: int = Field(ge=0)
    order_no: Identifier
    status: Literal["RELEASED", "RUNNING", "HELD", "DONE", "ABORTED", "CANCELLED"]
    work_center: Identifier
    article: Identifier
    qty: DecimalText
    uom: UnitOfMeasure
    step: Identifier | None = None
    recipe: Identifier | None = None
    priority: DecimalText | None = None
    start_at: Timestamp | None = None
    end_at: Timestamp | None = None
    parts: tuple[Part, ...] = Field(default=(), strict=False)


class JobReport(Native):
    """What became of a job."""

    report_no: Identifier
    job_no: Identifier
    order_no: Identifier
    status: Literal["RUNNING", "HELD", "DONE", "ABORTED"]
    work_center: Identifier
    article: Identifier
    good: DecimalText
    scrap: DecimalText
    uom: UnitOfMeasure
    start_at: Timestamp
    end_at: Timestamp | None = None


class Confirmation(Native):
    """A confirmation: what was made since the one before; `final` ends the order's step.

    `reverses` is the confirmation that this one undoes, whose quantities it repeats.
    """

    confirmation_no: Identifier
    reverses: Identifier | None = None
    order_no: Identifier
    job_no: Identifier | None = None
    step: Identifier | None = None
    final: bool
    work_center: Identifier
    article: Identifier
    lot: Identifier | None = None
    good: DecimalText
    scrap: DecimalText = Decimal(0)
    uom: UnitOfMeasure
    scrap_reason: Identifier | None = None
    start_at: Timestamp
    end_at: Timestamp
    posting_date: date | None = Field(default=None, strict=False)
    shift: Identifier | None = None


class Usage(Native):
    """One material that was used up, as line `line` of a confirmation; `reverses` as there."""

    confirmation_no: Identifier
    reverses: Identifier | None = None
    line: int = Field(ge=1)
    order_no: Identifier
    job_no: Identifier | None = None
    step: Identifier | None = None
    work_center: Identifier | None = None
    article: Identifier
    lot: Identifier | None = None
    qty: DecimalText
    uom: UnitOfMeasure
    at: Timestamp
    posting_date: date | None = Field(default=None, strict=False)


class StopReason(BaseModel):
    """Why it stopped: a code of the reason list and the group it belongs to."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    code: Identifier
    group: Identifier | None = None
    text: str | None = None


class Stop(Native):
    """A stop of a work centre: said when it begins, when it ends, and when its reason is known."""

    stop_no: Identifier
    rev: int = Field(ge=0)
    status: Literal["OPEN", "CLOSED", "REASONED"]
    work_center: Identifier
    order_no: Identifier | None = None
    job_no: Identifier | None = None
    start_at: Timestamp
    end_at: Timestamp | None = None
    reason: StopReason | None = None
    shift: Identifier | None = None


class Unit(BaseModel):
    """One line of the equipment list."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    code: Identifier
    name: str | None = None
    level: EquipmentLevel
    parent: Identifier | None = None


class EquipmentList(Native):
    """The equipment the MES knows."""

    units: tuple[Unit, ...] = Field(min_length=1, strict=False)


class RepairWish(Native):
    """Please have a look at a work centre."""

    request_no: Identifier
    work_center: Identifier
    text: str
    order_no: Identifier | None = None
    priority: DecimalText | None = None


class TestWish(Native):
    """Please test a lot."""

    __test__ = False

    request_no: Identifier
    order_no: Identifier
    article: Identifier
    lot: Identifier
    qty: DecimalText
    uom: UnitOfMeasure
    text: str | None = None


class Reply(BaseModel):
    """The MES's answer to what it was sent, or to the question what became of it."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, strict=True)

    msg_id: Identifier
    status: Literal["ACCEPTED", "REJECTED", "RETRY", "UNKNOWN"]
    doc_no: Identifier | None = None
    reason: str | None = None
