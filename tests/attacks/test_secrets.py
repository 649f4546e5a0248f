"""Secrets in every place a configuration can hold one, systems that fail and echo them: nothing of it is written.

The hub runs as a process of its own, so that what is looked through is all that it ever wrote.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
from patience import PATIENCE_S, until
from ports import free_port
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from plant.broker import Broker
from plant.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request

ROOT = Path(__file__).parents[2]
NAMES = (
    "PAGES", "DOOR", "WEBHOOK", "QMS", "LEDGER", "LEDGER_HEADER", "MES", "ERP", "ERP_TOKEN", "LINE", "TLS",
)  # fmt: skip
SECRETS = {name: f"planted-{name.lower()}-9f8e7d6c" for name in NAMES}
SECRETS["WEBHOOK"] = "whsec_" + base64.b64encode(b"planted-webhook-secret-9f8e7d6c-").decode()
PRIVATE = frozenset({"hub.json", "broker.conf"})
"""Files that hold a secret by their nature: readable for the hub's user only."""
PAGES = ("/", "/api/status", "/api/waiting", "/api/journey/PO-1", "/metrics", "/readyz?verbose", "/nowhere")
ORDER = """<ProcessOperationsSchedule xmlns="http://www.mesa.org/xml/B2MML" releaseID="1"><ApplicationArea>
<CreationDateTime>2026-03-02T06:00:00Z</CreationDateTime><BODID>B-1</BODID></ApplicationArea><DataArea><Process/>
<OperationsSchedule><ID>S-1</ID><OperationsRequest><ID>PO-1</ID><OperationsType>Production</OperationsType>
<RequestState>Released</RequestState><SegmentRequirement><ID>10</ID><ProcessSegmentID>F</ProcessSegmentID>
<OperationsDefinitionID>D</OperationsDefinitionID><OperationsSegmentID>10</OperationsSegmentID></SegmentRequirement></OperationsRequest></OperationsSchedule></DataArea>
</ProcessOperationsSchedule>"""


async def echo(request: Request) -> JSONResponse:
    """A system that tells everybody what it was shown: in the body, the status 401 or 422, in whatever spelling."""
    shown = request.headers.get("authorization", "") + request.headers.get("x-key", "")
    if shown.lower().startswith("basic "):
        shown += base64.b64decode(shown.split()[1].partition(",")[0]).decode()
    reason = f"refused: {shown} as {quote(shown)} as {base64.b64encode(shown.encode()).decode()}"
    return JSONResponse({"error": reason, "detail": [reason]}, 401 if "qms" in request.url.path else 422)


def configuration(echoing: str, broker: str, dead: str) -> dict[str, Any]:
    write = {"object": "production_order", "url": "/entries", "body": '{"id": body.id}', "effect": "idempotent"}
    secret = {name: f"${{secret:{name}}}" for name in NAMES}
    return {
        "version": 1,
        "plant": {"enterprise": "acme", "site": "lyon", "timezone": "UTC"},
        "bus": {"folder": "hub"},
        "http": {"port": 0, "token": secret["PAGES"]},
        "systems": {
            "erp": {
                "connector": "erp.b2mml", "url": f"http://{dead}/erp?wsdl", "listen": "/in/erp",
                "credentials": {"username": "hub", "password": secret["ERP"]},
                "door": {"users": {"erp": secret["DOOR"]}, "signatures": [secret["WEBHOOK"]]},
            },
            "crm": {
                "connector": "erp.b2mml", "url": f"{echoing}/crm?wsdl", "listen": "/in/crm",
                "credentials": {"token": secret["ERP_TOKEN"]},
            },
            "qms": {"connector": "qms.rest", "url": f"{echoing}/qms", "token": secret["QMS"]},
            "ledger": {
                "connector": "rest", "url": echoing, "user": "hub", "password": secret["LEDGER"], "writes": [write],
            },
            "wms": {
                "connector": "rest", "url": echoing, "token": secret["LEDGER_HEADER"], "token_header": "x-key",
                "writes": [write],
            },
            "tls": {
                "connector": "rest", "url": echoing.replace("http:", "https:"), "token": secret["TLS"],
                "writes": [write],
            },
            "mes": {"connector": "mes.mqtt", "url": broker, "username": "hub", "password": secret["MES"]},
            "line1": {
                "connector": "plc.opcua", "url": f"opc.tcp://{dead}", "user": "hub", "password": secret["LINE"],
                "signals": "signals.yaml", "allow_plain_password": True,
            },
        },
        "objects": {"production_order": {"owner": "erp"}},
        "routes": [{"object": "production_order", "to": ["ledger", "wms", "tls", "mes"]}],
    }  # fmt: skip


