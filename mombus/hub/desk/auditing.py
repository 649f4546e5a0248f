"""The audit trail as commands see it, and the note about those that were refused."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from mombus.bus.commands import NotHereError
from mombus.desk.audit import AUDIT, VERIFY
from mombus.hub.desk.fitting import fitting
from mombus.journal import audit, chain
from mombus.journal.audit import Deed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from mombus.desk.audit import Verify, Wanted
    from mombus.desk.question import Question
    from mombus.hub.desk.topic import Answer
    from mombus.hub.store.trail import Trail
    from mombus.journal.journal import Journal

TEXT = 200
"""Characters kept of each part of a question that was refused."""


class Auditing:
    """Shows and checks one journal's trail. `trail` knows what the broker remembers of it."""

    def __init__(self, journal: Journal, trail: Trail | None = None) -> None:
        self._journal, self._trail = journal, trail

    def answers(self) -> Mapping[Question, Answer]:
        """See mombus/desk/audit.py."""
        return {AUDIT: self.deeds, VERIFY: self.verified}

    async def deeds(self, wanted: Wanted) -> Sequence[Mapping[str, Any]]:
        """The newest deeds, newest first, as many as fit into one answer."""
        look = partial(audit.deeds, **wanted.model_dump())
        return fitting([shown(deed) for deed in await self._journal.survey(look)])

    async def verified(self, asked: Verify) -> Mapping[str, Any]:
        """Whether the trail is as it was written."""
        verdict = await self._journal.survey(partial(chain.verify, head=asked.head))
        if self._trail is not None:
            await self._trail.check()
            verdict = replace(verdict, faults=(*verdict.faults, *((self._trail.wrong,) if self._trail.wrong else ())))
        return plain(verdict)

    @asynccontextmanager
    async def refusals(self, command: str, question: Mapping[str, Any]) -> AsyncIterator[None]:
        """A deed that can't even be tried (an unknown target, no reason given) is in the trail as well.

        One that is only asked of the wrong hub is in the trail of where it is done.
        """
        try:
            yield
        except NotHereError:
            raise
        except (ValueError, LookupError) as error:
            said = {name: str(value)[:TEXT] for name, value in question.items() if value is not None}
            deed = Deed(
                at=datetime.now(UTC), who=said.get("who", ""), action=said.get("command", command),
                target=said.get("target", said.get("system")), message_id=said.get("id", said.get("name")),
                why=said.get("why", ""), result=f"not done: {error}",
            )  # fmt: skip
            await self._journal.write(partial(audit.note, deed=deed))
            raise


def shown(deed: audit.Noted) -> dict[str, Any]:
    """A deed as plain data."""
    return {**asdict(deed), "at": deed.at.isoformat()}


def plain(verdict: chain.Verdict) -> dict[str, Any]:
    """A verdict as plain data."""
    return {**asdict(verdict), "intact": verdict.intact}
