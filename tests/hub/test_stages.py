"""A message is shown at every step of its way, with reasons for what can't be shown; any two texts are compared."""

from __future__ import annotations

import json
import threading
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio
from history_plant import Board, loaded, post_docs, write_config
from patience import PATIENCE_S, until
from small_documents import decision
from starlette.responses import Response

from mombus.doctor import check
from mombus.hub import examining, overhearing
from mombus.hub.desk import passage
from mombus.hub.hub import open_hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request

    from canonical.message import Message
    from mombus.config.model import Config
    from mombus.delivery.target import Rule
    from mombus.hub.hub import Hub

ROUTE = {
    "object": "release_decision", "to": "board", "when": "body.disposition = 'UnRestricted' and body.id != 'UD-no'",
    "map": '$merge([body, {"description": "of " & source}])',
}  # fmt: skip
NOTED = (
    '$merge([{"id": ref, "material_lot_id": lot, "disposition": "UnRestricted", "decided": decided},'
    ' $exists(note) ? {"description": note} : {}])'
)  # fmt: skip
LONG = "x" * 1_200_000
TOKEN = "the-board's-token-7351"


class Looking:
    """A running hub with a board behind it, and its HTTP API."""

    def __init__(self, running: Hub, one: Board, http: httpx.AsyncClient) -> None:
        self.hub, self.board, self._http = running, one, http

    async def say(self, *documents: dict[str, Any]) -> None:
        await post_docs(self.hub.url, list(documents))

    async def get(self, path: str, code: int = 200, **query: str) -> Any:
        answer = await self._http.get(f"{self.hub.url}/api/{path}", params=query)
        assert answer.status_code == code, answer.text
        return answer.json()

    async def post(self, path: str) -> Any:
        answer = await self._http.post(f"{self.hub.url}/api/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def metrics(self) -> str:
        return (await self._http.get(f"{self.hub.url}/metrics")).text

    async def id_of(self, lot: str) -> str:
        async def found() -> list[Any]:
            return (await self.get("messages", lot=lot))["messages"]

        return (await until(found))[0]["id"]

    async def delivered(self, number: str) -> dict[str, Any]:
        """The stages of what is about a lot, once the board has it."""
        await until(lambda: number in self.board.ids)
        id = await self.id_of(f"{number}-L1")

        async def told() -> Any:
            found = await self.get(f"messages/{id}/stages")
            return found if found["targets"][0]["outcome"]["state"] == "delivered" else None

        return await until(told)


class Strict(Board):
    """A board that refuses what has no lot of its own liking, and repeats the token that it was shown."""

    async def _enter(self, request: Request) -> Response:
        if (await request.json())["lot"].startswith("UD-bad"):
            return Response(f'{{"error": "no such lot", "you": "{request.headers["authorization"]}"}}', 422)
        return await super()._enter(request)


@asynccontextmanager
async def strict_board() -> AsyncIterator[Board]:
    one = Strict()
    await one.server.start()
    try:
        yield one
    finally:
        await one.server.stop()


def config_of(folder: Path, one: Board) -> Config:
    path = write_config(folder, one, [ROUTE], NOTED)
    config = json.loads(path.read_text())
    config["systems"]["board"]["token"] = "${env:BOARD_TOKEN}"
    config["systems"]["board"]["writes"][0]["query"] = {"token": "x{body.id}", "by": "{source}"}
    path.write_text(json.dumps(config))
    return loaded(path)


@asynccontextmanager
async def looking(folder: Path) -> AsyncIterator[Looking]:
    async with (
        strict_board() as one,
        httpx.AsyncClient(trust_env=False) as http,
        open_hub(config_of(folder, one)) as running,
    ):
        yield Looking(running, one, http)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Looking]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOARD_TOKEN", TOKEN)
        patch.setattr(overhearing, "JUST_S", PATIENCE_S)
        patch.setattr(examining, "FIRST_S", 0)
        patch.setattr(check, "APART_S", PATIENCE_S)
        async with looking(tmp_path_factory.mktemp("stages")) as running:
            yield running


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_every_stage_of_what_was_delivered(plant: Looking) -> None:
    await plant.say(decision("UD-1", note="torn label"))
    found = await plant.delivered("UD-1")
    assert (found["object"], found["verb"], found["source"]) == ("release_decision", "sync", "ledger")
    assert json.loads(found["raw"]["content"]["text"])["docs"][0]["note"] == "torn label"
    assert found["raw"]["content"]["media_type"] == "application/json"
    canonical = found["canonical"]
    assert json.loads(canonical["content"]["text"])["description"] == "torn label"
    assert canonical["headers"]["ce-id"] == found["id"]
    assert canonical["lanes"]
    (at_board,) = found["targets"]
    assert (at_board["target"], at_board["passes"]) == ("board", True)
    assert at_board["why"] == "the route release_decision → board"
    assert json.loads(at_board["mapped"]["text"])["description"] == "of ledger"
    assert at_board["outcome"]["level"] == "accepted"
    (call,) = at_board["attempts"]
    assert call["how"].startswith("POST http://127.0.0.1:")
    assert call["how"].endswith("/entries?token=***&by=ledger")
    assert (call["attempt"], call["asked"], call["status"], call["trouble"]) == (1, False, "201", None)
    assert json.loads(call["sent"]["text"]) == {"id": "UD-1", "lot": "UD-1-L1", "note": "of ledger"}
    assert call["reply"] == {"text": None, "media_type": None, "size": 0, "cut": False, "missing": "it was empty"}


