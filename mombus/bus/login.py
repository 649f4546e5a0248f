"""How the hub's own connections tell the broker who they are: a token, a credentials file, or user and password."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from connectors.connector import ConfigError
from connectors.protocols.nats.login import login as shown
from mombus.bus.errors import NotPermitted

if TYPE_CHECKING:
    from pathlib import Path

    from faststream.security import BaseSecurity


def login(token: str | None, credentials: Path | None, ca: Path | None = None) -> dict[str, Any]:
    """The options with which nats-py's `connect` says who we are. Raises NotPermitted for files that can't be used."""
    logging.getLogger("asyncio").addFilter(_is_news)
    try:
        return shown(token, credentials, ca)
    except ConfigError as error:
        raise NotPermitted(str(error)) from None


def _is_news(record: logging.LogRecord) -> bool:
    """False for what asyncio says at the end of every connection that nats-py has turned into TLS."""
    return "eof_received" not in str(record.msg)


def account(servers: str, token: str | None, credentials: Path | None) -> str:
    """Who we are at the broker, for texts: a user, or the name of the credentials file; empty if there is neither."""
    options = login(token, credentials)
    if "user" in options:
        return str(options["user"])
    if credentials is not None:
        return credentials.stem
    return unquote(urlsplit(servers.split(",", maxsplit=1)[0].strip()).username or "") if token is None else ""


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
