"""Who we are to a service: a user with a password, or a bearer token."""

from __future__ import annotations

import base64
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class Credentials(BaseModel):
    """Either `username` and `password` (HTTP Basic), or `token` (HTTP Bearer)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: str | None = Field(default=None, description="User name for HTTP Basic.")
    password: SecretStr | None = Field(default=None, description="Password for HTTP Basic.")
    token: SecretStr | None = Field(default=None, description="Bearer token, instead of user name and password.")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        basic = self.username is not None and self.password is not None
        halves = (self.username is None) != (self.password is None)
        if halves or basic == (self.token is not None):
            raise ValueError("give either username and password, or token")
        if self.username and ":" in self.username:
            raise ValueError("username: HTTP Basic allows no ':' in a user name")
        return self

    @property
    def header(self) -> str:
        """The value of the Authorization header. Secret: never print it."""
        if self.token is not None:
            return f"Bearer {self.token.get_secret_value()}"
        password = self.password.get_secret_value() if self.password else ""
        return "Basic " + base64.b64encode(f"{self.username}:{password}".encode()).decode("ascii")
