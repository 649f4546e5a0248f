"""One alarm for each cause: what is down for one reason is one line, and a broker that is away is told as that."""

from __future__ import annotations

import asyncio
import json
import signal
from types import SimpleNamespace
from typing import Any

import httpx
import psutil
import pytest
from databases import ended, started
from freezing import frozen
from hub_plant import Asker, config, wire
from own_broker import broker
from patience import PATIENCE_S, until

from mombus.bus.commands import command_subject
from mombus.bus.connection import connect
from mombus.bus.link import Link
from mombus.config.model import Bus
from mombus.hub.desk import reporting
from mombus.hub.hub import open_hub


def system(name: str, health: str = "ok", reason: str = "", **more: Any) -> dict[str, Any]:
    row = {"name": name, "health": health, "reason": reason, "condition": "running", "door": None, "late": 0, "lag": 0}
    return row | more


def told(*systems: dict[str, Any], broker: str | None = None) -> list[str]:
    return reporting.trouble(systems, [], broker=broker, disagreements=0, kept=0, hubs=[], answers={})["trouble"]


def test_systems_with_one_reason_are_one_line() -> None:
    refused = "connection refused"
    assert told(
        system("erp"), system("mes", "down", refused), system("wms", "down", refused),
        system("qms", "halted", "the token has expired"), system("cmms", "down", refused),
    ) == [
        "mes, wms and cmms are down: connection refused", "qms is halted: the token has expired",
    ]  # fmt: skip


def test_what_systems_lack_that_are_away_is_told_with_why() -> None:
    refused = "connection refused"
    assert told(
        system("erp", "down", refused, lag=3), system("mes", "down", refused, lag=1),
        system("qms", "halted", "-", lag=1), system("wms", "degraded", "slow", lag=9),
    ) == [
        "erp and mes are down: connection refused; 4 messages wait for it",
        "qms is halted: -; 1 message waits for it", "wms is degraded: slow",
    ]  # fmt: skip


def test_a_broker_that_is_away_is_one_line() -> None:
    """What can't be delivered because of it isn't said again; what has a reason of its own is."""
    failing = [system(name, "down", "failing: reading failed", condition="failing") for name in ("erp", "mes")]
    away = "the broker doesn't answer"
    assert told(*failing, system("wms", "down", "connection refused"), broker=away) == [
        f"the broker: {away}", "wms is down: connection refused",
    ]  # fmt: skip
    assert told(*failing) == ["erp and mes are down: failing: reading failed"]


def test_what_is_about_neither_a_system_nor_what_waits_is_also_told_apart() -> None:
    mes = system("mes", door={"trouble": "mes: 3 wrong tokens"})
    found = reporting.trouble(
        [system("erp", "down", "-"), mes], [], broker="", disagreements=1, kept=2, hubs=["disk"], answers={}
    )  # fmt: skip
    rest = ["1 open disagreement: `mombus disagreements`", "2 items that could not be taken in: `mombus kept`"]
    assert found["trouble"] == ["disk", "erp is down: -", "mes: 3 wrong tokens", *rest]
    assert found["besides"] == ["disk", "mes: 3 wrong tokens", *rest]


def test_what_only_gets_answers_is_not_called_a_delivery() -> None:
    statuses: Any = [
        SimpleNamespace(target=name, condition=condition, reason="reading failed: disk I/O error")
        for name, condition in (("src", "failing"), ("mes", "failing"), ("erp", "failing"), ("wms", "running"))
    ]
    assert reporting.unready(statuses, {"mes", "erp", "wms"}) == {
        "answers to src": "reading failed: disk I/O error", "delivery to mes and erp": "reading failed: disk I/O error",
    }  # fmt: skip


