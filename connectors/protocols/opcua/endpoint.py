"""Where an OPC UA server is and how to be let in: the config fields that every OPC UA connector shares."""

from __future__ import annotations

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.connector import ConnectorConfig

Policy = Literal["None", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"]

PUBLISHED_AT_ONCE_MS = 10


class EndpointConfig(ConnectorConfig):
    """Address and security of an OPC UA server."""

    url: str = Field(description="The server's endpoint, such as `opc.tcp://192.0.2.10:4840`.")
    security_policy: Policy = Field(default="None", description="Security policy as the server offers it.")
    security_mode: Literal["Sign", "SignAndEncrypt"] = Field(
        default="SignAndEncrypt", description="What the policy does with messages; without a policy nothing."
    )
    certificate: str | None = Field(default=None, description="This client's certificate, a .pem or .der file.")
    private_key: str | None = Field(default=None, description="The certificate's private key, a .pem or .der file.")
    private_key_password: SecretStr | None = Field(default=None, description="Password of the private key file.")
    trust_store: str | None = Field(
        default=None,
        description="Folder of the server certificates (or their CAs) to trust; revocation lists in its `crl` folder.",
    )
    user: str | None = Field(default=None, description="User name; without one the session is anonymous.")
    password: SecretStr | None = Field(default=None, description="The user's password.")
    allow_plain_password: bool = Field(
        default=False, description="Send the password although nothing encrypts it (security_policy None)."
    )
    user_certificate: str | None = Field(default=None, description="Log in by this certificate instead of a password.")
    user_private_key: str | None = Field(default=None, description="The user certificate's private key file.")
    publishing_interval_ms: int = Field(
        default=250, ge=10, le=60_000, description="How often the server sends what changed."
    )
    request_timeout_s: float = Field(default=4.0, gt=0, le=60, description="How long one request may take.")
    write_timeout_s: float = Field(default=10.0, gt=0, le=300, description="How long one write or method may take.")
    watchdog_s: float = Field(
        default=60.0, gt=0, description="Connected but no data for this long: the connector says it is degraded."
    )

    @property
    def longest_call_s(self) -> float:
        """The longest a write takes: one write or method."""
        return self.write_timeout_s

    def moved(self, url: str, *, answer_s: float | None = None) -> Self:
        """As ConnectorConfig.moved; what is told comes at once, and a machine that is busy with others has its time."""
        return self.model_copy(update={
            "url": url, "security_policy": "None", "certificate": None, "private_key": None, "trust_store": None,
            "user": None, "password": None, "user_certificate": None, "user_private_key": None,
            "publishing_interval_ms": PUBLISHED_AT_ONCE_MS, "request_timeout_s": 60.0,
            "write_timeout_s": answer_s or self.write_timeout_s,
        })  # fmt: skip

    @field_validator("url")
    @classmethod
    def _opc_tcp(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "opc.tcp" or not parts.hostname:
            raise ValueError(f"'{url}' is no OPC UA address: write opc.tcp://host:4840")
        if parts.username or parts.password:
            raise ValueError("a password has no place in an address: use the fields user and password")
        return url

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.security_policy != "None":
            missing = [name for name in ("certificate", "private_key", "trust_store") if getattr(self, name) is None]
            if missing:
                raise ValueError(f"security_policy {self.security_policy} needs {', '.join(missing)} as well")
        elif self.password is not None and not self.allow_plain_password:
            raise ValueError(
                "with security_policy None the password would travel in plain text: set a security_policy, "
                "or allow_plain_password: true where the network is trusted"
            )
        if (self.user_certificate is None) != (self.user_private_key is None):
            raise ValueError("user_certificate and user_private_key belong together")
        return self
