"""A ledger that posts decisions and a board that takes them, around hubs of their own or in the test."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from patience import PATIENCE_S
from small_documents import decision
from small_plant import DECISION, JSON, TOKEN
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from connectors.door import token_hash
from mombus.config.loader import load
from plant.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.requests import Request

    from mombus.config.model import Config

ROOT = Path(__file__).parents[2]
FACT = {"object": "release_decision", "to": "board", "start": "now"}


class Board:
    """Takes entries by POST, each idempotency key once, as it says it does."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Any]] = {}
        self.posts = 0
        self.pause_s = 0.0
        self.server = Served(Starlette(routes=[
            Route("/", lambda _: Response("{}")), Route("/entries", self._enter, methods=["POST"])
        ]))  # fmt: skip

    async def _enter(self, request: Request) -> Response:
        await asyncio.sleep(self.pause_s)
        self.posts += 1
        self.entries.setdefault(request.headers["idempotency-key"], await request.json())
        return Response(status_code=201)

    @property
    def ids(self) -> list[str]:
        """What it has, in the order it came."""
        return [entry["id"] for entry in self.entries.values()]


@asynccontextmanager
async def board() -> AsyncIterator[Board]:
    one = Board()
    await one.server.start()
    try:
        yield one
    finally:
        await one.server.stop()


def write_config(
    folder: Path, board: Board, routes: Sequence[dict[str, Any]], says: str = DECISION, text: str = "text"
) -> Path:
    """routes.yaml, with `says` as the mapping of decisions that the ledger posts; `text` describes its materials."""
    said = {"object": "release_decision", "when": "$not($exists(made))", "occurred": "decided", "body": says}
    made = {"object": "material", "when": "$exists(made)", "occurred": "decided",
            "body": f'{{"id": made, "description": {text}}}'}  # fmt: skip
    door = {"tokens": [token_hash(TOKEN)]}
    config = {
        "version": 1,
        "plant": {"enterprise": "acme", "site": "lyon", "timezone": "Europe/Paris"},
        "bus": {"folder": str(folder / "hub")},
        "http": {"port": 0},
        "systems": {
            "ledger": {
                "connector": "rest", "url": board.server.url, "listen": "/in/ledger", "door": door,
                "pushed": {"items": "docs", "says": [said, made]},
            },
            "board": {
                "connector": "rest", "url": board.server.url, "listen": "/in/board", "door": door,
                "pushed": {"items": "docs", "says": [said]},
                "writes": [{
                    "object": "release_decision", "url": "/entries", "idempotency_header": "idempotency-key",
                    "body": '{"id": body.id, "lot": body.material_lot_id, "note": body.description}',
                }],
            },
        },
        "objects": {
            "release_decision": {"owner": "ledger", "kept_for": "a board that comes later"},
            "material": {"owner": "ledger"},
        },
        "routes": list(routes),
    }  # fmt: skip
    path = folder / "routes.yaml"
    path.write_text(json.dumps(config))
    return path


def loaded(path: Path) -> Config:
    found = load([path])
    assert found.config, found.findings
    return found.config


async def post(url: str, ids: Sequence[str], lots: int = 1, door: str = "ledger") -> None:
    """The ledger posts decisions, about so many lots by turns; with no lots, each about a lot of its own."""
    docs = [decision(id, lot=f"L{n % lots}" if lots else f"own-{id}") for n, id in enumerate(ids)]
    await post_docs(url, docs, 202 if door == "ledger" else 422, door)


async def post_docs(url: str, docs: Sequence[dict[str, Any]], status: int = 202, door: str = "ledger") -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{url}/in/{door}", content=json.dumps({"docs": docs}), headers=JSON)
        assert answer.status_code == status, answer.text


async def mombus(*args: str, cwd: Path, answers: str = "") -> tuple[int, str, str]:
    """The command line in a process of its own: exit code, stdout, stderr."""
    process = await start(*args, cwd=cwd)
    out, err = await asyncio.wait_for(process.communicate(answers.encode()), PATIENCE_S)
    return process.returncode or 0, out.decode(), err.decode()


async def start(*args: str, cwd: Path) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mombus", *args, cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MOMBUS_FOLDER": str(cwd / "hub")},
    )  # fmt: skip
