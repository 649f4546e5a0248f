"""An MES behind the plant's MQTT broker: it confirms what was made, and books the movements of stock it is told of."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import load
from books import Books
from ports import free_port

from plant.broker import Broker
from plant.host_link import HostLink

if TYPE_CHECKING:
    from pathlib import Path

LANES = [f"PO-{lane:03}" for lane in range(10)]
MOVES = {
    "object": "inventory_movement",
    "occurred": "at",
    "body": '{"id": id, "operations_request_id": lane, "segment_response": [{"id": "1", "operations_request_id": lane,'
    ' "material_actual": [{"id": "1", "material_definition_id": "CAP-28", "material_use": "Consumed",'
    ' "quantity": {"value": "1", "unit_of_measure": "H87"}}]}]}',
}


class Mes:
    """The MES behind its broker: confirms what was made, takes movements of stock. `sent` are its confirmations."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.broker = Broker(free_port(), folder, unacknowledged=1)
        self.books = Books(folder / "mes.db")
        self.link = HostLink(self.broker.url, self._take)
        self.sent: list[str] = []
        self._round = 0

    def _take(self, _object: str, _verb: str, document: dict[str, Any]) -> str:
        return str(self.books.add(document["movementNo"], document["orderNo"]))

    def confirm(self) -> None:
        """One confirmation for each order."""
        self._round += 1
        now = datetime.now(UTC)
        for order in LANES:
            number = f"{order}-{self._round:05}"
            self.link.post("production_response", "sync", {
                "msgId": f"m-{number}", "ts": now, "confirmationNo": number, "orderNo": order, "final": False,
                "workCenter": "LINE1", "article": "FG-1000", "good": 1, "uom": "PC", "startAt": now, "endAt": now,
            })  # fmt: skip
            self.sent.append(number)

    async def confirm_until(self, enough: asyncio.Event, every_s: float = 0.1) -> None:
        """One confirmation for each order, again and again."""
        while not enough.is_set():
            self.confirm()
            await asyncio.sleep(every_s)

    def sections(self, erp: dict[str, Any]) -> dict[str, Any]:
        """How the hub's configuration declares what goes to the MES and from it."""
        return {
            "systems": {
                "mes": {"connector": "mes.mqtt", "url": self.broker.url, "reply_timeout_s": 2.0},
                "wms": load.system(MOVES, "wms"), "erp": erp,
            },
            "objects": {"production_response": {"owner": "mes"}, "inventory_movement": {"owner": "wms"}},
            "routes": [
                {"object": "production_response", "to": "erp"}, {"object": "inventory_movement", "to": "mes"},
            ],
        }  # fmt: skip
