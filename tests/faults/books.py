"""A target's books: one row per effect, in the order they took effect, in a file that outlives every process."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Count:
    """What came of what was sent: `lost` and `twice` by id, `disordered` the lanes whose effects aren't in order."""

    sent: int
    effects: int
    lost: tuple[str, ...]
    twice: tuple[str, ...]
    disordered: tuple[str, ...]

    @property
    def right(self) -> bool:
        """True if each one sent has one effect, in order per lane."""
        return not (self.lost or self.twice or self.disordered) and self.effects == self.sent

    def __str__(self) -> str:
        return (
            f"{self.sent} sent, {self.effects} effects, {len(self.lost)} lost, {len(self.twice)} twice, "
            f"{len(self.disordered)} lanes out of order"
        )


class Books:
    """The effects of one target. `lane` and `id` are what the load source made them of: PO-3 and PO-3-0017."""

    def __init__(self, file: Path) -> None:
        self._db = sqlite3.connect(file, isolation_level=None, timeout=20)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS effects(n INTEGER PRIMARY KEY, id TEXT, lane TEXT, key TEXT)")
        self._db.execute("CREATE INDEX IF NOT EXISTS ids ON effects(id)")
        self._db.execute("CREATE INDEX IF NOT EXISTS keys ON effects(key)")

    def add(self, id: str, lane: str, key: str | None = None) -> int:
        """Note an effect and return its document's number. With an idempotency key known already: that one's."""
        if key is not None and (row := self._db.execute("SELECT n FROM effects WHERE key=?", (key,)).fetchone()):
            return int(row[0])
        return int(
            self._db.execute("INSERT INTO effects(id, lane, key) VALUES (?,?,?)", (id, lane, key)).lastrowid or 0
        )

    def find(self, id: str) -> list[int]:
        """The numbers of the documents about `id`."""
        return [int(row[0]) for row in self._db.execute("SELECT n FROM effects WHERE id=? ORDER BY n", (id,))]

    def size(self) -> int:
        """How many effects there are."""
        return int(self._db.execute("SELECT count(*) FROM effects").fetchone()[0])

    def count(self, sent: Iterable[str]) -> Count:
        """Compare with the ids that were sent; an id grows within its lane."""
        expected = set(sent)
        rows = self._db.execute("SELECT lane, id FROM effects ORDER BY n").fetchall()
        times = Counter(id for _, id in rows)
        lanes: dict[str, list[str]] = {}
        for lane, id in rows:
            lanes.setdefault(lane, []).append(id)
        return Count(
            sent=len(expected), effects=len(rows), lost=tuple(sorted(expected - set(times))),
            twice=tuple(sorted(id for id, number in times.items() if number > 1)),
            disordered=tuple(lane for lane, ids in lanes.items() if ids != sorted(ids)),
        )  # fmt: skip

    def close(self) -> None:
        """Close the file."""
        self._db.close()
