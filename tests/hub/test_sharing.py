"""Hubs that share a journal answer for one another: any of them may be told what a person decided."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from hub_plant import Asker, order
from own_broker import broker
from patience import until
from sqlalchemy import text
from two_hubs import Strict, asked, held, skip, two_hubs

from mombus.bus.commands import listen
from mombus.bus.connection import connect
from mombus.hub.several import neighbours
from mombus.journal.leases import Peer, Presence

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


async def test_a_command_finds_the_hub_that_has_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql: str
) -> None:
    erp = Asker()
    monkeypatch.setattr(neighbours, "BETWEEN_S", 40.0)
    async with two_hubs(tmp_path, monkeypatch, postgresql, erp, Strict()) as (hubs, bus, _):
        await until(lambda: sorted(len(held(hub)) for hub in hubs) == [1, 2])
        for number in range(6):
            await erp.say(order(f"PO-{number}"))

        async def parked() -> list[dict[str, Any]]:
            rows = (await asked(bus, "waiting"))["result"]["rows"]
            return rows if len(rows) == 6 else []

        await until(parked)
        (other,) = [hub.desk.neighbours.hub for hub in hubs if "mes" not in held(hub)]
        ids = [row["id"] for row in await parked()]
        assert "another hub has 'mes'" in (await asked(bus, "do", skip(ids[0]), hub=other))["error"]
        taken_away = text("UPDATE leases SET epoch = epoch + 1, expires = -1 WHERE name = 'mes'")
        await hubs[0].desk._journal.write(lambda connection: connection.execute(taken_away) and None)
        assert await asked(bus, "do", skip(ids[0])) == {"result": {"ok": True, "text": "skipped"}}, "by its next holder"
        for id in ids[1:]:
            assert await asked(bus, "do", skip(id)) == {"result": {"ok": True, "text": "skipped"}}

        async def elsewhere() -> list[tuple[str, str]]:
            """What each hub says of it that knows that it hasn't got it: the former one learns that in its own time."""
            others = [hub.desk.neighbours.hub for hub in hubs if "mes" not in held(hub)]
            answers = [(await asked(bus, "own", hub=other))["result"]["systems"] for other in others]
            return [(row["health"], row["reason"]) for rows in answers for row in rows if row["name"] == "mes"]

        await until(elsewhere, good=lambda said: said == [("elsewhere", "another hub has it")])

        async def told() -> set[str]:
            """How all systems are, as any hub says; one that is slow to answer another isn't waited for."""
            return {row["health"] for row in (await asked(bus, "status"))["result"]["systems"]}

        await until(told, good=lambda health: health == {"ok"})


async def test_of_several_hubs_that_do_something_only_those_are_asked_again_that_did_not_hear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "BETWEEN_S", 40.0)
    looks, done = 0, []

    async def do(name: str, *_what: Any) -> dict[str, bool]:
        done.append(name)
        return {"ok": True}

    class Shares:
        """Of three hubs; this one has none."""

        hub = "c"
        holder = property(lambda self: self)

        async def leases_for(self, *_what: Any) -> list[str]:
            return ["mes-1", "mes-2"]

        def has(self, _lease: str) -> bool:
            return False

        def disputed(self, _system: str) -> list[str]:
            return []

        async def holders(self, _leases: list[str]) -> list[Peer]:
            nonlocal looks
            looks += 1
            now = datetime.now(UTC)
            return [Peer(hub, Presence(address=hub, plan=""), 0, now, now, live=True) for hub in ("a", "b")]

    async with broker(tmp_path / "nats") as url, connect(url) as bus:
        await listen(bus, site="lyon", answer=partial(do, "a"), hub="a")
        one = neighbours.Neighbours(bus, "lyon", Shares())  # type: ignore[arg-type]
        asking = asyncio.create_task(one.answered(partial(do, "c"), "resume", {"system": "mes"}))
        await until(lambda: looks == 2)
        assert done == ["a"]
        await listen(bus, site="lyon", answer=partial(do, "b"), hub="b")
        assert await asking == {"ok": True}
    assert done == ["a", "b"]
