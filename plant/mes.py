"""The simulated MES: plans orders on the line, watches it, confirms, asks for maintenance and for tests.

It speaks MQTT to its hosts (`plant.host_link`) and, like a real one, has an OPC UA client of its own to the line. One
order at a time is on the line. Everything it makes up has a number derived from the order's.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from plant import mes_notes as notes
from plant.ending import end
from plant.host_link import HostLink, Refusal
from plant.line_link import Count, LineLink
from plant.mes_notes import RECIPES, Order, Stop

if TYPE_CHECKING:
    from datetime import datetime

STOPS_UNTIL_REPAIR = 3
DISPATCH_S, REASON_S, LEAST_REASON_S = 2.0, 3.0, 0.1
"""Paced seconds until a staged order goes to the line, and until somebody gave the reason of a stop."""
REPAIR_TEXT = "Capper stopped three times in one order: cap chute"


class Mes:
    """The MES. `pace` stretches its waits; 0 is at once. Stopping it is for good."""

    def __init__(
        self, broker_url: str, line_url: str, pace: float = 1.0, *, user: str | None = None, password: str | None = None
    ) -> None:
        self.host = HostLink(broker_url, self._take, user=user, password=password)
        self.orders: dict[str, Order] = {}
        self._line = LineLink(line_url, self._machine_stopped, self._machine_runs)
        self._pace = pace
        self._plan: asyncio.Queue[Order] = asyncio.Queue()
        self._staged = asyncio.Event()
        self._running: Order | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Talk to broker and line as soon as they are there, and work."""
        await self.host.start()
        await self._line.start()
        self.host.post("equipment", "sync", notes.equipment_list())
        self._spawn(self._work())

    async def stop(self) -> None:
        """End everything."""
        await end(self._tasks)
        await self._line.stop()
        await self.host.stop()

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _take(self, object: str, verb: str, note: dict[str, Any]) -> str | None:
        """Apply what a host says. Raises Refusal."""
        match object, verb:
            case "production_order", "sync":
                return self._order(note)
            case "inventory_movement", "sync":
                self._moved(note)
            case "quality_result", "sync":
                self._order_of(note).results[note["characteristic"]] = {
                    name: value for name, value in note.items() if name in {"value", "uom", "verdict"}
                }
            case "release_decision", "sync":
                self._order_of(note).decision = note["decision"]
            case "maintenance_request" | "inspection_order", _:
                self._replied(note)
            case _:
                raise Refusal(f"{object} {verb} is nothing this MES takes")
        return note.get("movementNo") or note.get("resultNo") or note.get("decisionNo")

    def _order(self, note: dict[str, Any]) -> str:
        """Plan an order, or change it as long as it isn't on the line."""
        number: str = note["orderNo"]
        order = self.orders.get(number)
        if note["status"] == "CANCELLED":
            if order is None or order.phase not in {"RELEASED", "CANCELLED"}:
                raise Refusal(f"order {number} can't be cancelled: it is {order.phase if order else 'unknown'}")
            order.phase = "CANCELLED"
            self._staged.set()
        elif order is None:
            if note["article"] not in RECIPES:
                raise Refusal(f"article {note['article']} has no recipe")
            order = Order(number, note["article"], Decimal(note["qty"]), note.get("step") or "0010")
            self.orders[number] = order
            self._plan.put_nowait(order)
        elif order.phase == "RELEASED":
            order.qty = Decimal(note["qty"])
        self._show(order)
        return number

    def _order_of(self, note: dict[str, Any]) -> Order:
        number = note.get("orderNo") or str(note.get("lot", "")).removesuffix("-L1")
        order = self.orders.get(number)
        if order is None:
            raise Refusal(f"order {number} isn't known here")
        self._spawn(self._show_soon(order))
        return order

    def _moved(self, note: dict[str, Any]) -> None:
        """Count what comes to the line; other movements are none of its business."""
        order = self._order_of(note)
        arrived = [item for item in note["items"] if item.get("to") == notes.LINE]
        if arrived:
            order.movements[note["movementNo"]] = arrived
            self._staged.set()

    def _replied(self, note: dict[str, Any]) -> None:
        """Note the number that another system gave to a request of ours."""
        for order in self.orders.values():
            if note["requestNo"] in order.requests:
                request = order.requests[note["requestNo"]]
                request.update(
                    {name: note[name] for name in ("status", "docNo", "by", "state", "reason") if note.get(name)}
                )
                self._show(order)
                return
        raise Refusal(f"request {note['requestNo']} isn't one of this MES")

    def _show(self, order: Order) -> None:
        self.host.show(order.number, notes.state(order))

    async def _show_soon(self, order: Order) -> None:
        """Show the order once what was just taken is applied."""
        self._show(order)

    async def _work(self) -> None:
        while True:
            order = await self._plan.get()
            while not order.is_staged and order.phase != "CANCELLED":
                self._staged.clear()
                await self._staged.wait()
            if order.phase != "CANCELLED":
                await self._make(order)

    async def _make(self, order: Order) -> None:
        """Give the order to the line, follow it, confirm at half and at the end."""
        order.phase = "DISPATCHED"
        before = await self._line.counts()
        await asyncio.sleep(DISPATCH_S * self._pace)
        self._running = order
        self.host.post("job_order", "sync", notes.job(order, "RELEASED"))
        self._show(order)
        await self._until(order, before, {"Running", "Held", "Completed", "Aborted"}, None)
        order.phase, order.job_start = "RUNNING", notes.now()
        self._job(order, "RUNNING")
        await self._until(order, before, {"Completed", "Aborted"}, int(order.qty) // 2)
        self._confirm(order, f"{order.number}-C1", final=False)
        ended = await self._until(order, before, {"Completed", "Aborted"}, None)
        self._finish(order, "DONE" if ended == "Completed" else "ABORTED")

    async def _until(self, order: Order, before: dict[str, Count], states: set[str], good: int | None) -> str:
        """Follow the job until it is in one of the states, or has that many good bottles."""
        while True:
            job = await self._line.job(order.job)
            counts = await self._line.counts()
            order.totals = notes.Totals({
                name: Count(count.processed - before[name].processed, count.defective - before[name].defective)
                for name, count in counts.items()
            })  # fmt: skip
            if job.state in states or (good is not None and order.totals.good >= good):
                return job.state
            await self._line.changed()

    def _job(self, order: Order, status: str) -> None:
        order.job_rev += 1
        self.host.post("job_order", "sync", notes.job(order, status))
        self._show(order)

    def _confirm(self, order: Order, number: str, *, final: bool) -> None:
        at = notes.now()
        self.host.post("production_response", "sync", notes.confirmation(order, number, at, final=final))
        for usage in notes.usages(order, number, at):
            self.host.post("material_consumption", "sync", usage)
        order.confirmed, order.confirmed_at = order.totals, at
        self._show(order)

    def _finish(self, order: Order, status: str) -> None:
        """Report the job, ask for the lot to be tested, and free the line."""
        self._confirm(order, f"{order.number}-C2", final=True)
        self.host.post("job_response", "sync", notes.job_report(order, notes.now()))
        self._job(order, status)
        number = f"QI-{order.lot}"
        order.requests[number] = {"object": "inspection_order", "status": "ASKED"}
        self.host.post("inspection_order", "process", notes.test_wish(order, number))
        order.phase = "FINISHED"
        self._show(order)

    def _machine_stopped(self, equipment: str, at: datetime) -> None:
        order = self._running
        if order is None:
            return
        stop = Stop(f"{order.number}-S{len(order.stops) + 1}", equipment, at)
        order.stops.append(stop)
        self.host.post("downtime", "sync", notes.stop(order, stop, "OPEN", 0))
        self._show(order)

    def _machine_runs(self, equipment: str, at: datetime, reason: tuple[str, str, str]) -> None:
        order = self._running
        stop = (
            next((s for s in reversed(order.stops) if s.equipment == equipment and not s.end), None) if order else None
        )
        if order is not None and stop is not None:
            stop.end = at
            self.host.post("downtime", "sync", notes.stop(order, stop, "CLOSED", 1))
            self._spawn(self._give_reason(order, stop, reason))

    async def _give_reason(self, order: Order, stop: Stop, reason: tuple[str, str, str]) -> None:
        """A while later somebody says why it stopped; the third time on one machine they call maintenance."""
        await asyncio.sleep(max(REASON_S * self._pace, LEAST_REASON_S))
        code, text, group = reason
        stop.reason = (code or "UNKNOWN", text or "No reason shown", group or "unknown")
        self.host.post("downtime", "sync", notes.stop(order, stop, "REASONED", 2))
        alike = [other for other in order.stops if other.equipment == stop.equipment and other.reason]
        if len(alike) == STOPS_UNTIL_REPAIR:
            number = f"MR-{order.number}"
            order.requests[number] = {"object": "maintenance_request", "status": "ASKED"}
            wish = notes.repair_wish(order, number, stop.equipment, REPAIR_TEXT)
            self.host.post("maintenance_request", "process", wish)
        self._show(order)
