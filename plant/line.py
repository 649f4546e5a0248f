"""The packaging line: an OPC UA server with PackML states, counters and a job order receiver.

Four machines under `/Objects/{urn:acme:line1}Line1`: Filler, Capper, Labeler, CasePacker. A job arrives by the method
`StoreAndStart` of the object `JobOrderReceiver` (after OPC 10031-4) and can be read back there. Jobs are made one
after another; the capper jams a few times in each.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

from plant.bottling import Job, Machine, Run, State
from plant.receiver import JobOrderReceiver

if TYPE_CHECKING:
    from pathlib import Path

    from asyncua import Server, ua
    from asyncua.common.node import Node

NAMESPACE = "urn:acme:line1"
SECONDS_PER_BOTTLE = 0.25
SHORTEST_STATE_S = 0.025
"""No state is shorter, so that a subscription with a fast publishing interval sees each."""
JAM_S = 4.0
JAM = ("CAP-JAM", "Cap jammed in the chute", "mechanical")
NO_REASON = ("", "", "")
SPEED = 14400.0
"""Bottles per hour at pace 1."""


class PackagingLine:
    """The simulated line. `pace` scales time: 1 is live (about 75 s for 240 bottles), 0 as fast as states can be seen.

    `faults` is how often the capper jams in each job. `memory` is the controller's retentive memory: a file in which
    jobs and counters survive a restart. Port 0 takes a free one, kept over stop and start.
    """

    def __init__(self, port: int = 0, pace: float = 1.0, faults: int = 3, memory: Path | None = None) -> None:
        self.pace, self.faults, self.port = pace, faults, port
        self.jobs: dict[str, Job] = {}
        self.machines = (
            Machine("Filler", "FILLER1"), Machine("Capper", "CAPPER1"),
            Machine("Labeler", "LABELER1"), Machine("CasePacker", "PACKER1"),
        )  # fmt: skip
        self.server: Server | None = None
        self._memory = memory
        self._nodes: dict[tuple[str, str], Node] = {}
        self._shown: dict[tuple[str, str], object] = {}
        self._stored = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._random = Random(1)  # noqa: S311 - noise on a fill volume, no secret

    @property
    def url(self) -> str:
        """Where OPC UA clients connect."""
        return f"opc.tcp://127.0.0.1:{self.port}/line1"

    def counts(self) -> dict[str, dict[str, int]]:
        """What each machine counted since it was built, by equipment id: `processed` and, of those, `defective`."""
        return {m.equipment: {"processed": m.processed, "defective": m.defective} for m in self.machines}

    async def start(self) -> None:
        """Build the address space, listen, and go on with the jobs it still has."""
        self._recall()
        self.server = await self._serve()
        self._work = asyncio.create_task(self._make_jobs())

    async def stop(self) -> None:
        """Stop making bottles and stop listening; jobs and counters are kept."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
            self._work = None
        if self.server is not None:
            await self.server.stop()
            self.server = None

    async def _serve(self) -> Server:
        from asyncua import Server, ua  # noqa: PLC0415 - heavy

        server = Server()
        await server.init()
        await server.set_application_uri("urn:acme:line1:server")
        server.set_server_name("Packaging line 1")
        server.set_endpoint(self.url)
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        server.set_identity_tokens([ua.AnonymousIdentityToken])
        await self._build(server)
        await server.start()
        assert server.bserver is not None  # noqa: S101 - it just started
        self.port = server.bserver.port
        return server

    async def _build(self, server: Server) -> None:
        namespace = await server.register_namespace(NAMESPACE)
        line = await server.nodes.objects.add_object(namespace, "Line1")
        self._nodes.clear()
        self._shown.clear()
        for machine in self.machines:
            parent = await line.add_object(namespace, machine.name)
            for name, value, kind in self._variables(machine):
                self._nodes[machine.name, name] = await parent.add_variable(namespace, name, value, kind)
        receiver = JobOrderReceiver(self.jobs, self._job_stored)
        await receiver.build(server, line, namespace)
        self._receiver = receiver

    @staticmethod
    def _variables(machine: Machine) -> list[tuple[str, Any, ua.VariantType]]:
        from asyncua import ua  # noqa: PLC0415 - heavy

        kinds = ua.VariantType
        variables = [
            ("StateCurrent", int(machine.state), kinds.Int32),
            ("ProdProcessedCount", machine.processed, kinds.UInt32),
            ("ProdDefectiveCount", machine.defective, kinds.UInt32),
            ("MachSpeed", 0.0, kinds.Double),
            ("StopReasonID", "", kinds.String),
            ("StopReasonText", "", kinds.String),
            ("StopReasonCategory", "", kinds.String),
        ]
        if machine.name == "Filler":
            variables.append(("FillVolume", 500.0, kinds.Double))
        return variables

    async def _job_stored(self) -> None:
        self._remember()
        self._stored.set()
        await self._receiver.show()

    async def _make_jobs(self) -> None:
        while True:
            job = next((job for job in self.jobs.values() if job.open), None)
            if job is None:
                self._stored.clear()
                await self._stored.wait()
                continue
            await self._make(job)

    async def _make(self, job: Job) -> None:
        """One job from Resetting to Complete. A job cut short by a power loss is packed to its full quantity."""
        job.state, job.started = "Running", job.started or _now()
        await self._job_stored()
        for state in (State.RESETTING, State.IDLE, State.STARTING, State.EXECUTE):
            await self._all(state)
        run = Run(Job(job.id, job.quantity - job.good, job.material, job.order), *self.machines, faults=self.faults)
        bottles = 1 if self.pace else -(-run.total // 60)
        while not run.done and job.state != "Aborted":
            good, scrap = run.job.good, run.job.scrap
            jammed = run.step(bottles)
            job.good += run.job.good - good
            job.scrap += run.job.scrap - scrap
            self._remember()
            await self._show()
            await asyncio.sleep(max(SHORTEST_STATE_S, SECONDS_PER_BOTTLE * self.pace))
            if jammed:
                await self._jam()
        await self._finish(job)

    async def _finish(self, job: Job) -> None:
        for machine in self.machines:
            machine.waiting = 0
        aborted = job.state == "Aborted"
        job.state, job.ended = "Aborted" if aborted else "Completed", _now()
        await self._job_stored()
        for state in (State.ABORTING, State.ABORTED) if aborted else (State.COMPLETING, State.COMPLETE):
            await self._all(state)

    async def _jam(self) -> None:
        """The capper holds itself; the others wait, blocked or starved."""
        capper = self.machines[1]
        others = [machine for machine in self.machines if machine is not capper]
        for own, waiting, reason, seconds in (
            (State.HOLDING, State.SUSPENDING, JAM, 0.0),
            (State.HELD, State.SUSPENDED, JAM, JAM_S),
            (State.UNHOLDING, State.UNSUSPENDING, JAM, 0.0),
            (State.EXECUTE, State.EXECUTE, NO_REASON, 0.0),
        ):
            for name, text in zip(("StopReasonID", "StopReasonText", "StopReasonCategory"), reason, strict=True):
                await self._write(capper, name, text)
            capper.state = own
            for machine in others:
                machine.state = waiting
            await self._show()
            await asyncio.sleep(max(2 * SHORTEST_STATE_S if seconds else SHORTEST_STATE_S, seconds * self.pace))

    async def _all(self, state: State) -> None:
        for machine in self.machines:
            machine.state = state
        await self._show()
        await asyncio.sleep(max(SHORTEST_STATE_S, self.pace))

    async def _show(self) -> None:
        for machine in self.machines:
            await self._write(machine, "ProdProcessedCount", machine.processed)
            await self._write(machine, "ProdDefectiveCount", machine.defective)
            await self._write(machine, "MachSpeed", SPEED if machine.state is State.EXECUTE else 0.0)
            await self._write(machine, "StateCurrent", int(machine.state))
        if self.machines[0].state is State.EXECUTE:
            await self._write(self.machines[0], "FillVolume", round(500 + self._random.uniform(-1.5, 1.5), 2))
        await self._receiver.show()

    async def _write(self, machine: Machine, name: str, value: Any) -> None:
        if self._shown.get((machine.name, name)) == value:
            return
        from asyncua import ua  # noqa: PLC0415 - heavy

        kind = next(kind for variable, _, kind in self._variables(machine) if variable == name)
        data = ua.DataValue(ua.Variant(value, kind), SourceTimestamp=datetime.now(UTC))
        assert self.server is not None  # noqa: S101 - machines run only while it serves
        await self.server.write_attribute_value(self._nodes[machine.name, name].nodeid, data)
        self._shown[machine.name, name] = value

    def _remember(self) -> None:
        if self._memory is None:
            return
        state = {"jobs": [asdict(job) for job in self.jobs.values()], "counts": self.counts()}
        draft = self._memory.with_suffix(".draft")
        draft.write_text(json.dumps(state), "utf-8")
        draft.replace(self._memory)

    def _recall(self) -> None:
        if self._memory is None or not self._memory.exists():
            return
        state = json.loads(self._memory.read_text("utf-8"))
        self.jobs.update({job["id"]: Job(**job) for job in state["jobs"]})
        for machine in self.machines:
            machine.processed = state["counts"][machine.equipment]["processed"]
            machine.defective = state["counts"][machine.equipment]["defective"]


def _now() -> str:
    return datetime.now(UTC).isoformat()
