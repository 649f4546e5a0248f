"""Values of signals written down as JSON, as the server would tell them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from asyncua import ua
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from canonical.element import Timestamp
from connectors.connector import Fault
from connectors.plc.mapping import Tag
from connectors.protocols.opcua.feed import Change
from connectors.strict_json import StrictJsonError, read_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connectors.plc.signals import Signals

MOST_BYTES = 4_000_000


class Told(BaseModel):
    """One value: its source time, now without one, and its status by OPC UA's name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: Any = None
    at: Timestamp | None = None
    status: str = "Good"

    @field_validator("status")
    @classmethod
    def _is_known(cls, status: str) -> str:
        if not hasattr(ua.StatusCodes, status):
            raise ValueError(f"'{status}' is no status code of OPC UA")
        return status


def changes(signals: Signals, content: bytes, received: datetime) -> tuple[list[Change], list[Fault]]:
    """The changes that values are, by `equipment/signal`, and what of them is no signal of the file."""
    tags = {
        f"{name}/{signal.signal}": Tag(name, signal)
        for name, equipment in signals.equipment.items()
        for signal in equipment.signals
    }
    found: list[Change] = []
    faults: list[Fault] = []
    try:
        values = read_object(content, MOST_BYTES)
    except StrictJsonError as error:
        return [], [Fault("values", str(error), content)]
    for place, said in values.items():
        if place not in tags:
            faults.append(Fault(place, f"the signals file has no such signal{_meant(place, tags)}"))
            continue
        try:
            found.append(Change(tags[place], _data(said, received), received))
        except ValidationError as error:
            faults.append(Fault(place, f"it is no value: {error.errors(include_url=False)[0]['msg']}"))
    return found, faults


def _meant(place: str, known: Iterable[str]) -> str:
    close = get_close_matches(place, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _data(said: Any, received: datetime) -> ua.DataValue:
    told = Told.model_validate(said if isinstance(said, dict) else {"value": said})
    value = float(told.value) if isinstance(told.value, Decimal) else told.value
    code = ua.StatusCode(getattr(ua.StatusCodes, told.status))
    return ua.DataValue(Value=ua.Variant(value), StatusCode=code, SourceTimestamp=told.at or received)
