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

from mombus.doctor.check import Check, Verdict, certificate, clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PATIENCE_S = 5.0
PORTS = {"http": 80, "https": 443, "mqtt": 1883, "mqtts": 8883, "opc.tcp": 4840, "nats": 4222, "tls": 4222,
         "postgresql": 5432}  # fmt: skip
_TLS = frozenset({"https", "mqtts"})
"""Those that begin with TLS; a NATS server and PostgreSQL say something first."""


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
    if parts.scheme in _TLS:
        async for check in _tls(about, host, port, ca):
            yield check
    if parts.scheme in {"http", "https"}:
        async for check in _time(about, f"{parts.scheme}://{parts.netloc}/"):
            yield check


async def _tls(about: str, host: str, port: int, ca: Path | None) -> AsyncIterator[Check]:
    shown = ssl.create_default_context()
    shown.check_hostname, shown.verify_mode = False, ssl.CERT_NONE
    try:
        content = await _certificate(host, port, shown)
        yield certificate(about, _end(content))
    except (OSError, TimeoutError, ValueError) as error:
        yield Check(
            about, Verdict.WRONG, f"TLS can't be agreed on: {error}", "see which versions it speaks: 1.2 or 1.3"
        )
        return
    try:
        await _certificate(host, port, ssl.create_default_context(cafile=str(ca) if ca else None))
    except (OSError, TimeoutError) as error:
        why = getattr(error, "verify_message", "") or str(error)
        yield Check(about, Verdict.WRONG, f"its certificate isn't trusted: {why}", "name its authority (`ca:`)")


async def _certificate(host: str, port: int, context: ssl.SSLContext) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        _, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        content: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
    return content


def _end(content: bytes) -> datetime:
    from cryptography.x509 import load_der_x509_certificate  # noqa: PLC0415 - heavy, only with TLS

    return load_der_x509_certificate(content).not_valid_after_utc


async def _time(about: str, url: str) -> AsyncIterator[Check]:
    """By the Date of an answer, whatever it answers: TLS was looked at before."""
    import httpx  # noqa: PLC0415 - heavy

    try:
        async with httpx.AsyncClient(verify=False, trust_env=False, timeout=PATIENCE_S) as client:  # noqa: S501
            answer = await client.head(url)
        yield clock(about, parsedate_to_datetime(answer.headers["date"]), datetime.now(UTC))
    except (httpx.HTTPError, KeyError, ValueError):
        return
