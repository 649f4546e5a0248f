"""What the XSD lets through and a plant must not: named by its ISA-95 path, and nobody else is stopped."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from b2mml_documents import document, material, order, performance, quantity, schedule, segment, taken
from lxml import etree

GOOD = order("PO-1")


def request(*segments: str, head: str = "") -> str:
    return f"<OperationsRequest><ID>PO-4711</ID>{head}{''.join(segments)}</OperationsRequest>"


THIRD = "OperationsRequest[PO-4711]/SegmentRequirement[3]/MaterialRequirement[1]"


@pytest.mark.parametrize(
    ("bad", "place", "reason"),
    [
        (
            request(segment(), segment(ident="20"), segment(material("1", quantity("1", "furlong")), "30")),
            f"{THIRD}/Quantity",
            "unit 'furlong' is not a Rec 20 code",
        ),
        (
            request(segment(), segment(ident="20"), segment(material("1", quantity("abc")), "30")),
            f"{THIRD}/Quantity",
            "'abc' is not a decimal number",
        ),
        (
            request(segment(material("1", quantity("NaN")))),
            "OperationsRequest[PO-4711]/SegmentRequirement[1]/MaterialRequirement[1]/Quantity",
            "'NaN' is not a finite number",
        ),
        (
            request(
                segment(),
                head="<StartTime>2026-03-02T08:00:00Z</StartTime><EndTime>2026-03-02T07:00:00Z</EndTime>",
            ),
            "OperationsRequest[PO-4711]",
            "end_time 2026-03-02T07:00:00+00:00 is before start_time",
        ),
        (
            request(segment(), head="<StartTime>2026-03-02T08:00:00</StartTime>"),
            "OperationsRequest[PO-4711]/StartTime",
            "2026-03-02T08:00:00 has no offset",
        ),
        (
            request(segment(), head="<StartTime>9999-12-31T00:00:00Z</StartTime>"),
            "OperationsRequest[PO-4711]/StartTime",
            "placeholder",
        ),
        (
            request(segment(), head="<StartTime>noon</StartTime>"),
            "OperationsRequest[PO-4711]/StartTime",
            "ISO 8601",
        ),
        (
            request(segment(), head="<OperationsType>Cooking</OperationsType>"),
            "OperationsRequest[PO-4711]/OperationsType",
            "'Cooking'",
        ),
        (request(), "OperationsRequest[PO-4711]", "SegmentRequirement is missing"),
        (
            request("<SegmentRequirement><ID>1</ID></SegmentRequirement>"),
            "OperationsRequest[PO-4711]/SegmentRequirement[1]",
            "ProcessSegmentID is missing",
        ),
        (
            request(segment(), head="<Weather>wet</Weather>"),
            "OperationsRequest[PO-4711]/Weather",
            "is no element of OperationsRequestType",
        ),
        (
            request(segment(), head="<EndTime>2026-03-02T07:00:00Z</EndTime><Version>1</Version>"),
            "OperationsRequest[PO-4711]/Version",
            "Version stands after EndTime",
        ),
        (
            request(segment(), head="<Version>1</Version><Version>2</Version>"),
            "OperationsRequest[PO-4711]/Version",
            "occurs twice",
        ),
        (
            request(segment(), head="<Version><ID>1</ID></Version>"),
            "OperationsRequest[PO-4711]/Version",
            "holds text, not elements",
        ),
        (GOOD, "OperationsRequest[PO-1]", "is in this document twice"),
        (order("x" * 201), f"OperationsRequest[{'x' * 201}]/ID", "at most 200"),
    ],
)
def test_a_bad_order_is_named_and_stops_nobody(bad: str, place: str, reason: str) -> None:
    read = taken(schedule(GOOD, bad, order("PO-2")))
    assert [each.key for each in read.messages] == ["PO-1", "PO-2"]
    (fault,) = read.faults
    assert fault.place == place
    assert reason in fault.reason
    assert etree.fromstring(fault.raw).tag.endswith("OperationsRequest")


def test_every_finding_of_an_item_is_told() -> None:
    bad = request(segment(material("1", quantity("abc", "furlong")) + material("2", quantity("x"))))
    (fault,) = taken(schedule(bad)).faults
    assert [finding.place.rpartition("/")[0][-22:] for finding in fault.findings] == [
        "MaterialRequirement[1]", "MaterialRequirement[1]", "MaterialRequirement[2]",
    ]  # fmt: skip


def test_a_bad_consumption_is_named_where_it_stood_in_the_response() -> None:
    actuals = "".join(
        f"<MaterialActual><ID>{n}</ID><MaterialUse>{use}</MaterialUse>{quantity('1', unit)}</MaterialActual>"
        for n, use, unit in ((1, "Produced", "H87"), (2, "Consumed", "KGM"), (3, "Consumed", "stone"))
    )
    bad = f"<SegmentResponse><ID>R-1</ID>{actuals}</SegmentResponse>"
    read = taken(performance(bad, "<SegmentResponse><ID>R-2</ID></SegmentResponse>"))
    assert [each.key for each in read.messages] == ["R-2"]
    assert read.faults[0].place == "OperationsResponse[R]/SegmentResponse[R-1]/MaterialActual[3]/Quantity"


def test_a_response_id_said_twice_is_refused() -> None:
    twice = "<SegmentResponse><ID>R-1</ID></SegmentResponse>"
    read = taken(performance(twice, twice))
    assert [each.key for each in read.messages] == ["R-1"]
    assert "twice" in read.faults[0].reason


def test_two_actuals_of_one_id_are_refused() -> None:
    actual = f"<MaterialActual><ID>1</ID><MaterialUse>Consumed</MaterialUse>{quantity()}</MaterialActual>"
    read = taken(performance(f"<SegmentResponse><ID>R-1</ID>{actual}{actual}</SegmentResponse>"))
    assert not read.messages
    assert "twice" in read.faults[0].reason


def test_an_alarm_without_its_condition_says_what_is_missing() -> None:
    alarm = """<OperationsEvent><ID>A-1</ID><OperationsEventType>Alarm</OperationsEventType>
        <OperationsEventLevel>Level 2</OperationsEventLevel></OperationsEvent>"""
    (fault,) = taken(document("Notify", "OperationsEvent", alarm)).faults
    assert any("JobResponseData[Condition]" in finding.place for finding in fault.findings)


def test_a_site_zone_is_assumed_only_when_given() -> None:
    naive = schedule(order("PO-1", head="<StartTime>2026-03-02T08:00:00</StartTime>"))
    assert taken(naive).faults
    read = taken(naive, timezone=ZoneInfo("Europe/Paris"))
    assert read.messages[0].body.start_time.isoformat() == "2026-03-02T08:00:00+01:00"  # type: ignore[attr-defined]
