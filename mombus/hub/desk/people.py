"""The people who may come in: their accounts, roles, sessions and tokens. All that is done here is audited."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mombus.bus.commands import UnknownNameError
from mombus.desk.access import (
    ADD,
    DISABLE,
    ENABLE,
    END,
    END_ALL,
    PASSWORD,
    PEOPLE,
    REMOVE,
    RESERVED,
    ROLES,
    TOKEN,
)
from mombus.desk.question import QuestionError, Role
from mombus.hub.desk import passwords
from mombus.journal import accounts, audit
from mombus.journal.accounts import Account, Pass, PassKind
from mombus.journal.audit import Deed
from mombus.journal.databases import alone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

    from mombus.desk import access
    from mombus.desk.question import Deed as DeedAsked
    from mombus.desk.question import Question
    from mombus.hub.desk.topic import Answer
    from mombus.journal.journal import Journal

SHOWN = 500
"""Sessions and tokens in one answer."""
ENDED = "their sessions and tokens ended"


class People:
    """Answers about accounts. There is always one that may change others: an engineer who isn't disabled."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def answers(self) -> Mapping[Question, Answer]:
        """See mombus/desk/access.py."""
        return {
            PEOPLE: self.everybody, ADD: self.add, ROLES: self.set_roles, PASSWORD: self.set_password,
            DISABLE: self.disable, ENABLE: self.enable, REMOVE: self.remove, TOKEN: self.give_token, END: self.end,
            END_ALL: self.end_all,
        }  # fmt: skip

    async def everybody(self, _asked: object) -> dict[str, Any]:
        """All accounts, and what lets people in now."""
        people, passes = await self._journal.survey(lambda c: (accounts.everybody(c), accounts.all_passes(c)))
        now = datetime.now(UTC)
        living = [one for one in passes if one.ends > now]
        return {
            "people": [_row(one) for one in people], "passes": [_pass_row(one) for one in living[:SHOWN]],
            "passes_total": len(living),
        }  # fmt: skip

    async def add(self, asked: access.AddPerson) -> dict[str, Any]:
        """A new account."""
        if asked.name in RESERVED:
            raise QuestionError(f"the audit trail has the name '{asked.name}' for others: choose another")
        made = Account(
            name=asked.name, roles=_texts(asked.roles), password=await passwords.accepted(asked.password, asked.name),
            disabled=False, since=datetime.now(UTC),
        )  # fmt: skip

        def work(connection: Connection) -> str:
            if accounts.account(connection, asked.name) is not None:
                raise QuestionError(f"there is an account '{asked.name}' already")
            accounts.add(connection, made)
            accounts.end_all(connection, asked.name)
            return f"{asked.name} may come in as {', '.join(sorted(made.roles))}"

        return await self._done(ADD, asked, asked.name, work)

    async def set_roles(self, asked: access.SetRoles) -> dict[str, Any]:
        """Other roles."""

        def work(connection: Connection) -> str:
            accounts.change(connection, asked.name, roles=_texts(asked.roles))
            accounts.end_all(connection, asked.name)
            return f"{asked.name} is {', '.join(sorted(asked.roles))} from now on; {ENDED}"

        return await self._changed(ROLES, asked, work)

    async def set_password(self, asked: access.SetPassword) -> dict[str, Any]:
        """Another password. Tokens stay: they have their own end."""
        kept = await passwords.accepted(asked.password, asked.name)

        def work(connection: Connection) -> str:
            accounts.change(connection, asked.name, password=kept)
            ended = accounts.end_all(connection, asked.name, PassKind.SESSION)
            return f"{asked.name} has another password; {ended} sessions ended"

        return await self._changed(PASSWORD, asked, work)

    async def disable(self, asked: access.Named) -> dict[str, Any]:
        """The account stays, but nobody comes in with it."""

        def work(connection: Connection) -> str:
            accounts.change(connection, asked.name, disabled=True)
            accounts.end_all(connection, asked.name)
            return f"{asked.name} may not come in any more; {ENDED}"

        return await self._changed(DISABLE, asked, work)

    async def enable(self, asked: access.Named) -> dict[str, Any]:
        """Let them come in again."""

        def work(connection: Connection) -> str:
            accounts.change(connection, asked.name, disabled=False)
            return f"{asked.name} may come in again"

        return await self._changed(ENABLE, asked, work)

    async def remove(self, asked: access.Named) -> dict[str, Any]:
        """Take the account away; what was done under its name stays in the audit trail."""

        def work(connection: Connection) -> str:
            accounts.remove(connection, asked.name)
            accounts.end_all(connection, asked.name)
            return f"{asked.name} has no account any more; {ENDED}"

        return await self._changed(REMOVE, asked, work)

    async def give_token(self, asked: access.GiveToken) -> dict[str, Any]:
        """A token for a program; the hub gets its hash only."""
        now = datetime.now(UTC)
        made = Pass(
            hash=asked.token, kind=PassKind.TOKEN, name=asked.name, roles=_texts(asked.roles), since=now, used=now,
            ends=now + timedelta(days=asked.days), origin=asked.purpose,
        )  # fmt: skip

        def work(connection: Connection) -> str:
            more = _texts(asked.roles) - _known(connection, asked.name).roles - {Role.VIEWER}
            if more:
                raise QuestionError(f"{asked.name} isn't {' or '.join(sorted(more))}: a token can't be more")
            accounts.begin(connection, made)
            return f"token {made.id} of {asked.name} lets in until {made.ends:%Y-%m-%d}"

        return await self._changed(TOKEN, asked, work)

    async def end(self, asked: access.EndPass) -> dict[str, Any]:
        """End one session or token."""

        def work(connection: Connection) -> str:
            found = [one for one in accounts.all_passes(connection) if one.id == asked.id]
            if not found:
                raise UnknownNameError("session or token", asked.id)
            accounts.end(connection, found[0].hash)
            return f"a {found[0].kind} of {found[0].name} ended"

        return await self._done(END, asked, asked.id, work)

    async def end_all(self, asked: access.EndAll) -> dict[str, Any]:
        """End all of a person's."""

        def work(connection: Connection) -> str:
            return f"{accounts.end_all(connection, asked.name)} sessions and tokens of {asked.name} ended"

        return await self._done(END_ALL, asked, asked.name, work)

    async def _changed(
        self, question: Question, asked: access.Named, work: Callable[[Connection], str]
    ) -> dict[str, Any]:
        """Do it to an account that is there."""

        def known(connection: Connection) -> str:
            _known(connection, asked.name)
            return work(connection)

        return await self._done(question, asked, asked.name, known)

    async def _done(
        self, question: Question, asked: DeedAsked, about: str, work: Callable[[Connection], str]
    ) -> dict[str, Any]:
        """Do it, and note it with it; undone if nobody could change accounts after it."""

        def both(connection: Connection) -> str:
            alone(connection)
            result = work(connection)
            _check_engineer(connection, empty=question is not REMOVE)
            audit.note(connection, Deed(
                at=datetime.now(UTC), who=asked.who, action=question.name, target=None, message_id=about,
                why=asked.why, result=result,
            ))  # fmt: skip
            return result

        return {"ok": True, "text": await self._journal.write(both)}


def _known(connection: Connection, name: str) -> Account:
    found = accounts.account(connection, name)
    if found is None:
        raise UnknownNameError("account", name, [one.name for one in accounts.everybody(connection)])
    return found


def _check_engineer(connection: Connection, *, empty: bool) -> None:
    """Raises QuestionError if nobody is left who may change accounts; with `empty` there may be none at all."""
    people = accounts.everybody(connection)
    if (people or not empty) and not any(Role.ENGINEER in one.roles and not one.disabled for one in people):
        raise QuestionError("nobody could manage accounts any more: an engineer's account must be there, not disabled")


def _texts(roles: frozenset[Role]) -> frozenset[str]:
    return frozenset(map(str, roles))


def _row(one: Account) -> dict[str, Any]:
    return {"name": one.name, "roles": sorted(one.roles), "disabled": one.disabled, "since": one.since.isoformat()}


def _pass_row(one: Pass) -> dict[str, Any]:
    return {
        "id": one.id, "kind": one.kind, "name": one.name, "roles": None if one.roles is None else sorted(one.roles),
        "since": one.since.isoformat(), "used": one.used.isoformat(), "ends": one.ends.isoformat(),
        "origin": one.origin,
    }  # fmt: skip
