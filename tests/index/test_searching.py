"""A search finds what a look at every message would, by indexes alone, in bounded steps."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from sqlalchemy import event, insert

from mombus.index import searching
from mombus.index.conditions import AnyOf, Condition, Ended, Named, OneOf, Said, Span
from mombus.index.searching import LAST, between, search
from mombus.index.tables import hops, index_metadata, messages, refs
from mombus.journal.databases import open_engines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
COUNT = 3000
EVERYTHING = Span(0, LAST)


class Told(NamedTuple):
    """One message of the test's history."""

    seq: int
    object: str
    source: str
    verb: str
    names: frozenset[tuple[str, str]]
    hops: dict[str, tuple[str, int]]


def history() -> list[Told]:
    """Orders of the ERP and confirmations of the MES; one in a hundred has trouble."""
    chance = random.Random(7)  # noqa: S311 - the same history every time
    told = []
    for seq in range(1, COUNT + 1):
        order = chance.random() < 0.2
        names = {("production_order", f"PO-{seq // 30}"), ("equipment", f"LINE{seq % 2}")}
        if chance.random() < 0.01:
            names.add(("document", "D-1"))
        state = "rejected" if chance.random() < 0.01 else "delivered"
        targets = {"mes": (state, chance.choice((1, 1, 1, 1, 5)))} if order else {"erp": ("delivered", 1)}
        told.append(Told(
            seq, "production_order" if order else "production_response", "erp" if order else "mes",
            "process" if chance.random() < 0.01 else "sync", frozenset(names), targets,
        ))  # fmt: skip
    return told


HISTORY = history()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    writing, *_ = open_engines(f"sqlite:///{tmp_path_factory.mktemp('index') / 'index.sqlite'}")
    with writing.begin() as connection:
        index_metadata.create_all(connection)
        connection.execute(insert(messages), [_row(one) for one in HISTORY])
        named = [{"object": o, "value": v, "seq": one.seq} for one in HISTORY for o, v in one.names]
        connection.execute(insert(refs), named)
        ended = [{"seq": one.seq, "target": target, "state": state, "attempts": attempts}
                 for one in HISTORY for target, (state, attempts) in one.hops.items()]  # fmt: skip
        connection.execute(insert(hops), ended)
    with writing.connect() as connection:
        yield connection
    writing.dispose()


def _row(one: Told) -> dict[str, Any]:
    at = NOON + timedelta(seconds=one.seq)
    return {
        "seq": one.seq, "id": f"id-{one.seq:06}", "object": one.object, "verb": one.verb, "source": one.source,
        "key": str(one.seq), "lane": "x", "occurred": at, "recorded": at, "stored": at,
    }  # fmt: skip


Fits = "Callable[[Told], bool]"
ASKED: dict[str, tuple[list[Condition], Fits]] = {
    "everything": ([], lambda _: True),
    "a common object": ([Said("object", ("production_response",))], lambda m: m.object == "production_response"),
    "a rare verb": ([Said("verb", ("process", "get"))], lambda m: m.verb == "process"),
    "an order": ([Named(("production_order",), ("PO-7", "PO-50"))],
                 lambda m: bool(m.names & {("production_order", "PO-7"), ("production_order", "PO-50")})),
    "a rare end": ([Ended(("mes",), ("rejected",))], lambda m: m.hops.get("mes", ("",))[0] == "rejected"),
    "an end anywhere": ([Ended((), ("rejected", "skipped"))],
                        lambda m: any(state == "rejected" for state, _ in m.hops.values())),
    "many attempts": ([Ended((), (), 3)], lambda m: any(n >= 3 for _, n in m.hops.values())),
    "many attempts of what was rejected": ([Ended(("mes",), ("rejected",), 3)],
                                           lambda m: m.hops.get("mes") == ("rejected", 5)),
    "two that are common": ([Said("source", ("mes",)), Named(("equipment",), ("LINE1",))],
                            lambda m: m.source == "mes" and ("equipment", "LINE1") in m.names),
    "two that exclude each other": ([Said("source", ("mes",)), Ended(("mes",))], lambda _: False),
    "a common and a rare one": ([Ended(("erp",), ("delivered",)), Named(("document",), ("D-1",))],
                                lambda m: "erp" in m.hops and ("document", "D-1") in m.names),
    "one system anywhere": ([AnyOf((Said("source", ("erp",)), Ended(("erp",)), OneOf((9, 7))))],
                            lambda m: m.source == "erp" or "erp" in m.hops or m.seq in {7, 9}),
    "some of another database": ([OneOf((2999, 17, 5)), Said("source", ("mes",))],
                                 lambda m: m.seq in {2999, 17, 5} and m.source == "mes"),
}  # fmt: skip


