"""How to reach a broker: the config fields that every MQTT connector has."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from connectors.connector import ConfigError, ConnectorConfig, Speaks

if TYPE_CHECKING:
    from typing import Self

    from connectors.connector import Surroundings

_PORTS = {"mqtt": 1883, "mqtts": 8883}


class MqttConfig(ConnectorConfig):
    """A broker's address, the credentials for it, and the limits on what it may send."""

    speaks: ClassVar[Speaks | None] = "mqtt"

    url: str = Field(description="Broker: mqtt://host[:port] (1883), or mqtts://host[:port] with TLS (8883).")
    username: str | None = Field(default=None, description="User at the broker.")
    password: SecretStr | None = Field(default=None, description="Password at the broker.")
    ca_file: str | None = Field(
        default=None, description="Certificate authorities that the broker is checked with; the system's if not given."
    )
    cert_file: str | None = Field(default=None, description="Client certificate (PEM), if the broker wants one.")
    key_file: str | None = Field(default=None, description="Key of the client certificate (PEM).")
    client_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="Name of the persistent session, unique at the broker; `mombus-<site>-<system>` if not given.",
    )
    keepalive_s: int = Field(
        default=4,
        ge=1,
        le=600,
        description="Seconds of silence until the broker is asked whether it lives; twice that and it is given up.",
    )
    timeout_s: float = Field(default=5.0, gt=0, le=120, description="Seconds the broker has for an acknowledgement.")
    reply_timeout_s: float = Field(default=10.0, gt=0, le=600, description="Seconds the system has for its reply.")
    max_waiting: int = Field(
        default=1000, ge=1, le=100_000, description="How many received messages may wait to be stored."
    )
    max_bytes: int = Field(default=1024 * 1024, ge=1024, le=64 * 1024 * 1024, description="Longest message taken.")

    @field_validator("url")
    @classmethod
    def _broker_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError(f"'{url}' is no broker: write mqtt://host:port or mqtts://host:port")
        if parts.username or parts.password:
            raise ValueError("credentials don't belong into the URL: use username and password")
        if parts.path.strip("/") or parts.query:
            raise ValueError(f"'{url}' has more than host and port")
        _ = parts.port  # raises ValueError for a port that is none
        return url

    @property
    def longest_call_s(self) -> float:
        """The longest a write takes: the broker's acknowledgement, and the system's reply."""
        return self.timeout_s + self.reply_timeout_s

    def moved(self, url: str, *, answer_s: float | None = None) -> Self:
        """As ConnectorConfig.moved; the URL may hold user and password of the stand-in's broker."""
        at = urlsplit(url)
        password = None if at.password is None else SecretStr(at.password)
        return self.model_copy(update={
            "url": f"mqtt://{at.hostname}:{at.port}", "username": at.username, "password": password,
            "reply_timeout_s": answer_s or self.reply_timeout_s,
        })  # fmt: skip

    @property
    def host(self) -> str:
        """The broker's host."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The broker's port."""
        parts = urlsplit(self.url)
        return parts.port or _PORTS[parts.scheme]

    @property
    def tls(self) -> bool:
        """True for mqtts."""
        return urlsplit(self.url).scheme == "mqtts"


def tls_context(config: MqttConfig, surroundings: Surroundings) -> ssl.SSLContext | None:
    """The TLS context for a broker, None without TLS; reads files. Raises ConfigError naming the file."""
    if not config.tls:
        return None
    folder = Path(surroundings.folder)
    place = "ca_file"
    try:
        context = ssl.create_default_context(cafile=str(folder / config.ca_file) if config.ca_file else None)
        place = "cert_file"
        if config.cert_file:
            context.load_cert_chain(folder / config.cert_file, folder / config.key_file if config.key_file else None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{place} can't be used: {error}", field=place) from error
    return context