async def test_what_a_target_refused_is_shown_with_its_words_and_without_the_token(plant: Looking) -> None:
    await plant.say(decision("UD-bad"))
    id = await plant.id_of("UD-bad-L1")

    async def parked() -> Any:
        (at_board,) = (await plant.get(f"messages/{id}/stages"))["targets"]
        return at_board if at_board["outcome"]["state"] == "parked" else None

    at_board = await until(parked)
    (call,) = at_board["attempts"]
    assert call["status"] == "422"
    assert json.loads(call["reply"]["text"]) == {"error": "no such lot", "you": "Bearer ***"}
    assert TOKEN not in json.dumps(at_board)
    found = await plant.get("diff", left=id, right=id, left_stage="sent", left_target="board", right_stage="raw")
    assert (found["format"], found["left"]) == ("json", f"{id}, sent for board")
    found = await plant.get("diff", left=id, right=id, left_stage="reply", left_target="board", left_number="1")
    assert "error" in [one["path"] for one in found["changes"]]
    said = await plant.get("diff", 422, left=id, right=id, left_stage="reply", left_target="board", left_number="9")
    assert said["detail"] == "there is no call 9: 1 are kept"


async def test_what_is_mapped_to_be_looked_at_is_mapped_beside_the_loop(
    plant: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped_in: set[threading.Thread] = set()
    really = passage.mapped

    def noted(rule: Rule, message: Message) -> Message:
        mapped_in.add(threading.current_thread())
        return really(rule, message)

    monkeypatch.setattr(passage, "mapped", noted)
    await plant.say(decision("UD-beside"))
    assert (await plant.delivered("UD-beside"))["targets"][0]["passes"]
    assert mapped_in
    assert threading.current_thread() not in mapped_in


async def test_what_a_when_keeps_out_says_so(plant: Looking) -> None:
    await plant.say(decision("UD-no"))
    found = await plant.get(f"messages/{await plant.id_of('UD-no-L1')}/stages")
    (at_board,) = found["targets"]
    assert (at_board["passes"], at_board["why"]) == (False, "when is not met")
    assert at_board["mapped"]["missing"] == "it doesn't go there: when is not met"
    assert at_board["outcome"]["state"] == "not for it"


async def test_a_target_that_has_nothing_to_do_with_it_is_told_when_it_is_asked_for(plant: Looking) -> None:
    await plant.say(decision("UD-2"))
    id = (await plant.delivered("UD-2"))["id"]
    (its_own,) = (await plant.get(f"messages/{id}/stages", target="ledger"))["targets"]
    assert (its_own["passes"], its_own["why"]) == (False, "its own")


async def test_of_a_body_that_is_kept_apart_the_beginning_is_shown_with_its_size(plant: Looking) -> None:
    await plant.say(decision("UD-large", note=LONG))
    found = await plant.delivered("UD-large")
    for content in (found["raw"]["content"], found["canonical"]["content"]):
        assert content["cut"]
        assert content["size"] > len(LONG)
        assert 10_000 < len(content["text"]) < 70_000
    assert json.loads(found["targets"][0]["mapped"]["text"])["description"] == "of ledger"


async def test_the_beginning_of_an_id_is_enough_and_a_wrong_one_is_not_found(plant: Looking) -> None:
    await plant.say(decision("UD-3"))
    id = (await plant.delivered("UD-3"))["id"]
    assert (await plant.get(f"messages/{id[:12]}/stages"))["id"] == id
    assert "no message" in (await plant.get("messages/0000000000/stages", 404))["detail"]
    assert "no target 'bord'" in (await plant.get(f"messages/{id}/stages", 404, target="bord"))["detail"]


async def test_two_stages_are_compared(plant: Looking) -> None:
    await plant.say(decision("UD-4", note="torn"))
    id = (await plant.delivered("UD-4"))["id"]
    found = await plant.get("diff", left=id, right=id, right_stage="mapped", right_target="board")
    assert (found["format"], found["right"]) == ("json", f"{id}, mapped for board")
    assert found["changes"] == [
        {"path": "description", "isa95": "Description", "what": "changed", "before": '"torn"', "after": '"of ledger"'}
    ]


async def test_two_messages_are_compared(plant: Looking) -> None:
    await plant.say(decision("UD-5"), decision("UD-6"))
    ids = [(await plant.delivered(number))["id"] for number in ("UD-5", "UD-6")]
    found = await plant.get("diff", left=ids[0], right=ids[1])
    assert [one["isa95"] for one in found["changes"]] == ["ID", "MaterialLotID"]


async def test_two_texts_are_compared(plant: Looking) -> None:
    found = await plant.get("diff", left_text="<a><b>1</b></a>", right_text="<a><b>2</b></a>")
    assert [(one["path"], one["before"], one["after"]) for one in found["changes"]] == [("a/b", "1", "2")]


async def test_what_is_missing_on_one_side_is_told(plant: Looking) -> None:
    await plant.say(decision("UD-7"))
    id = (await plant.delivered("UD-7"))["id"]
    found = await plant.get("diff", left=id, right=id, right_stage="mapped", right_target="ledger")
    assert (found["format"], found["missing"]) == (None, "it doesn't go there: its own")


async def test_a_side_that_is_not_named_is_refused_with_the_reason(plant: Looking) -> None:
    said = await plant.get("diff", 422, left="abcdef", right="abcdef", right_stage="mapped")
    assert said["detail"] == "name the target at which it is mapped"
    assert (await plant.get("diff", 422, left="abcdef"))["detail"] == "name either a message or a text"


async def test_what_the_doctor_finds_is_shown_and_measured(plant: Looking) -> None:
    """A probe looks again; the hub looks at itself when it begins."""
    assert (await plant.post("systems/board/probe"))["health"] == "ok"
    board = await plant.get("systems/board")
    assert [(one["about"], one["verdict"]) for one in board["examined"]["checks"]] == [("system board", "ok")]

    async def looked() -> Any:
        (hub,) = (await plant.get("status"))["hubs"]
        return hub if hub["examined"] and hub["stores"] else None

    hub = await until(looked)
    assert {"folder", "disk", "broker"} <= {one["about"] for one in hub["examined"]["checks"]}
    stores = {one["name"]: one for one in hub["stores"]}
    assert {"journal", "index", "exchanges", "stream MOM", "stream RAW"} <= stores.keys()
    assert stores["exchanges"]["limit"] == 256 * 1024**2
    assert stores["stream MOM"]["limit"] < hub["disk"]["total"]
    begins = datetime(2026, 1, 1, tzinfo=UTC)
    soon = check.certificate("system board", begins, datetime(2027, 1, 1, tzinfo=UTC), field="client_cert")
    late = check.certificate("system board", begins, datetime(2030, 1, 1, tzinfo=UTC), field="client_cert")
    apart = check.Check("system board", check.Verdict.WELL, "", ahead_s=1.5)
    plant.hub.desk._sessions["board"].examined = examining.Examined(datetime.now(UTC), [late, soon, apart]).said()
    metrics = (await plant.metrics()).splitlines()
    assert 'mombus_clock_ahead_seconds{about="system board"} 1.5' in metrics
    first = soon.ends.timestamp() if soon.ends else 0
    (line,) = [line for line in metrics if line.startswith("mombus_certificate_end_timestamp_seconds{")]
    assert line.startswith('mombus_certificate_end_timestamp_seconds{about="system board",field="client_cert"} ')
    assert float(line.split()[-1]) == first
    assert 'mombus_store_limit_bytes{store="exchanges"} 2.68435456e+08' in metrics
    assert 'mombus_system_silent_seconds{system="board"} 0.0' in metrics
