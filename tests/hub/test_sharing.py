"""Hubs that share a journal answer for one another: any of them may be told what a person decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_plant import Asker, order
from patience import until
from sqlalchemy import text
from two_hubs import Strict, asked, held, skip, two_hubs

from mombus.hub.several import neighbours

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
        (other,) = [hub.desk.neighbours.hub for hub in hubs if "mes" not in held(hub)]
        rows = {row["name"]: row for row in (await asked(bus, "own", hub=other))["result"]["systems"]}
        assert (rows["mes"]["health"], rows["mes"]["reason"]) == ("elsewhere", "another hub has it")

        async def told() -> set[str]:
            """How all systems are, as any hub says; one that is slow to answer another isn't waited for."""
            return {row["health"] for row in (await asked(bus, "status"))["result"]["systems"]}

        await until(told, good=lambda health: health == {"ok"})
