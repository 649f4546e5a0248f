"""Stops, shifts, lots and KPIs are told as they stand on the bus."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from floor_plant import SHIFTS, FloorPlant, at, floor_plant, job, kpi, made, repacked, stop, used, window

from canonical.isa95.events import ReasonCode
from canonical.message import message_id
from mombus.config.model import Plant
from mombus.desk.floor import Span
from mombus.hub.floor.downtimes import inside
from mombus.hub.floor.genealogy import MOST_LOOKED_AT, Use, grow
from mombus.hub.floor.period import in_shift
from mombus.hub.floor.planned import Kind, Plans
from mombus.web.tables import csv_of
from mombus.web.words import lasted, percent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from canonical.isa95.events import Downtime

beside_the_plant = pytest.mark.asyncio(loop_scope="module")
"""In the event loop that the plant runs in."""
EARLY = {"since": "2026-03-02T06:00:00+00:00", "until": "2026-03-02T14:00:00+00:00"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FloorPlant]:
    async with floor_plant(tmp_path_factory.mktemp("floor")) as plant:
        for path in ("downtime", "shift", "kpi"):
            empty = await plant.get(path, **EARLY)
            assert not any(empty.get(name) for name in ("stops", "lanes", "rows"))
            table = (await plant.http.get(f"/api/{path}.csv", params=EARLY)).text
            assert ("equipment" in table, "seq" in table, len(table.splitlines())) == (True, True, 1)
        await plant.say("downtime", stop("D-1", 1, None), stop("D-2", 2, 2.5, "label"), stop("D-3", 7, 9, "jam"))
        await plant.say("downtime", stop("D-1", 1, 2, "jam"), revision=1)
        await plant.say("downtime", stop("D-4", 3, 4, "jam"), stop("D-OLD", -3, -1), stop("D-5", 4, None))
        undone = message_id("mes", "downtime", "sync", "D-4", "0")
        await plant.say("downtime", stop("D-4R", 3, 4, "jam"), reverses=undone)
        await plant.say("reason_code", ReasonCode(id="label"), ReasonCode(id="clean", planned=True))
        await plant.say("capability", window("W-1", 20, 30))
        await plant.say("job_response", job("JR-1", 0, 7))
        await plant.say("kpi", kpi("0.875"))
        await plant.say("kpi", kpi(None, "no planned busy time"), revision=1)
        await plant.say(
            "material_consumption",
            used("C-1", "PO-1", "CAPS"),
            used("C-2", "PO-1", "CAPS", "5"),
            used("C-9", "PO-1", None),
        )
        await plant.say("production_response", made("R-1", "PO-1", "BULK"), made("R-2", "PO-2", "BULK-2"))
        await plant.say("material_consumption", used("C-3", "PO-2", "BULK"))
        await plant.say("lot_transformation", repacked("T-1", "BULK-2", "BOXES"), repacked("T-2", "BOXES", "CAPS"))
        await plant.indexed()
        yield plant


@beside_the_plant
async def test_of_each_stop_the_newest_revision_counts_and_what_was_taken_back_does_not(one):
    found = await one.get("downtime", **EARLY)
    assert {row["id"]: (row["seconds"], row["reason"], row["open"]) for row in found["stops"]} == {
        "D-1": (3600, "jam", False), "D-2": (1800, "label", False), "D-3": (3600, "jam", False),
        "D-5": (14400, None, True),
    }  # fmt: skip
    assert (found["count"], found["open"], found["seconds"], found["reversed"]) == (4, 1, 23400, 1)
    bars = [(bar["name"], bar["count"], bar["seconds"], bar["share"], bar["cumulated"]) for bar in found["by_reason"]]
    assert bars == [
        ("no reason given", 1, 14400, 61.538462, 61.538462), ("jam", 2, 7200, 30.769231, 92.307692),
        ("label", 1, 1800, 7.692308, 100.0),
    ]  # fmt: skip
    assert [bar["name"] for bar in found["by_category"]] == ["no category given", "mechanical"]
    assert (await one.get("downtime", **EARLY, equipment="FILLER1"))["by_reason"] == []


@beside_the_plant
async def test_a_shift_is_chosen_from_the_calendar(one):
    found = await one.get("downtime", shift="2026-03-02/late")
    period = found["period"]
    assert (period["shift"]["name"], period["since"]) == ("late", "2026-03-02T14:00:00+01:00")
    assert {"2026-03-02/early", "2026-03-02/late"} <= {shift["id"] for shift in period["shifts"]}
    assert "did you mean '2026-03-02/late'" not in (await one.get("downtime", 404, shift="noon"))["detail"]
    assert "no time" in (await one.get("downtime", 422, since="soon"))["detail"]
    assert "before until" in (await one.get("downtime", 422, since="2025-01-01", until="2026-01-01"))["detail"]
    for far in ("0001-01-03", "9999-12-30"):
        assert "too far away" in (await one.get("downtime", 422, since=far, until=f"{far}T06:00"))["detail"]


@beside_the_plant
async def test_each_piece_of_equipment_has_a_lane_with_work_and_stops(one):
    lanes = {lane["equipment"]: lane for lane in (await one.get("shift", **EARLY))["lanes"]}
    assert set(lanes) == {"CAPPER1", "FILLER1", "LINE1"}
    assert [(s["what"], s["name"]) for s in lanes["FILLER1"]["stretches"]] == [("work", "PO-1")]
    assert {s["name"] for s in lanes["LINE1"]["stretches"]} == {"PO-1", "PO-2"}
    assert [s["open"] for s in lanes["CAPPER1"]["stretches"]] == [False, False, True, False]
    answer = await one.http.get("/api/shift.csv", params=EARLY)
    assert {line["equipment"] for line in csv.DictReader(answer.text.splitlines())} == set(lanes)


@beside_the_plant
async def test_a_kpi_that_is_not_defined_says_why(one):
    (row,) = (await one.get("kpi", **EARLY))["rows"]
    assert (row["value"], row["findings"], row["revision"], row["status"]) == (
        None, ["no planned busy time"], 1, "provisional"
    )  # fmt: skip
    assert (await one.get("kpi", since="2026-02-01", until="2026-02-02"))["rows"] == []


@beside_the_plant
async def test_a_lot_is_followed_both_ways_and_a_circle_ends(one):
    found = await one.get("genealogy/BULK")
    depths = {lot["id"]: lot["depth"] for lot in found["lots"]}
    assert depths == {"BULK": 0, "CAPS": -1, "BULK-2": 1, "BOXES": -2}
    links = {(link["work"], link["lot"], link["direction"]): link["quantity"] for link in found["links"]}
    assert links["PO-1", "CAPS", "consumed"] == "15 H87"
    assert ("PO-2", "BULK-2", "produced") in links
    (unnamed,) = found["without_lot"]
    assert (unnamed["work"], unnamed["material"], unnamed["quantity"]) == ("PO-1", "CAP-28", "10 H87")
    near = await one.get("genealogy/BULK", depth="1")
    assert {lot["id"]: (lot["depth"], lot["more"]) for lot in near["lots"]} == {
        "CAPS": (-1, True), "BULK": (0, False), "BULK-2": (1, True)
    }  # fmt: skip
    assert (await one.get("genealogy/NOWHERE"))["links"] == []


@beside_the_plant
async def test_the_pages_show_the_same(one):
    for path, words in (("kpi", "not known"), ("kpi/downtime", "no reason given"), ("kpi/shift", "stopped")):
        answer = await one.http.get(f"/{path}", params=EARLY, headers={"accept": "text/html"})
        assert (answer.status_code, words in answer.text) == (200, True), answer.text
    for path, words in (("genealogy", "Name a lot"), ("genealogy/BULK", "15 H87"), ("genealogy/NONE", "Nothing on")):
        answer = await one.http.get(f"/{path}", headers={"accept": "text/html"})
        assert (answer.status_code, words in answer.text) == (200, True), answer.text


@beside_the_plant
async def test_planned_and_unplanned_stops_are_told_apart_as_far_as_somebody_said(one):
    """By the reason list, the category, a window in which the equipment can't work, the shifts; in this order."""
    said = [
        stop("P-LIST", 24.5, 24.6, "clean"), stop("P-CATEGORY", 24.7, 24.75, "tea", category="Planned break"),
        stop("P-WINDOW", 25, 25.05), stop("P-UNSAID", 24.3, 24.34, equipment="FILLER1"),
        stop("P-NIGHT", 40.5, 41, equipment="FILLER1"), stop("P-JAM", 31, 31.01, "label"),
    ]  # fmt: skip
    await one.say("downtime", *said)
    await one.indexed()
    asked = {"since": "2026-03-03T06:00:00+00:00", "until": "2026-03-04T02:00:00+00:00"}
    found = await one.get("downtime", **asked)
    assert {row["id"]: (row["kind"], row["short"]) for row in found["stops"]} == {
        "P-LIST": ("planned", False), "P-CATEGORY": ("planned", True), "P-WINDOW": ("planned", True),
        "P-UNSAID": ("not said", True), "P-NIGHT": ("not said", False), "P-JAM": ("unplanned", True),
        "D-5": ("not said", False),
    }  # fmt: skip
    bars = [(bar["name"], bar["count"]) for bar in found["by_kind"]]
    assert sorted(bars) == [("not said", 3), ("planned", 3), ("unplanned", 1)]
    assert {(row["equipment"], row["reason"], row["count"]) for row in found["short_stops"]} == {
        ("CAPPER1", "tea", 1), ("CAPPER1", "no reason given", 1), ("CAPPER1", "label", 1),
        ("FILLER1", "no reason given", 1),
    }  # fmt: skip
    for narrow, ids in (
        ({"kind": "unplanned"}, {"P-JAM"}), ({"reason": "clean"}, {"P-LIST"}),
        ({"category": "Planned break"}, {"P-CATEGORY"}), ({"size": "long"}, {"P-LIST", "P-NIGHT", "D-5"}),
        ({"size": "short", "short": "1m"}, {"P-JAM"}),
    ):  # fmt: skip
        assert {row["id"] for row in (await one.get("downtime", **asked, **narrow))["stops"]} == ids
    assert "no span of time" in (await one.get("downtime", 422, short="soon"))["detail"]
    lanes = {lane["equipment"]: lane for lane in (await one.get("shift", **asked))["lanes"]}
    assert [s["kind"] for s in lanes["CAPPER1"]["stretches"]][1:] == ["planned", "planned", "planned", "unplanned"]


