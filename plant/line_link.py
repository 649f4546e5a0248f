"""The MES's own OPC UA client to the line: who stops and why, what each machine counted, what became of a job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from plant.ending import end

if TYPE_CHECKING:
    from asyncua.client.client import Client
    from asyncua.common.node import Node

NAMESPACE = "urn:acme:line1"
MACHINES = {"FILLER1": "Filler", "CAPPER1": "Capper", "LABELER1": "Labeler", "PACKER1": "CasePacker"}
EXECUTE = 6
STOPPED = frozenset({8, 9, 10, 11})
"""Aborting, Aborted, Holding, Held: the machine's own stop; a suspended one only waits for its neighbours."""
REASON = ("StopReasonID", "StopReasonText", "StopReasonCategory")
PUBLISHING_MS = 20
QUEUE = 1000
RECONNECT_S = 0.5
CHECK_S = 2.0


@dataclass(frozen=True, slots=True)
class Count:
    """What a machine has counted since it was built."""

    processed: int
    defective: int


@dataclass(frozen=True, slots=True)
class JobState:
    """What the line says about a job; state is empty when it doesn't know it."""

    state: str
    good: int
    scrap: int
    started: str
    ended: str


class LineLink:
    """Watches the line for ever once started. `stopped(equipment, at)` and `running(equipment, at, reason)` are called
    when a machine stops and when it runs again; `reason` is what it showed meanwhile: code, text, group.
    """

    def __init__(
        self,
        url: str,
        stopped: Callable[[str, datetime], None],
        running: Callable[[str, datetime, tuple[str, str, str]], None],
    ) -> None:
        self._url, self._stopped, self._running = url, stopped, running
        self._client: Client | None = None
        self._connected = asyncio.Event()
        self._changed = asyncio.Event()
        self._names: dict[str, tuple[str, str]] = {}
        self._counters: list[tuple[str, Node, Node]] = []
        self._down: set[str] = set()
        self._reasons: dict[str, dict[str, str]] = {equipment: {} for equipment in MACHINES}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to watch; the line need not be there yet."""
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Hang up."""
        if self._task is not None:
            await end([self._task])
            self._task = None

    async def _watch(self) -> None:
        from asyncua.client.client import Client  # noqa: PLC0415 - heavy
        from asyncua.ua.uaerrors import UaError  # noqa: PLC0415 - heavy

        while True:
            with suppress(OSError, TimeoutError, UaError):
                async with Client(self._url, timeout=4) as client:
                    await self._subscribe(client)
                    self._client = client
                    self._connected.set()
                    while True:
                        await client.check_connection()
                        await asyncio.sleep(CHECK_S)
            self._connected.clear()
            await asyncio.sleep(RECONNECT_S)

    async def _subscribe(self, client: Client) -> None:
        namespace = await client.get_namespace_index(NAMESPACE)
        line = await client.nodes.objects.get_child(f"{namespace}:Line1")
        self._names.clear()
        self._counters.clear()
        for equipment, machine in MACHINES.items():
            parent = await line.get_child(f"{namespace}:{machine}")
            for name in (*REASON, "StateCurrent", "ProdProcessedCount"):
                node = await parent.get_child(f"{namespace}:{name}")
                self._names[node.nodeid.to_string()] = equipment, name
            processed, defective = [
                await parent.get_child(f"{namespace}:{name}") for name in ("ProdProcessedCount", "ProdDefectiveCount")
            ]
            self._counters.append((equipment, processed, defective))
        self._receiver = await line.get_child(f"{namespace}:JobOrderReceiver")
        self._job_response = await self._receiver.get_child(f"{namespace}:RequestJobResponseByJobOrderID")
        states = await self._receiver.get_child(f"{namespace}:JobOrderStates")
        subscription = await client.create_subscription(PUBLISHING_MS, self)
        watched = [client.get_node(name) for name in self._names]
        await subscription.subscribe_data_change([*watched, states], queuesize=QUEUE)

    def datachange_notification(self, node: Node, value: Any, data: Any) -> None:
        """asyncua calls this for every value, in order."""
        equipment, name = self._names.get(node.nodeid.to_string(), ("", ""))
        if name in REASON:
            if value:
                self._reasons[equipment][name] = value
        elif name == "StateCurrent":
            at = data.monitored_item.Value.SourceTimestamp or datetime.now(UTC)
            self._state(equipment, value, at if at.tzinfo else at.replace(tzinfo=UTC))
        self._changed.set()

    def _state(self, equipment: str, state: int, at: datetime) -> None:
        if state in STOPPED and equipment not in self._down:
            self._down.add(equipment)
            self._stopped(equipment, at)
        elif state == EXECUTE and equipment in self._down:
            self._down.discard(equipment)
            reason = self._reasons[equipment]
            code, text, group = (reason.get(name, "") for name in REASON)
            self._running(equipment, at, (code, text, group))

    async def changed(self) -> None:
        """Wait until the line has shown something new, a second at most."""
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._changed.wait()

    async def counts(self) -> dict[str, Count]:
        """What every machine has counted, read in one call; waits for the line."""
        values = await self._asked(
            lambda client: client.read_values([node for _, *pair in self._counters for node in pair])
        )
        pairs = zip(values[::2], values[1::2], strict=True)
        return {name: Count(*pair) for (name, *_), pair in zip(self._counters, pairs, strict=True)}

    async def job(self, id: str) -> JobState:
        """What became of a job; waits for the line."""
        answer = await self._asked(lambda _: self._receiver.call_method(self._job_response.nodeid, id))
        return JobState(*answer[1:])

    async def _asked(self, ask: Callable[[Client], Any]) -> Any:
        from asyncua.ua.uaerrors import UaError  # noqa: PLC0415 - heavy

        while True:
            await self._connected.wait()
            assert self._client is not None  # noqa: S101 - set before connected
            try:
                return await ask(self._client)
            except (OSError, TimeoutError, UaError):
                await asyncio.sleep(RECONNECT_S)
