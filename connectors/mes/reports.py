"""From the MES's words to canonical ones: pure functions, one per kind of message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, TypeVar

from canonical.element import Element
from canonical.isa95.events import Downtime, Reason
from canonical.isa95.operations import (
    EquipmentActual,
    EquipmentRequirement,
    MaterialActual,
    MaterialConsumption,
    MaterialRequirement,
    OperationsRequest,
    ResponseState,
    SegmentData,
    SegmentRequirement,
    SegmentResponse,
)
from canonical.isa95.resources import Equipment, Property
from canonical.isa95.work import DispatchStatus, JobOrder, JobResponse
from canonical.message import Origin, Verb
from canonical.quantity import Quantity, Value
from connectors.connector import Offer
from connectors.mes.native import Confirmation, EquipmentList, Job, JobReport, Native, RepairWish, Stop, TestWish, Usage


@dataclass(frozen=True, slots=True)
class Said:
    """One thing the MES said: the canonical body and what the message around it needs."""

    body: Element
    occurred: datetime
    revision: int | None = None
    posting: date | None = None
    origin: Origin = Origin.DERIVED


N = TypeVar("N", bound=Native)

DISPATCH: Mapping[str, DispatchStatus] = MappingProxyType({
    "RELEASED": "Dispatched", "RUNNING": "Running", "HELD": "Held", "DONE": "Completed", "ABORTED": "Aborted",
    "CANCELLED": "Cancelled",
})  # fmt: skip
JOB_STATE: Mapping[str, ResponseState] = MappingProxyType({
    "RUNNING": "Running", "HELD": "Held", "DONE": "Completed", "ABORTED": "Aborted",
})  # fmt: skip
SCRAP = Property(id="disposition", value=Value(value="scrap"))


def job(said: Job) -> tuple[Said, ...]:
    """A job order: what to make on which line, with the materials for it."""
    made = MaterialRequirement(
        id="1", material_definition_id=said.article, material_use="Produced",
        quantity=Quantity(value=said.qty, unit_of_measure=said.uom),
    )  # fmt: skip
    used = tuple(
        MaterialRequirement(
            id=str(number), material_definition_id=part.article, material_use="Consumed",
            quantity=Quantity(value=part.qty, unit_of_measure=part.uom),
        )
        for number, part in enumerate(said.parts, 2)
    )  # fmt: skip
    body = JobOrder(
        id=said.job_no, version=str(said.rev), published_date=said.ts, start_time=said.start_at, end_time=said.end_at,
        work_type="Production", work_master_id=said.recipe, priority=said.priority,
        command="Start" if said.status == "RELEASED" else None, dispatch_status=DISPATCH[said.status],
        equipment_requirement=(EquipmentRequirement(id="1", equipment_id=said.work_center),),
        material_requirement=(made, *used), segment_requirement_id=said.step, production_order_id=said.order_no,
    )  # fmt: skip
    return (Said(body, said.ts, revision=said.rev),)


def job_report(said: JobReport) -> tuple[Said, ...]:
    """A job response with the job's own totals."""
    body = JobResponse(
        id=said.report_no, published_date=said.ts, start_time=said.start_at, end_time=said.end_at,
        work_type="Production", job_order_id=said.job_no, job_state=JOB_STATE[said.status],
        equipment_actual=(EquipmentActual(id="1", equipment_id=said.work_center),),
        material_actual=_outputs(said, None), production_order_id=said.order_no,
    )  # fmt: skip
    return (Said(body, said.end_at or said.ts),)


def confirmation(said: Confirmation) -> tuple[Said, ...]:
    """A production response: one output for the good ones, one with the disposition scrap."""
    body = SegmentResponse(
        id=said.confirmation_no, published_date=said.ts, actual_start_time=said.start_at, actual_end_time=said.end_at,
        operations_type="Production", operations_request_id=said.order_no, segment_requirement_id=said.step,
        job_response_id=said.job_no, segment_state="Completed" if said.final else "Running",
        segment_data=_data(Shift=said.shift, Reverses=said.reverses),
        equipment_actual=(EquipmentActual(id="1", equipment_id=said.work_center),),
        material_actual=_outputs(said, said.lot),
    )  # fmt: skip
    return (Said(body, said.end_at, posting=said.posting_date),)


def _data(**said: str | None) -> tuple[SegmentData, ...]:
    """Segment data of what was said."""
    return tuple(SegmentData(id=name, value=Value(value=text)) for name, text in said.items() if text is not None)


