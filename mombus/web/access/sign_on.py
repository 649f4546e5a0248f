"""One sign-in with an identity provider, from its beginning in a browser to its end in the same one.

What has to be remembered meanwhile is in `state`, sealed with a key and the browser's cookie, and good for
TEN_MINUTES_S and one end: nothing piles up here, however many begin.
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

from mombus.web.access.provider import SignOnError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mombus.web.access.keys import Keys
    from mombus.web.access.provider import Identity, Provider

TEN_MINUTES_S = 600.0
MOST_ENDED = 10_000
STALE = "this sign-in was begun in another browser or too long ago, or has ended already: begin again"


class SignOn:
    """Sign-ins at one provider. All raise SignOnError. `clock` counts seconds since 1970."""

    def __init__(self, provider: Provider, keys: Keys, clock: Callable[[], float] = time.time) -> None:
        self.provider, self._clock = provider, clock
        self._key, self._ended = keys.sign_ins, keys.ended

    async def begin(self, browser: str, back: str, next: str) -> str:
        """Where the browser goes; it comes `back`, and goes on to `next` in the end."""
        said = json.dumps([self._clock(), secrets.token_urlsafe(16), next]).encode()
        state = f"{_text(said)}.{self._seal(browser, _text(said))}"
        challenge = _text(sha256(self._derived("verifier", state).encode()).digest())
        return await self.provider.address(
            back=back, state=state, nonce=self._derived("nonce", state), challenge=challenge
        )  # fmt: skip

    async def end(self, browser: str, back: str, *, state: str, code: str) -> tuple[Identity, str]:
        """Who signed in, and where they go on."""
        next = self._next(browser, state)
        identity = await self.provider.identity(
            code=code, verifier=self._derived("verifier", state), nonce=self._derived("nonce", state), back=back
        )  # fmt: skip
        return identity, next

    def _next(self, browser: str, state: str) -> str:
        said, _, seal = state.partition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(browser, said).encode()) or state in self._ended:
            raise SignOnError(STALE)
        begun, _, next = json.loads(urlsafe_b64decode(said + "=" * (-len(said) % 4)))
        if not 0 <= self._clock() - begun < TEN_MINUTES_S:
            raise SignOnError(STALE)
        self._ended[state] = None
        if len(self._ended) > MOST_ENDED:
            self._ended.popitem(last=False)
        return str(next)

    def _seal(self, browser: str, said: str) -> str:
        return self._derived("state", f"{browser} {said}")

    def _derived(self, what: str, of: str) -> str:
        return _text(hmac.new(self._key, f"{what} {of}".encode(), sha256).digest())


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