def test_a_stop_while_no_shift_runs_is_told():
    calendar = SHIFTS.calendar(ZoneInfo("Europe/Paris")).work_calendar_entry
    plans = Plans((), calendar)
    assert plans.kind(stop("D", 16.5, 17), at(20)) is Kind.OUTSIDE
    assert plans.kind(stop("D", 14, 17), at(20)) is Kind.UNSAID, "some of it was in the shift"
    assert plans.kind(stop("D", -24, -23), at(20)) is Kind.UNSAID, "before the calendar begins"
    assert Plans((), ()).kind(stop("D", 16.5, 17), at(20)) is Kind.UNSAID


@beside_the_plant
async def test_a_kpi_says_what_it_stands_on_and_what_it_may_not_know(one):
    (row,) = (await one.get("kpi", **EARLY))["rows"]
    await one.say("downtime", stop("D-LATE", 5, 6, "jam", equipment="LINE1"))
    await one.indexed()
    found = await one.get(f"kpi/{row['message_id']}")
    assert (found["row"], found["equipment"]) == (row, ["LINE1"])
    assert [earlier["value"] for earlier in found["earlier"]] == ["0.875"]
    events = {event["object"]: (event["count"], event["late"]) for event in found["events"]}
    assert events["downtime"] == (1, 1)
    assert events["production_response"] == (2, 2), "they were said after it"
    assert {doubt["text"]: doubt["count"] for doubt in found["doubts"]} == {
        "stated with a finding": 1, "noted after it was stated": 3,
        "of its stops that nobody said to be planned or not": 1,
    }  # fmt: skip
    assert "no KPI" in (await one.get("kpi/unknown", 404))["detail"]
    page = await one.http.get(f"/kpi/value/{row['message_id']}")
    assert (page.status_code, "noted after it was stated" in page.text) == (200, True)


