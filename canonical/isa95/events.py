"""Events: operations events of IEC 62264-2, downtimes, alarms and reason codes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from canonical.element import (
    UNSAID,
    AssetId,
    Element,
    EquipmentId,
    Identifier,
    JobOrderId,
    LotId,
    OrderId,
    ReasonId,
    Timestamp,
    Unless,
)
from canonical.isa95.operations import OperationsType, in_order
from canonical.isa95.resources import HierarchyScope
from canonical.quantity import DecimalText

EventLevel = Literal["Level 2", "Level 3", "Level 4", "Other"]


class ReasonCode(Element):
    """Why something happens: an entry of the site's reason list (OperationsEventDefinitionType)."""

    id: Identifier
    version: Identifier | None = None
    description: str | None = None
    category: Identifier | None = None
    parent_id: Identifier | None = None
    planned: Annotated[bool, Unless(False)] = UNSAID


class OperationsEvent(Element):
    """Something that happened and somebody should know (OperationsEventType)."""

    id: Identifier
    description: str | None = None
    version: Identifier | None = None
    hierarchy_scope: HierarchyScope | None = None
    effective_time_stamp: Timestamp | None = None
    record_time_stamp: Timestamp | None = None
    priority: DecimalText | None = None
    operations_event_type: Literal["Event", "Alert", "Alarm", "Other"] | None = None
    operations_event_level: EventLevel | None = None
    operations_type: OperationsType | None = None
    category: Identifier | None = None
    acknowledgement: Identifier | None = None
    source: Identifier | None = None
    operations_definition_id: Identifier | None = None


class Deviation(OperationsEvent):
    """Something is not as specified (OperationsEvent, Quality)."""

    material_lot_id: LotId | None = None
    production_order_id: OrderId | None = None


class MaintenanceEvent(OperationsEvent):
    """Something happened to an asset (OperationsEvent, Maintenance)."""

    physical_asset_id: AssetId | None = None
    equipment_id: EquipmentId | None = None


class Alarm(OperationsEvent):
    """A condition of equipment that wants attention (OperationsEvent Alarm, Level 2)."""

    equipment_id: EquipmentId
    condition: Identifier
    occurrence: Identifier
    active: Annotated[bool, Unless(True)] = UNSAID


class Reason(Element):
    """The reason given for a stop: an entry of the reason list, with what a person added."""

    id: ReasonId
    category: Identifier | None = None
    description: str | None = None


class Downtime(Element):
    """A stop of equipment: opened, closed and reasoned by revisions of one fact.

    B2MML: OperationsEvent of category Downtime, whose OperationsEventRecord has the times and a JobResponse with
    order, equipment and reason. `id` stays what it was at the first stored stop when the start is corrected.
    """

    id: Identifier
    equipment_id: EquipmentId
    start_time: Timestamp
    end_time: Timestamp | None = None
    state: Annotated[Literal["open", "closed", "reasoned"], Unless("open")] = UNSAID
    reason: Reason | None = None
    description: str | None = None
    production_order_id: OrderId | None = None
    job_order_id: JobOrderId | None = None
    process_segment_id: Identifier | None = None
    shift: Identifier | None = None

    @model_validator(mode="after")
    def _whole(self) -> Downtime:
        in_order(self.start_time, self.end_time, "start_time/end_time")
        if self.state == "closed" and self.end_time is None:
            raise ValueError("a closed downtime has an end_time")
        if self.state == "reasoned" and self.reason is None:
            raise ValueError("a reasoned downtime has a reason")
        return self
