"""Who may come in at a hosted system's door, and how much at a time: declared here, kept by the hub's server.

Any one of the credentials that a door names opens it. Several of a kind are for changing them without a pause: name the
new one beside the old one, change it in the system, then take the old one away.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from hashlib import sha256
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

TOKEN_BYTES = 32
SALT_BYTES = 16
SIGNING_PREFIX = "whsec_"
_HASH = re.compile(r"sha256:([0-9a-f]{32}):([0-9a-f]{64})")
_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{64}")


def new_token() -> str:
    """A bearer token: 256 random bits, so that one round of SHA-256 is enough to keep it."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def new_signing_secret() -> str:
    """A secret for signed webhooks as Standard Webhooks spells it: `whsec_` and 256 random bits."""
    return SIGNING_PREFIX + base64.b64encode(secrets.token_bytes(TOKEN_BYTES)).decode()


def token_hash(token: str, salt: str | None = None) -> str:
    """What the configuration holds of a token: `sha256:<salt>:<hash>`. A hash opens nothing: it is no secret."""
    salt = salt or secrets.token_hex(SALT_BYTES)
    return f"sha256:{salt}:{sha256(bytes.fromhex(salt) + token.encode('utf-8', 'surrogateescape')).hexdigest()}"


def is_token_hash(text: str) -> bool:
    """True for what `token_hash` makes."""
    return _HASH.fullmatch(text) is not None


def signing_key(secret: SecretStr) -> bytes:
    """The key that a signing secret is. Raises ValueError."""
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix(SIGNING_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(SIGNING_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError("a signing secret is `whsec_` and 24 to 64 bytes in base64: `mombus secret webhook` makes one")
    return key


def _hashed(text: str) -> str:
    if not is_token_hash(text):
        raise ValueError("expected the hash that `mombus secret token` prints, not the token itself")
    return text


def _signs(secret: SecretStr) -> SecretStr:
    signing_key(secret)
    return secret


def _certified(text: str) -> str:
    name = text.strip()
    if not name.lower().startswith("sha256:"):
        return name
    name = "sha256:" + name[7:].replace(":", "").lower()
    if not _FINGERPRINT.fullmatch(name):
        raise ValueError("a fingerprint is `sha256:` and 64 hexadecimal digits")
    return name


def _opens(users: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, password in users.items():
        if not name or ":" in name:
            raise ValueError(f"'{name}' is no user name for HTTP Basic: it is empty or has a ':'")
        if len(password.get_secret_value()) < 8:
            raise ValueError(f"the password of '{name}' has fewer than 8 characters")
    return users


class DoorConfig(BaseModel):
    """A door's credentials and limits. Without a credential it is open to everybody on this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: tuple[Annotated[str, AfterValidator(_hashed)], ...] = Field(
        default=(),
        description="Hashes of bearer tokens that open it; `mombus secret token` makes a token and its hash.",
    )
    users: Annotated[dict[str, SecretStr], AfterValidator(_opens)] = Field(
        default_factory=dict,
        description="Users for HTTP Basic with their passwords; a password may be the hash of a token instead.",
    )
    signatures: tuple[Annotated[SecretStr, AfterValidator(_signs)], ...] = Field(
        default=(),
        description="Secrets of signed webhooks (Standard Webhooks, HMAC-SHA256); `mombus secret webhook` makes one.",
    )
    certificates: tuple[Annotated[str, AfterValidator(_certified)], ...] = Field(
        default=(),
        description="Client certificates that open it (http.client_ca must have signed them): their common name, an "
        "alternative name, or `sha256:` and the fingerprint.",
    )
    tolerance_s: float = Field(
        default=300, ge=1, le=3600, description="How far a signed webhook's time may be from ours, in seconds."
    )
    max_bytes: int = Field(default=4_000_000, ge=1_000, le=1_000_000_000, description="Larger documents are refused.")
    per_second: float = Field(
        default=100, gt=0, le=100_000, description="Requests per second in the long run; more are told to come later."
    )
    burst: int = Field(default=500, ge=1, le=100_000, description="Requests that may come at once, after a pause.")
    at_once: int = Field(default=32, ge=1, le=1_000, description="Requests that may be open at the same time.")
    body_timeout_s: float = Field(default=60, gt=0, le=3600, description="Longest time for a document to arrive.")

    @property
    def locked(self) -> bool:
        """True if it asks for a credential."""
        return bool(self.tokens or self.users or self.signatures or self.certificates)
