"""The hub is killed while it changes its configuration: what it has taken has one effect at its target.

It is a process of its own, told by SIGHUP that its file has changed, and killed at random moments after that.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from patience import until
from ports import free_port
from small_documents import decision
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from connectors.door import token_hash
from plant.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

ROOT = Path(__file__).parents[2]
TOKEN = "the-laboratory's-token"
HASH = token_hash(TOKEN)
SAYS = {
    "object": "release_decision", "occurred": "decided",
    "body": '{"id": ref, "material_lot_id": lot, "disposition": "UnRestricted", "decided": decided}',
}  # fmt: skip
LATEST_S = 1.5
"""A change takes about as long."""


class Targets:
    """Systems that know a message by its idempotency key. `got` are the ids of their entries, by system and key."""

    def __init__(self) -> None:
        self.got: dict[str, dict[str, str]] = {"a": {}, "b": {}}
        self.server = Served(Starlette(routes=[Route("/{system}", self._enter, methods=["POST"])]))

    async def _enter(self, request: Request) -> Response:
        entry = (await request.json())["id"]
        self.got[request.path_params["system"]][request.headers["idempotency-key"]] = entry
        return Response(status_code=201)


def config_of(url: str, port: int, *targets: str) -> str:
    writes = {name: [{"object": "release_decision", "url": f"/{name}", "body": '{"id": body.id}',
                      "idempotency_header": "idempotency-key"}] for name in "ab"}  # fmt: skip
    return json.dumps({
        "version": 1,
        "plant": {"enterprise": "acme", "site": "lyon", "timezone": "Europe/Paris"},
        "bus": {"folder": "hub"}, "http": {"port": port},
        "systems": {
            "lab": {"connector": "rest", "url": url, "listen": "/in/lab", "door": {"tokens": [HASH]},
                    "pushed": {"items": "docs", "says": [SAYS]}},
            **{name: {"connector": "rest", "url": url, "writes": writes[name]} for name in targets},
        },
        "objects": {"release_decision": {"owner": "lab"}},
        "routes": [{"object": "release_decision", "to": name, "start": "now"} for name in targets],
    })  # fmt: skip


@asynccontextmanager
async def hub(folder: Path, http: httpx.AsyncClient) -> AsyncIterator[asyncio.subprocess.Process]:
    """`mombus run`, ready; killed at the end if it still lives."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mombus", "run", cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await until(lambda: _is_ready(http))
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _is_ready(http: httpx.AsyncClient) -> bool:
    with suppress(httpx.TransportError):
        return (await http.get("/readyz")).status_code == 200
    return False


async def say(http: httpx.AsyncClient, said: list[str]) -> None:
    """One decision, said again until the hub has taken it."""
    id = f"UD-{len(said)}"
    headers = {"Authorization": f"Bearer {TOKEN}"}

    async def taken() -> bool:
        with suppress(httpx.TransportError):
            answer = await http.post("/in/lab", json={"docs": [decision(id)]}, headers=headers)
            return answer.status_code == 202 and answer.json()["accepted"] == [id]
        return False

    await until(taken)
    said.append(id)


async def test_a_kill_while_changing_loses_and_repeats_nothing(tmp_path: Path) -> None:
    chance = random.Random(4711)  # noqa: S311 - the same moments every time, not secrecy
    port, targets, said = free_port(), Targets(), list[str]()
    await targets.server.start()
    file = tmp_path / "routes.yaml"

    async def saying() -> None:
        while True:
            await say(http, said)

    def write(*names: str) -> None:
        file.write_text(config_of(targets.server.url, port, *names))

    write("a")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as http:
        talking = asyncio.create_task(saying())
        for names in (("a", "b"), ("a",)):
            async with hub(tmp_path, http) as process:
                count = len(said)
                await until(lambda count=count: len(said) > count + 5)
                write(*names)
                process.send_signal(signal.SIGHUP)
                await asyncio.sleep(chance.uniform(0.0, LATEST_S))
        async with hub(tmp_path, http) as process:
            assert (await plan(http))["changes"] == [], "it runs what the file says"
            write("a", "b")
            assert len((await plan(http))["changes"]) == 2
            process.send_signal(signal.SIGHUP)
            await until(lambda: _runs_its_file(http))
            count = len(said)
            await until(lambda: len(said) > count + 5)
            talking.cancel()
            await asyncio.wait({talking})
            await until(lambda: set(said) <= set(targets.got["a"].values()))
            ids = list(targets.got["a"].values())
            assert sorted(ids) == sorted(set(ids)), "one effect each"
            assert set(ids) - set(said) <= {f"UD-{len(said)}"}, "but for the one it was just being told"
            await until(lambda: set(said[count + 1 :]) <= set(targets.got["b"].values()))
            of_b = list(targets.got["b"].values())
            assert sorted(of_b) == sorted(set(of_b))
    await targets.server.stop()


async def plan(http: httpx.AsyncClient) -> Any:
    return (await http.get("/api/plan")).json()["plan"]


async def _runs_its_file(http: httpx.AsyncClient) -> bool:
    answer = await http.get("/api/plan/apply")
    state = answer.json()["state"] if answer.status_code == 200 else ""
    assert state != "kept", answer.text
    return state == "applied"
