"""Key performance indicators of ISO 22400-2."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from canonical.element import UNSAID, Element, EquipmentId, Identifier, Timestamp, Unless
from canonical.quantity import DecimalText


class Kpi(Element):
    """One value of one indicator for one scope and period; none where it is not defined (PBT = 0)."""

    id: Identifier
    formula_version: Identifier
    equipment_id: EquipmentId
    start_time: Timestamp
    end_time: Timestamp
    value: DecimalText | None = None
    unit_of_measure: str | None = None
    status: Annotated[Literal["provisional", "signed off"], Unless("provisional")] = UNSAID
    finding: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Kpi:
        if self.end_time < self.start_time:
            raise ValueError("end_time is before start_time")
        return self
