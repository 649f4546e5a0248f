"""The hub is killed while it changes its configuration: what it has taken has one effect at its target.

It is a process of its own, told by SIGHUP that its file has changed, and killed at random moments after that.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from own_broker import broker
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


PAUSE_S = 0.1
"""Between two things that are said: it is their order and their number that count, not how many."""


class Targets:
    """Systems that know a message by its idempotency key. `got` are the ids of their entries, by system and key."""

    def __init__(self) -> None:
        self.got: dict[str, dict[str, str]] = {"a": {}, "b": {}}
        self.server = Served(Starlette(routes=[Route("/{system}", self._enter, methods=["POST"])]))

    async def _enter(self, request: Request) -> Response:
        entry = (await request.json())["id"]
        self.got[request.path_params["system"]][request.headers["idempotency-key"]] = entry
        return Response(status_code=201)


def config_of(url: str, port: int, *targets: str, **bus: str) -> str:
    writes = {name: [{"object": "release_decision", "url": f"/{name}", "body": '{"id": body.id}',
                      "idempotency_header": "idempotency-key"}] for name in "ab"}  # fmt: skip
    return json.dumps({
        "version": 1,
        "plant": {"enterprise": "acme", "site": "lyon", "timezone": "Europe/Paris"},
        "bus": {"folder": "hub", **bus}, "http": {"port": port},
        "systems": {
            "lab": {"connector": "rest", "url": url, "listen": "/in/lab", "door": {"tokens": [HASH]},
                    "pushed": {"items": "docs", "says": [SAYS]}},
            **{name: {"connector": "rest", "url": url, "writes": writes[name]} for name in targets},
        },
        "objects": {"release_decision": {"owner": "lab"}},
        "routes": [{"object": "release_decision", "to": name, "start": "now"} for name in targets],
    })  # fmt: skip


@asynccontextmanager
async def hub(folder: Path, http: httpx.AsyncClient, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`mombus run`, ready; killed at the end if it still lives."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mombus", "run", *options, cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, stderr=asyncio.subprocess.DEVNULL,
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


async def say(said: list[str], *doors: httpx.AsyncClient) -> None:
    """One decision, said again until a hub has taken it."""
    id = f"UD-{len(said)}"
    headers = {"Authorization": f"Bearer {TOKEN}"}

    async def taken() -> bool:
        for http in doors:
            with suppress(httpx.TransportError):
                answer = await http.post("/in/lab", json={"docs": [decision(id)]}, headers=headers)
                if answer.status_code == 202 and answer.json()["accepted"] == [id]:
                    return True
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
            await say(said, http)
            await asyncio.sleep(PAUSE_S)

    def write(*names: str) -> None:
        file.write_text(config_of(targets.server.url, port, *names))

    write("a")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
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


async def test_a_hub_that_is_killed_while_all_change_leaves_what_is_told_and_mended(
    tmp_path: Path, postgresql: str
) -> None:
    targets, said, ports = Targets(), list[str](), {"one": free_port(), "two": free_port()}
    await targets.server.start()
    async with AsyncExitStack() as stack:
        bus = {"store": postgresql.replace("postgres:@", ""), "store_user": "postgres"}
        bus["broker"] = await stack.enter_async_context(broker(tmp_path / "nats"))
        one, two = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False))
            for port in ports.values()
        ]

        def write(*names: str) -> None:
            for name, port in ports.items():
                (tmp_path / name).mkdir(exist_ok=True)
                (tmp_path / name / "routes.yaml").write_text(config_of(targets.server.url, port, *names, **bus))

        async def saying() -> None:
            while True:
                await say(said, one, two)
                await asyncio.sleep(PAUSE_S)

        write("a")
        leader = await stack.enter_async_context(hub(tmp_path / "one", one))
        async with hub(tmp_path / "two", two) as other:
            talking = asyncio.create_task(saying())
            await until(lambda: len(said) > 5)
            write("a", "b")
            await until(lambda: _begun(one))
            await until(lambda: _at_other(one, "changing", "runs it"))
            other.kill()
            found = await until(lambda: _ended(one))
            assert found["state"] in {"kept", "applied"}
            assert found["state"] == "applied" or f"the hub at {str(two.base_url).rstrip('/')}" in found["reason"]
        await stack.enter_async_context(hub(tmp_path / "two", two))
        if found["state"] == "kept":
            await until(lambda: _told(one, "runs another configuration: give all hubs the same files"))
            await until(lambda: _finished(one))
        await until(lambda: _agree(one))

        write("a")
        await until(lambda: _begun(one))
        await until(lambda: _at_other(one, "changing", "runs it"))
        leader.kill()
        await until(lambda: _finished(two))
        made = await plan(two)
        assert (made["changes"], made["hubs"]) == ([], []), "it goes on without who led"
        count = len(said)
        await until(lambda: len(said) > count + 5)
        talking.cancel()
        await asyncio.wait({talking})
        await until(lambda: set(said) <= set(targets.got["a"].values()))
        for got in targets.got.values():
            assert len(set(got.values())) == len(got), "one effect each"
    await targets.server.stop()


async def _begun(http: httpx.AsyncClient) -> bool:
    """True once a change has begun: what another one left may have to end first."""
    return (await http.post("/api/plan/apply", json={"why": "asked for"})).status_code == 202


async def _at_other(http: httpx.AsyncClient, *states: str) -> bool:
    found = (await http.get("/api/plan/apply")).json()
    return found.get("state") != "changing" or any(hub["state"] in states for hub in found["hubs"])


async def _ended(http: httpx.AsyncClient) -> Any:
    answer = await http.get("/api/plan/apply")
    found = answer.json() if answer.status_code == 200 else {"state": "changing"}
    return found if found["state"] != "changing" else None


async def _told(http: httpx.AsyncClient, words: str) -> bool:
    return words in (await http.get("/readyz?verbose")).text


async def _agree(http: httpx.AsyncClient) -> bool:
    """True when both run what their files say."""
    made = await plan(http)
    return not made["changes"] and [at["how"] for at in made["hubs"]] == ["has it"]


async def _finished(http: httpx.AsyncClient) -> bool:
    """True once all run what the files say; until then it is asked for again, as a person would."""
    await _begun(http)
    return (await until(lambda: _ended(http)))["state"] in {"applied", "nothing to change"}


async def plan(http: httpx.AsyncClient) -> Any:
    return (await http.get("/api/plan")).json()["plan"]


async def _runs_its_file(http: httpx.AsyncClient) -> bool:
    answer = await http.get("/api/plan/apply")
    state = answer.json()["state"] if answer.status_code == 200 else ""
    assert state != "kept", answer.text
    return state == "applied"
