"""A machine that is played over OPC UA: it says what nodes are given, and answers what its commands ask."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from asyncua import ua

from connectors.connector import ConnectorError, NotConnected
from connectors.protocols.opcua.values import data
from mombus.delivery.breaking import break_off
from mombus.hub.trial.machine import NOTHING, Nodes
from mombus.hub.trial.port import HOST, Port, leading_to
from mombus.hub.trial.saying import NotHeardError, heard, while_heard
from mombus.trial.mocks import BREAKS_OFF, NO_ANSWER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from asyncua.common.node import Node

    from connectors.connector import Item, Outcome
    from connectors.plc.signals import Call, Signals
    from connectors.protocols.opcua.addresses import Address
    from mombus.hub.trial.machine import Machine
    from mombus.hub.trial.saying import Connects, Take
    from mombus.hub.trial.script import Script
    from mombus.trial.cases import Told
    from mombus.trial.mocks import Line
    from mombus.trial.reading import Spoken

UNANSWERED = "BadUnexpectedError"
"""What is answered to what the case says nothing about: nobody takes it for the machine's yes or no."""


class OpcuaMock:
    """A machine that answers what its script says; `open` while it is there."""

    def __init__(self, script: Script, machine: Machine, signals: Signals) -> None:
        self.script = script
        self._machine, self._signals = machine, signals
        self._port = Port(leading_to(machine.port))

    @property
    def url(self) -> str:
        """Where it is, also while it refuses connections."""
        return _url(self._port)

    async def play(self, lines: Sequence[Line]) -> None:
        """From here on it answers so, or is away."""
        self.script.play(lines)
        await (self._port.leave() if self.script.is_away else self._port.open())

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Its commands have their nodes."""
        nodes = Nodes(self._machine)
        try:
            for command in self._signals.commands.values():
                find = command.find
                for call in (one for one in (command.call, find.call if find else None) if one is not None):
                    await self._has_method(nodes, call)
                for place in (*(write.node for write in command.write), *(find.read if find else ())):
                    node = await nodes.variable(self._signals.place(place), NOTHING)
                    self._machine.asked[node.nodeid] = partial(self._answer, place)
            yield
        finally:
            await self._port.close()
            self._machine.asked.clear()
            nodes.forget()

    async def _has_method(self, nodes: Nodes, call: Call) -> None:
        async def called(_parent: ua.NodeId, *_arguments: ua.Variant) -> ua.CallMethodResult:
            answer = await self._answer(call.place, "CALL")
            return ua.CallMethodResult(StatusCode=answer.StatusCode, OutputArguments=answer.Value.Value or [])

        await nodes.object(self._signals.place(call.object))
        await nodes.method(self._signals.place(call.place), called)

    async def _answer(self, place: str, method: str) -> ua.DataValue:
        line = self.script.due(method, place)
        if line is None:
            return data(None, None, UNANSWERED, None)
        if line.mock.trouble == BREAKS_OFF:
            await self._port.hang_up()
        if line.mock.trouble in {BREAKS_OFF, NO_ANSWER}:
            await asyncio.Event().wait()
        said = _said(line)
        status = str(line.mock.status or "Good")
        if method != "CALL":
            return data(said, None, status, None)
        outputs = said if isinstance(said, list) else [] if said is None else [said]
        answer = data(None, None, status, None)
        answer.Value = ua.Variant([data(one, None, "Good", None).Value for one in outputs], ua.VariantType.Variant)
        return answer

    async def say(self, spoken: Spoken, connects: Connects, take: Take) -> None:
        """As Says.say: what each node says, one after the other; the connection ends when all of it was heard."""
        told = {self._signals.place(name): said for name, said in _whole(spoken.given.nodes or {}).items()}
        reads = asyncio.Event()

        async def taken(item: Item) -> Sequence[Outcome]:
            reads.set()
            return await take(item)

        try:
            async with AsyncExitStack() as stack:
                nodes, port = Nodes(self._machine), Port(leading_to(self._machine.port))
                stack.callback(nodes.forget)
                stack.push_async_callback(port.close)
                there = {address: await self._says_first(nodes, address, said) for address, said in told.items()}
                await port.open()
                connector = connects(_url(port))
                stack.push_async_callback(connector.close)
                await connector.connect()
                hearing = asyncio.create_task(heard(connector, taken))
                stack.push_async_callback(break_off, hearing)
                await while_heard(hearing, self._machine.watched(self._signals_of(told)))
                await self._say_the_others(there, told)
                await while_heard(hearing, self._machine.tell())
                await while_heard(hearing, reads.wait())
                await port.hang_up()
                with suppress(NotConnected):
                    await hearing
        except (ConnectorError, ua.UaStatusCodeError) as error:
            raise NotHeardError(str(error)) from error

    async def _say_the_others(self, there: Mapping[Address, Node], told: Mapping[Address, Sequence[Told]]) -> None:
        for address, said in told.items():
            for one in said[1:]:
                await self._machine.say(there[address], _data(one))

    async def _says_first(self, nodes: Nodes, address: Address, said: Sequence[Told]) -> Node:
        """A node of the type of its first value, which says the first thing."""
        typed = next((one for one in said if one.value is not None), said[0])
        node = await nodes.variable(address, _data(typed).Value)
        await self._machine.say(node, _data(said[0]))
        return node

    def _signals_of(self, told: Mapping[Address, Any]) -> int:
        """How many signals are read from nodes."""
        return sum(
            self._signals.place(signal.node, equipment.path) in told
            for equipment in self._signals.equipment.values()
            for signal in equipment.signals
        )


def _whole(nodes: Mapping[str, Sequence[Told]]) -> dict[str, list[Told]]:
    """What has no time of its own is said now, in the order in which it is written; all of a node has one type."""
    times = (datetime.now(UTC) + timedelta(microseconds=at) for at in count())
    return {
        node: [
            one.model_copy(update={"at": one.at or next(times), "type": one.type or _type_of(said)}) for one in said
        ]
        for node, said in nodes.items()
    }  # fmt: skip


def _type_of(said: Sequence[Told]) -> str | None:
    """The type that a node's values are said to have; where one is a fraction all numbers are."""
    fractions = any(isinstance(one.value, float) for one in said)
    return next((one.type for one in said if one.type is not None), "Double" if fractions else None)


def _said(line: Line) -> Any:
    """What a body stands for: text is a text."""
    if not line.content:
        return None
    return json.loads(line.content) if line.content_type == "application/json" else line.content.decode()


def _data(told: Told) -> ua.DataValue:
    return data(told.value, told.type, told.status, told.at)


def _url(port: Port) -> str:
    return f"opc.tcp://{HOST}:{port.number}/"
