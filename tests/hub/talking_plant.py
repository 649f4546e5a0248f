"""An owner and others that say otherwise, around a running hub: they say what they are told, keep what they get."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import pytest
from history_plant import mombus
from hub_plant import Asker, config, order, wire
from patience import until

from canonical.message import Action, Message, Verb
from connectors.connector import Accept, Effect, Level, Offer, Receipt
from mombus.config.model import Bus, Route
from mombus.hub.hub import open_hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mombus.hub.hub import Hub

OWNS = {"production_order": "erp"}


class Talker(Asker):
    """Says and gets; the owner also takes the verbs in `takes`, and answers as it is told, once it is `free`."""

    accepts: ClassVar[dict[Offer, Accept]] = {Offer("production_order", Verb.SYNC): Accept(Effect.IDEMPOTENT)}

    def __init__(self, *takes: Verb) -> None:
        super().__init__()
        self.accepts = {  # type: ignore[misc]
            **type(self).accepts, **{Offer("production_order", verb): Accept(Effect.IDEMPOTENT) for verb in takes}
        }  # fmt: skip
        self.verdict = Action.ACCEPTED
        self.free = asyncio.Event()
        self.free.set()

    async def write(self, messages: Any) -> list[Receipt]:
        self.got += messages
        await self.free.wait()
        return [Receipt(Level.ACCEPTED, reply=self._reply(message)) for message in messages]

    def _reply(self, message: Message) -> Message | None:
        if not message.verb.asks:
            return None
        now = datetime.now(UTC)
        return Message(
            id=message.id, object=message.object, verb=Verb.RESPOND, action=self.verdict, source="erp", site="lyon",
            key=message.key, lanes=message.lanes, occurred=now, recorded=now, revision=0,
            reason="the line is full" if self.verdict is Action.REJECTED else None,
        )  # fmt: skip

    def heard(self, key: str, text: str) -> list[Message]:
        return [message for message in self.got if message.key == key and message.body.description == text]


class Plant:
    """The hub with its owner `erp`, with `mes`, which says otherwise, and with `wms`, to which nothing goes."""

    def __init__(self, folder: Path, hub: Hub, http: httpx.AsyncClient, *systems: Talker) -> None:
        self.folder, self.hub, self.http = folder, hub, http
        self.erp, self.mes, self.wms = systems

    async def rows(self, **wanted: str) -> list[dict[str, Any]]:
        answer = await self.http.get("/api/disagreements", params=wanted)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["rows"]
        return rows

    async def shown(self, number: int) -> dict[str, Any]:
        answer = await self.http.get(f"/api/disagreements/{number}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def decide(self, number: int, decision: str, **more: str) -> tuple[int, str]:
        said = {"number": number, "decision": decision, "why": "seen on the line", **more}
        answer = await self.http.post("/api/disagreements/decide", json=said)
        told = answer.json()
        return answer.status_code, told["text"] if answer.status_code == 200 else told["detail"]

    async def command(self, *args: str) -> tuple[int, str, str]:
        return await mombus(*args, cwd=self.folder)

    async def effects(self, words: str, **wanted: str) -> list[dict[str, Any]]:
        """Those whose decision has got so far."""
        rows = await self.rows(standing="all", **wanted)
        return [row for row in rows if row["decided"] and words in row["decided"]["effect"]["text"]]

    async def disagree(self, key: str, erp: str = "water", mes: str = "juice") -> dict[str, Any]:
        """The ERP says one thing and the MES another; returns the disagreement, once both are in the index."""
        assert (await self.erp.say(order(key, erp))).accepted
        await until(lambda: self.mes.heard(key, erp))
        assert not (await self.mes.say(order(key, mes, source="mes"))).accepted
        (row,) = await self.rows(key=key)
        await until(lambda: self.shown(row["number"]), good=lambda shown: shown["owners_word"])
        return row


@asynccontextmanager
async def talking_plant(folder: Path, within: timedelta | None = None) -> AsyncIterator[Plant]:
    """The hub, with orders on their way from the ERP to the MES; the ERP takes changes."""
    erp, mes, wms = Talker(Verb.CHANGE), Talker(), Talker()
    with pytest.MonkeyPatch.context() as patch:
        wire(patch, {"erp": erp, "mes": mes, "wms": wms})
        routes = (Route(object="production_order", to=("mes",), within=within),)
        settings = config(folder, "erp", "mes", "wms", owns=OWNS, routes=routes, bus=Bus(folder=folder / "hub"))
        async with (
            open_hub(settings) as hub,
            httpx.AsyncClient(base_url=hub.url, trust_env=False) as http,
        ):
            yield Plant(folder, hub, http, erp, mes, wms)
