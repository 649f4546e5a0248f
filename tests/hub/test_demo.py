"""The example plant as a user meets it: `mombus demo`, the commands and the page beside it, and Ctrl-C."""

import asyncio
import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
from patience import PATIENCE_S, until
from strange_order import strange_order

from mombus.cli.demo import USUAL_PORT, _on_a_free_port
from mombus.hub.server import AddressInUse

ROOT = Path(__file__).parents[2]


def mombus(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mombus", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)


def test_once_plays_the_scenario_and_proves_it(tmp_path: Path) -> None:
    done = mombus("demo", "--once", "--json", "--folder", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stderr
    proof = json.loads(done.stdout)
    assert proof["agree"] is True
    erp, line = proof["numbers"]["erp"], proof["numbers"]["line1"]
    assert (int(erp["good"]), int(erp["scrap"])) == (line["good"], line["scrap"]) == (240, 6)
    assert int(erp["receipts"]) == 240
    assert erp["duplicates"] == 0


def test_a_folder_that_is_no_demo_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")
    done = mombus("demo", "--once", "--folder", str(tmp_path))
    assert done.returncode == 64
    assert "isn't a demo's folder" in done.stderr
    assert (tmp_path / "precious").read_text() == "data"


async def test_a_port_that_somebody_takes_meanwhile_is_left_to_them() -> None:
    tried: list[int] = []

    async def play(port: int) -> int:
        tried.append(port)
        if len(tried) == 1:
            raise AddressInUse("taken")
        return 0

    assert await _on_a_free_port(play) == 0
    assert tried[1] not in {tried[0], USUAL_PORT}


@asynccontextmanager
async def demo(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mombus", "demo", "--pace", "0", "--folder", str(folder), cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    draining: asyncio.Task[bytes] | None = None
    try:
        assert process.stdout
        async with asyncio.timeout(PATIENCE_S):
            async for line in process.stdout:
                if found := re.search(rb"open (http://\S+)", line):
                    break
        draining = asyncio.create_task(process.stdout.read())
        yield process, found[1].decode()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if draining is not None:
            await draining


async def until_journey_ends(url: str, order: str, last: str) -> None:
    """Asked over HTTP until it is so: a command is a process each time."""
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as http:

        async def ended() -> bool:
            answer = await http.get(f"/api/journey/{order}")
            hops = answer.json()["hops"] if answer.is_success else []
            return any(hop["object"] == last and hop["target"] == "erp" for hop in hops)

        await until(ended, 2 * PATIENCE_S)


async def test_a_running_demo_can_be_looked_at_and_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    async with demo(folder) as (process, url):
        await until_journey_ends(url, "PO-4711", "inventory_movement")
        asked = await asyncio.to_thread(mombus, "journey", "PO-4711", "--json", "--folder", str(folder))
        hops = json.loads(asked.stdout)["hops"]
        assert [hop["at"] for hop in hops] == sorted(hop["at"] for hop in hops)
        assert {hop["target"] for hop in hops} >= {"mes", "wms", "qms", "erp", "line1", "cmms"}
        assert all(hop["delay_s"] >= 0 for hop in hops)
        await check_status(folder)
        await check_page(url)
        await check_waiting(folder, url)
        await check_kept(folder, url)
        await check_plan(folder, tmp_path)
        brokers = [child for child in psutil.Process(process.pid).children() if "nats" in child.name()]
        assert brokers
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0
        assert process.stderr
        said = await process.stderr.read()
        assert b"everything that was being written is finished" in said
        assert b"Traceback" not in said
        assert not any(psutil.pid_exists(broker.pid) and broker.status() != "zombie" for broker in brokers)


async def check_status(folder: Path) -> None:
    status = await asyncio.to_thread(mombus, "status", "--json", "--folder", str(folder))
    found = json.loads(status.stdout)
    assert status.returncode == 0, found["trouble"]
    assert {system["name"]: system["health"] for system in found["systems"]} == dict.fromkeys(
        ["erp", "mes", "line1", "qms", "cmms", "wms"], "ok"
    )
    flows = {(flow["object"], flow["target"]): flow for flow in found["flows"]}
    assert flows["production_response", "erp"]["total"] >= 2
    assert flows["count", None]["source"] == "line1"
    nothing = await asyncio.to_thread(mombus, "journey", "PO-0000", "--folder", str(folder))
    assert nothing.returncode == 1
    assert "Nothing is known by the number PO-0000" in nothing.stdout


async def check_page(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as http:
        page = await http.get("/")
        assert page.status_code == 200
        assert "production order" in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert (await http.get("/livez")).text == "ok\n"
        assert (await http.get("/readyz")).status_code == 200
        metrics = (await http.get("/metrics")).text
        assert 'mombus_handovers_total{object="production_order",state="delivered",target="mes"}' in metrics
        assert "PO-4711" not in metrics
        for place in ("/static/mombus.css", "/static/mombus.js", "/static/mombus.svg", "/openapi.json"):
            assert (await http.get(place)).status_code == 200, place
        async with http.stream("GET", "/live") as live:
            lines = live.aiter_lines()
            assert [await anext(lines) for _ in range(2)][-1].startswith("data: ")


async def check_waiting(folder: Path, url: str) -> None:
    """An order whose material the warehouse has no number for waits for it, until a person decides."""
    async with httpx.AsyncClient(timeout=PATIENCE_S) as http:
        answer = await http.post(f"{url}/in/erp", content=strange_order(), headers={"content-type": "application/xml"})
        assert answer.status_code == 200, answer.text

        async def waits() -> bool:
            page = (await http.get(f"{url}/api/waiting")).json()
            return any((row["target"], row["key"]) == ("wms", "PO-9999") for row in page["rows"])

        await until(waits)
    asked = await asyncio.to_thread(mombus, "waiting", "--each", "--json", "--folder", str(folder))
    rows = [row for row in json.loads(asked.stdout) if (row["target"], row["key"]) == ("wms", "PO-9999")]
    assert [row["kind"] for row in rows] == ["awaiting alias"]
    assert "FG-9999" in rows[0]["reason"]
    skipped = await asyncio.to_thread(
        mombus, "skip", "wms", rows[0]["id"][:10], "--why", "a test order", "--who", "ada", "--folder", str(folder)
    )
    assert skipped.returncode == 0, skipped.stderr
    again = await asyncio.to_thread(
        mombus, "skip", "wms", rows[0]["id"], "--why", "twice", "--who", "ada", "--folder", str(folder)
    )
    assert again.returncode == 1
    with sqlite3.connect(folder / "journal.sqlite") as journal:
        deeds = journal.execute("select who, action, why, result from audit order by at").fetchall()
    assert ("ada", "skip", "a test order", "skipped") in deeds


async def check_kept(folder: Path, url: str) -> None:
    """What is no document is kept with its reason, until a person says that it is dealt with."""
    async with httpx.AsyncClient(timeout=PATIENCE_S) as http:
        answer = await http.post(f"{url}/in/erp", content=b"<order/>", headers={"content-type": "application/xml"})
        assert answer.status_code == 400
    listed = await asyncio.to_thread(mombus, "kept", "--json", "--folder", str(folder))
    (row,) = json.loads(listed.stdout)
    assert row["content"] == "<order/>"
    unreadable = await asyncio.to_thread(mombus, "take", row["id"][:8], "--why", "try", "--folder", str(folder))
    assert unreadable.returncode == 1
    assert "it couldn't be read: mend the mapping" in unreadable.stderr
    done = await asyncio.to_thread(mombus, "dismiss", row["id"][:8], "--why", "a test", "--folder", str(folder))
    assert done.returncode == 0, done.stderr
    assert json.loads((await asyncio.to_thread(mombus, "kept", "--json", "--folder", str(folder))).stdout) == []


async def check_plan(folder: Path, elsewhere: Path) -> None:
    """Where the simulated systems are is no change, and a system that goes needs no address."""
    gone = {"systems": {"cmms": None}, "objects": {"maintenance_request": None}, "aliases": {"cmms": None}}
    (elsewhere / "over.yaml").write_text(json.dumps({**gone, "routes": []}))
    plan = await asyncio.to_thread(
        mombus, "plan", "routes.yaml", str(elsewhere / "over.yaml"), "--json", "--folder", str(folder)
    )
    assert plan.returncode == 2, plan.stderr
    changes = [(change["kind"], change["what"]) for change in json.loads(plan.stdout)["changes"]]
    assert [one for one in changes if one[0] != "route"] == [
        ("system", "cmms"), ("object", "maintenance_request"), ("alias", "cmms equipment")
    ]  # fmt: skip
