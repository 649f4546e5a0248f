"""The ownership matrix tells who owns and gets what, which promises are kept, and who says what isn't theirs."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from hub_plant import order
from patience import until
from talking_plant import Plant, talking_plant

from canonical.isa95.resources import MaterialDefinition
from canonical.message import Message
from mombus.hub.desk import ownership
from mombus.hub.desk.ownership import _tried
from mombus.journal.audit import Noted

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LINE = re.compile(r'<a class="line" href="([^"]+)">(.*?)</a>')
AT = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


async def cells(one: Plant) -> dict[str, dict[str, Any]]:
    answer = await one.http.get("/api/ownership")
    assert answer.status_code == 200, answer.text
    (row,) = answer.json()["rows"]
    assert (row["object"], row["owners"][0]["system"], row["unused"]) == ("production_order", "erp", False)
    return {cell["system"]: cell for cell in row["cells"]}


async def test_the_matrix_shows_what_happens_about_each_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "FRESH_S", -1.0)
    async with talking_plant(tmp_path, timedelta(microseconds=1)) as one:
        quiet = await cells(one)
        assert set(quiet) == {"erp", "mes"}, "the WMS has nothing to do with orders yet"
        await one.disagree("PO-1")
        await one.wms.say(_material())
        await one.wms.say(order("PO-GHOST", source="wms"))
        found = await until(lambda: cells(one), good=_all_counted)
        promise = found["mes"]["promises"][0]
        assert (promise["done"], promise["late"], promise["worst_late_s"] > 0) == (1, 1, True)
        assert (found["erp"]["owns"], found["erp"]["stated"]["hour"]) == (True, 1)
        assert found["mes"]["violations"] == {"disagreements": 1, "refused": 0, "tried": 0}
        assert found["wms"]["violations"] == {"disagreements": 1, "refused": 0, "tried": 0}

        told = await one.http.get("/api/ownership/late", params={"object": "production_order", "system": "mes"})
        (row,), number = told.json()["rows"], told.json()["number"]
        assert number == 1
        assert (row["key"], row["took_s"]) == ("PO-1", promise["worst_late_s"])
        late = await one.http.get("/ownership/late?object=production_order&system=mes")
        assert (late.status_code, f"/messages/{row['message_id']}" in late.text) == (200, True)
        unknown = await one.http.get("/api/ownership/late", params={"object": "production_order", "system": "mess"})
        assert (unknown.status_code, "did you mean 'mes'" in unknown.json()["detail"]) == (404, True)
        page = await one.http.get("/ownership?broken", headers={"accept": "text/html"})
        await every_number_leads_to_as_many(one, page.text)
        assert (page.status_code, "1 of 1 late" in page.text, "says otherwise: 1" in page.text) == (200, True, True)
        file = await one.http.get("/api/ownership.csv")
        lines = list(csv.DictReader(file.text.splitlines()))
        said = [(line["system"], line["owns"], line["late"]) for line in lines]
        assert said[:2] == [("erp", "yes", ""), ("mes", "", "1")]


async def every_number_leads_to_as_many(one: Plant, page: str) -> None:
    """What a cell counts is what the page behind it lists."""
    lines = {unescape(link): words for link, words in LINE.findall(page)}
    for link, words in lines.items():
        answer = await one.http.get(link)
        assert answer.status_code == 200, (link, answer.text)
        path, _, query = link.partition("?")
        if path == "/disagreements":
            assert len(await one.rows(**dict(parse_qsl(query)))) == 1, (link, words)
        if path == "/messages":
            listed = await one.http.get("/api/messages", params=dict(parse_qsl(query)))
            assert len(listed.json()["messages"]) == 1, (link, words)
    said = {link.partition("?")[0] for link in lines}
    assert {"/messages", "/disagreements", "/ownership/late"} <= said


def _all_counted(found: dict[str, dict[str, Any]]) -> bool:
    """What was late, by the journal, and what was said, by the index."""
    return bool(found["mes"]["promises"][0]["worst_late_s"] and found["erp"]["stated"])


def _material() -> Message:
    body = MaterialDefinition(id="FG-1")
    return Message.of("material", body, source="wms", site="lyon", occurred=AT, recorded=AT)


def test_what_accounts_tried_is_counted_by_object() -> None:
    def refusal(action: str, result: str = "refused") -> Noted:
        return Noted(
            at=AT, who="account wms", action=action, target=None, message_id=None, why="", result=result, number=1,
            hash="",
        )  # fmt: skip

    found = _tried([
        refusal("publish on mom.lyon.production_order.sync.erp.x.y", "refused, 12 times"),
        refusal("hand over sync production_order of erp"), refusal("publish on $JS.API.STREAM.NAMES"),
    ])  # fmt: skip
    assert found == {("production_order", "wms"): 13}
