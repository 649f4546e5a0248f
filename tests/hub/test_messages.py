"""Messages are found by what they are about, whoever said them and wherever they went, and shown whole."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from history_plant import mombus
from small_documents import confirmation
from small_plant import eventually, until

if TYPE_CHECKING:
    from pathlib import Path

    from small_plant import SmallPlant

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def found(plant: SmallPlant, **wanted: Any) -> dict[str, Any]:
    answer = await plant.http.get(f"{plant.hub.url}/api/messages", params=wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def once_found(plant: SmallPlant, number: int = 1, **wanted: Any) -> list[dict[str, Any]]:
    """The messages, once there are so many."""

    async def looked() -> list[dict[str, Any]]:
        rows = (await found(plant, **wanted))["messages"]
        return rows if len(rows) == number else []

    rows = await eventually(looked)
    assert rows, await found(plant)
    return rows


async def confirmed(plant: SmallPlant) -> str:
    id = plant.new_id("C")
    await plant.publish(json.dumps(confirmation(id)).encode())
    await until(lambda: id in plant.ledger.entries, f"{id} at the ledger")
    return id


async def test_a_confirmation_is_found_by_each_thing_that_is_said_of_it(plant: SmallPlant):
    id = await confirmed(plant)
    (row,) = await once_found(plant, key=id, state="delivered")
    assert (row["object"], row["key"], row["source"], row["verb"]) == ("production_response", id, "mes", "sync")
    (hop,) = row["hops"]
    assert (hop["target"], hop["state"], hop["attempts"]) == ("ledger", "delivered", 1)
    assert 0 <= hop["delay_s"] < 60
    same = {"key": id, "limit": 1}
    for wanted in (
        {"source": "mes"}, {"target": "ledger"}, {"system": "mes"}, {"system": "ledger"}, {"since": "1h"},
        {"object": "production_response"}, {"route": "production_response>ledger"}, {"attempts": 1}, {"verb": "sync"},
        {"order": row["order"][0]}, {"ref": f"production_order={row['order'][0]}"}, {"text": id}, {"text": "fg-1000"},
        {"text": f"{id.lower()} 4711"}, {"text": "FG-10*"},
    ):  # fmt: skip
        assert [one["id"] for one in (await found(plant, **same, **wanted))["messages"]] == [row["id"]], wanted
    for wanted in (
        {"source": "erp"}, {"target": "erp"}, {"system": "erp"}, {"until": "1h"}, {"object": "material"},
        {"attempts": 2}, {"verb": "get"}, {"state": "waiting"}, {"state": "rejected"}, {"order": "PO-never"},
        {"text": "nothing"}, {"text": f"{id} nothing"}, {"text": "G-1000"},
    ):  # fmt: skip
        assert (await found(plant, **same, **wanted))["messages"] == [], wanted


async def test_pages_go_back_in_time_and_miss_nothing(plant: SmallPlant):
    ids = [await confirmed(plant) for _ in range(5)]
    await once_found(plant, key=ids[-1])
    seen: list[str] = []
    before: int | None = None
    while True:
        page = await found(plant, object="production_response", limit=2, **({"before": before} if before else {}))
        seen += [row["key"] for row in page["messages"]]
        before = page["before"]
        if before is None:
            break
        assert len(page["messages"]) == 2
    assert page["complete"]
    assert seen[:5] == ids[::-1]
    assert len(seen) == len(set(seen))


async def test_a_message_is_shown_whole_with_what_it_names_and_what_follows_from_it(plant: SmallPlant):
    await plant.order_by_soap()
    (row, *_) = (await found(plant, object="production_order", limit=1))["messages"] or await once_found(
        plant, object="production_order", limit=1
    )
    await once_found(plant, key=row["key"], state="delivered", object="production_order")
    answer = await plant.http.get(f"{plant.hub.url}/api/messages/{row['id'][:12]}")
    shown = answer.json()
    assert shown["message"]["id"] == row["id"]
    assert shown["headers"]["ce-id"] == row["id"]
    assert shown["body"]["id"] == row["key"]
    assert shown["subject"].startswith("mom.lyon.production_order.")
    assert {"object": "production_order", "id": row["key"]} in shown["refs"]
    assert {"object": "material", "id": "FG-1000"} in shown["refs"]
    assert [hop["target"] for hop in shown["message"]["hops"]] == ["ledger"]


@pytest.mark.parametrize(
    ("wanted", "code", "said"),
    [
        ({"object": "production_ordr"}, 404, "production_order"),
        ({"target": "legder"}, 404, "ledger"),
        ({"since": "yesterday"}, 422, "is no time"),
        ({"ref": "FG-1000"}, 422, "OBJECT=ID"),
        ({"route": "material>ledger", "object": "production_order"}, 422, "leave out the others"),
        ({"text": "F*"}, 422, "give 3 characters"),
        ({"text": "?!"}, 422, "no word"),
        ({"state": "lost"}, 422, "'delivered', 'superseded'"),
        ({"limit": 1000}, 422, "less than or equal to 200"),
        ({"colour": "red"}, 422, "Extra inputs"),
    ],
)
async def test_what_is_asked_wrong_is_told_with_what_was_meant(plant: SmallPlant, wanted, code, said):
    answer = await plant.http.get(f"{plant.hub.url}/api/messages", params=wanted)
    assert (answer.status_code, said in answer.text) == (code, True), answer.text


async def test_a_message_that_is_not_there_is_told_so(plant: SmallPlant):
    answer = await plant.http.get(f"{plant.hub.url}/api/messages/ffffffff")
    assert (answer.status_code, "isn't indexed yet" in answer.text) == (404, True), answer.text


async def test_searches_are_saved_listed_and_deleted(plant: SmallPlant):
    url = f"{plant.hub.url}/api/searches"
    search = {"order": ["PO-4711"], "state": ["parked", "in doubt"], "since": "8h"}
    kept = await plant.http.put(f"{url}/night shift", json={"search": search})
    assert kept.status_code == 200, kept.text
    (row,) = (await plant.http.get(url)).json()
    assert (row["name"], row["mine"], row["shared"]) == ("night shift", True, False)
    assert {name: value for name, value in row["search"].items() if value} == search
    assert (await plant.http.delete(f"{url}/night shift")).status_code == 204
    assert (await plant.http.get(url)).json() == []
    gone = await plant.http.delete(f"{url}/night shift")
    assert (gone.status_code, "search of yours" in gone.text) == (404, True)


async def test_the_command_line_finds_shows_and_keeps_searches(plant: SmallPlant, tmp_path: Path):
    id = await confirmed(plant)
    await once_found(plant, key=id, state="delivered")
    folder = ("--folder", str(plant.folder))
    code, out, err = await mombus("messages", "--key", id, "--save", "mine", *folder, cwd=tmp_path)
    assert code == 0, err
    head, row = out.splitlines()
    assert head.split()[:8] == ["stored", "object", "verb", "key", "order", "equipment", "material", "from"]
    assert {id, "PO-4711", "LINE1", "FG-1000", "mes", "ledger:", "delivered"} <= set(row.split())
    code, out, err = await mombus("messages", "--saved", "mine", "--json", *folder, cwd=tmp_path)
    assert [one["key"] for one in json.loads(out)["messages"]] == [id], err
    code, _, err = await mombus("messages", "--saved", "yours", *folder, cwd=tmp_path)
    assert (code, "no saved search 'yours'. There is mine" in err) == (64, True), err


async def test_handovers_and_bodies_are_exported(plant: SmallPlant, tmp_path: Path):
    ids = [await confirmed(plant) for _ in range(3)]
    for id in ids:
        await once_found(plant, key=id, state="delivered")
    chosen = ("--folder", str(plant.folder), *(word for id in ids for word in ("--key", id)))
    code, out, err = await mombus("export", "-", *chosen, cwd=tmp_path)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (code, [row["key"] for row in rows]) == (0, ids[::-1]), err
    assert {(row["order"], row["hop_target"], row["hop_state"], row["hop_attempts"]) for row in rows} == {
        ("PO-4711", "ledger", "delivered", "1")
    }
    made = ("--object", "production_response", "--each", "material_actual")
    code, _, err = await mombus("export", "made.parquet", *made, *chosen, cwd=tmp_path)
    assert code == 0, err
    total = duckdb.read_parquet(str(tmp_path / "made.parquet")).sum('"body.material_actual.quantity.value"')
    assert total.fetchall() == [(Decimal(360),)]
