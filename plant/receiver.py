"""The line's job order receiver, after OPC 10031-4: store a job, read it back, abort it.

ReturnStatus is the standard's bit mask: bit 0 (value 1) no error, bit 1 unknown job, bit 3 not in this state,
bit 4 unable to accept, bit 32 invalid request. The call itself stays Good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plant.bottling import Job

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asyncua import Server, ua
    from asyncua.common.node import Node

DONE = 1
UNKNOWN_JOB = 1 << 1
WRONG_STATE = 1 << 3
UNABLE_TO_ACCEPT = 1 << 4
INVALID_REQUEST = 1 << 32
MOST_OPEN_JOBS = 10
MOST_BOTTLES = 100_000


class JobOrderReceiver:
    """Methods StoreAndStart, Abort and RequestJobResponseByJobOrderID; variables that list the jobs.

    A job that is stored again with the same content changes nothing and is answered with no error.
    """

    def __init__(self, jobs: dict[str, Job], stored: Callable[[], Awaitable[None]]) -> None:
        self._jobs, self._stored = jobs, stored
        self._lists: dict[str, Node] = {}
        self._server: Server | None = None

    async def build(self, server: Server, line: Node, namespace: int) -> None:
        """Add the object `JobOrderReceiver` under the line."""
        from asyncua import ua, uamethod  # noqa: PLC0415 - heavy

        self._server = server
        kinds = ua.VariantType
        receiver = await line.add_object(namespace, "JobOrderReceiver")
        text, number, status = kinds.String, kinds.UInt32, kinds.UInt64
        await receiver.add_method(
            namespace, "StoreAndStart", uamethod(self._store_and_start),
            [_argument("JobOrderID", text), _argument("Quantity", number), _argument("Material", text),
             _argument("OrderID", text)],
            [_argument("ReturnStatus", status)],
        )  # fmt: skip
        await receiver.add_method(
            namespace, "Abort", uamethod(self._abort), [_argument("JobOrderID", text)],
            [_argument("ReturnStatus", status)],
        )  # fmt: skip
        await receiver.add_method(
            namespace, "RequestJobResponseByJobOrderID", uamethod(self._response), [_argument("JobOrderID", text)],
            [_argument("ReturnStatus", status), _argument("JobState", text), _argument("Good", number),
             _argument("Scrap", number), _argument("StartTime", text), _argument("EndTime", text)],
        )  # fmt: skip
        for name in ("JobOrderIDs", "JobOrderStates"):
            self._lists[name] = await receiver.add_variable(namespace, name, ua.Variant([], text, is_array=True))
        for name, kind, value in (
            ("CurrentJobOrderID", text, ""), ("CurrentGood", number, 0), ("CurrentScrap", number, 0),
        ):  # fmt: skip
            self._lists[name] = await receiver.add_variable(namespace, name, value, kind)
        await self.show()

    async def show(self) -> None:
        """Write the lists as they are now; the current job is the one that started last."""
        from asyncua import ua  # noqa: PLC0415 - heavy

        started = [job for job in self._jobs.values() if job.state != "Waiting"]
        current = max(started, key=lambda job: job.started) if started else Job("", 0, "", "")
        kinds = ua.VariantType
        for name, variant in {
            "CurrentGood": ua.Variant(current.good, kinds.UInt32),
            "CurrentScrap": ua.Variant(current.scrap, kinds.UInt32),
            "CurrentJobOrderID": ua.Variant(current.id, kinds.String),
            "JobOrderIDs": ua.Variant(list(self._jobs), kinds.String, is_array=True),
            "JobOrderStates": ua.Variant([job.state for job in self._jobs.values()], kinds.String, is_array=True),
        }.items():
            assert self._server is not None  # noqa: S101 - build was called
            await self._server.write_attribute_value(self._lists[name].nodeid, ua.DataValue(variant))

    async def _store_and_start(self, _parent: ua.NodeId, id: str, quantity: int, material: str, order: str) -> Any:
        known = self._jobs.get(id)
        if known is not None:
            same = (known.quantity, known.material, known.order) == (quantity, material, order)
            return _status(DONE if same else WRONG_STATE)
        if not id or not material or not 0 < quantity <= MOST_BOTTLES:
            return _status(INVALID_REQUEST)
        if sum(job.open for job in self._jobs.values()) >= MOST_OPEN_JOBS:
            return _status(UNABLE_TO_ACCEPT)
        self._jobs[id] = Job(id, quantity, material, order)
        await self._stored()
        return _status(DONE)

    async def _abort(self, _parent: ua.NodeId, id: str) -> Any:
        job = self._jobs.get(id)
        if job is None:
            return _status(UNKNOWN_JOB)
        if not job.open:
            return _status(WRONG_STATE)
        job.state = "Aborted"
        await self._stored()
        return _status(DONE)

    async def _response(self, _parent: ua.NodeId, id: str) -> Any:
        from asyncua import ua  # noqa: PLC0415 - heavy

        job = self._jobs.get(id)
        number, text = ua.VariantType.UInt32, ua.VariantType.String
        known = job or Job(id, 0, "", "", state="")
        return (
            _status(DONE if job else UNKNOWN_JOB), ua.Variant(known.state, text), ua.Variant(known.good, number),
            ua.Variant(known.scrap, number), ua.Variant(known.started, text), ua.Variant(known.ended, text),
        )  # fmt: skip


def _status(value: int) -> Any:
    from asyncua import ua  # noqa: PLC0415 - heavy

    return ua.Variant(value, ua.VariantType.UInt64)


def _argument(name: str, kind: ua.VariantType) -> Any:
    from asyncua import ua  # noqa: PLC0415 - heavy

    return ua.Argument(Name=name, DataType=ua.NodeId(kind.value), ValueRank=-1)
