"""One connection to the hub's HTTP server: patient, but not for ever.

A head that takes long to arrive (slowloris) is cut off, and so is what still comes of a request that was answered. When
more connections are open than anybody needs, those go that were never let in. What TLS has verified of the client's
certificate is in `scope["state"]["certificate"]`, in `comes_from` who connected, maybe a proxy; who lets somebody in
calls `scope["state"]["let_in"]`.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from mombus.web.credentials import Certificate

if TYPE_CHECKING:
    import ssl

HEAD_S = 10.0
"""Longest time for the head of a request to arrive, from its first byte, or from the connection's begin."""
HEAD_BYTES = 32 * 1024
"""Longest head of a request."""
MOST_CONNECTIONS, MOST_OF_ONE = 500, 100
"""Open connections, and those of one address."""
TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Listener(H11Protocol):
    """uvicorn's protocol with limits."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected, TLS is agreed on."""
        super().connection_made(transport)
        self._head_timer: asyncio.TimerHandle | None = None
        self._since, self._known, self._served = self.loop.time(), False, False
        self.app_state = {**self.app_state, "let_in": self._is_known, "comes_from": _host(self)}
        if not self._make_room():
            transport.abort()
            return
        verified = _certificate(transport.get_extra_info("ssl_object"))
        if verified is not None:
            self.app_state["certificate"] = verified
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Something came: the rest of a head, or the beginning of the next one."""
        super().data_received(data)
        self._await_head()

    def on_response_complete(self) -> None:
        """The answer was said: maybe before all of the question came, which nobody listens to any more."""
        self._served = True
        super().on_response_complete()
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._stop_timer()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        """Begin to count when a head is awaited, stop when it is here; a single byte more doesn't begin anew.

        Between two requests, until the next one's first byte, it is uvicorn that counts.
        """
        if self.transport.is_closing() or not (self._is_head_awaited() or self._is_answered_early()):
            self._stop_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self._too_slow)

    def _is_head_awaited(self) -> bool:
        return self.conn.their_state is h11.IDLE and (not self._served or bool(self.conn.trailing_data[0]))

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            if self.conn.trailing_data[0] and not self._is_answered_early():
                self.transport.write(TOO_SLOW)
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _is_answered_early(self) -> bool:
        """True if there is more to come of a request that has its answer."""
        return self.conn.our_state in (h11.DONE, h11.MUST_CLOSE) and self.conn.their_state is h11.SEND_BODY

    def _is_known(self) -> None:
        self._known = True

    def _make_room(self) -> bool:
        """False if there is none: of all, or those of its address, too many are open, and none has to go for it.

        Whoever was let in anywhere keeps its connection; of the others the oldest goes. So who only holds connections
        open doesn't keep those out that have something to show.
        """
        others: list[Listener] = [
            one  # type: ignore[misc]
            for one in self.connections
            if one is not self and not one.transport.is_closing()
        ]
        of_one = [one for one in others if _host(one) == _host(self)]
        for crowd, most in ((of_one, MOST_OF_ONE), (others, MOST_CONNECTIONS)):
            if len(crowd) >= most:
                strangers = [one for one in crowd if not one._known]
                if not strangers:
                    return False
                min(strangers, key=lambda one: one._since).transport.abort()
        return True


def _host(one: Listener) -> str | None:
    return one.client[0] if one.client else None


def _certificate(tls: ssl.SSLObject | None) -> Certificate | None:
    """The client's certificate, if it showed one; TLS has verified it by then."""
    shown = tls.getpeercert(binary_form=True) if tls is not None else None
    if tls is None or shown is None:
        return None
    told: dict[str, Any] = dict(tls.getpeercert() or {})
    names = {value for entry in told.get("subject", ()) for name, value in entry if name == "commonName"}
    names |= {value for kind, value in told.get("subjectAltName", ()) if isinstance(value, str) and kind != "DirName"}
    return Certificate(f"sha256:{sha256(shown).hexdigest()}", frozenset(names))
