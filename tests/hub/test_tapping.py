"""A tap shows what is said as it is said, filtered and sampled by the hub, which holds nothing for who watches."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio
import yaml
from history_plant import board, loaded, mombus, post, post_docs, start, write_config
from patience import PATIENCE_S
from small_documents import AT, decision
from typer import BadParameter

from canonical.isa95.resources import MaterialDefinition as Material
from canonical.message import Message, Verb
from mombus.bus.commands import UnknownNameError
from mombus.cli.tap import _checked
from mombus.desk.tap import TAP, TapAsked
from mombus.hub.desk import tapping
from mombus.hub.desk.passage import Passage
from mombus.hub.hub import open_hub
from mombus.ownership.aliases import Declared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mombus.delivery.routing import Routing
    from mombus.hub.hub import Hub

ROUTE = {"object": "release_decision", "to": "board", "when": "body.id != 'UD-no'"}
NOW = datetime.fromisoformat(AT)
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    folder: Path = tmp_path_factory.mktemp("tap")
    async with board() as one, open_hub(loaded(write_config(folder, one, [ROUTE]))) as running:
        yield running


async def tapped(hub: Hub, **asked: Any) -> dict[str, Any]:
    return await hub.desk.ask(TAP, TapAsked(**asked))


async def test_it_begins_now_and_goes_on_from_there(hub: Hub) -> None:
    await post(hub.url, ["UD-before"])
    begun = await tapped(hub)
    assert begun["messages"] == []
    await post_docs(hub.url, [decision("UD-1"), decision("UD-no"), {"ref": "M", "made": "FG-1", "decided": AT}])
    part = await tapped(hub, after=begun["after"])
    assert [(one["object"], one["source"], one["targets"]) for one in part["messages"]] == [
        ("release_decision", "ledger", ["board"]), ("release_decision", "ledger", []), ("material", "ledger", []),
    ]  # fmt: skip
    assert (part["left_out"], part["more"]) == (0, False)
    assert (await tapped(hub, after=part["after"]))["messages"] == []


async def test_it_shows_what_fits_everything_that_is_asked(hub: Hub) -> None:
    begun = (await tapped(hub))["after"]
    await post_docs(hub.url, [decision("UD-2"), decision("UD-3"), {"ref": "N", "made": "FG-2", "decided": AT}])
    for asked, keys in (
        ({"object": ("material",)}, ["FG-2"]),
        ({"key": ("UD-3", "nothing")}, ["UD-3"]),
        ({"key": ("UD-2-L1",)}, ["UD-2"]),
        ({"system": ("board",)}, ["UD-2", "UD-3"]),
        ({"route": "release_decision>board"}, ["UD-2", "UD-3"]),
        ({"verb": ("get",)}, []),
        ({"object": ("process_value",)}, []),
        ({"signals": True, "object": ("material",)}, ["FG-2"]),
    ):  # fmt: skip
        part = await tapped(hub, after=begun, **asked)
        assert [one["key"] for one in part["messages"]] == keys, asked
    (one,) = (await tapped(hub, after=begun, key=("UD-3",), bodies=True))["messages"]
    assert json.loads(one["body"]["text"])["material_lot_id"] == "UD-3-L1"


async def test_expressions_of_routes_are_asked_beside_the_loop(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_in: set[threading.Thread] = set()
    really = tapping._goes

    def noted(routing: Routing, message: Message) -> bool:
        asked_in.add(threading.current_thread())
        return really(routing, message)

    monkeypatch.setattr(tapping, "_goes", noted)
    begun = (await tapped(hub))["after"]
    await post(hub.url, ["UD-beside"])
    assert [one["targets"] for one in (await tapped(hub, after=begun))["messages"]] == [["board"]]
    assert asked_in
    assert threading.current_thread() not in asked_in


async def test_a_little_history_comes_first(hub: Hub) -> None:
    await post(hub.url, ["UD-4"])
    part = await tapped(hub, since_s=600)
    assert "UD-4" in [one["key"] for one in part["messages"]]
    assert (await tapped(hub, after=part["after"]))["messages"] == []


async def test_more_than_is_wanted_comes_next_time(hub: Hub) -> None:
    begun = (await tapped(hub))["after"]
    await post(hub.url, [f"UD-5{n}" for n in range(5)])
    keys, more, after = [], True, begun
    while more:
        part = await tapped(hub, after=after, most=2)
        keys += [one["key"] for one in part["messages"]]
        after, more = part["after"], part["more"]
    assert keys == [f"UD-5{n}" for n in range(5)]


async def test_a_sample_is_picked_all_over_and_the_rest_is_counted(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    begun = (await tapped(hub))["after"]
    numbers = [f"UD-6{n:02}" for n in range(40)]
    await post(hub.url, numbers)
    part = await tapped(hub, after=begun, most=4, spread=True)
    assert [one["key"] for one in part["messages"]] == ["UD-600", "UD-610", "UD-620", "UD-630"]
    assert part["left_out"] == 36
    monkeypatch.setattr(tapping, "LOOKED_AT", 10)
    part = await tapped(hub, after=begun, most=4, spread=True)
    assert len(part["messages"]) == 4
    assert part["messages"][-1]["key"] > "UD-625"
    assert part["left_out"] == 36
    assert (await tapped(hub, after=part["after"], most=4, spread=True))["messages"] == []


async def test_who_is_far_behind_goes_on_where_it_is_said_now(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = (await tapped(hub))["after"]
    await post(hub.url, [f"UD-7{n:02}" for n in range(30)])
    monkeypatch.setattr(tapping, "MOST_BEHIND", 10)
    monkeypatch.setattr(tapping, "LOOKED_AT", 5)
    part = await tapped(hub, after=begun)
    assert [one["key"] for one in part["messages"]] == [f"UD-7{n}" for n in range(25, 30)]
    assert part["left_out"] == 25


async def test_what_can_never_be_is_refused(hub: Hub) -> None:
    with pytest.raises(UnknownNameError, match=r"no data object 'materiel'.*material"):
        await tapped(hub, object=("materiel",))
    with pytest.raises(UnknownNameError, match="no system 'bord'"):
        await tapped(hub, system=("bord",))
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{hub.url}/api/tap", params={"after": "x"})).status_code == 422
        assert (await http.get(f"{hub.url}/api/tap", params={"object": "materiel"})).status_code == 404
        assert (await http.get(f"{hub.url}/api/tap", params={"since_s": 1})).status_code == 200


async def test_pages_get_each_message_as_an_event(hub: Hub) -> None:
    async with (
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http,
        http.stream("GET", f"{hub.url}/api/tap", headers={"accept": "text/event-stream"}) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        assert await anext(lines) == ": still here"
        await post(hub.url, ["UD-8"])
        data = ""
        async with asyncio.timeout(PATIENCE_S):
            while not data.startswith("data: "):
                data = await anext(lines)
    assert json.loads(data.removeprefix("data: "))["key"] == "UD-8"


async def test_the_command_prints_a_line_for_each_and_ends(hub: Hub) -> None:
    folder = hub.config.folder
    await post(hub.url, ["UD-90", "UD-91"])
    code, out, err = await mombus("tap", "--since", "10m", "--key", "UD-90", "--limit", "1", "--json", cwd=folder)
    assert code == 0, err
    assert json.loads(out)["key"] == "UD-90"
    code, out, err = await mombus("tap", "--since", "10m", "--key", "UD-91", "--limit", "1", cwd=folder)
    assert (code, out.split()[1:5]) == (0, ["release_decision", "sync", "Change", "UD-91"]), err
    assert "ledger → board" in out
    code, _, err = await mombus("tap", "--object", "materiel", cwd=folder)
    assert (code, "did you mean" in err) == (64, True)


async def test_what_is_shown_is_saved_as_a_masked_route_test_that_plays(hub: Hub) -> None:
    folder = hub.config.folder
    await post_docs(hub.url, [decision("UD-saved")])
    tap = ("tap", "--since", "10m", "--key", "UD-saved", "--json", "--save-as-test")
    code, out, err = await mombus(*tap, "saved.test.yaml", cwd=folder)
    assert (code, json.loads(out)["key"]) == (0, "UD-saved"), err
    id = json.loads(out)["id"]
    assert "with pseudonyms for persons, free text" in err
    (case,) = yaml.safe_load((folder / "saved.test.yaml").read_text())["tests"]
    assert (case["given"][0]["from"], list(case["expect"])) == ("ledger", ["board"])
    for file, limit, said in (
        ("saved.test.yaml", None, "is there already"), ("saved.yaml", 2, "such as saved.test.yaml"),
        ("other.test.yaml", 21, "20 messages at most"),
    ):  # fmt: skip
        with pytest.raises(BadParameter, match=said):
            _checked(folder / file, limit)
    code, out, err = await mombus("test", "saved.test.yaml", cwd=folder)
    assert code == 0, (out, err)
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{hub.url}/api/messages/{id}/test")
    assert "Pseudonyms stand for" in answer.json()["text"]


async def test_what_is_given_in_a_saved_test_is_in_the_ids_of_who_said_it() -> None:
    nowhere: Any = None
    aliases: Any = Declared({"ledger": {"material": {"30001": "FG-1"}}})
    passage = Passage(site="lyon", bus=nowhere, journal=nowhere, index=nowhere, delivery=nowhere, aliases=aliases)
    said = {
        id: Message.of("material", Material(id=id), source="ledger", site="lyon", occurred=NOW, recorded=NOW)
        for id in ("FG-1", "FG-9")
    }  # fmt: skip
    assert passage.own_words(said["FG-1"]).body.id == "30001"
    assert passage.own_words(said["FG-9"]) == said["FG-9"], "without an alias it stays as it is"
    get = Message.of(
        "material", None, verb=Verb.GET, source="ledger", site="lyon", key="FG-1", lanes=("material:FG-1",),
        occurred=NOW, recorded=NOW,
    )  # fmt: skip
    assert passage.own_words(get).key == "30001"


async def test_ctrl_c_ends_it(hub: Hub) -> None:
    process = await start("tap", "--json", cwd=hub.config.folder)
    assert process.stdout
    numbers = iter(range(1000))

    async def saying() -> None:
        while True:
            await post(hub.url, [f"UD-C{next(numbers)}"])
            await asyncio.sleep(0.1)

    talk = asyncio.create_task(saying())
    try:
        async with asyncio.timeout(PATIENCE_S):
            assert json.loads(await process.stdout.readline())["key"].startswith("UD-C")
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 0
    finally:
        talk.cancel()
        await asyncio.wait({talk})
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
