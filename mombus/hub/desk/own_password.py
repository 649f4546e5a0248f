"""Whoever has an account gives it another password, by the one it has. What is wrong is counted as at signing in."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from mombus.desk.access import CHANGE
from mombus.desk.question import QuestionError
from mombus.hub.desk import passwords
from mombus.journal import accounts, audit
from mombus.journal.accounts import PassKind
from mombus.journal.audit import Deed
from mombus.journal.databases import alone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from mombus.desk.access import ChangePassword
    from mombus.desk.question import Question
    from mombus.hub.desk.topic import Answer
    from mombus.hub.desk.trying import Trying
    from mombus.journal.journal import Journal

WRONG = "that isn't the password you have now"


class OwnPassword:
    """Answers who changes their own password."""

    def __init__(self, journal: Journal, trying: Trying) -> None:
        self._journal, self._trying = journal, trying

    def answers(self) -> Mapping[Question, Answer]:
        """See mombus/desk/access.py."""
        return {CHANGE: self.change}

    async def change(self, asked: ChangePassword) -> dict[str, Any]:
        """Another password; the person's other sessions end, tokens stay. With `again_s` nothing was looked at."""
        wait_s = self._trying.wait_s(asked.who, asked.address)
        if wait_s:
            return {"ok": False, "text": f"too many tries: wait {wait_s} s", "again_s": wait_s}
        with self._trying.one(asked.who, asked.address):
            return {"ok": True, "text": await self._changed(asked)}

    async def _changed(self, asked: ChangePassword) -> str:
        known = await self._journal.survey(partial(accounts.account, name=asked.who))
        if known is None:
            raise QuestionError(f"{asked.who} has no account of this hub, and so no password here")
        if not await self._trying.fits(asked.old, known.password):
            raise QuestionError(WRONG)
        if asked.new == asked.old:
            raise QuestionError("the new password is the one you have now")
        kept = await passwords.accepted(asked.new, asked.who)
        return await self._journal.write(partial(_change, asked=asked, before=known.password, kept=kept))


def _change(connection: Connection, *, asked: ChangePassword, before: str, kept: str) -> str:
    alone(connection)
    now = accounts.account(connection, asked.who)
    if now is None or now.disabled or now.password != before:
        raise QuestionError("the account was changed meanwhile: sign in again")
    accounts.change(connection, asked.who, password=kept)
    ended = accounts.end_all(connection, asked.who, PassKind.SESSION, but=asked.session)
    result = f"{asked.who} has another password; {ended} other session{'s' * (ended != 1)} ended"
    audit.note(connection, Deed(
        at=datetime.now(UTC), who=asked.who, action=CHANGE.name, target=None, message_id=asked.who, why=asked.why,
        result=result,
    ))  # fmt: skip
    return result
