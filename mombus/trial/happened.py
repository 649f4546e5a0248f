"""What became of a case's messages, system by system, and what came of comparing that."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from canonical.objects import shown_key

if TYPE_CHECKING:
    from canonical.message import Message
    from connectors.connector import Rendered
    from mombus.config.finding import Mark

UNREMARKABLE = frozenset({"stored", "filtered", "superseded", "skipped", "dropped"})
"""What may happen to a system that a case names without the case naming it."""
TROUBLE = frozenset({"refused", "disagrees", "waits for an alias", "fault"})
"""What a case has to expect of what it gives: else what it finds at the targets proves nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One thing that became of a message at a system; `state` is one of `cases.State`.

    `message` is as the target got it, else as it is on the bus, else as it was given; None for a part of a document
    that isn't one. `stored` is as it is on the bus, of what becomes of it at a target. `requests` are what the target
    got in its own words.
    """

    system: str
    state: str
    message: Message | None = None
    stored: Message | None = None
    reason: str = ""
    document: str | None = None
    requests: Sequence[Rendered] = ()
    waits_for: str = ""
    """For what or whom it waits there; nothing for what doesn't wait."""
    wire: Sequence[str] = ()
    """The calls that were made for it with their answers, where its system is played over its wire."""

    @property
    def body(self) -> Any:
        """What the message says."""
        return json.loads(self.message.content) if self.message is not None and self.message.content else None

    def __str__(self) -> str:
        message = self.message
        what = f"{message.object} {shown_key(message.object, message.key)}" if message is not None else "a document"
        verb = f" {message.verb.value}" if message is not None and message.verb != "sync" else ""
        reason = f": {self.reason}" if self.reason else ""
        return f"{self.state} {what}{verb}{reason}"


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that wasn't met: where it stands, what was expected at which path, what came.

    `whole` is all of what came, for who wants to see it.
    """

    mark: Mark
    path: str
    expected: str
    got: str
    whole: str = ""

    def __str__(self) -> str:
        place = f"{self.mark.file}:{self.mark.line}:{self.mark.column}"
        return f"{place}: {self.path}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one case; `error` is why it couldn't be played to its end. `routes` are those that were used."""

    name: str
    mark: Mark
    failures: tuple[Failure, ...] = ()
    error: str | None = None
    took_s: float = 0.0
    routes: frozenset[int] = frozenset()

    @property
    def passed(self) -> bool:
        """True if everything is as expected."""
        return not self.failures and self.error is None


@dataclass(frozen=True, slots=True)
class Ran:
    """The results of one file, and the routes of its configuration that no case used, as they are shown."""

    file: str
    results: tuple[Result, ...]
    unused: Mapping[str, str] = field(default_factory=dict)
    """Route → what it is, such as `routes[3]` → `downtime to cmms`."""
