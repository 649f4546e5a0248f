"""From a DataValue to a reading: what was read, how good it is, when it was so."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from asyncua import ua
from asyncua.ua.status_codes import get_name_and_doc

from canonical.element import EARLIEST, LATEST

MAX_ELEMENTS = 1_000
"""Arrays and texts longer than this are no signal: the reading is a fault."""
MAX_TEXT = 10_000
_CODE = 0xFFFF0000
_OVERFLOW = 0x480
"""InfoType DataValue with the Overflow bit (OPC 10000-4, 7.39)."""

Scalar = Decimal | bool | str | None


class UnreadableValueError(ValueError):
    """A value that can't be a reading."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one node. `status` is OPC UA's word, with what had to be put right after a semicolon."""

    value: Scalar
    quality: str
    status: str | None
    time: datetime
    overflow: bool = False


def reading(data: ua.DataValue, received: datetime) -> Reading:
    """Read a DataValue that came at `received`. Raises UnreadableValueError for arrays too long and structures."""
    code = int(data.StatusCode.value) if data.StatusCode is not None else 0
    quality = ("good", "uncertain", "bad", "bad")[code >> 30]
    notes = [] if quality == "good" else [get_name_and_doc(code & _CODE)[0]]
    time, clock = _time(data, received)
    value, flaw = _value(data.Value)
    if flaw is not None:
        quality, value = "bad", None
    status = ";".join([*(notes or (["Good"] if clock or flaw else [])), *filter(None, (clock, flaw))]) or None
    return Reading(None if quality == "bad" else value, quality, status, time, code & _OVERFLOW == _OVERFLOW)


def _time(data: ua.DataValue, received: datetime) -> tuple[datetime, str | None]:
    """The source's time, else the server's, else ours; 1601, 9999 and naive times are none."""
    if _real(data.SourceTimestamp):
        return data.SourceTimestamp, None
    if _real(data.ServerTimestamp):
        return data.ServerTimestamp, "ServerTime"
    return received, "ReceiveTime"


def _real(time: datetime | None) -> bool:
    return time is not None and time.tzinfo is not None and EARLIEST <= time < LATEST


def _value(variant: ua.Variant | None) -> tuple[Scalar, str | None]:
    """The value as a decimal, boolean or text, and what is wrong with it, if anything is."""
    raw = None if variant is None else variant.Value
    if isinstance(raw, list | tuple):
        return _array(raw), None
    if raw is None or isinstance(raw, bool | str):
        return _short(raw), None
    if isinstance(raw, int):
        return Decimal(int(raw)), None
    if isinstance(raw, float):
        if not math.isfinite(raw):
            return None, "NotANumber"
        single = variant is not None and variant.VariantType is ua.VariantType.Float
        number = Decimal(_single(raw) if single else repr(raw))
        return (number, None) if abs(number.adjusted()) <= 40 or not number else (None, "OutOfRange")
    return _short(_text(raw)), None


def _single(raw: float) -> str:
    """The shortest text that is this 32-bit float: 0.1, not 0.10000000149011612."""
    for digits in (6, 7, 8):
        text = f"{raw:.{digits}g}"
        if struct.unpack("f", struct.pack("f", float(text)))[0] == raw:
            return text
    return f"{raw:.9g}"


def _array(raw: list[Any] | tuple[Any, ...]) -> str:
    if len(raw) > MAX_ELEMENTS:
        raise UnreadableValueError(f"an array of {len(raw)} elements, over {MAX_ELEMENTS}: subscribe to what matters")
    return str(_short(json.dumps(raw, default=_text)))


def _text(raw: Any) -> str:
    if isinstance(raw, datetime):
        return (raw if raw.tzinfo else raw.replace(tzinfo=UTC)).isoformat()
    if isinstance(raw, bytes):
        return raw[: MAX_TEXT + 1].hex()
    if isinstance(raw, ua.LocalizedText):
        return raw.Text or ""
    if isinstance(raw, ua.uatypes.UaUnion) or hasattr(raw, "__dataclass_fields__"):
        return raw.to_string() if isinstance(raw, ua.NodeId) else str(raw)
    return str(raw)


def _short(text: Any) -> Any:
    if isinstance(text, str) and len(text) > MAX_TEXT:
        raise UnreadableValueError(f"a text of {len(text)} characters, over {MAX_TEXT}")
    return text


def variant(value: Any, kind: str) -> ua.Variant:
    """A value as exactly the given OPC UA type. Raises ValueError saying what doesn't fit."""
    type_ = ua.VariantType[kind]
    if kind == "Boolean":
        if not isinstance(value, bool):
            raise ValueError(f"{value!r} is no Boolean")
        return ua.Variant(value, type_)
    if kind == "String":
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is no text; use $string(…)")
        return ua.Variant(value, type_)
    if kind == "DateTime":
        return ua.Variant(datetime.fromisoformat(value), type_)
    return ua.Variant(_number(value, kind), type_)


def data(value: Any, kind: str | None, status: str, at: datetime | None) -> ua.DataValue:
    """What a server says of a node: a value of a type, or of that which suits it, its status and its source's time.

    Raises ValueError for a value that isn't of that type.
    """
    code = ua.StatusCode(getattr(ua.StatusCodes, status))
    return ua.DataValue(Value=_typed(value, kind), StatusCode=code, SourceTimestamp=at)


def _typed(value: Any, kind: str | None) -> ua.Variant:
    if value is None:
        return ua.Variant(None, ua.VariantType.Null)
    if isinstance(value, list):
        elements = [_typed(one, kind) for one in value]
        kinds = {one.VariantType for one in elements} or {ua.VariantType[kind or "String"]}
        if len(kinds) > 1:
            raise ValueError("an array's elements are of one type")
        return ua.Variant([one.Value for one in elements], kinds.pop(), is_array=True)
    return variant(value, kind or _suits(value))


def _suits(value: Any) -> str:
    for type_, kind in ((bool, "Boolean"), (int, "Int64"), (float | Decimal, "Double"), (str, "String")):
        if isinstance(value, type_):
            return kind
    raise ValueError(f"{value!r} is no value of a node")


_RANGES = {
    "SByte": (-(2**7), 2**7 - 1), "Byte": (0, 2**8 - 1), "Int16": (-(2**15), 2**15 - 1), "UInt16": (0, 2**16 - 1),
    "Int32": (-(2**31), 2**31 - 1), "UInt32": (0, 2**32 - 1), "Int64": (-(2**63), 2**63 - 1), "UInt64": (0, 2**64 - 1),
}  # fmt: skip


def _number(value: Any, kind: str) -> int | float:
    if isinstance(value, bool) or value is None:
        raise ValueError(f"{value!r} is no number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is no number") from None
    if kind in {"Float", "Double"}:
        return float(number)
    low, high = _RANGES[kind]
    if number != number.to_integral_value() or not low <= number <= high:
        raise ValueError(f"{value} doesn't fit {kind} ({low} to {high})")
    return int(number)
