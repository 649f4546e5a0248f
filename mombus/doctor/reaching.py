"""Whether an address can be reached: its name, port and TLS; what listens there is asked for the time only."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mombus.doctor.certificates import endpoints, peer, shown, unchecked
from mombus.doctor.check import Check, Verdict, clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PATIENCE_S = 5.0
PORTS = {"http": 80, "https": 443, "mqtt": 1883, "mqtts": 8883, "opc.tcp": 4840, "nats": 4222, "tls": 4222,
         "postgresql": 5432}  # fmt: skip
_TLS = frozenset({"https", "mqtts"})
"""Those that begin with TLS."""
_SPEAKS_FIRST = frozenset({"nats", "tls"})
"""Those where something is said before it."""
_OTHER_NAME = "reach it by a name that its certificate has, or give it one for this name"
_UNTRUSTED = {
    9: "set the clock right, here or where it was made", 10: "renew it", 62: _OTHER_NAME, 64: _OTHER_NAME,
}  # fmt: skip
"""What to do about a certificate that isn't trusted, by OpenSSL's number (X509_V_ERR_…); else name its authority."""


async def reached(about: str, url: str, ca: Path | None = None) -> AsyncIterator[Check]:
    """What was found at an address; `ca` is who must have signed its certificate."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    try:
        async with asyncio.timeout(PATIENCE_S):
            _, writer = await asyncio.open_connection(host, port)
    except (socket.gaierror, UnicodeError):  # the second for what can't be a name at all
        yield Check(about, Verdict.WRONG, f"'{host}' is no name that is known here", "correct it, or mend the DNS")
        return
    except (OSError, TimeoutError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else ""
        yield Check(
            about, Verdict.WRONG, f"nothing answers at {host}:{port}: {why or 'no answer in time'}",
            "start it, correct the address, or let the firewall pass it",
        )  # fmt: skip
        return
    writer.close()
    yield Check(about, Verdict.WELL, f"{host}:{port} answers")
    async for check in tls(about, url, ca):
        yield check
    if parts.scheme in {"http", "https"}:
        async for check in _time(about, f"{parts.scheme}://{parts.netloc}/"):
            yield check
    if parts.scheme == "opc.tcp":
        for check in await _opcua(about, url):
            yield check


async def tls(about: str, url: str, ca: Path | None = None) -> AsyncIterator[Check]:
    """The certificate of a server that answers, and whether it is trusted; nothing where it has no TLS."""
    parts = urlsplit(url)
    if parts.scheme not in _TLS | _SPEAKS_FIRST:
        return
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    greeting = parts.scheme if parts.scheme in _SPEAKS_FIRST else ""
    try:
        async with asyncio.timeout(PATIENCE_S):
            content = await peer(host, port, unchecked(), greeting)
        if content is None:
            return
        yield shown(about, content)
    except (OSError, TimeoutError, ValueError, EOFError) as error:
        yield Check(
            about, Verdict.WRONG, f"TLS can't be agreed on: {error}", "see which versions it speaks: 1.2 or 1.3"
        )
        return
    try:
        async with asyncio.timeout(PATIENCE_S):
            await peer(host, port, ssl.create_default_context(cafile=str(ca) if ca else None), greeting)
    except (OSError, TimeoutError, EOFError) as error:
        why = getattr(error, "verify_message", "") or str(error)
        do = _UNTRUSTED.get(getattr(error, "verify_code", 0), "name its authority (`ca:`)")
        yield Check(about, Verdict.WRONG, f"its certificate isn't trusted: {why}", do)


async def _time(about: str, url: str) -> AsyncIterator[Check]:
    """By the Date of an answer, whatever it answers: TLS was looked at before."""
    import httpx  # noqa: PLC0415 - heavy

    try:
        async with httpx.AsyncClient(verify=False, trust_env=False, timeout=PATIENCE_S) as client:  # noqa: S501
            asked = datetime.now(UTC)
            answer = await client.head(url)
        theirs = parsedate_to_datetime(answer.headers["date"])
        yield clock(about, theirs, asked, datetime.now(UTC), grain_s=1.0)
    except (httpx.HTTPError, KeyError, ValueError):
        return


async def _opcua(about: str, url: str) -> list[Check]:
    """By what every server tells before anybody has signed in."""
    from asyncua.ua.uaerrors import UaError  # noqa: PLC0415 - heavy

    try:
        async with asyncio.timeout(PATIENCE_S):
            contents, theirs, asked = await endpoints(url, PATIENCE_S)
        found = [shown(about, content) for content in contents]
        return [*found, clock(about, theirs, asked, datetime.now(UTC))]
    except (UaError, OSError, TimeoutError, ValueError) as error:
        why = str(error) or type(error).__name__
        return [
            Check(about, Verdict.WRONG, f"it doesn't tell its endpoints: {why}", "see whether it is an OPC UA server")
        ]
