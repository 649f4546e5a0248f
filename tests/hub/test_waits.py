"""What waits is told by cause: how many, since when, which orders, and what may be done, in both databases."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from mombus.hub.desk import waits
from mombus.journal import waiting
from mombus.journal.causes import causes
from mombus.journal.journal import Journal
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from mombus.journal.causes import Cause

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
CLOSED = "the period 03/2026 is closed"


@pytest.fixture
async def journal(store: str) -> AsyncIterator[Journal]:
    opened = await Journal.open(store)
    yield opened
    await opened.close()


def row(number: int, kind: Wait = Wait.PARKED, reason: str = CLOSED, **more: Any) -> dict[str, Any]:
    return {
        "target": "erp", "message_id": f"id-{number:08}", "seq": number, "object": "production_response",
        "key": f"R-{number}", "revision": 1, "lanes": json.dumps([f"order:PO-{number}"]), "kind": kind,
        "reason": reason, "since": NOW - timedelta(hours=2) + timedelta(minutes=number), "attempts": 1, "due": None,
        "deadline": None, "waived": False, "missing_object": None, "missing_id": None, "replay": None, "history": 0,
        "headers": "{}", "content": b"", **more,
    }  # fmt: skip


async def found(journal: Journal, rows: Sequence[dict[str, Any]], **more: Any) -> list[Cause]:
    await journal.write(lambda connection: waiting.put(connection, rows))
    return await journal.read(partial(causes, now=NOW, **({"shown": 20, "each": 3} | more)))


async def told(journal: Journal, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    return waits.cause_rows(await found(journal, rows), NOW, PARIS, {"mes": "mes@acme.example"})


async def test_a_thousand_messages_with_one_cause_are_one_line(journal):
    (cause,) = await told(journal, *(row(number, reason=f"PO-{number} refused: closed") for number in range(1000)))
    assert (cause["count"], cause["target"], cause["kind"], cause["person"]) == (1000, "erp", "parked", True)
    assert (cause["since"], cause["age_s"]) == ((NOW - timedelta(hours=2)).isoformat(), 7200.0)
    assert (cause["orders"], cause["orders_total"]) == (["PO-0", "PO-1", "PO-2"], 1000)
    assert cause["objects"] == {"production_response": 1000}
    assert [one["key"] for one in cause["rows"]] == ["R-0", "R-1", "R-2"]
    assert cause["reasons"] == 1000
    assert cause["do"] == (
        "mend the cause, then `mombus retry --all --target erp --kind parked`; "
        "or `mombus skip --all --target erp --kind parked`"
    )


async def test_causes_are_told_apart_and_what_a_person_must_end_comes_first(journal):
    behind = [row(n, Wait.BEHIND, f"behind production_response R-{n}", lanes='["order:PO-1"]') for n in range(50, 59)]
    rows = await told(
        journal, *behind, row(1, Wait.RETRYING, "HTTP 503", due=NOW), row(2, Wait.RETRYING, "HTTP 500", due=NOW),
        row(3), row(4), row(5, reason="no unit for 'furlong'"), row(6, target="mes"),
    )  # fmt: skip
    assert [(one["kind"], one["target"], one["reason"], one["count"]) for one in rows] == [
        ("parked", "erp", CLOSED, 2), ("parked", "erp", "no unit for 'furlong'", 1), ("parked", "mes", CLOSED, 1),
        ("retrying", "erp", "HTTP 503", 2), ("behind", "erp", "something before it in its lane waits", 9),
    ]  # fmt: skip
    assert rows[0]["do"].startswith(
        "mend the cause, then `mombus retry --all --target erp --kind parked --reason 'the period'`;"
    )
    assert rows[1]["do"].startswith("mend the cause, then `mombus retry erp id-0000000`;")
    assert rows[3]["do"].startswith(f"nothing: tried again at {NOW.astimezone(PARIS):%H:%M:%S}; `mombus retry --all")
    assert rows[4]["do"] == "nothing: goes after what is before it in its lane"
    assert (rows[4]["orders"], rows[4]["orders_total"]) == (["PO-1"], 1)


@pytest.mark.parametrize(
    ("kind", "do"),
    [
        (Wait.IN_DOUBT, "look in erp whether it is there, then `mombus sent erp id-0000000` or `mombus not-sent erp"),
        (Wait.HELD, "`mombus release erp id-0000000` lets it go, `mombus skip erp id-0000000` doesn't"),
        (Wait.ALIAS, "add the alias, it goes then; or `mombus skip erp id-0000000`"),
        (Wait.POSTING, "nothing: erp is asked again; if it is posted there, `mombus sent erp id-0000000` --document"),
        (Wait.REFERENCE, "nothing: goes when what it names is stated; `mombus release erp id-0000000` sends it anyway"),
        (Wait.AFTER, "nothing: goes when that is posted"), (Wait.STOCK, "nothing: goes when stock comes"),
        (Wait.REPLAYED, "nothing: goes when its turn comes"),
    ],
)  # fmt: skip
async def test_what_may_be_done_is_a_command(journal, kind, do):
    (cause,) = await told(journal, row(7, kind))
    assert cause["do"].startswith(do)
    assert cause["rows"][0]["do"] == cause["do"]


@pytest.mark.parametrize("kind", [Wait.PARKED, Wait.IN_DOUBT])
async def test_who_may_help_is_named(journal, kind):
    (cause,) = await told(journal, row(7, kind, target="mes"))
    assert ", or call mes@acme.example, then `mombus " in cause["do"]
    assert cause["rows"][0]["do"] == cause["do"]


async def test_what_is_tried_again_says_who_may_help_if_it_stays(journal):
    (cause,) = await told(journal, row(7, Wait.RETRYING, target="mes"))
    assert cause["do"].endswith(" tries now; if it stays like this, call mes@acme.example")


async def test_every_reason_to_wait_says_what_may_be_done():
    assert set(waits._DO) == set(Wait)


async def test_trouble_is_what_a_person_ends_and_what_is_late(journal):
    late = NOW - timedelta(minutes=1)
    rows = [
        row(1), row(2, object="downtime"), row(3, Wait.RETRYING, "HTTP 503", deadline=late),
        row(4, Wait.RETRYING, "HTTP 503"), row(5, Wait.RETRYING, "HTTP 500", target="mes"),
        row(6, target="mes"), row(7, Wait.BEHIND, "behind R-6", target="mes"),
    ]  # fmt: skip
    seen = await found(journal, rows)
    answers = {"production_response": "operations@acme.example"}
    assert sorted(line for cause in seen if (line := waits.trouble(cause, answers))) == [
        "1 production response to erp is late: HTTP 503 (operations@acme.example answers for it)",
        f"2 messages to erp are parked: {CLOSED}",
        f"production response R-6 to mes is parked: {CLOSED}",
    ]


async def test_only_those_of_one_target_and_a_bound_on_what_is_looked_at(journal):
    rows = [row(n, reason=f"reason {'x' * n}", target="mes" if n % 2 else "erp") for n in range(1, 40)]
    assert {cause.target for cause in await found(journal, rows, target="mes")} == {"mes"}
    seen = await journal.read(partial(causes, now=NOW, shown=5, each=1))
    assert [len(cause.first) for cause in seen] == [1] * 5 + [0] * 34