def _outputs(said: Confirmation | JobReport, lot: str | None) -> tuple[MaterialActual, ...]:
    good = MaterialActual(
        id="1", material_definition_id=said.article, material_lot_id=lot, material_use="Produced",
        quantity=Quantity(value=said.good, unit_of_measure=said.uom),
    )  # fmt: skip
    if not said.scrap:
        return (good,)
    reason = said.scrap_reason if isinstance(said, Confirmation) else None
    why = (Property(id="reason", value=Value(value=reason)),) if reason else ()
    scrap = MaterialActual(
        id="2", material_definition_id=said.article, material_use="Produced",
        quantity=Quantity(value=said.scrap, unit_of_measure=said.uom), material_actual_property=(SCRAP, *why),
    )  # fmt: skip
    return good, scrap


def usage(said: Usage) -> tuple[Said, ...]:
    """One consumed material, a fact of its own under its confirmation."""
    actual = MaterialActual(
        id=str(said.line), material_definition_id=said.article, material_lot_id=said.lot, material_use="Consumed",
        quantity=Quantity(value=said.qty, unit_of_measure=said.uom),
    )  # fmt: skip
    place = (EquipmentActual(id="1", equipment_id=said.work_center),) if said.work_center else ()
    body = MaterialConsumption(
        id=said.confirmation_no, published_date=said.ts, actual_end_time=said.at, operations_type="Production",
        operations_request_id=said.order_no, segment_requirement_id=said.step, job_response_id=said.job_no,
        equipment_actual=place, material_actual=(actual,), segment_data=_data(Reverses=said.reverses),
    )  # fmt: skip
    return (Said(body, said.at, posting=said.posting_date),)


def stop(said: Stop) -> tuple[Said, ...]:
    """A downtime: the revisions of one fact."""
    reason = said.reason
    body = Downtime(
        id=said.stop_no, equipment_id=said.work_center, start_time=said.start_at, end_time=said.end_at,
        state={"OPEN": "open", "CLOSED": "closed", "REASONED": "reasoned"}[said.status],  # type: ignore[arg-type]
        reason=Reason(id=reason.code, category=reason.group, description=reason.text) if reason else None,
        production_order_id=said.order_no, job_order_id=said.job_no, shift=said.shift,
    )  # fmt: skip
    return (Said(body, said.end_at or said.start_at, revision=said.rev, origin=Origin.MACHINE),)


def equipment(said: EquipmentList) -> tuple[Said, ...]:
    """One equipment per line; its parent is a property."""
    return tuple(
        Said(
            Equipment(
                id=unit.code, description=unit.name, equipment_level=unit.level,
                equipment_property=(Property(id="parent", value=Value(value=unit.parent)),) if unit.parent else (),
            ),
            said.ts,
        )
        for unit in said.units
    )  # fmt: skip


def repair_wish(said: RepairWish) -> tuple[Said, ...]:
    """A maintenance request in the MES's own number, for the maintenance system to take up."""
    body = OperationsRequest(
        id=said.request_no, description=said.text, operations_type="Maintenance", request_state="Forecast",
        priority=said.priority, production_order_id=said.order_no,
        segment_requirement=(
            SegmentRequirement(
                id="1", description=said.text, operations_type="Maintenance",
                equipment_requirement=(EquipmentRequirement(id="1", equipment_id=said.work_center),),
            ),
        ),
    )  # fmt: skip
    return (Said(body, said.ts),)


def test_wish(said: TestWish) -> tuple[Said, ...]:
    """An inspection order for a lot in the MES's own number, for the quality system to take up."""
    lot = MaterialRequirement(
        id="1", material_definition_id=said.article, material_lot_id=said.lot,
        quantity=Quantity(value=said.qty, unit_of_measure=said.uom),
    )  # fmt: skip
    body = OperationsRequest(
        id=said.request_no, description=said.text, operations_type="Quality", request_state="Released",
        production_order_id=said.order_no,
        segment_requirement=(SegmentRequirement(id="1", operations_type="Quality", material_requirement=(lot,)),),
    )  # fmt: skip
    return (Said(body, said.ts),)


@dataclass(frozen=True, slots=True)
class Reader:
    """How one kind of message is read: its model, and what it means."""

    model: type[Native]
    meaning: Callable[[Any], tuple[Said, ...]]


def _reader(model: type[N], meaning: Callable[[N], tuple[Said, ...]]) -> Reader:
    return Reader(model, meaning)


READERS: Mapping[Offer, Reader] = MappingProxyType({
    Offer("job_order"): _reader(Job, job),
    Offer("job_response"): _reader(JobReport, job_report),
    Offer("production_response"): _reader(Confirmation, confirmation),
    Offer("material_consumption"): _reader(Usage, usage),
    Offer("downtime"): _reader(Stop, stop),
    Offer("equipment"): _reader(EquipmentList, equipment),
    Offer("maintenance_request", Verb.PROCESS): _reader(RepairWish, repair_wish),
    Offer("inspection_order", Verb.PROCESS): _reader(TestWish, test_wish),
})  # fmt: skip
"""What the MES says, by object and verb of its topic."""
