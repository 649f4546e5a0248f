"""Whom a session or token belongs to, as the hub says it: remembered for a few seconds, so long a revocation takes."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from mombus.desk.access import (
    SIGN_IN,
    SIGN_ON,
    SIGN_OUT,
    TOKEN,
    TURNED_AWAY,
    WHO,
    Given,
    GiveToken,
    Shown,
    SignedOn,
    SignIn,
    SignOut,
    TurnedAway,
)
from mombus.desk.question import Person, Role

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mombus.desk.access import WantToken
    from mombus.desk.question import Asked, Desk, Question
    from mombus.web.access.provider import Identity

REMEMBERED_S = 5.0
"""How long an answer of the hub holds: what is ended or changed there ends here at most so much later."""
MOST, MOST_MET = 1000, 10_000
TOKENS = "mombus_"
"""How the tokens of people's programs begin."""


class Visitor(NamedTuple):
    """Whether anybody has to sign in, and who did."""

    needed: bool
    person: Person | None
    account: bool = False
    """Whether they have an account of the hub's own, and so a password."""


class Refused(NamedTuple):
    """Why a name and password let nobody in: wrong ones, or too many tries, with the time to wait."""

    again_s: int | None


class Sessions:
    """Sessions and tokens of this hub, asked of its `desk`. All raise NoAnswerError. `clock` counts seconds."""

    def __init__(self, desk: Desk, clock: Callable[[], float] = time.monotonic) -> None:
        self._desk, self._clock = desk, clock
        self._known: OrderedDict[str | None, tuple[float, Visitor]] = OrderedDict()
        self._met: OrderedDict[str, None] = OrderedDict()
        self._asking: dict[str | None, asyncio.Future[Visitor]] = {}

    def knows(self, shown: str) -> bool:
        """True for what let somebody in here before, and for what needs no question to the hub now."""
        hash = hashed(shown)
        return hash in self._met or self._clock() < self._known.get(hash, (0.0, None))[0]

    async def visitor(self, shown: str | None) -> Visitor:
        """Who shows this, or nothing. Asked by many at once, the hub is asked once."""
        hash = hashed(shown) if shown else None
        until, known = self._known.get(hash, (0.0, None))
        if known is not None and self._clock() < until:
            return known
        if hash not in self._asking:
            self._asking[hash] = asking = asyncio.ensure_future(self._ask(hash))
            asking.add_done_callback(lambda _: self._asking.pop(hash))
        return await asyncio.shield(self._asking[hash])

    async def _ask(self, hash: str | None) -> Visitor:
        answer = await self._desk.ask(WHO, Shown(hash=hash))
        person = person_of(answer["person"]) if answer["person"] else None
        found = Visitor(answer["needed"], person, answer["account"])
        self._remember(hash, found)
        return found

    async def sign_in(self, name: str, password: str, address: str) -> str | Refused:
        """The new session's id, or why there is none."""
        session = secrets.token_urlsafe(32)
        asked = SignIn(name=name, password=password, session=hashed(session), address=address)
        answer = await self._desk.ask(SIGN_IN, asked)
        if "refused" in answer:
            return Refused(answer.get("again_s"))
        self._meet(asked.session)
        return session

    async def sign_on(self, identity: Identity, issuer: str, address: str) -> str:
        """The new session's id of whom a provider vouches for. Raises QuestionError."""
        session = secrets.token_urlsafe(32)
        await self._desk.ask(SIGN_ON, SignedOn(
            name=identity.name, roles=identity.roles, issuer=issuer, session=hashed(session), address=address
        ))  # fmt: skip
        self._meet(hashed(session))
        return session

    async def not_signed_on(self, issuer: str, why: str, address: str) -> None:
        """Have it noted that a provider's word let nobody in."""
        await self._desk.ask(TURNED_AWAY, TurnedAway(
            who="nobody", action="sign_in", why=f"by {issuer}", reason=f"{why[:700]}, from {address}"
        ))  # fmt: skip

    async def sign_out(self, session: str) -> None:
        """End a session: here at once, in other processes within REMEMBERED_S."""
        self._known.pop(hashed(session), None)
        await self._desk.ask(SIGN_OUT, SignOut(session=hashed(session)))

    def forget(self, name: str) -> None:
        """What was known of this person's sessions and tokens has changed: here at once, elsewhere as above."""
        for hash in [hash for hash, (_, known) in self._known.items() if known.person and known.person.name == name]:
            del self._known[hash]

    def _meet(self, hash: str) -> None:
        self._met[hash] = None
        self._met.move_to_end(hash)
        if len(self._met) > MOST_MET:
            self._met.popitem(last=False)

    def _remember(self, hash: str | None, found: Visitor) -> None:
        if hash is not None and found.person is None:
            self._met.pop(hash, None)
        elif hash is not None:
            self._meet(hash)
        self._known[hash] = self._clock() + REMEMBERED_S, found
        self._known.move_to_end(hash)
        if len(self._known) > MOST:
            self._known.popitem(last=False)


def person_of(said: dict[str, Any]) -> Person:
    """As the hub says it."""
    return Person(said["name"], frozenset(map(Role, said["roles"])))


def hashed(shown: str) -> str:
    """What is told of it."""
    return sha256(shown.encode("utf-8", "surrogateescape")).hexdigest()


async def give_token(ask: Callable[[Question, Asked], Awaitable[Any]], deed: WantToken) -> Given:
    """Make a token; the hub is told its hash. Raises as `ask`."""
    made = TOKENS + secrets.token_urlsafe(32)
    told = await ask(TOKEN, GiveToken(**deed.model_dump(), token=hashed(made)))
    return Given(**told, token=made)
