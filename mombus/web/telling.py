"""What a page tells the one that comes next: how a deed ended. The browser keeps it until a page has shown it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 300
"""Characters that are told; a cookie isn't for more."""
FOR_S = 60
"""So long it is news."""


class Telling:
    """What the page before has to tell, in the cookies of a request, and what the next one has to, in its answer's."""

    def __init__(self, cookies: Mapping[str, str], name: str, *, tls: bool) -> None:
        self._name, self._tls = f"{name}-told", tls
        self._kept = unquote(cookies.get(self._name, ""))[:MOST]
        self._cookie: str | None = None

    def told(self) -> str:
        """What the page before said; it is told once."""
        if self._kept and self._cookie is None:
            self._cookie = self._set("", 0)
        return self._kept

    def tell(self, text: str) -> None:
        """Have the next page say this."""
        self._cookie = self._set(quote(text[:MOST], safe=""), FOR_S)

    @property
    def cookie(self) -> str | None:
        """The `Set-Cookie` that the answer needs, if any."""
        return self._cookie

    def _set(self, text: str, seconds: int) -> str:
        secure = "; Secure" if self._tls else ""
        return f"{self._name}={text}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}"