@beside_the_plant
async def test_a_past_shift_is_told_as_it_is_known_now(one):
    """What was closed, given a reason, taken back or said at all after the shift, with times of it."""
    early = {"since": "2026-01-05T06:00:00+00:00", "until": "2026-01-05T14:00:00+00:00"}
    six = (datetime(2026, 1, 5, 6, tzinfo=UTC) - at(0)).total_seconds() / 3600

    async def say(*stops: Downtime, when: float, **more: Any) -> None:
        await one.say("downtime", *stops, occurred=at(six + when), **more)

    await one.say("reason_code", ReasonCode(id="jam-2", description="Jam at the infeed"))
    await say(stop("A-1", six + 7, None), stop("A-2", six + 1, 2 + six, "jam"), when=1)
    await say(stop("A-1", six + 7, six + 9, "jam-2", text="Paul called"), when=9, revision=1)
    await say(stop("A-2R", six + 1, 2 + six, "jam"), when=30,
              reverses=message_id("mes", "downtime", "sync", "A-2", "0"))  # fmt: skip
    await say(stop("A-3", six + 7.5, six + 8.5, "jam-2", text="again"), stop("A-4", six + 3, six + 3), when=10)
    await say(stop("A-5", six + 14, six + 15), stop("A-6", six - 1, six), when=1)
    await one.indexed()
    found = await one.get("downtime", **early)
    assert {row["id"]: (row["seconds"], row["reason_name"], row["open"]) for row in found["stops"]} == {
        "A-1": (3600, "Jam at the infeed", False), "A-3": (1800, "Jam at the infeed", False),
        "A-4": (0, None, False),
    }  # fmt: skip
    assert (found["count"], found["seconds"], found["overlap_s"], found["reversed"]) == (3, 5400, 1800, 1)
    assert [bar["name"] for bar in found["by_reason"]] == ["Jam at the infeed", "no reason given"]
    (lane,) = (await one.get("shift", **early))["lanes"]
    assert (lane["stopped_s"], lane["stretches"][0]["name"]) == (3600, "no reason given")
    assert (await one.get("downtime", **early, equipment="FILLER1"))["reversed"] == 0
    page = await one.http.get("/kpi/downtime", params={**early, "reason": "no reason given"})
    assert "not known" in page.text, "of no time at all nothing is a share"


