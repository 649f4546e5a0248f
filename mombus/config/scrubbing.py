"""Keeps secrets out of everything that is written: logs, reasons, findings, what pages and commands are told.

What is known to be secret is replaced by `***`, also spelt as JSON, in a URL or in base64, alone or in a longer text as
HTTP Basic does it. What looks like credentials is, too: those in a URL, and what an Authorization header holds.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, urlsplit

from pydantic import BaseModel, SecretBytes, SecretStr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mombus.config.model import Config

HIDDEN = "***"
SHORTEST = 4
"""Anything shorter keeps no secret, and would blot out half of the text."""
MOST_DEPTH = 50

_USERINFO = re.compile(r"(?<=://)[^/\s@\"'<>:]*:[^/\s@\"'<>]++(?=@)")
"""It never goes back over what it read: a system may answer with 64 KiB of colons."""
_SHOWN = re.compile(r"\b(Bearer|Basic)(\s+)[A-Za-z0-9+/=._~-]{16,}", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")


class Scrubber:
    """Replaces `secrets`, and what looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: list[str] = []
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Replace these as well from now on."""
        known = {*self._secrets, *(secret for secret in secrets if len(secret) >= SHORTEST)}
        self._secrets = sorted(known, key=len, reverse=True)
        spelt = sorted({form for secret in self._secrets for form in _spelt(secret)}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, spelt))) if spelt else None

    @classmethod
    def of(cls, config: Config) -> Scrubber:
        """One that knows every secret of a configuration."""
        return cls(secrets_of(config))

    def text(self, text: str) -> str:
        """The text without secrets."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
            text = _BASE64.sub(self._encoded, text)
        return _SHOWN.sub(rf"\1\2{HIDDEN}", _USERINFO.sub(HIDDEN, text))

    def data(self, value: Any, depth: int = MOST_DEPTH) -> Any:
        """Plain data with every text in it scrubbed, names included."""
        if isinstance(value, str):
            return self.text(value)
        if depth == 0 or isinstance(value, int | float | None):
            return value
        if isinstance(value, Mapping):
            return {self.data(name, 1): self.data(inner, depth - 1) for name, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.data(inner, depth - 1) for inner in value]
        return value

    def log(self, _logger: Any, _method: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """A processor of structlog: the event without secrets; what isn't plain data is spelt first."""
        plain = {name: value if _is_plain(value) else str(value) for name, value in event.items()}
        scrubbed: dict[str, Any] = self.data(plain)
        return scrubbed

    def error(self, error: BaseException) -> BaseException:
        """The error, its own words changed where they hold a secret."""
        error.args = tuple(self.data(argument) if isinstance(argument, str) else argument for argument in error.args)
        return error

    def _encoded(self, found: re.Match[str]) -> str:
        """Base64 stays unless a secret is in it, also where other letters stand right before it (`%20` in a URL)."""
        text = found[0].rstrip("=").replace("-", "+").replace("_", "/")
        return HIDDEN if any(self._holds(text[start:]) for start in range(4)) else found[0]

    def _holds(self, text: str) -> bool:
        whole = text[: len(text) - (len(text) % 4 == 1)]
        content = base64.b64decode(whole + "=" * (-len(whole) % 4))
        return any(secret.encode() in content for secret in self._secrets)


def secrets_of(model: Any) -> Iterator[str]:
    """Every secret value in a model, however deep; and the passwords in its URLs."""
    match model:
        case str():
            if "://" in model and "@" in model:
                yield from _password(model)
        case None | bool() | int():
            return
        case SecretStr():
            yield model.get_secret_value()
        case SecretBytes():
            yield model.get_secret_value().decode("utf-8", "replace")
        case BaseModel():
            for name in type(model).model_fields:
                yield from secrets_of(getattr(model, name))
        case Mapping():
            for inner in model.values():
                yield from secrets_of(inner)
        case list() | tuple() | set() | frozenset():
            for inner in model:
                yield from secrets_of(inner)


def _password(url: str) -> Iterator[str]:
    try:
        password = urlsplit(url).password
    except ValueError:
        return
    if password:
        yield password


def _spelt(secret: str) -> Iterator[str]:
    """How a secret may be written."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield quote(secret)
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | list | tuple | set | frozenset | Mapping | None)