async def test_a_link_tells_once_that_its_broker_is_away() -> None:
    said: list[str] = []
    link = Link(said.append)
    link.connected()
    await link.disconnected()
    for error in (ConnectionRefusedError("Connect call failed"), TimeoutError(), OSError("no route to host")):
        await link.failed(error)
    await link.failed(Exception("nats: stale connection"))
    assert (said, link.reason) == (["the broker doesn't answer; connecting again"], said[0])
    await link.failed(Exception("nats: Authorization Violation"))
    assert said[1:] == ["Authorization Violation"], "what a person must mend is told"
    await link.reconnected()
    await link.disconnected()
    assert said[2:] == ["connected again", "the broker doesn't answer; connecting again"]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> None:
    wire(monkeypatch, {"erp": Asker(), "mes": Asker()})


@pytest.mark.usefixtures("plant")
async def test_a_frozen_broker_is_one_alarm_and_measured(tmp_path) -> None:
    async with open_hub(config(tmp_path, "erp", "mes", owns={"production_order": "erp"})) as hub:

        async def found() -> bool:
            return not (await hub.desk.status())["broker"]["up"]

        nats = [one.pid for one in psutil.Process().children() if str(tmp_path) in " ".join(one.cmdline())]
        with frozen(nats[0]):
            await until(found)
            status, ready, metrics = await hub.desk.status(), await hub.desk.ready(), await hub.desk.metrics()
        assert status["trouble"] == ["the broker: the broker doesn't answer; connecting again"]
        assert {name: why for name, why in ready.items() if why} == {
            "broker": "the broker doesn't answer; connecting again"
        }
        lines = metrics.splitlines()
        assert "mombus_broker_up 0.0" in lines
        assert 'mombus_spool_bytes{system="erp"} 0.0' in lines
        assert 'mombus_spool_lost{system="mes"} 0.0' in lines
        assert 'mombus_lag{target="mes"} 0.0' in lines
        assert 'mombus_gaps_total{system="erp"} 0.0' in lines, "there before it increases"
        assert 'mombus_exchanges_dropped_total{target="mes",why="not written"} 0.0' in lines
        assert any(line.startswith("mombus_disk_free_bytes ") and float(line.split()[1]) > 0 for line in lines)


@pytest.mark.usefixtures("plant")
async def test_a_database_that_dies_is_told_and_the_rest_is_measured(tmp_path) -> None:
    server = await asyncio.to_thread(started)
    async with broker(tmp_path / "nats") as url, connect(url) as bus:
        settings = config(
            tmp_path, "erp", "mes", owns={"production_order": "erp"},
            bus=Bus(broker=url, store=server.get_uri(), folder=tmp_path / "hub"),
        )  # fmt: skip
        async with open_hub(settings) as hub, httpx.AsyncClient(base_url=hub.url, trust_env=False) as http:

            async def measured() -> list[str]:
                return (await http.get("/metrics")).text.splitlines()

            assert "mombus_journal_up 1.0" in await measured()
            postmaster = psutil.Process(server.get_pid())
            postmaster.send_signal(signal.SIGQUIT)
            await until(lambda: ended(postmaster))
            try:
                page, lines, ready, said = await asyncio.gather(
                    http.get("/api/status"), measured(), http.get("/readyz?verbose"),
                    bus.client.request(command_subject("lyon", "status"), timeout=PATIENCE_S),
                )  # fmt: skip
            finally:
                await asyncio.to_thread(server.ensure_postgres_running)
            away = "the journal's database doesn't answer: "
            assert (page.status_code, page.json()["detail"].startswith(away)) == (503, True)
            assert (ready.status_code, f"[-] journal: {away}" in ready.text) == (503, True)
            assert json.loads(said.data)["away"]
            assert {"mombus_journal_up 0.0", "mombus_broker_up 1.0"} <= set(lines)
            assert not any(line.startswith(("mombus_lag{", "mombus_route_waiting{")) for line in lines)

            async def is_back() -> bool:
                lines = await measured()
                return "mombus_journal_up 1.0" in lines and any(line.startswith("mombus_lag{") for line in lines)

            await until(is_back)
    await asyncio.to_thread(server.cleanup)
