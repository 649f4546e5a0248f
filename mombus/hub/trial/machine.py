"""A real OPC UA server on loopback, lent to one case after the other: starting it takes longer than a case.

What its subscriptions have to tell is held back until it is let go, so that it comes in one piece, and whether it was
heard is known. Commands are answered by who is asked for that.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from asyncua import Server, ua
from asyncua.server.internal_session import CallbackType

from connectors.protocols.opcua.addresses import STANDARD, NodeAddress
from mombus.hub.trial.port import HOST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from asyncua.common.node import Node

    from connectors.protocols.opcua.addresses import Address

    Makes: TypeAlias = Callable[[Node, ua.NodeId, ua.QualifiedName], Awaitable[Node]]

NOTHING = ua.Variant(None, ua.VariantType.Null)


class Machine:
    """The server. `asked` answers for a node: to CALL, WRITE and READ, with a status and outputs or a value."""

    def __init__(self, server: Server) -> None:
        self.asked: dict[ua.NodeId, Callable[[str], Awaitable[ua.DataValue]]] = {}
        self.server = server
        self._told: set[int] = set()
        self._watching = 0
        self._news = asyncio.Event()
        self._looked: dict[ua.NodeId, ua.DataValue] = {}
        self._subscriptions: Any = server.iserver.subscription_service
        self._attributes: Any = server.iserver.attribute_service
        self._own_create, self._own_watch = (
            self._subscriptions.create_subscription, self._subscriptions.create_monitored_items,
        )  # fmt: skip
        self._own_publish = self._subscriptions.publish
        self._own_write, self._own_read = self._attributes.write, self._attributes.read
        self._subscriptions.create_subscription = self._create
        self._subscriptions.create_monitored_items = self._watch
        self._subscriptions.publish = self._publish
        self._attributes.write, self._attributes.read = self._write, self._read

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server.bserver.port)

    async def listen(self) -> None:
        """Begin."""
        await self.server.start()
        self.server.subscribe_server_callback(CallbackType.PreRead, self._look)

    async def watched(self, count: int) -> None:
        """Return when so many values are subscribed."""
        while self._watching < count:
            self._news.clear()
            await self._news.wait()
        self._watching = 0

    async def tell(self) -> None:
        """Let go what subscriptions have to tell; return when all of it was heard."""
        subscribed = list(self._told)
        await self._subscriptions.set_publishing_mode(ua.SetPublishingModeParameters(True, subscribed))
        while self._told:
            self._news.clear()
            await self._news.wait()
        await self._subscriptions.delete_subscriptions(subscribed)

    async def say(self, node: Node, said: ua.DataValue) -> None:
        """A node says something. Raises UaStatusCodeError when it can't, such as another type than before."""
        status: ua.StatusCode = await self.server.iserver.aspace.write_attribute_value(
            node.nodeid, ua.AttributeIds.Value, said
        )
        status.check()

    async def _create(self, params: ua.CreateSubscriptionParameters, *args: Any, **more: Any) -> Any:
        return await self._own_create(replace(params, PublishingEnabled=False), *args, **more)

    async def _watch(self, params: ua.CreateMonitoredItemsParameters) -> Any:
        results = await self._own_watch(params)
        good = sum(result.StatusCode.is_good() for result in results)
        self._told |= {params.SubscriptionId} if good else set()
        self._watching += good
        self._news.set()
        return results

    def _publish(self, acknowledged: Sequence[ua.SubscriptionAcknowledgement]) -> Any:
        """A client acknowledges what it has dealt with, and asks for more."""
        self._told -= {one.SubscriptionId for one in acknowledged}
        self._news.set()
        return self._own_publish(acknowledged)

    async def _write(self, params: ua.WriteParameters, *args: Any, **more: Any) -> list[ua.StatusCode]:
        results: list[ua.StatusCode] = []
        for one in params.NodesToWrite:
            if (answer := self.asked.get(one.NodeId)) is not None:
                results.append((await answer("WRITE")).StatusCode)
            else:
                results += await self._own_write(ua.WriteParameters([one]), *args, **more)
        return results

    async def _look(self, event: Any, _service: Any) -> None:
        """Before something is read: what is asked for may be a while in coming, reading itself may not."""
        for one in event.request_params.NodesToRead:
            if one.AttributeId == ua.AttributeIds.Value and (answer := self.asked.get(one.NodeId)) is not None:
                self._looked[one.NodeId] = await answer("READ")

    def _read(self, params: ua.ReadParameters) -> list[ua.DataValue]:
        own = self._own_read(params)
        return [
            self._looked.pop(one.NodeId, value) if one.AttributeId == ua.AttributeIds.Value else value
            for one, value in zip(params.NodesToRead, own, strict=True)
        ]


