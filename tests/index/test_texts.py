"""Words are found as people write them, part by part back in time, and forgotten with their messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from canonical.isa95.resources import MaterialDefinition
from canonical.message import Message
from mombus.index import texts
from mombus.index.conditions import Span
from mombus.index.forgetting import forget
from mombus.index.searching import LAST, between, search
from mombus.index.tables import hops, index_metadata, messages, read_outcomes, refs
from mombus.index.texts import TextError, Worded, match_of, words_of
from mombus.journal.databases import open_engines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
EVERYTHING = Span(0, LAST)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Connection]:
    writing, *_ = open_engines(f"sqlite:///{tmp_path / 'index.sqlite'}")
    with writing.begin() as connection:
        index_metadata.create_all(connection)
        yield connection
    writing.dispose()


def found(index: Connection, text: str, span: Span = EVERYTHING, limit: int = 100) -> list[int]:
    return Worded(match_of(text)).newest(index, span, limit)


def material(id: str, description: str, **more: str) -> Message:
    body = MaterialDefinition(id=id, description=description)
    return Message.of("material", body, source="erp", site="lyon", occurred=NOW, recorded=NOW, revision=1, **more)


def test_an_id_is_found_whole_and_by_its_parts_and_a_word_in_any_spelling(index) -> None:
    said = words_of(material("FG-1000/A", "Eau minérale, bouteille 0.75 l", reason="Gesperrt: Straße 7"))
    texts.add(index, [(1, said)])
    for text in ("fg-1000/a", "FG", "1000", "MINERALE", "minérale eau", "0.75", "strasse*", "straße", "bout*", "fg-1*"):
        assert (found(index, text) == [1]) is (text != "strasse*"), text
    for text in ("minéral", "100", "FG-100", "eau vin", "description", "material"):
        assert found(index, text) == [], text


def test_words_are_bounded_and_times_are_none() -> None:
    said = words_of(material("M", " ".join(f"w{number}" for number in range(9000)) + " 2026-03-02T06:00:00Z"))
    assert len(said.split()) == texts.WORDS
    assert words_of(material("M", "2026-03-02T06:00:00Z")) == "m"
    assert words_of(material("M", "secret"), bodies=False) == "m"


@pytest.mark.parametrize("text", ["?", "  ", "a*", '"*"'])
def test_what_has_no_word_is_refused(text) -> None:
    with pytest.raises(TextError):
        match_of(text)


@pytest.mark.parametrize("text", ['x" OR "y', "a AND b", "NEAR(a b)", "words:a", "-a", "a^b", "x' --"])
def test_no_text_is_a_command_to_the_index(index, text) -> None:
    texts.add(index, [(1, "nothing")])
    assert found(index, text) == []


def test_parts_are_searched_from_the_newest_back_and_forgotten_whole(index, monkeypatch) -> None:
    monkeypatch.setattr(texts, "PART", 10)
    for seq in range(1, 36):
        texts.add(index, [(seq, f"water n{seq % 5}")])
    newest_first = list(range(35, 0, -1))
    assert found(index, "water") == newest_first
    assert found(index, "water", limit=12) == newest_first[:12]
    assert found(index, "water", Span(8, 22)) == list(range(21, 8, -1))
    assert found(index, "n3 water") == [33, 28, 23, 18, 13, 8, 3]
    for part in ([33, 3], list(range(1, 36))):
        assert Worded(match_of("n3")).fitting(index, part) == {one for one in part if one % 5 == 3}
    texts.forget(index, 20)
    assert found(index, "water") == list(range(35, 19, -1))


def test_what_is_forgotten_is_found_by_nothing_any_more(index, monkeypatch) -> None:
    monkeypatch.setattr(texts, "PART", 5)
    for seq in range(1, 11):
        row = {"seq": seq, "id": f"m{seq}", "object": "material", "verb": "sync", "source": "erp", "key": "x",
               "lane": "x", "occurred": NOW, "recorded": NOW, "stored": NOW}  # fmt: skip
        index.execute(messages.insert(), [row])
        index.execute(refs.insert(), [{"object": "material", "value": "x", "seq": seq}])
        index.execute(hops.insert(), [{"seq": seq, "target": "mes", "state": "delivered", "attempts": 1}])
        texts.add(index, [(seq, "water")])
    index.execute(read_outcomes.insert(), [{"target": "mes", "at": NOW.isoformat()}])
    while forget(index, 7, 2):
        pass
    for table in (messages, refs, hops):
        assert sorted(index.execute(table.select()).scalars() if table is messages else
                      [row.seq for row in index.execute(table.select())]) == [7, 8, 9, 10]  # fmt: skip
    assert found(index, "water") == [10, 9, 8, 7, 6, 5]
    span = between(index, None, None, LAST)
    assert search(index, [Worded(match_of("water"))], span, 10).seqs == [10, 9, 8, 7]
