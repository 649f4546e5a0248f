"""Lets people in: by their password, by what an identity provider said, and by the session or token they show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from mombus.desk.access import RESERVED, SIGN_IN, SIGN_ON, SIGN_OUT, TURNED_AWAY, WHO
from mombus.desk.question import QuestionError, Role
from mombus.hub.desk.guesses import Notes
from mombus.journal import accounts, audit
from mombus.journal.accounts import Pass, PassKind
from mombus.journal.audit import Deed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

    from mombus.config.model import Http
    from mombus.desk.access import Shown, SignedOn, SignIn, SignOut, TurnedAway
    from mombus.desk.question import Question
    from mombus.hub.desk.topic import Answer
    from mombus.hub.desk.trying import Trying
    from mombus.journal.journal import Journal

USED_EVERY = timedelta(minutes=1)
"""How exactly it is written down when a session or token was used."""


class SigningIn:
    """Answers who somebody is. `http` says how long sessions last, and whether everybody has to sign in."""

    def __init__(
        self, journal: Journal, http: Http, trying: Trying, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:  # fmt: skip
        self._journal, self._http, self._trying, self._clock = journal, http, trying, clock
        self._failures, self._turned_away = Notes(), Notes()

    def answers(self) -> Mapping[Question, Answer]:
        """See mombus/desk/access.py."""
        return {
            WHO: self.who, SIGN_IN: self.sign_in, SIGN_ON: self.sign_on, SIGN_OUT: self.sign_out,
            TURNED_AWAY: self.turned_away,
        }  # fmt: skip

    async def who(self, asked: Shown) -> dict[str, Any]:
        """Whether anybody has to sign in at all, and whom the shown session or token belongs to.

        `account` tells whether they have an account here, and so a password.
        """
        now = self._clock()
        declared = self._http.accounts or self._http.oidc is not None
        needed, found = await self._journal.survey(partial(_look, hash=asked.hash))
        if found is None or not self._holds(found[0], now):
            return {"needed": needed or declared, "person": None, "account": False}
        shown, roles, account = found
        if now - shown.used >= USED_EVERY:
            await self._journal.write(partial(accounts.use, hash=shown.hash, now=now))
        return {"needed": needed or declared, "person": _who(shown.name, roles), "account": account}

    async def sign_in(self, asked: SignIn) -> dict[str, Any]:
        """Begin a session if name and password fit; else `refused` says why, with `again_s` for too many tries."""
        name = asked.name.strip().lower()
        wait_s = self._trying.wait_s(name, asked.address)
        if wait_s:
            return {"refused": "throttled", "again_s": wait_s}
        with self._trying.one(name, asked.address):
            return await self._signed_in(asked, name)

    async def _signed_in(self, asked: SignIn, name: str) -> dict[str, Any]:
        known = await self._journal.survey(partial(accounts.account, name=name))
        kept = known.password if known is not None and not known.disabled else None
        fits = await self._trying.fits(asked.password, kept)
        if not fits or not await self._journal.write(partial(self._begin, asked=asked, name=name, password=kept)):
            await self._note_failure(name, asked.address)
            return {"refused": "wrong"}
        assert known is not None  # noqa: S101 - for the type checker: it fits
        return {"person": _who(name, known.roles)}

    async def sign_on(self, asked: SignedOn) -> dict[str, Any]:
        """Begin a session for whom an identity provider vouches."""
        plain = asked.name.strip().lower()
        own = await self._journal.survey(partial(accounts.account, name=plain))
        if plain in RESERVED or own is not None:
            raise QuestionError(f"'{asked.name}' is the name of an account of the hub's own: rename or remove that")
        roles = frozenset(map(str, asked.roles))
        made = self._session(asked.session, asked.name, asked.issuer, roles)
        result = f"signed in from {asked.address} as {', '.join(sorted(roles))}"

        def work(connection: Connection) -> None:
            accounts.begin(connection, made)
            _note(connection, made.since, asked.name, result, why=f"by {asked.issuer}")

        await self._journal.write(work)
        return {"person": _who(asked.name, roles)}

    async def sign_out(self, asked: SignOut) -> dict[str, Any]:
        """End the session."""
        await self._journal.write(partial(accounts.end, hash=asked.session))
        return {}

    async def turned_away(self, asked: TurnedAway) -> dict[str, Any]:
        """Note it; of many at once only some, and how many others."""
        await self._note_some(
            self._turned_away, asked.reason, who=asked.who, why=asked.why, action=asked.action, about=asked.about
        )
        return {}

    def _begin(self, connection: Connection, *, asked: SignIn, name: str, password: str | None) -> bool:
        """False if the account was changed meanwhile."""
        now = accounts.account(connection, name)
        if now is None or now.disabled or now.password != password:
            return False
        made = self._session(asked.session, name, asked.address, None)
        accounts.begin(connection, made)
        _note(connection, made.since, name, f"signed in from {asked.address}", why="by password")
        return True

    def _session(self, hash: str, name: str, origin: str, roles: frozenset[str] | None) -> Pass:
        now = self._clock()
        return Pass(
            hash=hash, kind=PassKind.SESSION, name=name, roles=roles, since=now, used=now,
            ends=now + self._http.session_longest, origin=origin,
        )  # fmt: skip

    def _holds(self, shown: Pass, now: datetime) -> bool:
        idle = shown.kind == PassKind.SESSION and now - shown.used > self._http.session_idle
        return now < shown.ends and not idle

    async def _note_failure(self, name: str, address: str) -> None:
        await self._note_some(
            self._failures, f"wrong name or password, from {address}", who=name, why="by password"
        )  # fmt: skip

    async def _note_some(
        self, notes: Notes, reason: str, *, who: str, why: str, action: str = "sign_in", about: str | None = None
    ) -> None:
        others = notes.another()
        if others is not None:
            result = f"not done: {reason}" + (f"; and {others} more" if others else "")
            note = partial(_note, at=self._clock(), who=who, result=result, why=why, action=action, about=about)
            await self._journal.write(note)


def _look(connection: Connection, hash: str | None) -> tuple[bool, tuple[Pass, frozenset[str], bool] | None]:
    """Whether there are accounts, and the pass with the roles it gives and whether it is of an account."""
    needed = accounts.any_account(connection)
    shown = accounts.shown(connection, hash) if hash else None
    if shown is None:
        return needed, None
    account = accounts.account(connection, shown.name)
    if account is None:
        return needed, None if shown.roles is None else (shown, shown.roles, False)
    if account.disabled:
        return needed, None
    roles = account.roles if shown.roles is None else (account.roles | {Role.VIEWER}) & shown.roles
    return needed, (shown, roles, True)


def _note(  # noqa: PLR0917 - one row
    connection: Connection, at: datetime, who: str, result: str, why: str, action: str = "sign_in",
    about: str | None = None,
) -> None:  # fmt: skip
    audit.note(
        connection, Deed(at=at, who=who, action=action, target=None, message_id=about, why=why, result=result)
    )  # fmt: skip


def _who(name: str, roles: frozenset[str]) -> dict[str, Any]:
    return {"name": name, "roles": sorted(roles)}
