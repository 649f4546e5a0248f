"""One connection to the hub's HTTP server: patient, but not for ever.

A head that takes long to arrive (slowloris) is cut off; so is who opens more connections than anybody needs. What TLS
has verified of the client's certificate is in `scope["state"]["certificate"]`.
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
        if len(self.connections) > MOST_CONNECTIONS or self._of_one() > MOST_OF_ONE:
            transport.abort()
            return
        verified = _certificate(transport.get_extra_info("ssl_object"))
        if verified is not None:
            self.app_state = {**self.app_state, "certificate": verified}
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Something came: the rest of a head, or the beginning of the next one."""
        super().data_received(data)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._stop_timer()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        """Begin to count when a head is awaited, stop when it is here; a single byte more doesn't begin anew.

        Between two requests it is uvicorn that counts, and hangs up without a word.
        """
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._stop_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self._too_slow)

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            if self.conn.trailing_data[0]:
                self.transport.write(TOO_SLOW)
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _of_one(self) -> int:
        address = self.client[0] if self.client else None
        return sum(bool(other.client) and other.client[0] == address for other in self.connections)  # type: ignore[union-attr, index]


def _certificate(tls: ssl.SSLObject | None) -> Certificate | None:
    """The client's certificate, if it showed one; TLS has verified it by then."""
    shown = tls.getpeercert(binary_form=True) if tls is not None else None
    if tls is None or shown is None:
        return None
    told: dict[str, Any] = dict(tls.getpeercert() or {})
    names = {value for entry in told.get("subject", ()) for name, value in entry if name == "commonName"}
    names |= {value for kind, value in told.get("subjectAltName", ()) if isinstance(value, str) and kind != "DirName"}
    return Certificate(f"sha256:{sha256(shown).hexdigest()}", frozenset(names))