@beside_the_plant
async def test_lots_are_followed_as_corrected_and_two_containers_of_one_are_added_up(one):
    await one.say("material_consumption", used("C-7", "PO-7", "TYPO"))
    await one.say("material_consumption", used("C-7", "PO-7", "RIGHT"), revision=1)
    output = made("R-7", "PO-7", "OUT")
    containers = output.model_copy(update={"material_actual": output.material_actual * 2})
    await one.say("production_response", containers)
    await one.indexed()
    found = await one.get("genealogy/OUT")
    links = {(link["lot"], link["direction"]): link["quantity"] for link in found["links"]}
    assert links == {("RIGHT", "consumed"): "10 H87", ("OUT", "produced"): "20 H87"}
    assert (await one.get("genealogy/TYPO"))["links"] == []


def test_a_running_shift_is_looked_at_if_no_time_is_said():
    zone = ZoneInfo("Europe/Paris")
    plant = Plant(enterprise="acme", site="lyon", timezone=zone, calendar=SHIFTS.calendar(zone))
    assert in_shift(Span(), plant, at(9)).shift == "2026-03-02/late"
    assert in_shift(Span(since="8h"), plant, at(9)) == Span(since="8h")
    assert in_shift(Span(), plant, at(18)) == Span(), "nobody works then"


def test_a_stretch_counts_as_far_as_it_lies_inside():
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert inside(at(-1), at(1), at(0), at(8), now) == 3600
    assert inside(at(1), None, at(0), at(8), now) == 5 * 3600
    assert inside(at(5), at(7), at(0), at(8), now) == 3600, "what is to come hasn't lasted yet"
    assert inside(at(9), None, at(0), at(8), now) == inside(at(-2), at(-1), at(0), at(8), now) == 0


def test_a_share_that_is_not_nothing_or_not_all_does_not_look_so():
    told = [percent(share) for share in (None, 0, 0.04, 61.538, 99.96, 100)]
    assert told == ["not known", "0.0 %", "under 0.1 %", "61.5 %", "over 99.9 %", "100.0 %"]
    assert [lasted(s) for s in (0, 1.3, 59.97, 119, 3599.7, 7500, 97800)] == [
        "0 s", "1.3 s", "1 min", "1 min 59 s", "1 h", "2 h 5 min", "27 h 10 min"
    ]  # fmt: skip


def test_a_spreadsheet_takes_no_text_for_a_formula():
    rows = [{"a": "=1+1", "b": "-5.20", "c": -3}, {"a": "-1+1", "b": "\n=1", "c": None}]
    assert csv_of("x", rows, ["a", "b", "c"]).body == b"a,b,c\r\n'=1+1,-5.20,-3\r\n'-1+1,\"'\n=1\",\r\n"


async def test_a_lot_that_went_into_everything_is_followed_so_far_and_no_further():
    looks: list[str] = []

    async def look(what: str, id: str) -> tuple[list[Use], bool]:
        looks.append(id)
        works = [f"PO-{id}-{number}" for number in range(300)] if what == "lot" else [id]
        return [
            Use(work=work, lot=lot, material=None, direction=way, quantity=None, unit=None, message_id=work)
            for work in works
            for lot, way in ((id if what == "lot" else "WATER", "consumed"), (f"of {work}", "produced"))
        ], False  # fmt: skip

    graph = await grow("WATER", 10, look)
    assert graph.partial
    assert len(looks) <= MOST_LOOKED_AT
    assert graph.looked_at < MOST_LOOKED_AT + 1000
