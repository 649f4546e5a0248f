"""What can be wrong with a document, an item of it, or an object that is to become one.

B2MMLError(ValueError)
├── DocumentError   the bytes are no B2MML document that can be read; nothing of it was taken
├── Misfit          one item doesn't fit; readers turn it into a BadItem and go on with the next
└── WriteError      messages that can't be written as one document
"""

from __future__ import annotations

from dataclasses import dataclass


class B2MMLError(ValueError):
    """Anything wrong with B2MML; the text says where and what to do."""


class DocumentError(B2MMLError):
    """The bytes are no B2MML document that can be read. `place` is `line:column` or an ISA-95 path."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.place = place
        self.reason = reason


class Misfit(B2MMLError):  # noqa: N818 - the field's word reads best where it is raised
    """One element doesn't fit; `steps` collects the ISA-95 path from the inside out."""

    def __init__(self, reason: str, *steps: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps = list(steps)

    @property
    def place(self) -> str:
        """The ISA-95 path, outermost element first."""
        return "/".join(reversed(self.steps))


class WriteError(B2MMLError):
    """Messages that can't be written as one B2MML document; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where (ISA-95 path) and why."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class BadItem:
    """An item of a document that could not be taken; the good ones were.

    `object` is the data object it would have been, `key` its id as far as that could be read, `place` and `reason`
    the first finding, `others` the further ones, `raw` the item's XML as it came.
    """

    object: str
    key: str
    place: str
    reason: str
    raw: str
    others: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything wrong with the item."""
        return (Finding(self.place, self.reason), *self.others)
