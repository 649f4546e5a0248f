"""Who asks: a program by a token, a person by the session they signed in for, or whoever is on this machine.

`Authorization: Bearer …` is the hub's own token (`http.token`) or a person's (`mombus user token`). Where people have
accounts, a browser is sent to sign in, and a program is answered 401. Where there is only the hub's token, a browser
may show it as the password of any user (HTTP Basic). Where there is nothing, whoever reaches the page on this machine
may do everything: it must be called by a name of this machine, so that no page elsewhere can read it.
"""

from __future__ import annotations

import asyncio
import binascii
import math
from base64 import b64decode
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hmac import compare_digest
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote
from weakref import WeakValueDictionary

from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from mombus.desk.question import NoAnswerError, Person, Role
from mombus.web.access.refusing import refuse, wants_page
from mombus.web.access.sessions import TOKENS, Visitor
from mombus.web.access.visiting import EVERYTHING
from mombus.web.limits import (
    ASKED_AT_ONCE,
    UNKNOWN_AT_ONCE,
    UNKNOWN_EVERY_S,
    WRONG_AT_ONCE,
    WRONG_EVERY_S,
    Failures,
    peer_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

    from mombus.web.access.sessions import Sessions
    from mombus.web.access.visiting import Visit

PROBES = frozenset({"/livez", "/readyz", "/healthz"})
"""Open to everybody, without `verbose`: who asks is often a load balancer that has no secrets."""
LOOKS = "/static/"
"""What a page looks like, the one that says that the hub is away as well."""
OPEN = (LOOKS, "/sign-in")
"""Open to everybody: what a page looks like, and where one signs in."""
LOOPBACK = ("localhost", "127.0.0.1", "[")
"""Names of this machine for itself; the last is what is left of `[::1]:8080` up to its first colon."""
TOKEN = Person("token", frozenset(Role))
"""Who shows the hub's own token, for the audit trail."""
ENDED = "Your session has ended, and nothing was done. Sign in, and do it again."
BASIC, BEARER = 'Basic realm="mombus", charset="UTF-8"', 'Bearer realm="mombus"'


@dataclass(frozen=True, slots=True)
class House:
    """What lets in: `token` is the hub's own, `sessions` are people's. `names` are those of the machine's proxies."""

    token: str | None = None
    sessions: Sessions | None = None
    names: Sequence[str] = ()


class Guard:
    """Lets in whom it knows, in their name, and refuses everybody else.

    Who shows many wrong tokens isn't listened to for a while (429); who is signed in at the same address is. So it is
    with sessions and tokens that nobody showed here before: nobody can guess one, but the hub is asked for each.
    """

    def __init__(self, app: ASGIApp, house: House) -> None:
        self._app = app
        self._house = house
        self._token = house.token.encode() if house.token else None
        self._local = TrustedHostMiddleware(app, allowed_hosts=[*LOOPBACK, *house.names], www_redirect=False)
        self._failures = Failures(WRONG_AT_ONCE, WRONG_EVERY_S)
        self._unknown = Failures(UNKNOWN_AT_ONCE, UNKNOWN_EVERY_S)
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        app = await self._way(scope) if scope["type"] == "http" else self._app
        await app(scope, receive, send)

    async def _way(self, scope: Scope) -> ASGIApp:
        """Who answers: the application, or a refusal."""
        headers = Headers(scope=scope)
        try:
            if _is_probe(scope):
                return await self._probe(scope)
            if "authorization" in headers:
                return await self._by_header(scope, headers["authorization"])
            return await self._by_cookie(scope)
        except NoAnswerError as error:
            looks = scope["path"].startswith(LOOKS)
            return self._app if looks else refuse(scope, 503, str(error))
        except _TooManyError as error:
            said = "too many sessions or tokens that nobody has from this address: wait, or sign in"
            return refuse(scope, 429, said, {"retry-after": str(math.ceil(error.wait_s))})

    async def _probe(self, scope: Scope) -> ASGIApp:
        """Open to all; reasons are for whoever could see them on a page."""
        if self._token is None and scope["path"] != "/livez":
            with suppress(NoAnswerError):
                if not (await self._visitor(None)).needed:
                    scope["state"]["visit"].person = EVERYTHING
        return self._app

    async def _by_header(self, scope: Scope, said: str) -> ASGIApp:
        scheme, _, shown = said.partition(" ")
        shown = shown.strip()
        if scheme.lower() == "bearer" and shown.startswith(TOKENS):
            person = (await self._looked_at(scope, shown)).person
            return self._in(scope, person, shown) if person else await self._out(scope)
        wait_s = self._failures.wait_s(peer_of(scope))
        if wait_s:
            again = {"retry-after": str(math.ceil(wait_s))}
            return refuse(scope, 429, "too many wrong tokens from this address", again)
        if self._token is not None and compare_digest(_secret(scheme.lower(), shown), self._token):
            return self._in(scope, TOKEN)
        self._failures.add(peer_of(scope))
        return await self._out(scope)

    async def _by_cookie(self, scope: Scope) -> ASGIApp:
        visit: Visit = scope["state"]["visit"]
        try:
            visitor = await self._looked_at(scope, visit.shown)
        except _TooManyError:
            if scope["path"].startswith(OPEN):
                return self._app
            raise
        if visitor.person:
            visit.signed_in, visit.account = True, visitor.account
            return self._in(scope, visitor.person, visit.shown)
        if not visitor.needed and self._token is None:
            self._in(scope, EVERYTHING)
            return self._local
        return self._app if scope["path"].startswith(OPEN) else await self._out(scope)

    async def _looked_at(self, scope: Scope, shown: str | None) -> Visitor:
        """Who shows that. Raises _TooManyError when this address showed too much that nobody has."""
        known = shown is None or self._house.sessions is None or self._house.sessions.knows(shown)
        if known or not (await self._visitor(None)).needed:
            return await self._visitor(shown)
        peer = peer_of(scope)
        turn = self._turns.setdefault(peer, asyncio.Semaphore(ASKED_AT_ONCE))
        async with turn:
            wait_s = self._unknown.wait_s(peer)
            if wait_s:
                raise _TooManyError(wait_s)
            visitor = await self._visitor(shown)
            if visitor.person is None:
                self._unknown.add(peer)
            return visitor

    async def _visitor(self, shown: str | None) -> Visitor:
        return await self._house.sessions.visitor(shown) if self._house.sessions else Visitor(False, None)

    def _in(self, scope: Scope, person: Person, shown: str | None = None) -> ASGIApp:
        visit: Visit = scope["state"]["visit"]
        visit.person, visit.holds = person, partial(self._holds, person, shown)
        scope["state"].get("let_in", bool)()
        return self._app

    async def _holds(self, person: Person, shown: str | None) -> bool:
        """Whether they would be let in again, as the same person with the same roles. Raises NoAnswerError."""
        visitor = await self._visitor(shown)
        return visitor.person == person if shown else person is TOKEN or not visitor.needed

    async def _out(self, scope: Scope) -> Response:
        """To the sign-in, where people have accounts; else 401 with what may be shown."""
        request = Request(scope)
        accounts = (await self._visitor(None)).needed
        if accounts and wants_page(request) and scope["method"] in ("GET", "HEAD"):
            here = scope["raw_path"].decode() + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/sign-in?next={quote(here, safe='/')}", 303)
        if accounts:
            said = ENDED if wants_page(request) else "sign in, or show a token as `Authorization: Bearer …`"
            return refuse(scope, 401, said, {"www-authenticate": BEARER})
        refusal = PlainTextResponse(
            "401: show the hub's token (http.token) as `Authorization: Bearer …`, or as the password of any user\n", 401
        )
        for challenge in (BASIC, BEARER):
            refusal.headers.append("www-authenticate", challenge)
        return refusal


class _TooManyError(Exception):
    """An address showed too much that nobody has; it is looked at again in `wait_s`."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


def _secret(scheme: str, shown: str) -> bytes:
    if scheme != "basic":
        return shown.encode("latin-1") if scheme == "bearer" else b""
    try:
        return b64decode(shown, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


def _is_probe(scope: Scope) -> bool:
    asked = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))
    return scope["path"] in PROBES and "verbose" not in asked
