"""History through edited routes: what would go elsewhere, say something else, be stuck or refused. Nothing is sent."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
import typer
from history_plant import FACT, board, loaded, mombus, post, write_config
from hub_plant import order
from patience import until

from mombus.cli.what_if import what_if
from mombus.hub.hub import open_hub
from mombus.hub.replay.what_if import Change, Difference, Routes, changed_paths, differences

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from canonical.message import Message

    Compare = Callable[..., list[list[Change]]]

ORDERS = {"object": "production_order", "to": "wms"}


def config(**changes: Any) -> dict[str, Any]:
    """An ERP that owns orders, and a warehouse that gets them."""
    writes = [{"object": "production_order", "url": "/orders", "effect": "idempotent", "idempotency_header": "key",
               "body": '{"id": body.id}'}]  # fmt: skip
    says = [{"object": "production_order", "occurred": "at", "body": '{"id": id}'}]
    system = {"connector": "rest", "url": "http://127.0.0.1:9", "writes": writes}
    reads = [{"name": "orders", "url": "/orders", "says": says}]
    return {
        "version": 1, "plant": {"enterprise": "acme", "site": "lyon", "timezone": "Europe/Paris"},
        "systems": {"erp": {**system, "reads": reads}, "mes": {**system, "reads": reads}, "wms": system},
        "objects": {"production_order": {"owner": "erp"}}, "routes": [ORDERS],
    } | changes  # fmt: skip


@pytest.fixture
def compare(tmp_path: Path) -> Compare:
    """What is different for messages between the example and one with changes."""

    def routes(**changes: Any) -> Routes:
        path = tmp_path / "routes.yaml"
        path.write_text(json.dumps(config(**changes)))
        return Routes(loaded(path))

    def compared(*messages: Message, **changes: Any) -> list[list[Change]]:
        now, other = routes(), routes(**changes)
        return [differences(now.verdict(message), other.verdict(message)) for message in messages]

    return compared


def test_the_same_routes_make_no_difference(compare: Compare) -> None:
    assert compare(order("PO-1", revision=1)) == [[]]


def test_a_removed_route_and_an_added_one(compare: Compare) -> None:
    (changes,) = compare(order("PO-1", revision=1), routes=[{"object": "production_order", "to": "mes"}])
    assert [(change.target, change.what) for change in changes] == [
        ("mes", Difference.ADDED), ("wms", Difference.REMOVED)
    ]  # fmt: skip
    assert 'description: "water"' in changes[0].details


def test_an_edited_when_decides_entry_only(compare: Compare) -> None:
    """What passed once gets every later revision."""
    when = {**ORDERS, "when": "body.description = 'water'"}
    found = compare(
        order("PO-1", "juice", revision=1), order("PO-1", "water", revision=2), order("PO-1", "juice", revision=3),
        routes=[when],
    )  # fmt: skip
    assert found == [[Change("wms", Difference.REMOVED)], [], []]


def test_an_edited_map_is_shown_by_path(compare: Compare) -> None:
    mapped = {**ORDERS, "map": '$merge([body, {"description": "juice", "priority": 7}])'}
    (changes,) = compare(order("PO-1", revision=1), routes=[mapped])
    assert changes == [
        Change("wms", Difference.CHANGED, ('description: "water" → "juice"', 'priority: (nothing) → "7"'))
    ]


def test_a_map_that_fails_would_park(compare: Compare) -> None:
    (changes,) = compare(order("PO-1", revision=1), routes=[{**ORDERS, "map": '{"ident": body.id}'}])
    assert [change.what for change in changes] == [Difference.STUCK]
    assert changes[0].details[0].startswith("map: ")


def test_a_changed_owner_refuses_one_and_allows_the_other(compare: Compare) -> None:
    found = compare(
        order("PO-1", revision=1), order("PO-2", source="mes", revision=1),
        objects={"production_order": {"owner": "mes"}},
    )  # fmt: skip
    assert found == [
        [Change(None, Difference.REFUSED, ("production_order is owned by mes, not by erp",))],
        [Change(None, Difference.ALLOWED, ("goes to wms",))],
    ]


def test_an_alias_that_is_missing(compare: Compare) -> None:
    (changes,) = compare(
        order("PO-1", revision=1), aliases={"wms": {"production_order": {"4711": "PO-4711"}}}
    )  # fmt: skip
    assert [change.what for change in changes] == [Difference.STUCK]
    assert "wms has no alias for production_order 'PO-1'" in changes[0].details[0]


def test_paths_of_lists_and_of_what_is_gone() -> None:
    before, after = {"a": [{"b": 1}, {"b": 2}], "c": {}}, {"a": [{"b": 1}, {"b": 3}], "d": None}
    assert list(changed_paths(before, after)) == ["a.1.b: 2 → 3", "c: {} → (nothing)", "d: (nothing) → null"]


async def test_the_command_compares_a_running_hub_s_history_and_sends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with board() as one:
        today = write_config(tmp_path, one, [FACT])
        async with open_hub(loaded(today)) as running:
            await post(running.url, ["UD-1", "UD-2", "UD-3"])
            await until(lambda: len(one.ids) == 3)

            async def indexed() -> bool:
                return bool((await running.desk.replays.survey({"source": ["ledger"]}))["count"] == 3)

            await until(indexed)
            other = {**FACT, "when": "body.id != 'UD-2'", "map": '$merge([body, {"description": "edited"}])'}
            (tmp_path / "other.yaml").write_text(json.dumps({"routes": [other]}))
            flags = ("--what-if", "routes.yaml", "--what-if", "other.yaml")
            code, out, err = await mombus("replay", "--source", "ledger", *flags, cwd=tmp_path)
            assert code == 2, err
            assert out.splitlines()[:2] == [
                "3 messages, 3 would be different. Nothing was sent.", "  board: 2 changed, 1 removed"
            ]  # fmt: skip
            assert '      description: (nothing) → "edited"' in out
            assert "  - board removed" in out

            code, out, _ = await mombus("replay", "--key", "UD-2", *flags, "--json", cwd=tmp_path)
            told = json.loads(out)
            assert (code, told["messages"], told["by"]) == (2, 1, {"board": {"removed": 1}})
            assert [(row["key"], row["difference"]) for row in told["rows"]] == [("UD-2", "removed")]

            await post(running.url, ["UD-1"], door="board", lots=0)
            owned = {"release_decision": {"owner": "board", "kept_for": "the board"}}
            (tmp_path / "owner.yaml").write_text(json.dumps({"objects": owned, "routes": []}))
            code, out, err = await mombus(
                "replay", "--key", "UD-1", "--what-if", "routes.yaml", "--what-if", "owner.yaml", cwd=tmp_path
            )
            assert code == 2, err
            assert "  ledger: 1 refused\n  board: 1 now allowed" in out
            assert "release_decision is owned by board, not by ledger" in out

            (tmp_path / "bad.yaml").write_text("version: 2\n")
            with pytest.raises(typer.Exit) as ended:
                what_if([tmp_path / "bad.yaml"], [today], {}, folder=tmp_path / "hub", as_json=False)
            assert ended.value.exit_code == 78
            assert "bad.yaml:1:10: error" in capsys.readouterr().err
            assert await asyncio.to_thread(
                what_if, [today], [today], {}, folder=tmp_path / "hub", as_json=False
            ) == (0, 4)  # fmt: skip
            code, _, err = await mombus("replay", "--key", "UD-9", *flags, cwd=tmp_path)
            assert (code, "nothing names the key 'UD-9'" in err) == (1, True), err
            assert "4 messages, 0 would be different. Nothing was sent.\n" in capsys.readouterr().out
            assert one.posts == 3
