"""From OPC UA readings to canonical signals, batched per equipment; from messages to what a machine is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError

from canonical.isa95.signals import (
    Count,
    CountReading,
    EquipmentState,
    PackMLState,
    ProcessValue,
    StateReading,
    ValueReading,
)
from canonical.message import Message, Origin, message_id
from connectors.connector import Fault, Gap, MappingError
from connectors.jsonata import ExpressionError, compile, environment  # noqa: A004 - the engine's own word
from connectors.protocols.opcua.values import UnreadableValueError, reading, variant

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from asyncua import ua

    from canonical.element import Element
    from connectors.connector import Surroundings
    from connectors.plc.signals import Argument, Signal
    from connectors.protocols.opcua.feed import Change, Loss
    from connectors.protocols.opcua.values import Reading

PACKML: tuple[str, ...] = get_args(PackMLState)
"""State words by their numbers."""
BODIES: dict[str, type[EquipmentState | Count | ProcessValue]] = {
    "equipment_state": EquipmentState, "count": Count, "process_value": ProcessValue,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Tag:
    """A signal of an equipment in one subscription."""

    equipment: str
    signal: Signal

    def __str__(self) -> str:
        return f"{self.equipment}/{self.signal.signal}"


class Batcher:
    """Makes messages of changes, one per equipment and object; what a server tells twice in a row is said once.

    It lives as long as a subscription: after that, what was said may not have been stored.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._last: dict[Tag, Reading] = {}

    def messages(self, changes: Iterable[Change], recorded: datetime) -> tuple[list[Message | Gap], list[Fault]]:
        """The messages of a batch of changes, gaps where the server says that it lost some, and what can't be said."""
        told: dict[tuple[str, str], list[Any]] = {}
        gaps: list[Message | Gap] = []
        faults: list[Fault] = []
        for change in changes:
            tag: Tag = change.tag  # type: ignore[assignment]
            try:
                said = reading(change.data, change.received)
                before = self._last.get(tag)
                if said == before:
                    continue
                entry = _entry(tag, said)
            except (UnreadableValueError, ValidationError) as error:
                faults.append(Fault(str(tag), _reason(error)))
                continue
            if said.overflow:
                gaps.append(_overflow(tag, said, before))
            self._last[tag] = said
            told.setdefault((tag.equipment, tag.signal.object), []).append(entry)
        return [*gaps, *(self._message(*where, entries, recorded) for where, entries in told.items())], faults

    def _message(self, equipment: str, object_: str, entries: list[Any], recorded: datetime) -> Message:
        entries.sort(key=lambda entry: entry.source_time)
        body: Element = BODIES[object_](equipment_id=equipment, reading=tuple(entries))
        message = Message.of(
            object_, body, source=self._surroundings.system, site=self._surroundings.site, recorded=recorded,
            occurred=entries[-1].source_time, origin=Origin.MACHINE,
        )  # fmt: skip
        # Two batches may start with the same reading; only the same content is the same message.
        digest = blake2b(message.content, digest_size=8).hexdigest()
        return replace(message, id=message_id(message.source, object_, message.verb, message.key, digest))


def gaps(losses: Sequence[Loss]) -> list[Gap]:
    """What the subscription lost, in the hub's words."""
    return [
        Gap(str(loss.tag or "signals"), since=loss.since, until=loss.until, lost=loss.lost, reason=loss.reason)
        for loss in losses
    ]


def _overflow(tag: Tag, said: Reading, before: Reading | None) -> Gap:
    return Gap(
        str(tag), since=min(before.time, said.time) if before else said.time, until=said.time, lost=1,
        equipment=tag.equipment,
        reason="the server's queue for this signal overflowed, at least this many values are gone: raise queue_size",
    )  # fmt: skip


def _entry(tag: Tag, said: Reading) -> StateReading | CountReading | ValueReading:
    if tag.signal.object == "equipment_state":
        return _state(tag, said)
    if tag.signal.object == "count":
        return _count(tag, said)
    return _process_value(tag, said)


def _facts(tag: Tag, said: Reading, flaw: str | None = None) -> dict[str, Any]:
    """What all readings have; `flaw` turns a good one bad and is noted behind its status."""
    if flaw is not None:
        status, quality = f"{said.status or 'Good'};{flaw}", "bad"
    else:
        status, quality = said.status, said.quality  # type: ignore[assignment]
    return {
        "equipment_id": tag.equipment, "signal": tag.signal.signal, "source_time": said.time,
        "quality": quality, "status": status,
    }  # fmt: skip


def _state(tag: Tag, said: Reading) -> StateReading:
    value, facts = said.value, _facts(tag, said)
    if value is None:
        return StateReading(**facts)
    text = _plain(value)
    if tag.signal.field == "reason":
        return StateReading(**facts, reason=text)
    if tag.signal.field == "text":
        return StateReading(**facts, text=text)
    word = _packml(value)
    return StateReading(**facts, state=word) if word else StateReading(**facts, text=text)  # type: ignore[arg-type]


def _packml(value: Decimal | bool | str) -> str | None:
    """The PackML word of a number 0 to 17 or of the word itself, in any case."""
    if isinstance(value, Decimal):
        return PACKML[int(value)] if value == int(value) and 0 <= value < len(PACKML) else None
    return None if isinstance(value, bool) else next((word for word in PACKML if word.lower() == value.lower()), None)


def _count(tag: Tag, said: Reading) -> CountReading:
    value = said.value
    if value is None:
        return CountReading(**_facts(tag, said))
    if not isinstance(value, Decimal) or value != value.to_integral_value() or value < 0:
        return CountReading(**_facts(tag, said, "NotACount"))
    return CountReading(**_facts(tag, said), count=int(value))


def _process_value(tag: Tag, said: Reading) -> ValueReading:
    value, facts = said.value, {**_facts(tag, said), "unit_of_measure": tag.signal.unit}
    if isinstance(value, bool):
        return ValueReading(**facts, boolean=value)
    if isinstance(value, Decimal):
        return ValueReading(**facts, value=value)
    return ValueReading(**facts, text=value)


def _plain(value: Decimal | bool | str) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _reason(error: UnreadableValueError | ValidationError) -> str:
    return "; ".join(detail["msg"] for detail in error.errors()) if isinstance(error, ValidationError) else str(error)


def variants(arguments: Sequence[Argument], message: Message) -> list[ua.Variant]:
    """The values of arguments, by JSONata over the message. Raises MappingError naming the argument."""
    names = environment(message)
    values = []
    for number, argument in enumerate(arguments, 1):
        place = f"{message.object} {message.key}: argument {number} ({argument.value})"
        try:
            values.append(variant(compile(argument.value).evaluate(names), argument.type))
        except (ExpressionError, ValueError, ArithmeticError, TypeError) as error:
            raise MappingError(f"{place}: {error}") from None
    return values


def judge(expression: str, message: Message, outputs: Sequence[Any]) -> bool:
    """Whether `expression` is true over the message's names and `outputs`. Raises MappingError."""
    try:
        return compile(expression).evaluate({**environment(message), "outputs": list(outputs)}) is True
    except ExpressionError as error:
        raise MappingError(f"{message.object} {message.key}: {error}") from None
