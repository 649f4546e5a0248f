"""The broker takes a permission from the hub while it runs: who asks is told, nothing is lost, it goes on by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
from books import Books
from broker_process import BrokerProcess
from counting_target import CountingTarget
from factory import counted, findable, running, until
from load import Load
from patience import PATIENCE_S
from proof import Part, Proof
from several_hubs import send_until

if TYPE_CHECKING:
    from pathlib import Path

    from factory import HubProcess

ALL = 'authorization {{ users: [ {{ user: hub, password: "s3cret", permissions: {{ publish: {publish} }} }} ] }}\n'
GIVEN = ALL.format(publish='{ allow: [">"] }')
TAKEN = ALL.format(publish='{ allow: [">"], deny: ["mom.>"] }')


async def says(hub: HubProcess, *words: str) -> str:
    """What /readyz says once it says all these words."""
    said = ""
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http, asyncio.timeout(PATIENCE_S):
        while not all(word in said for word in words):
            said = (await http.get(f"{hub.url}/readyz")).text
            await asyncio.sleep(0.1)
    return said


async def test_a_permission_that_is_taken_away_is_named_and_nothing_is_lost(tmp_path: Path, proof: Proof) -> None:
    broker = BrokerProcess(tmp_path / "broker", GIVEN)
    await broker.start()
    (tmp_path / "hub.cred").write_text("hub:s3cret\n")
    erp = CountingTarget(Books(tmp_path / "books.db"))
    await erp.start()
    bus = {"folder": str(tmp_path / "hub"), "broker": broker.url, "credentials": str(tmp_path / "hub.cred")}
    try:
        async with running(tmp_path, {"erp": findable(erp.port)}, bus=bus) as hub:
            enough, sending = asyncio.Event(), Load(lambda: hub.url, lanes=10, pause_s=0.1)
            work = asyncio.create_task(send_until(enough, sending))
            await until(lambda: erp.books.size() > 30)
            broker.reload(TAKEN)
            said = await says(hub, "mom.lyon.production_response", "may not publish")
            stood = erp.books.size()
            kept = len(sending.sent)
            await until(lambda: len(sending.sent) > kept + 20 or sending.again > 3)
            broker.reload(GIVEN)
            await until(lambda: erp.books.size() > stood)
            enough.set()
            await work
            count = await counted(erp.books, sending.sent)
            await says(hub, "ok")
    finally:
        await erp.stop()
        await broker.kill()
    assert count.right, count
    assert "s3cret" not in said
    proof(
        Part.BROKER, fault="the permission to publish is revoked while it runs, and given back",
        load=f"{len(sending.sent)} facts in 10 lanes, from webhooks",
        expected="/readyz names subject and account; what comes waits on disk or is turned away; goes on by itself",
        seen=f"{said.strip()!r}: {count}",
    )  # fmt: skip
