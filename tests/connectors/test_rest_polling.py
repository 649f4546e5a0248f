"""Polling: every paging style, bookmarks at ties and shifting pages, bad items, failing lists, exact numbers."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from patience import PATIENCE_S, until
from rest_bodies import message, surroundings
from rest_system import SAYS, Ledger
from starlette.responses import Response

from canonical.message import Message
from connectors.connector import Health, Item, MappingError, Receipt, Rejected
from connectors.protocols.rest import Rest, RestConfig
from connectors.protocols.rest.mapping import as_number, changed, exact_json, fill_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

STYLES = {
    "page": {"style": "page", "query": "at", "first": 0, "more": "data.more", "size": 2, "size_query": "size"},
    "offset": {"style": "offset", "query": "at", "size": 2, "size_query": "size"},
    "link": {"style": "link", "next": "data.next", "size": 2, "size_query": "size"},
    "cursor": {"style": "cursor", "query": "at", "next": "data.next", "size": 2, "size_query": "size"},
}
BY_SEQUENCE = {"field": "seq", "query": "since"}
BY_TIME = {"field": "decided", "query": "from"}


@pytest.fixture
async def ledger() -> AsyncIterator[Ledger]:
    ledger = Ledger()
    await ledger.server.start()
    yield ledger
    await ledger.server.stop()


def rest(ledger: Ledger, style: str, bookmark: dict[str, Any] | None, **changes: Any) -> Rest:
    read = {
        "name": "docs", "url": f"/{style}/docs", "items": "data.items", "paging": STYLES[style], "bookmark": bookmark,
        "says": [SAYS],
    }  # fmt: skip
    base = {"connector": "rest", "url": ledger.url, "poll_s": 0.02, "timeout_s": PATIENCE_S, "reads": [read | changes]}
    return Rest(RestConfig.model_validate(base), surroundings("ledger"))


async def heard(connector: Rest, enough: Callable[[list[str], list[Item]], bool], bookmark: str | None = None) -> Any:
    """Read until enough was heard; return the keys and the items."""
    keys: list[str] = []
    items: list[Item] = []
    async with asyncio.timeout(PATIENCE_S):
        async for item in connector.read(bookmark):
            keys += [it.key for it in item.messages if isinstance(it, Message)]
            items.append(item)
            if enough(keys, items):
                break
    return keys, items


@pytest.mark.parametrize("bookmark", [BY_SEQUENCE, BY_TIME, BY_TIME | {"ordered": False}, None])
@pytest.mark.parametrize("style", STYLES)
async def test_every_paging_style_reads_everything_once(
    ledger: Ledger, style: str, bookmark: dict[str, Any] | None
) -> None:
    for number in range(7):
        ledger.add(f"D-{number}")
    connector = rest(ledger, style, bookmark)
    keys, items = await heard(connector, lambda keys, _: len(keys) == 7)
    assert keys == [f"D-{number}" for number in range(7)]
    overlaps = bookmark == BY_TIME and style in {"page", "offset"}
    assert len(items) == (6 if overlaps else 4), "a page is stored as one piece"
    assert json.loads(items[0].raw or b"")["data"]["items"][0]["ref"] == "D-0"
    ledger.add("D-7")
    more, _ = await heard(connector, lambda keys, _: "D-7" in keys, items[-1].bookmark)
    if bookmark == BY_SEQUENCE:
        assert more == ["D-7"]
    await connector.close()


@pytest.mark.parametrize("style", STYLES)
async def test_many_things_of_the_same_moment_are_heard_once(ledger: Ledger, style: str) -> None:
    for number in range(5):
        ledger.add(f"D-{number}", decided="2026-03-02T09:00:00Z")
    connector = rest(ledger, style, BY_TIME)
    keys, items = await heard(connector, lambda keys, _: len(keys) == 5)
    assert sorted(keys) == [f"D-{number}" for number in range(5)]
    ledger.add("D-5", decided="2026-03-02T09:00:00Z")
    ledger.add("D-6")
    again, _ = await heard(connector, lambda keys, _: "D-6" in keys, items[-1].bookmark)
    assert sorted(again) == ["D-5", "D-6"]
    await connector.close()


@pytest.mark.parametrize("style", ["page", "offset"])
async def test_nothing_is_skipped_while_the_list_shifts(ledger: Ledger, style: str) -> None:
    """What is changed while it is read moves to the end of the list, and everything behind it one place up."""
    for number in range(6):
        ledger.add(f"D-{number}")

    def touch_the_first() -> None:
        ledger.after_page = None
        ledger.docs[0] = ledger.docs[0] | {"decided": "2026-03-02T10:00:00Z"}

    ledger.after_page = touch_the_first
    connector = rest(ledger, style, BY_TIME)
    keys, _ = await heard(connector, lambda keys, _: keys.count("D-0") == 2)
    assert set(keys) == {f"D-{number}" for number in range(6)}
    await connector.close()


async def test_a_bookmark_of_every_page_survives_a_kill_between_pages(ledger: Ledger) -> None:
    for number in range(6):
        ledger.add(f"D-{number}")
    first = rest(ledger, "page", BY_SEQUENCE)
    keys, items = await heard(first, lambda keys, _: len(keys) == 2)
    await first.close()
    second = rest(ledger, "page", BY_SEQUENCE)
    rest_of_them, _ = await heard(second, lambda keys, _: len(keys) == 4, items[-1].bookmark)
    assert keys + rest_of_them == [f"D-{number}" for number in range(6)]
    await second.close()


async def test_bad_items_are_faults_with_their_place_reason_and_bytes(ledger: Ledger) -> None:
    ledger.add("D-0")
    ledger.add("D-1", decided="2026-03-02T09:00:00")
    ledger.add("D\n2")
    ledger.add("")
    ledger.add("D-4")
    connector = rest(ledger, "page", BY_SEQUENCE)
    keys, items = await heard(connector, lambda keys, _: "D-4" in keys)
    assert keys == ["D-0", "D-4"]
    faults = [fault for item in items for fault in item.faults]
    assert ["decided" in faults[0].reason, "control characters" in faults[1].reason, "id" in faults[2].reason] == [
        True, True, True
    ]  # fmt: skip
    assert faults[0].place == "docs[2]"
    assert json.loads(faults[0].raw or b"")["ref"] == "D-1"
    await connector.close()


@pytest.mark.parametrize("links", ["whole", "rooted", "bare"])
async def test_next_links_may_be_relative(ledger: Ledger, links: str) -> None:
    ledger.links = links
    for number in range(5):
        ledger.add(f"D-{number}")
    read = rest(ledger, "link", BY_SEQUENCE)._config.model_dump()["reads"][0] | {"url": "/docs"}
    base = {"connector": "rest", "url": f"{ledger.url}/link", "poll_s": 0.02, "reads": [read]}
    connector = Rest(RestConfig.model_validate(base), surroundings("ledger"))
    keys, _ = await heard(connector, lambda keys, _: len(keys) == 5)
    assert keys == [f"D-{number}" for number in range(5)]
    await connector.close()


@pytest.mark.parametrize("field", ["number", "lot", "odd", "none"])
async def test_a_bookmark_field_of_any_shape_neither_repeats_nor_breaks(ledger: Ledger, field: str) -> None:
    for number, odd in enumerate(({"a": 1}, [2], True, 1.5, "²")):
        ledger.add(f"D-{number}", odd=odd)
    connector = rest(ledger, "page", {"field": field, "query": "ignored"})
    keys, items = await heard(connector, lambda keys, _: len(keys) >= 5)
    ledger.add("D-5", odd="3")
    again, _ = await heard(connector, lambda keys, _: "D-5" in keys, items[-1].bookmark)
    assert set(keys) | set(again) == {f"D-{number}" for number in range(6)}
    await connector.close()


async def test_a_list_that_fails_is_named_and_stops_no_other(ledger: Ledger) -> None:
    config = rest(ledger, "page", BY_SEQUENCE)._config.model_dump()
    broken = {"name": "broken", "url": "/missing", "says": [SAYS]}
    connector = Rest(RestConfig.model_validate(config | {"reads": [broken, *config["reads"]]}), surroundings("ledger"))
    ledger.add("D-0")
    await connector.connect()
    await heard(connector, lambda keys, _: "D-0" in keys)
    probe = await connector.probe()
    assert probe.health is Health.DEGRADED
    assert probe.reason.startswith("broken: HTTP 404")
    assert probe.last_data is not None
    await connector.close()


async def test_a_list_that_fails_for_a_while_is_heard_again_where_it_stopped(ledger: Ledger) -> None:
    connector = rest(ledger, "page", BY_SEQUENCE)
    await connector.connect()
    for number in range(3):
        ledger.add(f"D-{number}")
    ledger.next_answers = [
        Response(status_code=503),
        Response("<html>maintenance</html>"),
        Response('{"data": {"items": [{"a": NaN}]}}'),
        Response('{"data": 7}'),
    ]
    keys, _ = await heard(connector, lambda keys, _: len(keys) == 3)
    assert keys == ["D-0", "D-1", "D-2"]
    await until(connector.probe, good=lambda probe: probe.health is Health.OK)
    await connector.close()


async def test_pages_without_end_are_noticed(ledger: Ledger) -> None:
    connector = rest(ledger, "cursor", None)
    endless = Response('{"data": {"items": [], "next": "again"}}')
    limited = rest(ledger, "cursor", None, paging=STYLES["cursor"] | {"limit": 3})
    ledger.next_answers = [endless] * 3
    ledger.add("D-0")
    await heard(limited, lambda keys, _: "D-0" in keys)
    assert len(ledger.seen) == 4
    await connector.close()
    await limited.close()


async def test_local_times_get_the_offset_of_their_day(ledger: Ledger) -> None:
    for number, local in enumerate(("2026-01-15 08:00:00", "2026-07-15 08:00:00")):
        ledger.add(f"D-{number}", decided=local)
    connector = rest(ledger, "page", BY_SEQUENCE, local_times=["decided"])
    _, items = await heard(connector, lambda keys, _: len(keys) == 2)
    offsets = [it.occurred.isoformat()[-6:] for item in items for it in item.messages if isinstance(it, Message)]
    assert offsets == ["+01:00", "+02:00"]
    await connector.close()


async def test_a_snapshot_with_a_bad_item_is_not_passed_off_as_complete(ledger: Ledger) -> None:
    connector = rest(ledger, "page", None, snapshot="complete")
    assert connector.complete
    ledger.add("D-0")
    assert [it.key async for it in connector.snapshot("release_decision")] == ["D-0"]
    assert [it.key async for it in connector.snapshot("release_decision", ["D-9"])] == []
    ledger.add("D-1", decided="yesterday")
    with pytest.raises(Rejected, match="complete"):
        [it async for it in connector.snapshot("release_decision")]
    await connector.close()


EXACT = "12345678901234567890.000000000000000001"


async def test_numbers_keep_every_digit_both_ways(ledger: Ledger) -> None:
    """From a JSON number on the wire to a canonical quantity, and out again as a JSON number."""
    says = {
        "object": "material_consumption", "occurred": "at",
        "body": '{"id": "R1", "material_actual": [{"id": "1", "material_definition_id": "W", '
        '"quantity": {"value": qty, "unit_of_measure": "LTR"}}]}',
    }  # fmt: skip
    read = {"name": "used", "url": "/docs", "says": [says], "items": "items"}
    write = {
        "object": "material_consumption", "url": "/docs", "numbers": ["lines.*.qty"], "effect": "blind",
        "body": '{"ref": id, "lines": [body.material_actual.{"qty": quantity.value}]}',
    }  # fmt: skip
    config = {"connector": "rest", "url": ledger.url, "reads": [read], "writes": [write], "poll_s": 0.02}
    connector = Rest(RestConfig.model_validate(config), surroundings("ledger"))
    for wire in ("0.1", EXACT, "250"):
        ledger.next_answers = [Response(f'{{"items": [{{"at": "2026-03-02T09:00:00Z", "qty": {wire}}}]}}')]
        _, items = await heard(connector, lambda keys, _: bool(keys))
        it = items[-1].messages[0]
        assert isinstance(it, Message)
        assert it.body.material_actual[0].quantity.value == Decimal(wire)  # type: ignore[attr-defined]
        ledger.seen.clear()
        assert isinstance((await connector.write([it]))[0], Receipt)
        assert f'"qty":{wire}}}' in ledger.seen[-1][3].decode()
    await connector.close()


async def test_a_calculated_float_is_not_taken_for_a_decimal(ledger: Ledger) -> None:
    ledger.add("D-0", qty=0.1)
    says = {
        "object": "stock_level", "occurred": "decided",
        "body": '{"material_definition_id": "M", "storage_location": "S", "as_of": decided, '
        '"quantity": {"value": $number(qty) * 3, "unit_of_measure": "LTR"}}',
    }  # fmt: skip
    connector = rest(ledger, "page", BY_SEQUENCE, says=[says])
    _, items = await heard(connector, lambda _, items: bool(items))
    assert "quantity.value" in items[0].faults[0].reason
    assert "is not a decimal: write it as text" in items[0].faults[0].reason
    await connector.close()


async def test_ids_never_climb_out_of_their_place_in_a_url(ledger: Ledger) -> None:
    write = {"object": "release_decision", "method": "PUT", "url": "/docs/{body.id}", "body": "body"}
    write |= {"effect": "idempotent"}
    config = {"connector": "rest", "url": ledger.url, "writes": [write]}
    connector = Rest(RestConfig.model_validate(config), surroundings("ledger"))

    async def put(ref: str) -> object:
        body = {"id": ref, "material_lot_id": "L", "disposition": "Closed", "decided": "2026-03-02T09:00:00Z"}
        return (await connector.write([message("release_decision", body)]))[0]

    for ref in ("a/../../me", "a?x=1#f", "é*>.b", "50%"):
        ledger.seen.clear()
        await put(ref)
        assert all("/docs/" in url and "?x" not in url for _, url, _, _ in ledger.seen), ledger.seen
    assert isinstance(await put(".."), MappingError)
    await connector.close()


def test_the_pieces_of_a_mapping() -> None:
    assert fill_url("/a/{b}/{$string(c)}", {"b": "x y", "c": 1}) == "/a/x%20y/1"
    with pytest.raises(MappingError, match="no value"):
        fill_url("/a/{missing}", {})
    assert changed({"a": [{"b": "1"}, {"c": 2}]}, ["a.*.b", "x.y"], as_number) == {"a": [{"b": Decimal(1)}, {"c": 2}]}
    assert exact_json({"a": [Decimal("1.50"), True, None, "é"]}) == b'{"a":[1.50,true,null,"\\u00e9"]}'
    for nonsense in ("one", "NaN", "1e", True, None, [], "Infinity"):
        with pytest.raises(MappingError):
            as_number(nonsense)
