"""What a comparison found, and how much of it may still be looked at and told."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

MOST_CHARACTERS = 500
"""Of a value; what is longer is told by its beginning."""
MOST_PATH = 300
"""Of a path; of a longer one the end is told. Many places lie under one name, which may be as long as the text."""
MOST_LOOKS = 2_000_000
"""How much is looked at for one comparison, about a second's work: then what is left is compared place by place."""


class Format(StrEnum):
    """How two texts were compared."""

    JSON = "json"
    XML = "xml"
    TEXT = "text"


class What(StrEnum):
    """What happened at a place."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    ORDER = "order"
    """The same things, in another order."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two texts differ.

    `path` is the place as the text spells it (`segment_requirement[10].quantity`, `line 3`), `isa95` the same in the
    standard's words (`SegmentRequirement[10]/Quantity`), empty where it has none. A list's item is named by its id
    where it has one, else by its number from 1.
    """

    path: str
    isa95: str
    what: What
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Compared:
    """All that was found; `more` differences were found besides those that are told."""

    format: Format
    differences: tuple[Difference, ...]
    more: int = 0


@dataclass(slots=True)
class Found:
    """Collects differences, at most `most`, and counts what it costs."""

    most: int
    looks: int = MOST_LOOKS
    differences: list[Difference] = field(default_factory=list)
    more: int = 0

    def add(self, path: str, isa95: str, what: What, before: str | None, after: str | None) -> None:
        """One more."""
        if len(self.differences) >= self.most:
            self.more += 1
            return
        self.differences.append(Difference(path, isa95, what, _short(before), _short(after)))

    def afford(self, looks: int) -> bool:
        """True, and it is spent, if so much may still be looked at."""
        if looks > self.looks:
            return False
        self.looks -= looks
        return True

    def compared(self, format: Format) -> Compared:
        """The result."""
        return Compared(format, tuple(self.differences), self.more)


def placed(path: str) -> str:
    """A path as it is told."""
    return path if len(path) <= MOST_PATH else f"…{path[-MOST_PATH:]}"


def _short(value: str | None) -> str | None:
    if value is None or len(value) <= MOST_CHARACTERS:
        return value
    return f"{value[:MOST_CHARACTERS]}… ({len(value)} characters)"
