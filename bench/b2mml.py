"""Reading and writing B2MML, against a bare lxml parse of the same bytes.

Two documents of about 1 MB, written by the codec itself: an OperationsSchedule of orders and an OperationsPerformance
of confirmations. Each round reads, writes and parses once, in this order; the first rounds warm up, the median counts.
"""

from __future__ import annotations

import gc
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from lxml import etree

from bench.figure import Aim, Figure
from canonical.b2mml import read, write
from canonical.element import Element
from canonical.isa95.operations import (
    EquipmentRequirement,
    MaterialActual,
    MaterialRequirement,
    OperationsRequest,
    Parameter,
    SegmentRequirement,
    SegmentResponse,
)
from canonical.message import Message
from canonical.quantity import Quantity, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
SIZE = 1_000_000
WARM_UP = 2
AIM = Aim("ratio", "most", 4)
COMPONENTS = (("BOTTLE-05", "1", "H87"), ("CAP-28", "1", "H87"), ("LABEL-A", "1", "H87"), ("WATER", "0.5", "LTR"))


def run(quick: bool) -> list[Figure]:
    """Milliseconds to read and to write each document, beside those of the parse."""
    rounds = 3 if quick else 25
    return [
        figure
        for noun, message in (("OperationsSchedule", order), ("OperationsPerformance", _confirmation))
        for figure in _measured(noun, document(message), rounds)
    ]


def document(message: Callable[[int], Message], size: int = SIZE) -> bytes:
    """A document of messages numbered from 0, of about `size` bytes."""
    one = len(written([message(n) for n in range(20)])) - len(written([message(n) for n in range(10)]))
    return written([message(n) for n in range(max(1, size * 10 // one))])


def written(messages: Sequence[Message]) -> bytes:
    """The messages as one document."""
    return write(messages, created=NOW, sender="erp", bod_id="BENCH-1")


def order(number: int) -> Message:
    """A bottling order of two steps, as an ERP sends it."""
    start = NOW + timedelta(minutes=15 * number)
    end = start + timedelta(hours=2)
    made = MaterialRequirement(
        id="1", material_definition_id="FG-1000", material_use="Produced", quantity=_quantity(240, "H87"),
        material_lot_id=f"PO-{number}-L1", description="0.5 l still water, bottle",
    )  # fmt: skip
    used = tuple(
        MaterialRequirement(
            id=str(at), material_definition_id=material, material_use="Consumed", storage_location="WH1",
            quantity=_quantity(240 * Decimal(each), unit),
        )
        for at, (material, each, unit) in enumerate(COMPONENTS, 2)
    )  # fmt: skip
    steps = tuple(
        SegmentRequirement(
            id=str(10 * step), process_segment_id=name, earliest_start_time=start, latest_end_time=end,
            duration=timedelta(hours=1), segment_state="Released", material_requirement=(made, *used),
            segment_parameter=(Parameter(id="Speed", value=Value(value="400", data_type="decimal")),),
            equipment_requirement=(EquipmentRequirement(id="1", equipment_id="LINE1", equipment_use="Produce"),),
        )
        for step, name in enumerate(("FILL", "PACK"), 1)
    )  # fmt: skip
    return _message("production_order", OperationsRequest(
        id=f"PO-{number}", description=f"Order {number}", version="1", start_time=start, end_time=end,
        operations_type="Production", priority=Decimal(50), request_state="Released",
        operations_definition_id="FG-1000", segment_requirement=steps,
    ))  # fmt: skip


def _confirmation(number: int) -> Message:
    """What an order made, with scrap."""
    start = NOW + timedelta(minutes=15 * number)
    made = tuple(
        MaterialActual(
            id=str(at), material_definition_id="FG-1000", material_use="Produced", quantity=_quantity(amount, "H87"),
            material_lot_id=f"PO-{number}-L1", storage_location="WH1", description=what,
        )
        for at, (amount, what) in enumerate(((238, "good"), (2, "scrap")), 1)
    )  # fmt: skip
    return _message("production_response", SegmentResponse(
        id=f"R-{number}", operations_request_id=f"PO-{number}", process_segment_id="FILL", actual_start_time=start,
        actual_end_time=start + timedelta(hours=2), segment_state="Completed", material_actual=made,
    ))  # fmt: skip


def _quantity(amount: Decimal | int, unit: str) -> Quantity:
    return Quantity(value=Decimal(amount), unit_of_measure=unit)


def _message(object_: str, body: Element) -> Message:
    return Message.of(object_, body, source="erp", site="lyon", occurred=NOW, recorded=NOW)


def _measured(noun: str, data: bytes, rounds: int) -> list[Figure]:
    reading = partial(read, data, source="erp", site="lyon", recorded=NOW)
    said = reading()
    assert not said.faults
    messages = said.messages
    assert written(messages) == data
    bodies = [message.body for message in messages]
    plain = [body.model_dump(exclude_unset=True) for body in bodies]
    times = _medians(rounds, {
        "parse": lambda: etree.fromstring(data), "read": reading, "write": lambda: written(messages),
        "walk": lambda: _walked(etree.fromstring(data)),
        "bytes": partial(etree.tostring, etree.fromstring(data)), "validate": lambda: _validated(bodies, plain),
    })  # fmt: skip
    what = f"{len(data) / 1e6:.2f} MB, {len(messages)} messages"
    read_note = (
        f"{what}; lxml's parse is {times['parse'] / times['read']:.0%} of it, pydantic's validation "
        f"{times['validate'] / times['read']:.0%}; to parse and look at each tag and text in Python, and no more, "
        f"takes {times['walk'] / times['parse']:.1f} bare"
    )
    write_note = f"{what}; lxml's serialisation is {times['bytes'] / times['write']:.0%} of it"
    return [
        Figure(
            name=f"B2MML read, {noun}", value=times["read"], unit="ms", bare=times["parse"], aim=AIM, note=read_note
        ),
        Figure(
            name=f"B2MML write, {noun}", value=times["write"], unit="ms", bare=times["parse"], aim=AIM, note=write_note
        ),
    ]


def _walked(root: etree._Element) -> None:
    for element in root.iter():
        _ = element.tag, element.text


def _validated(bodies: Sequence[Element], plain: Sequence[dict[str, object]]) -> None:
    for body, given in zip(bodies, plain, strict=True):
        type(body).model_validate(given)


def _medians(rounds: int, works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median milliseconds of each work; rounds take turns, so that a slow moment hits all of them."""
    took: dict[str, list[float]] = {name: [] for name in works}
    for number in range(WARM_UP + rounds):
        for name, work in works.items():
            gc.collect()
            begin = time.perf_counter()
            work()
            if number >= WARM_UP:
                took[name].append((time.perf_counter() - begin) * 1000)
    return {name: median(each) for name, each in took.items()}
