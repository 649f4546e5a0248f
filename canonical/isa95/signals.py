"""Level 2 signals, by source time: what a machine says before anybody knows what it means."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from canonical.element import UNSAID, Element, EquipmentId, Identifier, Timestamp, Unless
from canonical.quantity import DecimalText

PackMLState = Literal[
    "Undefined", "Clearing", "Stopped", "Starting", "Idle", "Suspended", "Execute", "Stopping", "Aborting",
    "Aborted", "Holding", "Held", "Unholding", "Suspending", "Unsuspending", "Resetting", "Completing", "Complete",
]  # fmt: skip
"""ANSI/ISA-TR88.00.02 unit states in the order of their numbers 0 to 17."""

Quality = Literal["good", "uncertain", "bad"]


class Signal(Element):
    """One reading: which signal of which equipment, when by the source's clock, how good.

    `status` is the wire's own word for the quality, such as an OPC UA status code name.
    """

    equipment_id: EquipmentId
    signal: Identifier
    source_time: Timestamp
    quality: Annotated[Quality, Unless("good")] = UNSAID
    status: str | None = None


class StateReading(Signal):
    """A machine's state, in PackML words when it has them."""

    state: PackMLState | None = None
    text: str | None = None
    reason: str | None = None


class ValueReading(Signal):
    """A process value: a number with its unit, a text, or neither when the quality is bad."""

    value: DecimalText | None = None
    text: str | None = None
    boolean: bool | None = None
    unit_of_measure: str | None = None


class CountReading(Signal):
    """A counter's reading; counters grow, wrap and reset, the reader takes differences."""

    count: int | None = Field(default=None, ge=0)


class EquipmentState(Element):
    """States of one equipment that were read together, oldest first."""

    equipment_id: EquipmentId
    reading: tuple[StateReading, ...] = Field(min_length=1)


class ProcessValue(Element):
    """Process values of one equipment that were read together, oldest first."""

    equipment_id: EquipmentId
    reading: tuple[ValueReading, ...] = Field(min_length=1)


class Count(Element):
    """Counter readings of one equipment that were read together, oldest first."""

    equipment_id: EquipmentId
    reading: tuple[CountReading, ...] = Field(min_length=1)
