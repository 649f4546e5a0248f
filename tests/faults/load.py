"""A load: an MES that posts production responses to the hub's door, in many lanes, until each is acknowledged.

What isn't acknowledged is posted again as it was, as a real system does; what is acknowledged counts as sent.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from connectors.door import token_hash

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "the-load's-token"
AGAIN_S = 0.1
SAYS = {
    "object": "production_response",
    "occurred": "at",
    "body": '{"id": id, "operations_request_id": lane, "material_actual": [{"id": "1", "material_use": "Produced", '
    '"quantity": {"value": "1", "unit_of_measure": "H87"}}]}',
}


def system(says: dict[str, str], name: str = "mes") -> dict[str, Any]:
    """How the hub's configuration declares a system that posts such items."""
    return {
        "connector": "rest", "url": "http://127.0.0.1:9", "listen": f"/in/{name}",
        "door": {"tokens": [token_hash(TOKEN)]}, "pushed": {"items": "items", "says": [says]},
    }  # fmt: skip


SYSTEM = system(SAYS)
"""The MES of most loads."""


class Load:
    """Posts to the door of `system` at `url()`, which may move. `sent` are the ids acknowledged, in order by lane.

    What isn't answered within `patience_s` counts as not acknowledged.
    """

    def __init__(
        self, url: Callable[[], str], *, lanes: int = 12, pause_s: float = 0.0, system: str = "mes",
        patience_s: float = 10.0,
    ) -> None:  # fmt: skip
        self._url = url
        self._door = f"/in/{system}"
        self._lanes = [f"PO-{lane:03}" for lane in range(lanes)]
        self._pause_s, self._patience_s = pause_s, patience_s
        self._round = 0
        self.sent: list[str] = []
        self.refused: list[Any] = []
        self.again = 0

    async def send(self, rounds: int) -> None:
        """Post that many rounds, in each one message of every lane; return when all are acknowledged."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(trust_env=False, timeout=self._patience_s, headers=headers) as http:
            for _ in range(rounds):
                await self._post(http)
                await asyncio.sleep(self._pause_s)

    async def _post(self, http: httpx.AsyncClient) -> None:
        self._round += 1
        now = datetime.now(UTC).isoformat()
        items = [{"id": f"{lane}-{self._round:05}", "lane": lane, "at": now} for lane in self._lanes]
        while not await self._taken(http, items):
            self.again += 1
            await asyncio.sleep(AGAIN_S)
        self.sent += [item["id"] for item in items]

    async def _taken(self, http: httpx.AsyncClient, items: list[dict[str, str]]) -> bool:
        try:
            answer = await http.post(f"{self._url()}{self._door}", json={"items": items})
        except httpx.HTTPError:
            return False
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            self.refused.append(answer.json())
        return answer.status_code == httpx.codes.ACCEPTED
