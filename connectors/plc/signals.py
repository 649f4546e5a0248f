"""The signals file: which nodes of a server are which signals of which equipment, and how jobs get to the machine.

namespace: urn:acme:line1            # of steps without {…}, where no step before named one
equipment:
  CAPPER1:
    path: /Objects/Line1/Capper      # where its nodes start
    signals:
      - {signal: state, node: StateCurrent, object: equipment_state}
      - {signal: torque, node: CapTorque, object: process_value, unit: NU, deadband: 0.1}
commands:
  job_order: …                       # see Command
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from canonical.element import EquipmentId
from canonical.quantity import rec20
from connectors.connector import ConfigError
from connectors.jsonata import ExpressionError, compile  # noqa: A004 - the engine's own word
from connectors.protocols.opcua.addresses import STANDARD, Address, AddressError, address

MAX_FILE_BYTES = 4_000_000
MAX_DEPTH = 30
VariantKind = Literal[
    "Boolean", "SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float", "Double", "String",
    "DateTime",
]  # fmt: skip


class Section(BaseModel):
    """A part of the file: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Signal(Section):
    """One node of an equipment."""

    signal: str = Field(min_length=1, max_length=200, description="The signal's name on the bus.")
    node: str = Field(description="Browse path from the equipment's path, or from the root with `/`, or a node id.")
    object: Literal["equipment_state", "count", "process_value"]
    field: Literal["state", "reason", "text"] = Field(
        default="state", description="What an equipment_state says: its PackML state, its stop reason, or a text."
    )
    unit: str | None = Field(default=None, description="Rec 20 code of a process value.")
    sampling_interval_ms: float = Field(default=-1, ge=-1, description="-1 follows the publishing interval.")
    queue_size: int = Field(default=20, ge=1, le=100_000, description="Values the server keeps between two sendings.")
    deadband: float | None = Field(default=None, gt=0, description="Smallest change of a number that is told.")

    @field_validator("unit")
    @classmethod
    def _known_unit(cls, unit: str | None) -> str | None:
        return None if unit is None else rec20(unit)


class Equipment(Section):
    """An equipment's nodes; they share one subscription."""

    path: str = ""
    signals: tuple[Signal, ...] = Field(min_length=1)


class Argument(Section):
    """An input of a method: its OPC UA type and its value by JSONata over the message."""

    type: VariantKind
    value: str

    @field_validator("value")
    @classmethod
    def _compiles(cls, text: str) -> str:
        return _expression(text)


class Call(Section):
    """A method of an object, both by browse path or node id; the method's path goes on from the object's."""

    object: str
    method: str
    arguments: tuple[Argument, ...] = ()

    @property
    def place(self) -> str:
        """The method's node."""
        return self.method if "=" in self.method else f"{self.object.rstrip('/')}/{self.method}"


class Write(Argument):
    """A value to write into a node."""

    node: str


class Find(Section):
    """How to see whether a command took effect: call a method or read nodes, then judge by `found`.

    `found` is JSONata over the message's names and `outputs`, the method's outputs or the nodes' values.
    """

    call: Call | None = None
    read: tuple[str, ...] = ()
    found: str

    @field_validator("found")
    @classmethod
    def _compiles(cls, text: str) -> str:
        return _expression(text)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.call is None) == (not self.read):
            raise ValueError("find needs either call or read")
        return self


class Command(Section):
    """What a message of an object does on the machine: a method call, or writes one after another.

    `accepted` and `later` are JSONata like Find.found: the method's outputs that mean yes (default: always), and
    those that mean not now. Anything else is the machine's no.
    """

    call: Call | None = None
    write: tuple[Write, ...] = ()
    accepted: str | None = None
    later: str | None = None
    find: Find | None = None

    @field_validator("accepted", "later")
    @classmethod
    def _compiles(cls, text: str | None) -> str | None:
        return None if text is None else _expression(text)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.call is None) == (not self.write):
            raise ValueError("a command needs either call or write")
        return self

    def places(self) -> list[str]:
        """Every node it touches."""
        find = self.find
        calls = [call for call in (self.call, find.call if find else None) if call is not None]
        return [
            *(place for call in calls for place in (call.object, call.place)),
            *(write.node for write in self.write),
            *(find.read if find else ()),
        ]


class Signals(Section):
    """The whole file."""

    namespace: str = STANDARD
    equipment: dict[EquipmentId, Equipment] = Field(min_length=1)
    commands: dict[str, Command] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _addresses(self) -> Self:
        """Every address can be read, and no two signals of an equipment share a name."""
        for name, equipment in self.equipment.items():
            names = [signal.signal for signal in equipment.signals]
            if twice := {text for text in names if names.count(text) > 1}:
                raise ValueError(f"{name} has the signal {sorted(twice)[0]} twice")
            for signal in equipment.signals:
                self.place(signal.node, equipment.path)
        for place in (place for command in self.commands.values() for place in command.places()):
            self.place(place)
        return self

    def place(self, text: str, start: str = "") -> Address:
        """A node's address. Raises ValueError when the text is none."""
        try:
            return address(text, start, self.namespace)
        except AddressError as error:
            raise ValueError(str(error)) from None


def load(path: Path) -> Signals:
    """Read a signals file. Raises ConfigError naming file, place and what is wrong."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}", "signals") from None
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(f"{path} has {len(raw)} bytes, over {MAX_FILE_BYTES}", "signals")
    try:
        _check_shape(path, raw)
        return Signals.model_validate(yaml.load(raw, Loader=_Texts))  # noqa: S506 - it makes texts, lists and maps only
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise ConfigError(f"{place}: {error.problem}", "signals") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {error}", "signals") from None
    except ValidationError as error:
        raise ConfigError("; ".join(f"{path}: {_sentence(detail)}" for detail in error.errors()), "signals") from None


def _check_shape(path: Path, raw: bytes) -> None:
    """Refuse what could grow or nest without end, before anything is made of it. Raises ConfigError, YAMLError."""
    depth = 0
    for event in yaml.parse(raw, Loader=yaml.CBaseLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(f"{path} uses YAML aliases (*name): write the value itself", "signals")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise ConfigError(f"{path}:{line}: nested deeper than {MAX_DEPTH} levels", "signals")


def _sentence(detail: Any) -> str:
    place = ".".join(str(step) for step in detail["loc"])
    return f"{place}: {detail['msg'].removeprefix('Value error, ')}" if place else detail["msg"]


def _expression(text: str) -> str:
    try:
        compile(text)
    except ExpressionError as error:
        raise ValueError(str(error)) from None
    return text


class _Texts(yaml.CBaseLoader):
    """Every scalar is a text (`no` and 1.10 stay what they are), a key given twice is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for index, key in enumerate(keys):
            if key in keys[:index]:
                mark = node.value[index][0].start_mark
                raise yaml.constructor.ConstructorError(None, None, f"the key '{key}' is given twice", mark)
        return super().construct_mapping(node, deep)
