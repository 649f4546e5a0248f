"""Connectors of somebody else's package: what they say and take stands in their configuration."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, SecretStr

from canonical.message import Verb
from connectors.connector import Accept, ConfigError, ConnectorConfig, Health, Level, Offer, Probe, Surroundings


class AcmeConfig(ConnectorConfig):
    url: str = Field(description="Where it is.")
    says: tuple[str, ...] = Field(default=(), description="Objects it states.")
    asks: tuple[str, ...] = Field(default=(), description="Objects it asks for.")
    takes: tuple[str, ...] = Field(default=(), description="Objects it takes.")
    reaches: Level = Field(default=Level.POSTED, description="How far its receipts get.")
    version: str = Field(default="1.0", description="Release of the system.")
    verify: bool = Field(default=True, description="Check the certificate.")
    timeout_s: float = Field(default=5.0, gt=0, description="Seconds for one call.")
    retries: int = Field(default=3, ge=0, description="How often.")
    token: SecretStr | None = Field(default=None, description="Bearer token.")
    options: dict[str, Any] = Field(default_factory=dict, description="Anything else.")


class Acme:
    Config: ClassVar[type[ConnectorConfig]] = AcmeConfig
    summary = "A system of the Acme company."

    def __init__(self, config: AcmeConfig, surroundings: Surroundings) -> None:
        if config.url == "impossible://":
            raise ConfigError("this address can't work", field="url")
        if config.url == "broken://":
            raise KeyError("oops")
        if config.token and "refused" in config.token.get_secret_value():
            raise ConfigError(f"the token {config.token.get_secret_value()} is no good")
        self.config, self.surroundings = config, surroundings
        said = {Offer(name) for name in config.says} | {Offer(name, Verb.PROCESS) for name in config.asks}
        self.offers = frozenset(said)
        self.accepts = {Offer(name): Accept(level=config.reaches) for name in config.takes}

    async def connect(self) -> None: ...

    async def close(self) -> None: ...

    async def probe(self) -> Probe:
        return Probe(Health.OK)


class NoConfig:
    summary = "Has no Config."
