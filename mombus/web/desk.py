"""What the pages may ask of the hub. The hub implements it; the pages know nothing else of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class NoAnswerError(RuntimeError):
    """The hub doesn't answer, or can't; the text says why."""


class Desk(Protocol):
    """The hub as its pages see it. Everything returned is plain data: text, numbers, lists and dicts.

    A desk whose hub is another process raises NoAnswerError when that doesn't answer.
    """

    async def status(self) -> Mapping[str, Any]:
        """`at`, `site`, `hubs`, `systems`, `flows`, `messages`, as `waiting` what waits by cause, as `trouble` what a
        person should look at."""

    async def ready(self) -> Mapping[str, str]:
        """Every dependency that isn't ready, with its reason; empty when the hub can do its work."""

    async def journey(self, number: str) -> Sequence[Mapping[str, Any]]:
        """Every hop of what `number` names, in time order."""

    async def waiting(self) -> Sequence[Mapping[str, Any]]:
        """What waits, oldest first."""

    async def disagreements(self) -> Sequence[Mapping[str, Any]]:
        """What is open between systems."""

    async def metrics(self) -> str:
        """Prometheus text format."""
