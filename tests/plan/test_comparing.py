"""A plan says what changes, and what becomes of what is on its way; it tells no secret."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from mombus.cli.planned import lines
from mombus.config.loader import load
from mombus.plan.comparing import compare
from mombus.plan.fates import Flow, Waits
from mombus.plan.files import contents
from mombus.plan.picture import picture, sealing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mombus.plan.picture import Picture
    from mombus.plan.plan import Plan

SALT = "0123456789abcdef"
WRITES = [{"object": "production_order", "url": "/entries", "body": '{"id": body.id}', "idempotency_header": "key"}]
BASE: dict[str, Any] = {
    "version": 1,
    "plant": {"enterprise": "acme", "site": "lyon", "timezone": "Europe/Paris"},
    "systems": {
        "erp": {"connector": "erp.b2mml", "url": "http://127.0.0.1:8101/erp?wsdl"},
        "mes": {"connector": "rest", "url": "http://127.0.0.1:8102", "writes": WRITES},
        "wms": {"connector": "rest", "url": "http://127.0.0.1:8104", "writes": WRITES},
    },
    "objects": {"production_order": {"owner": "erp", "process_owner": "planning@acme.example"}},
    "routes": [{"object": "production_order", "to": ["mes", "wms"]}],
}  # fmt: skip


def drawn(folder: Path, config: dict[str, Any], **environ: str) -> Picture:
    (folder / "routes.yaml").write_text(json.dumps(config))
    loaded = load([folder / "routes.yaml"], environ)
    assert loaded.config, loaded.findings
    return picture(loaded.config, contents(loaded.config), sealing(SALT))


def planned(
    folder: Path, change: Callable[[dict[str, Any]], Any], flow: Flow | None = None, *, base: dict[str, Any] = BASE
) -> Plan:
    new = deepcopy(base)
    change(new)
    return compare(drawn(folder, base), drawn(folder, new), flow or Flow())


def changes(plan: Plan) -> list[tuple[str, str, str]]:
    return [(change.kind, change.what, change.how) for change in plan.changes]


def test_nothing_changes_when_it_is_only_written_differently(tmp_path: Path) -> None:
    def respell(config: dict[str, Any]) -> None:
        config["routes"] = [{"object": "production_order", "to": name, "effect": "accepted"} for name in ("mes", "wms")]

    plan = planned(tmp_path, respell)
    assert (plan.changes, plan.consumers, plan.base == plan.to) == ((), (), True)
    assert list(lines(plan)) == ["Nothing changes: the hub runs this configuration."]


def test_a_target_more_is_one_route_more_and_says_where_it_begins(tmp_path: Path) -> None:
    def add(config: dict[str, Any]) -> None:
        config["systems"]["qms"] = {"connector": "rest", "url": "http://127.0.0.1:8105", "writes": WRITES}
        config["routes"].append({"object": "production_order", "to": "qms", "start": "now"})

    plan = planned(tmp_path, add)
    assert changes(plan) == [("system", "qms", "added"), ("route", "production_order → qms", "added")]
    (consumer,) = plan.consumers
    assert (consumer.names, consumer.how, consumer.begins) == (("to-qms",), "added", ("production_order: from now on",))
    assert (plan.added_systems, plan.in_flight, plan.restart) == ({"qms"}, (), [])


def test_what_waits_for_a_removed_system_must_be_decided(tmp_path: Path) -> None:
    def remove(config: dict[str, Any]) -> None:
        del config["systems"]["wms"]
        config["routes"][0]["to"] = ["mes"]

    waits = [Waits(target=name, object="production_order", kind="parked", count=3) for name in ("wms", "mes")]
    plan = planned(tmp_path, remove, Flow(on_the_way={"wms": 5, "mes": 7}, waiting=tuple(waits), spooled={"wms": 2}))
    assert changes(plan) == [("system", "wms", "removed"), ("route", "production_order → wms", "removed")]
    fates = [(fate.target, fate.count, fate.becomes, fate.decide) for fate in plan.in_flight]
    assert fates[:2] == [("wms", 5, "old rules", False), ("wms", 3, "orphaned", True)]
    assert {fate.target for fate in plan.in_flight} == {"wms"}
    assert plan.undecided["wms"] >= 3
    assert any("3 for wms (production_order, parked)" in line for line in lines(plan))


def test_another_rule_is_for_what_comes_and_for_what_waits(tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["routes"][0] |= {"to": ["mes"], "map": "body", "within": "15m"}
        config["routes"].append({"object": "production_order", "to": "wms"})

    waits = Waits(target="mes", object="production_order", kind="retrying", count=1)
    plan = planned(tmp_path, change, Flow(on_the_way={"mes": 4, "wms": 4}, waiting=(waits,)))
    (route,) = plan.changes
    assert [(field.field, field.before, field.after) for field in route.fields] == [
        ("within", None, "900 s"), ("map", None, "body")
    ]  # fmt: skip
    assert [(fate.target, fate.becomes) for fate in plan.in_flight] == [("mes", "old rules"), ("mes", "new rules")]
    (consumer,) = plan.consumers
    assert (consumer.target, consumer.begins) == ("mes", ("production_order: goes on where it is",))
    assert [line.strip() for line in lines(plan) if "goes on" in line] == ["goes on where it is"]


def test_what_waits_without_its_route_goes_to_a_person(tmp_path: Path) -> None:
    waits = Waits(target="wms", object="production_order", kind="retrying", count=1)
    plan = planned(tmp_path, lambda config: config["routes"][0].update(to=["mes"]), Flow(waiting=(waits,)))
    assert changes(plan) == [("route", "production_order → wms", "removed")]
    assert [(fate.becomes, fate.decide) for fate in plan.in_flight] == [("stays", False)]
    assert "no route brings production_order there" in plan.in_flight[0].text


def test_another_owner_is_asked_from_now_on(tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["objects"]["production_order"]["owner"] = "mes"
        config["routes"][0]["to"] = ["wms"]

    says = {"object": "production_order", "occurred": "at", "body": '{"id": id}'}
    base = deepcopy(BASE)
    base["systems"]["mes"] |= {"poll_s": 1, "reads": [{"name": "o", "url": "/o", "items": "o", "says": [says]}]}
    plan = planned(tmp_path, change, base=base)
    assert ("object", "production_order", "changed") in changes(plan)
    begins = {consumer.target: consumer.begins for consumer in plan.consumers}
    assert "requests for production_order: from now on" in begins["mes"]


def test_a_changed_secret_shows_without_being_told(tmp_path: Path) -> None:
    with_token = deepcopy(BASE)
    with_token["systems"]["mes"]["token"] = "${secret:MES}"
    with_token["http"] = {"token": "${secret:PAGES}"}
    old, same, other = (
        drawn(tmp_path, with_token, MES="hunter2-first", PAGES=pages)
        for pages in ("swordfish-one", "swordfish-one", "swordfish-two")
    )
    assert not compare(old, same, Flow()).changes
    plan = compare(old, other, Flow())
    assert changes(plan) == [("http", "http", "changed")]
    told = plan.model_dump_json() + "\n".join(lines(plan)) + json.dumps(old)
    assert "swordfish" not in told
    assert "hunter2" not in told
    assert "secret " in str(plan.changes[0].fields[0].after)


@pytest.mark.parametrize(
    ("section", "fields"), [("bus", {"folder": "elsewhere"}), ("http", {"port": 9090}), ("plant", {"site": "nantes"})]
)
def test_what_is_taken_at_the_start_needs_one(tmp_path: Path, section: str, fields: dict[str, Any]) -> None:
    plan = planned(tmp_path, lambda config: config.setdefault(section, {}).update(fields))
    assert len(plan.restart) == 1
    assert "stop it and start it again" in plan.restart[0]


def test_what_a_file_says_belongs_to_who_names_it(tmp_path: Path) -> None:
    named = deepcopy(BASE)
    named["aliases"] = {"wms": {"material": "ids.csv"}}
    named["plant"]["equipment"] = "equipment.csv"
    (tmp_path / "equipment.csv").write_text("id,parent,level\nLYON,,Site\n")
    pictures = []
    for ids in ("4711,A\n", "4711,B\n"):
        (tmp_path / "ids.csv").write_text(f"native,canonical\n{ids}")
        pictures.append(drawn(tmp_path, named))
    assert changes(compare(*pictures, Flow())) == [("alias", "wms material", "changed")]
    (tmp_path / "equipment.csv").write_text("id,parent,level\nLYON,,Site\nLINE1,LYON,ProductionLine\n")
    assert changes(compare(pictures[1], drawn(tmp_path, named), Flow())) == [("plant", "plant", "changed")]


def test_a_file_that_a_named_file_names_belongs_to_it(tmp_path: Path) -> None:
    named = deepcopy(BASE)
    named["systems"]["erp"] |= {"url": "wsdl/erp.wsdl", "endpoint": "http://127.0.0.1:8101/erp"}
    (tmp_path / "wsdl").mkdir()
    (tmp_path / "wsdl/erp.wsdl").write_text('<xs:import schemaLocation="types.xsd"/>')
    pictures = []
    for types in ("one", "two", "two"):
        (tmp_path / "wsdl/types.xsd").write_text(f'<xs:include schemaLocation="erp.wsdl"/>{types}')
        pictures.append(drawn(tmp_path, named))
    (change,) = compare(*pictures[:2], Flow()).changes
    assert (change.what, [field.field for field in change.fields]) == ("erp", ["url (content)"])
    assert not compare(*pictures[1:], Flow()).changes


def test_a_system_by_another_name_is_told(tmp_path: Path) -> None:
    def rename(config: dict[str, Any]) -> None:
        config["systems"]["warehouse"] = config["systems"].pop("wms")
        config["routes"][0]["to"] = ["mes", "warehouse"]

    (hint,) = planned(tmp_path, rename).hints
    assert "wms is removed and warehouse added with the same connector" in hint


def test_a_new_name_that_would_tell_facts_once_more_is_not_taken(tmp_path: Path) -> None:
    says = {"object": "inventory_movement", "occurred": "at", "body": '{"id": id}'}
    base = deepcopy(BASE)
    base["systems"]["wms"] |= {"poll_s": 1, "reads": [{"name": "m", "url": "/m", "items": "m", "says": [says]}]}
    base["objects"]["inventory_movement"] = {"owner": "wms"}
    base["routes"].append({"object": "inventory_movement", "to": "erp"})

    def rename(config: dict[str, Any]) -> None:
        config["systems"]["warehouse"] = config["systems"].pop("wms")
        config["objects"]["inventory_movement"]["owner"] = "warehouse"
        config["routes"][0]["to"] = ["mes", "warehouse"]

    def move_as_well(config: dict[str, Any]) -> None:
        rename(config)
        config["systems"]["warehouse"]["url"] = "http://127.0.0.1:8204"

    plan = planned(tmp_path, rename, Flow(bookmarked=("wms",)), base=base)
    assert (plan.hints, plan.blocked) == ((), [*plan.repeats])
    assert "take effect once more (inventory_movement → erp). Keep the name wms" in plan.repeats[0]
    assert any(line.startswith("! warehouse is read at the address of wms") for line in lines(plan))
    for harmless in (
        planned(tmp_path, rename, Flow(), base=base),
        planned(tmp_path, move_as_well, Flow(bookmarked=("wms",)), base=base),
    ):
        assert (len(harmless.hints), harmless.blocked) == (1, [])


def test_what_an_earlier_change_left_is_told(tmp_path: Path) -> None:
    waits = Waits(target="gone", object="production_order", kind="parked", count=2)
    plan = planned(tmp_path, lambda _: None, Flow(waiting=(waits,)))
    assert [(fate.target, fate.count, fate.becomes) for fate in plan.left] == [("gone", 2, "stays")]