@pytest.mark.parametrize("what", ASKED)
def test_a_search_finds_page_by_page_what_a_look_at_everything_finds(what: str, index, monkeypatch) -> None:
    monkeypatch.setattr(searching, "FEW", 100)
    conditions, fits = ASKED[what]
    found: list[int] = []
    before: int | None = LAST
    while before is not None:
        page = search(index, conditions, Span(0, before), 40, looked_at=500)
        left = sum(fits(one) for one in HISTORY[: before - 1])
        assert page.known == left if page.complete else page.known <= left
        found += page.seqs
        before = page.before
    assert found == [one.seq for one in reversed(HISTORY) if fits(one)]


@pytest.mark.parametrize("what", ASKED)
def test_each_part_is_found_by_an_index_in_its_order(what: str, index) -> None:
    """Never by a scan of more than asked for, never sorted."""
    for condition in ASKED[what][0]:
        steps = plan(index, lambda c, one=condition: one.newest(c, EVERYTHING, 10))
        assert not [step for step in steps if "TEMP B-TREE" in step or step.startswith("SCAN")], steps
        steps = plan(index, lambda c, one=condition: one.fitting(c, [1, 2, 3]))
        assert not [step for step in steps if step.startswith("SCAN") and "json_each" not in step], steps


def test_a_rare_end_is_found_by_the_index_of_what_is_rare(index) -> None:
    for condition, name in (
        (Ended(("mes",), ("rejected",)), "hops_target_state"), (Ended((), ("rejected",)), "hops_state"),
        (Ended(("mes",)), "hops_target"), (Ended((), (), 2), "hops_attempts"),
    ):  # fmt: skip
        (step,) = plan(index, lambda c, one=condition: one.newest(c, EVERYTHING, 10))
        assert name in step.split(), step


def test_a_search_that_finds_little_says_how_far_back_it_looked(index, monkeypatch) -> None:
    monkeypatch.setattr(searching, "FEW", 100)
    page = search(index, ASKED["two that exclude each other"][0], EVERYTHING, 50, looked_at=300)
    assert (page.seqs, page.complete, page.before) == ([], False, page.looked_back_to)
    looked = [one for one in HISTORY if "mes" in one.hops and one.seq >= (page.before or 0)]
    assert len(looked) == 300


def test_a_span_of_time_is_one_of_sequences(index) -> None:
    def span(since: int | None, until: int | None) -> Span:
        since_at, until_at = (None if s is None else NOON + timedelta(seconds=s) for s in (since, until))
        return between(index, since_at, until_at, LAST)

    assert span(None, None) == EVERYTHING
    assert span(10, 20) == Span(9, 20)
    assert span(0, 10**6) == Span(0, COUNT + 1)
    empty = (span(10**6, None), span(None, 0), span(20, 10))
    assert [search(index, [], one, 5).seqs for one in empty] == [[], [], []]
    steps = plan(index, lambda c: between(c, NOON, NOON, LAST))
    assert [step for step in steps if "ix_messages_stored" not in step] == ["SEARCH messages"]


def plan(connection: Connection, ask: Callable[[Connection], Any]) -> list[str]:
    """The steps by which SQLite answers."""
    steps: list[str] = []

    def explain(told: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        cursor = told.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", given)
        steps.extend(row[3] for row in cursor.fetchall())

    event.listen(connection.engine, "before_cursor_execute", explain)
    try:
        ask(connection)
    finally:
        event.remove(connection.engine, "before_cursor_execute", explain)
    return steps
