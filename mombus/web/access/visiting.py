"""The browser behind a request, known by its cookie: who visits, and the token that only pages made for it know."""

from __future__ import annotations

import hmac
import re
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.requests import cookie_parser

from mombus.desk.question import Person, Role
from mombus.web.telling import Telling

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import HTTPConnection
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

EVERYTHING = Person("local", frozenset(Role))
"""Who asks where nobody has to sign in: whoever can reach the page on this machine."""
NOBODY = Person("nobody", frozenset())
"""Who hasn't signed in."""
_ID = re.compile(r"[A-Za-z0-9_-]{43}")


class Visit:
    """One request's browser, or program. `person` is whom guard.py let in, `holds` tells whether it still would.

    `account` tells whether they have an account here. `shown` is what its cookie holds, `id` the same or a new one,
    which is set only if the answer needs it. `telling` is what a page has to tell the next one.
    """

    def __init__(self, shown: str | None, telling: Telling, *, tls: bool) -> None:
        self.person = NOBODY
        self.holds: Callable[[], Awaitable[bool]] = _holds
        self.signed_in = self.account = False
        self.telling = telling
        self.tls = tls
        self.shown = shown if shown and _ID.fullmatch(shown) else None
        self.id = self.shown or secrets.token_urlsafe(32)
        self._given = False

    @property
    def known(self) -> bool:
        """True if the browser showed an id."""
        return self.shown is not None

    @property
    def csrf(self) -> str:
        """What a form or script of ours sends along: nobody who can't read our pages can know it."""
        self._given = True
        return self._token

    def begun(self) -> str:
        """Its id, which the browser keeps from now on."""
        self._given = True
        return self.id

    def sent(self, token: str) -> bool:
        """True if that is the token of this browser's pages."""
        return self.known and hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode())

    @property
    def _token(self) -> str:
        """Of what only this browser has: every process of the hub makes the same, whatever is changed in between."""
        return hmac.new(self.id.encode(), b"csrf", sha256).hexdigest()

    @property
    def cookie(self) -> str | None:
        """The `Set-Cookie` that the answer needs, if any."""
        if not self._given or self.known:
            return None
        return set_cookie(self.id, tls=self.tls)


class Visiting:
    """Gives every request its visit, as `request.state.visit`, and the answer the cookie it needs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        tls = scope.get("scheme") == "https"
        cookies, name = _cookies(scope), cookie_name(tls=tls)
        visit = Visit(cookies.get(name), Telling(cookies, name, tls=tls), tls=tls)
        scope.setdefault("state", {})["visit"] = visit

        async def answer(event: Message) -> None:
            if event["type"] == "http.response.start":
                for cookie in filter(None, (visit.cookie, visit.telling.cookie)):
                    MutableHeaders(scope=event).append("set-cookie", cookie)
            await send(event)

        await self._app(scope, receive, answer)


def visit_of(request: HTTPConnection) -> Visit:
    """Who visits."""
    visit: Visit = request.state.visit
    return visit


def cookie_name(*, tls: bool) -> str:
    """With TLS a name that browsers take from this very host only (RFC 6265bis, 4.1.3.2)."""
    return "__Host-mombus" if tls else "mombus"


def set_cookie(id: str, *, tls: bool) -> str:
    """A cookie for as long as the browser is open, that no script reads and no other site's form brings along."""
    return f"{cookie_name(tls=tls)}={id}; Path=/; HttpOnly; SameSite=Lax{'; Secure' if tls else ''}"


def clear_cookie(*, tls: bool) -> str:
    """The same, taken away."""
    return f"{set_cookie('', tls=tls)}; Max-Age=0"


async def _holds() -> bool:
    return True


def _cookies(scope: Scope) -> dict[str, str]:
    said = [value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie"]
    return cookie_parser("; ".join(said))