@asynccontextmanager
async def hub(folder: Path, config: dict[str, Any]) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """A hub in a process of its own, once its pages answer: where they are."""
    (folder / "routes.yaml").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mombus", "run", str(folder / "routes.yaml"), "--verbose", cwd=ROOT, stdout=log,
            stderr=log, env=os.environ | SECRETS,
        )  # fmt: skip
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not (note := folder / "hub" / "hub.json").is_file():
                    assert process.returncode is None, (folder / "log").read_text()
                    await asyncio.sleep(0.05)
            yield json.loads(note.read_text())["pages"], process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()


async def told(url: str) -> AsyncIterator[bytes]:
    """Everything the hub tells over HTTP, once the order has met every target's trouble."""
    pages = httpx.BasicAuth("ann", SECRETS["PAGES"])
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        for credential in (SECRETS["PAGES"], "wrong"):
            answer = await client.post("/in/erp", content=ORDER, headers={"content-type": "application/xml"},
                                       auth=("erp", credential))  # fmt: skip
            assert answer.status_code == 401
        answer = await client.post(
            "/in/erp", content=ORDER, headers={"content-type": "application/xml"}, auth=("erp", SECRETS["DOOR"])
        )
        assert b'actionCode="Accepted"' in answer.content, answer.text
        yield answer.content
        waiting: list[dict[str, Any]] = []
        for _ in range(600):
            rows = (await client.get("/api/waiting", auth=pages)).json()["rows"]
            waiting = [row for row in rows if row["target"] in {"ledger", "wms"}]
            if len(waiting) == 2:
                break
            await asyncio.sleep(0.05)
        assert ["refused: ***" in row["reason"].replace("Basic ***", "***") for row in waiting] == [True, True], waiting

        async def stages() -> httpx.Response:
            return await client.get(f"/api/messages/{waiting[0]['id']}/stages", auth=pages)

        yield (await until(stages, good=_two_refused)).content
        systems = {row["name"]: row for row in (await client.get("/api/status", auth=pages)).json()["systems"]}
        for name in ("erp", "crm", "qms", "mes", "line1", "tls"):
            assert systems[name]["health"] in {"down", "halted"}, systems[name]
        for path in (
            "/",
            "/api/status",
            "/api/waiting",
            "/api/journey/PO-1",
            "/metrics",
            "/readyz?verbose",
            "/nowhere",
        ):
            yield (await client.get(path, auth=pages)).content


def _two_refused(stages: httpx.Response) -> bool:
    replies = [call["reply"]["text"] or "" for at in stages.json()["targets"] for call in at["attempts"]]
    return sum("refused: ***" in text.replace("Basic ***", "***") for text in replies) == 2


def spelt(secret: str) -> Iterator[bytes]:
    yield secret.encode()
    yield quote(secret, safe="").encode()
    yield base64.b64encode(secret.encode()).rstrip(b"=")
    for before in ("hub:", "erp:", "ann:"):
        yield base64.b64encode((before + secret).encode())[:-3]


def files(folder: Path) -> dict[str, bytes]:
    """Everything on disk that isn't private by its nature."""
    kept = (path for path in folder.rglob("*") if path.is_file() and path.name not in PRIVATE)
    return {str(path): path.read_bytes() for path in kept}


def private_modes(folder: Path) -> set[int]:
    """What others may do with the files that hold a secret."""
    return {path.stat().st_mode & 0o077 for path in folder.rglob("*") if path.name in PRIVATE}


async def test_nothing_that_is_secret_is_written_anywhere(tmp_path: Path) -> None:
    (tmp_path / "signals.yaml").write_text(
        "namespace: urn:x\nequipment:\n  F1:\n    path: /Objects/B\n    signals:\n"
        "      - {signal: number, node: Number, object: process_value, unit: MLT}\n"
    )
    broker, system = Broker(free_port(), user="hub", password="another"), Served(Starlette(routes=[
        Route("/{path:path}", echo, methods=["GET", "POST", "PUT", "HEAD"])
    ]))  # fmt: skip
    await broker.start()
    await system.start()
    try:
        async with hub(tmp_path, configuration(system.url, broker.url, "127.0.0.1:9")) as (url, process):
            written = {f"page {number}": page async for number, page in aenumerate(told(url))}
            asking = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "mombus", "status", "--json", "--folder", str(tmp_path / "hub"), cwd=ROOT,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            written["status"] = (await asking.communicate())[0]
            assert b'"trouble"' in written["status"]
            assert process.returncode is None
            assert private_modes(tmp_path) == {0}
    finally:
        await system.stop()
        await broker.close()
    written |= files(tmp_path)
    assert str(tmp_path / "hub" / "journal.sqlite") in written
    assert b"system halted" in written[str(tmp_path / "log")]
    found = {
        (name, where)
        for name, secret in SECRETS.items()
        for form in spelt(secret)
        for where, content in written.items()
        if form in content
    }
    assert not found


async def aenumerate(pages: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    number = 0
    async for page in pages:
        number += 1
        yield number, page
