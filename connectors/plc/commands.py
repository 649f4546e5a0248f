"""What a message makes a machine do: a method call or writes, and looking whether it was done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from connectors.connector import (
    Absent,
    ConnectorError,
    MappingError,
    OutcomeUnknown,
    Receipt,
    Rejected,
    Rendered,
    RetryableError,
)
from connectors.exchange import calling
from connectors.plc.mapping import judge, variants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncua import ua

    from canonical.message import Message
    from connectors.plc.signals import Call, Command, Signals, Write
    from connectors.protocols.opcua.session import Session


JSON = "application/json"


class Machine:
    """Carries out the commands of a signals file over one session; knows the node ids it looked up there."""

    def __init__(self, session: Session, signals: Signals) -> None:
        self._session, self._signals = session, signals
        self._nodes: dict[str, ua.NodeId] = {}
        self.missing: dict[str, str] = {}
        """Commands' nodes that the server doesn't have: place → why."""

    async def prepare(self) -> None:
        """Look up every node of every command; what isn't there is in `missing`. Raises NotConnected."""
        places = list(dict.fromkeys(place for command in self._signals.commands.values() for place in command.places()))
        found = await self._session.nodes([self._signals.place(place) for place in places])
        for place, node in zip(places, found, strict=True):
            if isinstance(node, str):
                self.missing[place] = node
            else:
                self._nodes[place] = node

    async def do(self, message: Message) -> Receipt:
        """Carry out the message's command. Raises a ConnectorError."""
        command = _command(self._signals, message)
        if command.call is None:
            await self._write(command.write, message)
            return Receipt()
        outputs = await self._call(command.call, message)
        if command.accepted is None or judge(command.accepted, message, outputs):
            return Receipt()
        answer = f"{command.call.method} for {message.object} {message.key} answered {outputs}"
        if command.later is not None and judge(command.later, message, outputs):
            raise RetryableError(f"{answer}: not now")
        raise Rejected(f"{answer}, which isn't `{command.accepted}`")

    async def find(self, message: Message) -> Receipt | Absent:
        """Look whether it was carried out. Raises OutcomeUnknown where the file doesn't say how to look."""
        find = _command(self._signals, message).find
        if find is None:
            raise OutcomeUnknown(f"the signals file has no `find` for {message.object}")
        try:
            outputs = await (self._call(find.call, message) if find.call else self._read(find.read, message))
        except OutcomeUnknown as error:
            raise OutcomeUnknown(f"looking for {message.object} {message.key}: {error}") from None
        return Receipt() if judge(find.found, message, outputs) else Absent()

    async def _call(self, call: Call, message: Message) -> list[Any]:
        arguments = variants(call.arguments, message)
        parent, method = self._found((call.object, call.place))
        with calling(f"call {call.place}", _json([argument.Value for argument in arguments])) as noted:
            outputs = await self._session.call(parent, method, arguments, f"{call.method} for {message.key}")
            noted.answered(_json(outputs), status="Good", media_type=JSON)
        return outputs

    async def _write(self, writes: Sequence[Write], message: Message) -> None:
        """Write one after another; after the first a failure leaves the machine half told, so it isn't harmless."""
        values = variants(writes, message)
        nodes = self._found([write.node for write in writes])
        for number, (write, node, value) in enumerate(zip(writes, nodes, values, strict=True)):
            try:
                with calling(f"write {write.node}", _json(value.Value)) as noted:
                    await self._session.write(node, value, f"writing {write.node} for {message.key}")
                    noted.answered(None, status="Good")
            except ConnectorError as error:
                if number:
                    raise OutcomeUnknown(f"{number} of {len(writes)} values were written, then: {error}") from None
                raise

    async def _read(self, places: Sequence[str], message: Message) -> list[Any]:
        nodes = self._found(places)
        with calling(f"read {', '.join(places)}", b"") as noted:
            values = await self._session.read(nodes, f"reading for {message.key}")
            noted.answered(_json(values), status="Good", media_type=JSON)
        return values

    def _found(self, places: Sequence[str]) -> list[ua.NodeId]:
        """Node ids of places. Raises MappingError for one that isn't there."""
        for place in places:
            if place in self.missing:
                raise MappingError(f"{place}: {self.missing[place]}")
        return [self._nodes[place] for place in places]


def rendered(signals: Signals, message: Message) -> Sequence[Rendered]:
    """As Renders.rendered: values are JSON, a method's in a list, in the order of its arguments."""
    command = _command(signals, message)
    if command.call is not None:
        values = [one.Value for one in variants(command.call.arguments, message)]
        return (Rendered(method="CALL", place=command.call.place, content=_json(values)),)
    return tuple(
        Rendered(method="WRITE", place=write.node, content=_json(value.Value))
        for write, value in zip(command.write, variants(command.write, message), strict=True)
    )


def _json(value: Any) -> bytes:
    return json.dumps(value, default=str, ensure_ascii=False).encode("utf-8", "replace")


def _command(signals: Signals, message: Message) -> Command:
    command = signals.commands.get(message.object)
    if command is None:
        raise MappingError(f"the signals file has no command for {message.object}")
    if not message.content:
        raise MappingError(f"{message.object} {message.key} has no body: the machine can't be told to forget it")
    return command
