"""Messages the tests say."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from canonical.isa95.operations import MaterialActual, MaterialConsumption, OperationsRequest, SegmentRequirement
from canonical.isa95.resources import MaterialDefinition
from canonical.message import Message
from canonical.quantity import Quantity

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


def material(key: str = "FG-1000", text: str = "water", *, source: str = "erp", **attributes: Any) -> Message:
    body = MaterialDefinition(id=key, description=text)
    return Message.of("material", body, source=source, site="lyon", occurred=NOW, recorded=NOW, **attributes)


def order(key: str = "PO-4711", text: str = "water", *, source: str = "erp", **attributes: Any) -> Message:
    body = OperationsRequest(id=key, description=text, segment_requirement=(SegmentRequirement(id="10"),))
    return Message.of("production_order", body, source=source, site="lyon", occurred=NOW, recorded=NOW, **attributes)


async def until(look: Callable[[], Any], good: Callable[[Any], Any] = bool, timeout_s: float = 20.0) -> None:
    """Look until it is good: for what other processes do in their own time."""
    end = time.monotonic() + timeout_s
    while True:
        found = look()
        if good(await found if inspect.isawaitable(found) else found):
            return
        assert time.monotonic() < end, "it didn't happen in time"
        await asyncio.sleep(0.005)


def consumption(
    quantity: str, *, source: str = "mes", response: str = "R-1", line: str = "1", of: str = "CAP-28", **attributes: Any
) -> Message:
    actual = MaterialActual(
        id=line, material_definition_id=of, material_use="Consumed",
        quantity=Quantity(value=quantity, unit_of_measure="H87"),
    )  # fmt: skip
    body = MaterialConsumption(id=response, operations_request_id="PO-4711", material_actual=(actual,))
    return Message.of(
        "material_consumption", body, source=source, site="lyon", occurred=NOW, recorded=NOW, **attributes
    )
