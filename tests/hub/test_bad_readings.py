"""Bad input from the shop floor and on the bus: by MQTT, OPC UA and commands, with the hub behind."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import ua
from nats.js.errors import NotFoundError
from patience import PATIENCE_S
from small_documents import confirmation
from small_plant import SmallPlant, eventually, until

from canonical.claim import Claim
from mombus.bus.commands import command_subject
from mombus.bus.streams import DEAD, MOM

pytestmark = pytest.mark.asyncio(loop_scope="module")


def said(id: str = "C-BAD", **more: Any) -> bytes:
    return json.dumps(confirmation(id, **more), ensure_ascii=False).encode("utf-8", "surrogatepass")


PAYLOADS: dict[str, tuple[bytes, str]] = {
    "NaN": (said().replace(b"120", b"NaN"), "NaN"),
    "duplicate keys": (said().replace(b"{", b'{"uom": "PC", ', 1), "'uom' is there twice"),
    "4000 digits": (said().replace(b"120", b"9" * 4000), "4000 digits"),
    "5000 deep": (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested deeper"),
    "digits only": (b"4711", "a JSON object"),
    "6 MB": (said(scrapReason="x" * 6_000_000), "at most 1048576"),
    "unknown field": (said(colour="red"), "colour: Extra inputs"),
    "naive time": (said(startAt="2026-03-02T09:00:00"), "startAt: "),
    "year 9999": (said(startAt="9999-12-31T00:00:00Z"), "placeholder"),
    "truncated": (said()[:-20], "line 1, column"),
    "wrong encoding": (said("Ü").replace("Ü".encode(), b"\xdc"), "not UTF-8"),
    "lone surrogate": (said("C-\ud800"), "not UTF-8"),
    "half a character": (said().replace(b'"PC"', rb'"\ud800"'), "half a character"),
    "a list as unit": (said(uom=[]), "a unit is text"),
    "an object as quantity": (said(good={"qty": 1}), "is not a decimal"),
    "CRLF in the id": (said("C\r\nNats-Msg-Id: 1"), "control characters"),
    "empty": (b"", "line 1, column 1"),
}


@pytest.mark.parametrize("kind", PAYLOADS)
async def test_a_note_that_cannot_be_read(plant: SmallPlant, kind: str) -> None:
    payload, words = PAYLOADS[kind]
    await plant.publish(payload)
    (row,) = await plant.kept()
    assert (row["system"], row["kind"], row["place"]) == ("mes", "fault", "mes/out/production_response/sync")
    assert words in row["reason"]
    await plant.confirmation_by_mqtt()
    await plant.order_by_soap()
    assert await plant.kept(0) == [], "what was kept isn't said again"


@pytest.mark.parametrize("id", ["a.b.*.>", "Ünïté 7", "=2E", "$JS.API.>", "x" * 198])
async def test_ids_pass_as_they_are(plant: SmallPlant, id: str) -> None:
    await plant.publish(b"\xef\xbb\xbf" + said(id))
    await until(lambda: id in plant.ledger.entries, id)


async def test_a_job_over_a_mebibyte_is_stored_apart(plant: SmallPlant) -> None:
    job = {
        "msgId": "m-JOB", "ts": "2026-03-02T09:00:00Z", "jobNo": "JOB-1", "rev": 0, "orderNo": "PO-1", "uom": "PC",
        "status": "RELEASED", "workCenter": "LINE1", "article": "FG-1000", "qty": 1,
        "parts": [{"article": "CAP-28", "qty": 1, "uom": "PC"}] * 12_000,
    }  # fmt: skip
    await plant.publish(json.dumps(job).encode(), "job_order")
    js = plant.nats.jetstream(timeout=PATIENCE_S)

    async def stored() -> Any:
        with suppress(NotFoundError):
            return await js.get_last_msg("MOM", "mom.lyon.job_order.>")

    message = await eventually(stored)
    claim = Claim.parse(message.headers["ce-dataref"])
    assert (message.data, claim.size > 1_100_000) == (None, True)
    assert await js.get_last_msg("CLAIMS", f"{claim}.1")
    assert await plant.kept(0) == []
    await plant.confirmation_by_mqtt()


BAD, UNSURE = ua.StatusCode(ua.StatusCodes.BadSensorFailure), ua.StatusCode(ua.StatusCodes.UncertainLastUsableValue)
VALUES: dict[str, tuple[float, dict[str, Any], dict[str, Any]]] = {
    "NaN and Good": (float("nan"), {}, {"value": None, "quality": "bad", "status": "Good;NotANumber"}),
    "infinite": (float("inf"), {}, {"value": None, "quality": "bad", "status": "Good;NotANumber"}),
    "Bad": (7.25, {"StatusCode": BAD}, {"value": None, "quality": "bad", "status": "BadSensorFailure"}),
    "Uncertain": (
        8.25, {"StatusCode": UNSURE}, {"value": "8.25", "quality": "uncertain", "status": "UncertainLastUsableValue"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", VALUES)
async def test_a_value_that_is_not_good_says_so(plant: SmallPlant, kind: str) -> None:
    value, data, expected = VALUES[kind]
    await plant.value_by_opcua()
    await plant.write("Number", value, **data)
    reading = await plant.reading(lambda reading: reading.get("status") == expected["status"])
    assert {name: reading.get(name) for name in expected} == expected
    await plant.value_by_opcua()
    await plant.confirmation_by_mqtt()


@pytest.mark.parametrize("moment", [datetime(1601, 1, 1), datetime(9999, 12, 31)])
async def test_a_placeholder_is_no_time(plant: SmallPlant, moment: datetime) -> None:
    value = moment.year + 0.25
    await plant.write("Number", value, SourceTimestamp=moment)
    reading = await plant.reading(lambda reading: reading.get("value") == str(value))
    age = datetime.now(UTC) - datetime.fromisoformat(reading["source_time"])
    assert abs(age.total_seconds()) < 20
    assert reading["status"] in {"Good;ServerTime", "Good;ReceiveTime"}
    await plant.value_by_opcua()


async def test_a_huge_array_is_kept_and_the_others_go_on(plant: SmallPlant) -> None:
    await plant.write("Array", [0.0] * 1_000_001)
    (row,) = await plant.kept()
    assert (row["system"], row["kind"], row["place"]) == ("line1", "fault", "FILLER1/array")
    assert "1000001 elements" in row["reason"]
    await plant.value_by_opcua()
    await plant.order_by_post()


QUESTIONS: dict[str, tuple[str, bytes, str]] = {
    "digits only": ("status", b"12", "JSON object"),
    "NaN": ("waiting", b'{"target": NaN}', "NaN"),
    "duplicate keys": ("waiting", b'{"target": "a", "target": "b"}', "twice"),
    "4000 digits": ("journey", b'{"number": ' + b"9" * 4000 + b"}", "4000 digits"),
    "deep": ("status", b"[" * 60_000, "nested deeper"),
    "too long": ("status", b" " * 70_000, "at most"),
    "not UTF-8": ("status", b"\xff", "not UTF-8"),
    "unknown field": ("waiting", b'{"colour": "red"}', "'colour' has no meaning here: target, "),
    "missing": ("journey", b"{}", "'number' is missing"),
    "no text": ("journey", b'{"number": 4711}', "number: Input should be a valid string"),
    "unknown command": ("shutdown", b"{}", "the hub knows no command 'shutdown'"),
    "unknown deed": (
        "do",
        b'{"command": "drop", "target": "erp", "id": "1", "why": "w", "who": "w"}', "command: Input should be 'retry'",
    ),
    "nobody": ("do", b'{"command": "skip", "target": "erp", "id": "1", "why": "", "who": " "}', "who decides and why"),
}  # fmt: skip


@pytest.mark.parametrize("kind", QUESTIONS)
async def test_a_command_that_cannot_be_understood(plant: SmallPlant, kind: str) -> None:
    name, body, words = QUESTIONS[kind]
    assert words in (await plant.command(name, body))["error"]
    assert (await plant.command("status"))["result"]["site"] == "lyon"


@pytest.mark.parametrize(
    "reply", ["mom.lyon.production_order.sync.erp.PO-1.PO-1", "$JS.API.STREAM.DELETE.MOM", "raw.lyon.erp.x.1"]
)
async def test_nobody_makes_the_hub_publish_elsewhere(plant: SmallPlant, reply: str) -> None:
    heard: list[Any] = []

    async def note(message: Any) -> None:
        heard.append(message)

    subscription = await plant.nats.subscribe(reply, cb=note)
    await plant.nats.publish(command_subject("lyon", "status"), b"{}", reply=reply)
    assert "result" in await plant.command("status")
    await asyncio.sleep(0.2)
    assert heard == []
    await subscription.unsubscribe()
    await plant.order_by_soap()


async def test_what_is_no_message_on_the_bus_stops_nobody(plant: SmallPlant) -> None:
    bus = plant.nats.jetstream(timeout=PATIENCE_S)
    before = (await bus.stream_info(DEAD)).state.messages
    for body in (b"4711", b"\xff", b"[" * 5000):
        await bus.publish("mom.lyon.production_order.sync.erp.PO-X.PO-X", body)
    await plant.order_by_soap()
    await plant.order_by_post()
    assert (await bus.stream_info(DEAD)).state.messages >= before + 3
    assert (await bus.stream_info(MOM)).state.messages > 0
