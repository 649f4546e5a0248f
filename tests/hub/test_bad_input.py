"""Bad documents through the hub's HTTP doors: the sender is told, the reason is kept, what comes after it arrives."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from small_documents import decision, enveloped, order, schedule
from small_plant import JSON, MAX_BYTES, PLAIN, SOAP, SmallPlant, eventually, until

from mombus.delivery.commands import Command
from mombus.desk.waiting import Decision, Waits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAUGHS = b'<!DOCTYPE a [<!ENTITY h0 "ha">' + b"".join(
    b'<!ENTITY h%d "%s">' % (n, b"&h%d;" % (n - 1) * 10) for n in range(1, 10)
)  # fmt: skip
DOCUMENTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "external entity": (
        lambda good: b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + good.replace(b"FILLING", b"&x;"),
        "DOCTYPE",
    ),
    "billion laughs": (lambda good: LAUGHS + b"]>" + good.replace(b"FILLING", b"&h9;"), "DOCTYPE"),
    "depth 100k": (lambda good: good.replace(b"FILLING", b"<a>" * 100_000 + b"</a>" * 100_000), "depth"),
    "12 MB": (lambda good: good.replace(b"FILLING", b"x" * 12_000_000), "over 4000000 bytes"),
    "long text": (lambda good: good.replace(b"FILLING", b"x" * 2_000_000), "longer than 1000000"),
    "200k attributes": (
        lambda good: good.replace(b"<Process/>", b"<Process%s/>" % b"".join(b' a%d=""' % n for n in range(200_000))),
        "over 64 attributes",
    ),
    "gzip bomb": (lambda good: gzip.compress(good + b"x" * 50_000_000, mtime=0), "gzip"),
    "truncated": (lambda good: good[:-200], "not well-formed"),
    "wrong encoding": (lambda good: good.replace(b"FILLING", b"FILL\xe9"), "not well-formed"),
    "unknown namespace": (lambda good: good.replace(b"/xml/B2MML", b"/xml/B2MML-V99"), "B2MML-V99"),
    "unknown noun": (lambda good: good.replace(b"OperationsSchedule", b"Payroll"), "Payroll"),
    "no data area": (lambda good: good.replace(b"DataArea", b"DateArea"), "DataArea"),
    "digits only": (lambda good: b"%d" % len(good), "not well-formed"),
    "blank": (lambda good: b" " * len(good), "empty"),
}


@pytest.mark.parametrize("soap", [True, False], ids=["SOAP", "POST"])
@pytest.mark.parametrize("kind", DOCUMENTS)
async def test_a_document_that_cannot_be_read(plant: SmallPlant, kind: str, soap: bool) -> None:
    spoil, words = DOCUMENTS[kind]
    good = schedule(order("PO-BAD"))
    content = spoil(enveloped(good) if soap else good)
    answer = await plant.post("/in/erp", content, SOAP if soap else PLAIN)
    assert answer.status_code == (413 if len(content) > MAX_BYTES else 500 if soap else 400), answer.text
    assert words in answer.text
    assert "root:" not in answer.text
    (row,) = await plant.kept()
    assert (row["system"], row["kind"]) == ("erp", "fault")
    assert words in row["place"] + row["reason"]
    assert row["size"] > 0
    await (plant.order_by_soap if soap else plant.order_by_post)()
    await plant.confirmation_by_mqtt()
    assert (await plant.desk.waiting.page(Waits()))["rows"] == []


@pytest.mark.parametrize("soap", [True, False], ids=["SOAP", "POST"])
async def test_a_byte_order_mark_is_fine(plant: SmallPlant, soap: bool) -> None:
    id = plant.new_id("PO")
    content = enveloped(schedule(order(id))) if soap else schedule(order(id))
    answer = await plant.post("/in/erp", b"\xef\xbb\xbf" + content, SOAP if soap else PLAIN)
    assert answer.status_code == 200
    await until(lambda: id in plant.ledger.entries, id)
    assert await plant.kept(0) == []


async def test_what_is_said_again_is_kept_once(plant: SmallPlant) -> None:
    for _ in range(3):
        assert (await plant.post("/in/erp", b"", PLAIN)).status_code == 400
    (row,) = await plant.kept()
    assert (row["size"], row["reason"]) == (0, "the document is empty")


async def test_a_bad_order_beside_a_good_one(plant: SmallPlant) -> None:
    good, bad = plant.new_id("PO"), plant.new_id("PO")
    broken = order(bad).replace("<OperationsSegmentID>0010</OperationsSegmentID>", "")
    answer = await plant.post("/in/erp", schedule(order(good), broken), PLAIN)
    assert answer.text.count('actionCode="Accepted"') == answer.text.count('actionCode="Rejected"') == 1
    (row,) = await plant.kept()
    assert f"OperationsRequest[{bad}]" in row["place"]
    assert "OperationsSegmentID is missing" in row["reason"]
    assert row["reason"] in answer.text
    await until(lambda: good in plant.ledger.entries, good)


@pytest.mark.parametrize("id", ["a.b.*.>", "Ünïté 7", "=2E", "$JS.API", "x" * 197])
async def test_ids_pass_as_they_are(plant: SmallPlant, id: str) -> None:
    answer = await plant.post("/in/erp", schedule(order(id.replace(">", "&gt;"))), PLAIN)
    assert 'actionCode="Accepted"' in answer.text
    assert (await plant.post("/in/ledger", json.dumps(decision(id)).encode(), JSON)).status_code == 400
    await plant.kept()
    posted = await plant.post("/in/ledger", json.dumps({"docs": [decision(id)]}).encode(), JSON)
    assert posted.json() == {"accepted": [id], "refused": []}
    await until(lambda: id in plant.ledger.entries, id)


@pytest.mark.parametrize("id", ["x&#13;&#10;y", "x&#10;Nats-Msg-Id: 1", " ", "", "x" * 201])
async def test_an_id_that_is_none(plant: SmallPlant, id: str) -> None:
    answer = await plant.post("/in/erp", schedule(order(id)), PLAIN)
    assert 'actionCode="Rejected"' in answer.text
    (row,) = await plant.kept()
    assert "OperationsRequest" in row["place"]
    await plant.order_by_post()


@pytest.mark.parametrize("soap", [True, False], ids=["SOAP", "POST"])
@pytest.mark.parametrize("time", ["2026-03-02T09:00:00", "9999-12-31T00:00:00Z", "1601-01-01T00:00:00Z", "soon"])
async def test_a_time_that_is_none(plant: SmallPlant, time: str, soap: bool) -> None:
    id = plant.new_id("PO")
    timed = order(id).replace("<RequestState>", f"<StartTime>{time}</StartTime><RequestState>")
    content = schedule(timed)
    answer = await plant.post("/in/erp", enveloped(content) if soap else content, SOAP if soap else PLAIN)
    assert 'actionCode="Rejected"' in answer.text
    (row,) = await plant.kept()
    assert "StartTime" in row["place"]
    await (plant.order_by_soap if soap else plant.order_by_post)()


async def test_an_order_over_what_the_broker_carries_passes(plant: SmallPlant) -> None:
    large, small = plant.new_id("PO"), plant.new_id("PO")
    text = f"<Description>{'é' * 900_000}</Description>"
    answer = await plant.post("/in/erp", schedule(order(large, more=text), order(small)), PLAIN)
    assert (answer.text.count('actionCode="Accepted"'), answer.text.count('actionCode="Rejected"')) == (2, 0)
    await until(lambda: {large, small} <= set(plant.ledger.entries), large)
    assert await plant.kept(0) == []


async def test_a_huge_reason_is_shortened_so_that_what_is_kept_can_be_listed(plant: SmallPlant) -> None:
    huge = "9" * 700_000
    for spoilt in (order("PO-HUGE").replace("H87", huge), order(huge), order("PO-HUGE").replace("Released", huge)):
        answer = await plant.post("/in/erp", schedule(spoilt), PLAIN)
        assert 'actionCode="Rejected"' in answer.text
        (row,) = await plant.kept()
        assert len(row["place"]) + len(row["reason"]) < 800
        assert row["size"] > 700_000
    looked_at = (await plant.command("kept_item", json.dumps({"id": row["id"]}).encode()))["result"]
    assert (looked_at["id"], len(looked_at["content"])) == (row["id"], 50_000)
    await plant.order_by_post()


HEADERS: dict[str, tuple[dict[str, str], str]] = {
    "compressed": ({"Content-Encoding": "gzip"}, "compressed"),
    "another type": ({"Content-Type": "text/plain"}, "text/plain"),
}


@pytest.mark.parametrize("path", ["/in/erp", "/in/ledger"])
@pytest.mark.parametrize("kind", HEADERS)
async def test_what_is_not_even_looked_at_is_kept(plant: SmallPlant, kind: str, path: str) -> None:
    headers, words = HEADERS[kind]
    answer = await plant.post(path, b"<a/>", (PLAIN if path == "/in/erp" else JSON) | headers)
    assert (answer.status_code, words in answer.text) == (415, True), answer.text
    (row,) = await plant.kept()
    assert (row["content"], words in row["reason"]) == ("<a/>", True)


async def test_a_stranger_stays_outside(plant: SmallPlant) -> None:
    answer = await plant.post("/in/ledger", b"{", JSON | {"Authorization": "Bearer guess"})
    assert answer.status_code == 401
    assert await plant.kept(0) == []


BODIES: dict[str, tuple[bytes, int, str]] = {
    "NaN": (b'{"docs": [{"ref": NaN}]}', 400, "NaN"),
    "Infinity": (b'{"docs": [{"ref": -Infinity}]}', 400, "Infinity"),
    "duplicate keys": (b'{"docs": [{"ref": "a", "ref": "b"}]}', 400, "'ref' is there twice"),
    "4000 digits": (b'{"docs": [' + b"9" * 4000 + b"]}", 400, "4000 digits"),
    "5000 deep": (b'{"docs":' + b"[" * 5000 + b"]" * 5000 + b"}", 400, "nested deeper"),
    "digits only": (b"4711", 400, "no items"),
    "not UTF-8": ('{"docs": "é"}'.encode("latin-1"), 400, "not UTF-8"),
    "UTF-16": ('{"docs": []}'.encode("utf-16"), 400, "not UTF-8"),
    "truncated": (b'{"docs": [{"ref": "a"', 400, "line 1, column"),
    "4 MB": (b'{"docs": "' + b"x" * MAX_BYTES, 413, "over 4000000 bytes"),
    "gzip": (gzip.compress(b'{"docs": []}', mtime=0), 400, "not UTF-8"),
}


@pytest.mark.parametrize("kind", BODIES)
async def test_a_post_that_cannot_be_read(plant: SmallPlant, kind: str) -> None:
    body, status, words = BODIES[kind]
    answer = await plant.post("/in/ledger", body, JSON)
    assert (answer.status_code, words in answer.json()["reason"]) == (status, True), answer.text
    (row,) = await plant.kept()
    assert (row["system"], row["kind"], row["reason"]) == ("ledger", "fault", answer.json()["reason"])
    await plant.decision_by_webhook()
    await plant.order_by_soap()


ITEMS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown field": ({"more": {"colour": "red"}}, "colour: Extra inputs"),
    "naive time": ({"decided": "2026-03-02T09:00:00"}, "timezone info"),
    "year 9999": ({"more": {"decided": "9999-12-31T00:00:00Z"}}, "placeholder"),
    "year 1601": ({"more": {"decided": "1601-01-01T00:00:00Z"}}, "placeholder"),
    "CRLF in the id": ({"ref": "a\r\nb"}, "control characters"),
}


@pytest.mark.parametrize("door", ["webhook", "poll"])
@pytest.mark.parametrize("kind", ITEMS)
async def test_an_item_that_cannot_be_taken(plant: SmallPlant, kind: str, door: str) -> None:
    change, words = ITEMS[kind]
    good = plant.new_id("UD")
    body = json.dumps({"docs": [decision(plant.new_id("UD")) | change, decision(good)]}).encode()
    if door == "poll":
        plant.ledger.listing = body
    else:
        answer = await plant.post("/in/ledger", body, JSON)
        assert answer.status_code == 422
        (refused,) = answer.json()["refused"]
        assert answer.json()["accepted"] == [good]
        assert words in refused["reason"]
    (row,) = await plant.kept()
    assert row["system"] == "ledger"
    assert words in row["reason"]
    assert row["size"] > 50
    await until(lambda: any(good.encode() in heard for heard in plant.erp.heard), f"{good} at the ERP")
    await plant.order_by_post()


async def test_an_item_over_what_the_broker_carries_passes(plant: SmallPlant) -> None:
    id = plant.new_id("UD")
    item = decision(id) | {"more": {"description": "x" * 1_100_000}}
    answer = await plant.post("/in/ledger", json.dumps({"docs": [item]}).encode(), JSON)
    assert answer.json()["accepted"] == [id]
    await until(
        lambda: any(f">{id}<".encode() in heard and len(heard) > 1_100_000 for heard in plant.erp.heard),
        f"{id} at the ERP",
    )
    assert await plant.kept(0) == []


LISTS = {
    "NaN": b'{"docs": [{"ref": NaN}]}', "duplicate keys": b'{"docs": [], "docs": []}', "digits only": b"4711",
    "5000 deep": BODIES["5000 deep"][0], "4000 digits": BODIES["4000 digits"][0], "HTML": b"<html>maintenance</html>",
    "not UTF-8": b'{"docs": "\xe9"}',
}  # fmt: skip


@pytest.mark.parametrize("kind", LISTS)
async def test_a_list_that_cannot_be_read_stays_with_its_system_and_is_named(plant: SmallPlant, kind: str) -> None:
    plant.ledger.listing = LISTS[kind]
    assert "docs: " in await plant.trouble("ledger is degraded")
    await plant.order_by_soap()
    await plant.decision_by_webhook()
    await plant.decision_by_poll()
    assert await plant.kept(0) == []


async def test_a_fault_with_status_200_parks_what_was_posted(plant: SmallPlant) -> None:
    plant.erp.faulty = True
    id = plant.new_id("UD")
    await plant.post("/in/ledger", json.dumps({"docs": [decision(id)]}).encode(), JSON)

    async def parked() -> list[Mapping[str, Any]]:
        rows = (await plant.desk.waiting.page(Waits(target="erp")))["rows"]
        return [row for row in rows if row["key"] == id and row["kind"] == "parked"]

    (row,) = await eventually(parked)
    assert "the period is closed" in row["reason"]
    assert await plant.trouble("to erp")
    plant.erp.faulty = False
    await plant.decision_by_webhook()
    await plant.confirmation_by_mqtt()
    done = await plant.desk.waiting.do(
        Decision(command=Command.SKIP, target="erp", id=row["id"], why="a test", who="ann")
    )
    assert done["ok"]


async def test_a_wsdl_that_imports_from_elsewhere_halts_its_system_only(plant: SmallPlant) -> None:
    assert "which isn't at" in await plant.trouble("crm is halted")
    assert plant.ledger.asked == []
    await plant.order_by_soap()
    assert (await plant.http.get(f"{plant.hub.url}/readyz")).status_code == 200
