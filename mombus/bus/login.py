"""How the broker is told who connects: a token, a credentials file, or user and password of the URL.

A credentials file is what `mombus broker-config` wrote: a NATS .creds file (a JWT and its key), the seed of an nkey, or
one line `user:password`. Which of them it is shows in the file.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from mombus.bus.errors import NotPermitted

if TYPE_CHECKING:
    from pathlib import Path

    from faststream.security import BaseSecurity

JWT, SEED = "-----BEGIN NATS USER JWT-----", "SU"


def login(token: str | None, credentials: Path | None, ca: Path | None = None) -> dict[str, Any]:
    """The options with which nats-py's `connect` says who we are. Raises NotPermitted for an unreadable file."""
    context = {"tls": ssl.create_default_context(cafile=str(ca))} if ca is not None else {}
    if credentials is None:
        return context if token is None else {"token": token, **context}
    try:
        text = credentials.read_text("utf-8").strip()
    except OSError as error:
        raise NotPermitted(f"the credentials {credentials} can't be read: {error.strerror}") from None
    if text.startswith(JWT):
        return {"user_credentials": str(credentials), **context}
    if text.startswith(SEED):
        return {"nkeys_seed": str(credentials), **context}
    user, colon, password = text.partition(":")
    if not colon or "\n" in text:
        raise NotPermitted(f"{credentials} holds no NATS credentials, no nkey seed and no line `user:password`")
    return {"user": user, "password": password, **context}


def security(servers: str, token: str | None, credentials: Path | None, ca: Path | None) -> BaseSecurity | None:
    """The same for FastStream; credentials of the URL are used when nothing else is given. Raises NotPermitted."""
    from faststream.nats.security import NatsCredentials, NatsNKey, NatsToken, NatsUserPassword  # noqa: PLC0415
    from faststream.security import BaseSecurity  # noqa: PLC0415

    first = urlsplit(servers.split(",", maxsplit=1)[0].strip())
    options = login(token, credentials, ca)
    tls: ssl.SSLContext | None = options.get("tls") or (ssl.create_default_context() if first.scheme == "tls" else None)
    match options:
        case {"user_credentials": file}:
            return NatsCredentials(file, ssl_context=tls)
        case {"nkeys_seed": file}:
            return NatsNKey(file, ssl_context=tls)
        case {"user": user, "password": password}:
            return NatsUserPassword(user, password, ssl_context=tls)
        case {"token": secret}:
            return NatsToken(secret, ssl_context=tls)
    if first.username is not None:
        return NatsUserPassword(unquote(first.username), unquote(first.password or ""), ssl_context=tls)
    return None if tls is None else BaseSecurity(ssl_context=tls)
