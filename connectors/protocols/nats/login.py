"""How a NATS broker is told who connects: a token, or a credentials file.

A credentials file is a NATS .creds file (a JWT and its key), the seed of an nkey, or one line `user:password`. Which of
them it is shows in the file.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from pydantic import Field, SecretStr

from connectors.connector import ConfigError, ConnectorConfig

if TYPE_CHECKING:
    from pathlib import Path

JWT, SEED = "-----BEGIN NATS USER JWT-----", "SU"


class BrokerConfig(ConnectorConfig):
    """What a connector needs to be let in at a NATS broker; where the broker is its own configuration says."""

    credentials: str | None = Field(
        default=None,
        description="Credentials file for the broker at `url`: .creds, an nkey's seed, or a line `user:password`.",
    )
    token: SecretStr | None = Field(
        default=None, description="NATS token of the broker at `url`, instead of credentials."
    )
    ca: str | None = Field(default=None, description="PEM file of the authority that signed the broker's certificate.")

    def login(self, folder: Path) -> dict[str, Any]:
        """As `login` below; relative paths start at `folder`."""
        return login(
            self.token.get_secret_value() if self.token else None,
            folder / self.credentials if self.credentials else None, folder / self.ca if self.ca else None,
        )  # fmt: skip


def login(token: str | None, credentials: Path | None, ca: Path | None = None) -> dict[str, Any]:
    """The options with which nats-py's `connect` says who we are. Raises ConfigError for files that can't be used."""
    try:
        context = {"tls": ssl.create_default_context(cafile=str(ca))} if ca is not None else {}
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"the authority {ca} can't be used: {error}", "ca") from None
    if credentials is None:
        return context if token is None else {"token": token, **context}
    return {**_shown(credentials), **context}


def _shown(credentials: Path) -> dict[str, str]:
    try:
        text = credentials.read_text("utf-8").strip()
    except OSError as error:
        reason = f"the credentials {credentials} can't be read: {error.strerror}"
        raise ConfigError(reason, "credentials") from None
    if text.startswith(JWT):
        return {"user_credentials": str(credentials)}
    if text.startswith(SEED):
        return {"nkeys_seed": str(credentials)}
    user, colon, password = text.partition(":")
    if not colon or "\n" in text:
        wrong = f"{credentials} holds no NATS credentials, no nkey seed and no line `user:password`"
        raise ConfigError(wrong, "credentials")
    return {"user": user, "password": password}
