"""The words of messages, for free text: an inverted index (SQLite FTS5) of key, reason, document and body.

The words are kept, not the text, in one table for each PART sequences: what isn't on the bus any more is forgotten by
dropping a table, and a search goes from the newest part back. `PO-4711` is found as it is, and by `4711`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from canonical.message import Message
    from mombus.index.conditions import Span

PART = 2**18
"""Sequences in one table."""
TEXT_BYTES = 16 * 1024
"""How much of a body is read for words, from its beginning."""
WORDS = 400
"""Different words of one message."""
LONGEST = 80
"""Characters of a word; longer ones are data, not words."""
SHORTEST_START = 3
"""Characters of the beginning of a word that may be looked for."""
ONE_BY_ONE = 50
"""So many sequences in a row are read in the time that it takes to look one up."""

_WORD = re.compile(r"[^\W_]+(?:[-_./:]+[^\W_]+)*")
_PIECE = re.compile(r"[^\W_]+")
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d.*)?")
_MAKE = "CREATE VIRTUAL TABLE {} USING fts5(words, content='', detail='none', tokenize=\"{}\")"
_TOKENS = "unicode61 remove_diacritics 2 tokenchars '-_./:'"


class TextError(ValueError):
    """A text that can't be searched for; the text says why."""


def words_of(message: Message, *, bodies: bool = True) -> str:
    """The different words of a message whose body is in it, in no order; without `bodies` of its headers alone.

    Raises ValueError for a body that can't be read.
    """
    said = (message.key, message.document, message.reason, message.by)
    read = bodies and message.content
    body = from_json(message.content[:TEXT_BYTES], allow_partial="trailing-strings") if read else None
    found: dict[str, None] = {}
    for text in chain(filter(None, said), _texts(body)):
        if len(found) >= WORDS:
            break
        found.update(dict.fromkeys(_words(text)))
    return " ".join(islice(found, WORDS))


def match_of(text: str) -> str:
    """What FTS5 is asked for a text: all of its words, one that ends with `*` by its beginning. Raises TextError."""
    found = []
    for given in text.split():
        words = [word.lower() for word in _WORD.findall(given)]
        if given.endswith("*") and words and len(words[-1]) < SHORTEST_START:
            raise TextError(f"'{given}' is too little of a word: give {SHORTEST_START} characters before the *")
        found += [f'"{word}"' for word in words]
        if given.endswith("*") and words:
            found[-1] += "*"
    if not found:
        raise TextError(f"'{text}' has no word to look for")
    return " ".join(found)


def add(connection: Connection, words: Sequence[tuple[int, str]]) -> None:
    """Add the words of messages, by sequence."""
    there = _parts(connection)
    for part in sorted({seq // PART for seq, _ in words}):
        if part not in there:
            connection.exec_driver_sql(_MAKE.format(_table(part), _TOKENS))
        mine = [(seq, text) for seq, text in words if seq // PART == part and text]
        if mine:
            connection.exec_driver_sql(f"INSERT INTO {_table(part)} (rowid, words) VALUES (?, ?)", mine)  # noqa: S608


def forget(connection: Connection, first: int) -> None:
    """Forget the words of all messages before `first`, as far as none of a later one is beside them."""
    for part in _parts(connection):
        if (part + 1) * PART <= first:
            connection.exec_driver_sql(f"DROP TABLE {_table(part)}")


@dataclass(frozen=True, slots=True)
class Worded:
    """A condition: it has these words, as `match_of` says them."""

    match: str

    def newest(self, connection: Connection, span: Span, limit: int) -> list[int]:
        """From the newest part back."""
        found: list[int] = []
        for part in sorted(_parts(connection), reverse=True):
            if len(found) >= limit or (part + 1) * PART <= span.after:
                break
            if part * PART < span.before:
                found += self._of_part(connection, part, span.after + 1, span.before - 1, limit - len(found))
        return found

    def fitting(self, connection: Connection, seqs: Sequence[int]) -> set[int]:
        """Where they are close to each other, by what all between them have; else one by one."""
        found: set[int] = set()
        for part in _parts(connection).intersection(seq // PART for seq in seqs):
            mine = [seq for seq in seqs if seq // PART == part]
            first, last = min(mine), max(mine)
            if last - first < ONE_BY_ONE * len(mine):
                found.update(self._of_part(connection, part, first, last, PART))
            else:
                text = f"SELECT rowid FROM {_table(part)} WHERE {_table(part)} MATCH ? AND {_AMONG}"  # noqa: S608
                found.update(row[0] for row in connection.exec_driver_sql(text, (self.match, json.dumps(mine))))
        return found.intersection(seqs)

    def _of_part(self, connection: Connection, part: int, first: int, last: int, limit: int) -> list[int]:
        text = (
            f"SELECT rowid FROM {_table(part)} WHERE {_table(part)} MATCH ? AND rowid BETWEEN ? AND ? "  # noqa: S608
            "ORDER BY rowid DESC LIMIT ?"
        )
        return [row[0] for row in connection.exec_driver_sql(text, (self.match, first, last, limit))]


_AMONG = "rowid IN (SELECT value FROM json_each(?))"


def _parts(connection: Connection) -> set[int]:
    """The parts that there are."""
    rows = connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'texts_[0-9]*' AND sql LIKE '%fts5%'"
    )
    return {int(row[0].partition("_")[2]) for row in rows}


def _table(part: int) -> str:
    return f"texts_{part}"


def _texts(value: Any) -> Iterator[str]:
    """Every text in a body, without the names of its fields and without times."""
    if isinstance(value, str):
        if not _TIME.fullmatch(value):
            yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _words(text: str) -> Iterable[str]:
    """The words of a text, those that are made of pieces also by their pieces."""
    for word in _WORD.findall(text.lower()):
        if len(word) <= LONGEST:
            yield word
            if not word.isalnum():
                yield from _PIECE.findall(word)
