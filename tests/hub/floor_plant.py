"""A line's MES around a running hub: it tells of a shift's stops, work, lots and KPIs."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hub_plant import Asker, config, wire
from patience import until

from canonical.isa95.events import Downtime, Reason
from canonical.isa95.kpi import Kpi
from canonical.isa95.operations import (
    EquipmentActual,
    LotTransformation,
    MaterialActual,
    MaterialConsumption,
    SegmentResponse,
)
from canonical.isa95.work import JobResponse, WorkCapability
from canonical.message import Message
from canonical.quantity import Quantity
from mombus.config.calendar import Shift, Shifts
from mombus.config.model import Bus
from mombus.hub.hub import open_hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from canonical.element import Element
    from mombus.hub.hub import Hub

OBJECTS = (
    "downtime", "production_response", "material_consumption", "lot_transformation", "job_response", "kpi",
    "reason_code", "capability",
)  # fmt: skip
SIX = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
SHIFTS = Shifts(
    id="LYON", valid_from=date(2026, 3, 2), valid_until=date(2026, 3, 3),
    shifts=(Shift(id="early", start=time(6), end=time(14)), Shift(id="late", start=time(14), end=time(22))),
)  # fmt: skip


def at(hours: float) -> datetime:
    """So many hours after six, UTC."""
    return SIX + timedelta(hours=hours)


def stop(
    id: str, start: float, end: float | None, why: str | None = None, *, equipment: str = "CAPPER1",
    category: str = "mechanical", text: str | None = None,
) -> Downtime:  # fmt: skip
    reason = Reason(id=why, category=category, description=text) if why else None
    return Downtime(
        id=id, equipment_id=equipment, start_time=at(start), end_time=at(end) if end is not None else None,
        state="open" if end is None else "reasoned" if why else "closed", reason=reason,
    )  # fmt: skip


def window(id: str, start: float, end: float) -> WorkCapability:
    """The capper can't work then."""
    return WorkCapability(
        id=id, equipment_id="CAPPER1", capability_type="Unattainable", start_time=at(start), end_time=at(end)
    )


def actual(lot: str | None, use: str, amount: str = "10", material: str = "FG-1000") -> MaterialActual:
    return MaterialActual(
        id="1", material_definition_id=material, material_lot_id=lot, material_use=use,
        quantity=Quantity(value=Decimal(amount), unit_of_measure="H87"),
    )  # fmt: skip


def made(id: str, order: str, lot: str, amount: str = "10") -> SegmentResponse:
    return SegmentResponse(
        id=id, operations_request_id=order, actual_start_time=at(1), actual_end_time=at(2),
        equipment_actual=(EquipmentActual(id="1", equipment_id="LINE1"),),
        material_actual=(actual(lot, "Produced", amount),),
    )  # fmt: skip


def used(id: str, order: str, lot: str | None, amount: str = "10") -> MaterialConsumption:
    return MaterialConsumption(
        id=id, operations_request_id=order, material_actual=(actual(lot, "Consumed", amount, "CAP-28"),)
    )


def repacked(id: str, before: str, after: str) -> LotTransformation:
    return LotTransformation(id=id, material_actual=(actual(before, "Consumed"), actual(after, "Produced")))


def job(id: str, start: float, end: float | None) -> JobResponse:
    return JobResponse(
        id=id, job_order_id="J-1", production_order_id="PO-1", start_time=at(start), end_time=at(end) if end else None,
        equipment_actual=(EquipmentActual(id="1", equipment_id="FILLER1"),),
    )  # fmt: skip


def kpi(value: str | None, *finding: str) -> Kpi:
    return Kpi(
        id="Availability", formula_version="1", equipment_id="LINE1", start_time=at(0), end_time=at(8),
        value=Decimal(value) if value else None, finding=finding,
    )  # fmt: skip


class FloorPlant:
    """The running hub and its MES."""

    def __init__(self, hub: Hub, mes: Asker, http: httpx.AsyncClient) -> None:
        self.hub, self.mes, self.http = hub, mes, http
        self._said = 0

    async def say(
        self, object: str, *bodies: Element, revision: int = 0, occurred: datetime = SIX, **more: Any
    ) -> None:  # fmt: skip
        """The MES says them; they are in the index once `indexed` returns."""
        for body in bodies:
            message = Message.of(
                object, body, source="mes", site="lyon", occurred=occurred, recorded=datetime.now(UTC),
                revision=revision, **more,
            )  # fmt: skip
            assert (outcome := await self.mes.say(message)).accepted, outcome.reason
            self._said += 1

    async def indexed(self) -> None:
        """Everything that was said is in the index."""

        async def behind() -> int:
            return int((await self.hub.desk.replays.survey({"object": list(OBJECTS)}))["behind"])

        await until(behind, good=lambda left: left == 0)

    async def get(self, path: str, status: int = 200, **asked: str) -> Any:
        answer = await self.http.get(f"/api/{path}", params=asked)
        assert answer.status_code == status, answer.text
        return answer.json()


@asynccontextmanager
async def floor_plant(folder: Path) -> AsyncIterator[FloorPlant]:
    """Everything, running."""
    mes = Asker()
    with pytest.MonkeyPatch.context() as patch:
        wire(patch, {"mes": mes})
        settings = config(folder, "mes", owns=dict.fromkeys(OBJECTS, "mes"), bus=Bus(folder=folder / "hub"))
        plant = settings.plant.model_copy(update={"calendar": SHIFTS.calendar(settings.plant.timezone)})
        async with (
            open_hub(settings.model_copy(update={"plant": plant})) as hub,
            httpx.AsyncClient(base_url=hub.url, trust_env=False) as http,
        ):
            yield FloorPlant(hub, mes, http)
