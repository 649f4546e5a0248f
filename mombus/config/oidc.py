"""Signing in with an identity provider: fields of `http: {oidc: …}`."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

RoleName = Literal["viewer", "operator", "engineer", "process_owner"]


def _origin_is_safe(url: str) -> str:
    """https, or http to this machine: what comes back decides who is let in."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url
    if parts.scheme == "http" and parts.hostname and _is_loopback(parts.hostname):
        return url
    raise ValueError(f"'{url}' is no https address")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Url = Annotated[str, AfterValidator(_origin_is_safe)]


class Oidc(BaseModel):
    """An OpenID Connect provider (authorization code with PKCE). At it, the hub's address to come back to is
    `https://<hub>/sign-in/back`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: Url = Field(description="Its issuer, such as https://id.acme.example/realms/plant: https.")
    client_id: str = Field(min_length=1, description="The hub's name there.")
    client_secret: SecretStr | None = Field(default=None, description="The hub's secret there, if it has one.")
    roles: Mapping[str, Annotated[tuple[RoleName, ...], BeforeValidator(_one_or_many)]] = Field(
        min_length=1, description="Value of the claim → role or list of roles, such as `{shift-leads: operator}`. Who "
        "has none of them isn't let in.",
    )  # fmt: skip
    roles_claim: str = Field(
        default="groups", min_length=1, description="The claim of the ID token with these values; dots lead into it."
    )
    name_claim: str = Field(
        default="preferred_username", min_length=1, description="The claim with the name for the audit trail."
    )
    scopes: tuple[str, ...] = Field(default=("openid", "profile"), description="What is asked for.")
    origins: tuple[Url, ...] = Field(
        default=(), description="Where else its endpoints may be, such as https://oauth2.acme.example; they are "
        "followed nowhere else.",
    )  # fmt: skip
    ca: Path | None = Field(
        default=None, description="Authorities, PEM, that signed its certificate; the system's if none."
    )
