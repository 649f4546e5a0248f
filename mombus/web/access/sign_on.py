"""One sign-in with an identity provider, from its beginning in a browser to its end in the same one.

What has to be remembered meanwhile is in `state`, sealed with the browser's cookie, which is secret enough and known to
whichever process it comes back to, and good for TEN_MINUTES_S and one end: nothing piles up here, however many begin.
That a code is good once is the provider's word (RFC 6749, 4.1.2); a process also knows the ends that it saw.
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING

from mombus.web.access.provider import SignOnError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mombus.web.access.provider import Identity, Provider

TEN_MINUTES_S = 600.0
MOST_ENDED = 10_000
STALE = "this sign-in was begun in another browser or too long ago, or has ended already: begin again"


class SignOn:
    """Sign-ins at one provider. All raise SignOnError. `clock` counts seconds since 1970."""

    def __init__(self, provider: Provider, clock: Callable[[], float] = time.time) -> None:
        self.provider, self._clock = provider, clock
        self._ended: OrderedDict[str, None] = OrderedDict()

    async def begin(self, browser: str, back: str, next: str) -> str:
        """Where the browser goes; it comes `back`, and goes on to `next` in the end."""
        said = json.dumps([self._clock(), secrets.token_urlsafe(16), next]).encode()
        state = f"{_text(said)}.{_derived(browser, 'state', _text(said))}"
        challenge = _text(sha256(_derived(browser, "verifier", state).encode()).digest())
        return await self.provider.address(
            back=back, state=state, nonce=_derived(browser, "nonce", state), challenge=challenge
        )  # fmt: skip

    async def end(self, browser: str, back: str, *, state: str, code: str) -> tuple[Identity, str]:
        """Who signed in, and where they go on."""
        next = self._next(browser, state)
        identity = await self.provider.identity(
            code=code, verifier=_derived(browser, "verifier", state), nonce=_derived(browser, "nonce", state), back=back
        )  # fmt: skip
        return identity, next

    def _next(self, browser: str, state: str) -> str:
        said, _, seal = state.partition(".")
        if not hmac.compare_digest(seal.encode(), _derived(browser, "state", said).encode()) or state in self._ended:
            raise SignOnError(STALE)
        begun, _, next = json.loads(urlsafe_b64decode(said + "=" * (-len(said) % 4)))
        if not 0 <= self._clock() - begun < TEN_MINUTES_S:
            raise SignOnError(STALE)
        self._ended[state] = None
        if len(self._ended) > MOST_ENDED:
            self._ended.popitem(last=False)
        return str(next)


def _derived(browser: str, what: str, of: str) -> str:
    return _text(hmac.new(browser.encode(), f"{what} {of}".encode(), sha256).digest())


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