@asynccontextmanager
async def machine() -> AsyncIterator[Machine]:
    """A server without nodes of its own."""
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://{HOST}:0/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    made = Machine(server)
    await made.listen()
    try:
        yield made
    finally:
        await server.stop()


class Nodes:
    """Nodes that a machine has for a while, with all that is above them."""

    def __init__(self, machine: Machine) -> None:
        self._server = machine.server
        self._there: dict[tuple[tuple[str, str], ...], Node] = {}
        self._made: dict[ua.NodeId, bool] = {}
        """What was made, and whether in something that was there before."""

    async def variable(self, address: Address, value: ua.Variant) -> Node:
        """A node with a value, if there is none."""
        return await self._node(address, lambda parent, *name: parent.add_variable(*name, value))

    async def method(self, address: Address, call: Callable[..., Awaitable[ua.CallMethodResult]]) -> Node:
        """A node that can be called."""
        return await self._node(address, lambda parent, *name: parent.add_method(*name, call))

    async def object(self, address: Address) -> Node:
        """A node that others are in."""
        return await self._node(address, _object)

    def forget(self) -> None:
        """They are gone. Only what is above all of them is looked for at every other node, which takes its time."""
        gone = [ua.DeleteNodesItem(node, DeleteTargetReferences=top) for node, top in reversed(self._made.items())]
        self._server.iserver.node_mgt_service.delete_nodes(ua.DeleteNodesParameters(gone))

    async def _node(self, address: Address, make: Makes) -> Node:
        if not isinstance(address, NodeAddress):
            return await self._at(address.steps, make)
        index = await self._index(address.namespace)
        node = self._server.get_node(f"ns={index};{address.identifier}")

        async def there() -> Node:
            await node.read_node_class()
            return node

        name = ua.QualifiedName(address.identifier, index)
        return await self._there_or_made(there, self._server.nodes.objects, node.nodeid, name, make)

    async def _at(self, steps: tuple[tuple[str, str], ...], make: Makes) -> Node:
        if not steps:
            return self._server.nodes.root
        if steps not in self._there:
            parent = await self._at(steps[:-1], _object)
            name = ua.QualifiedName(steps[-1][1], await self._index(steps[-1][0]))
            there = partial(parent.get_child, name)
            self._there[steps] = await self._there_or_made(
                there, parent, ua.NodeId(NamespaceIndex=name.NamespaceIndex), name, make
            )
        return self._there[steps]

    async def _there_or_made(
        self, there: Callable[[], Awaitable[Node]], parent: Node, id: ua.NodeId, name: ua.QualifiedName, make: Makes
    ) -> Node:  # fmt: skip
        with suppress(ua.UaStatusCodeError):
            return await there()
        node = await make(parent, id, name)
        self._made[node.nodeid] = parent.nodeid not in self._made
        return node

    async def _index(self, namespace: str) -> int:
        return 0 if namespace == STANDARD else await self._server.register_namespace(namespace)


async def _object(parent: Node, id: ua.NodeId, name: ua.QualifiedName) -> Node:
    return await parent.add_object(id, name)
