"""Which secrets a process needs: those of the systems it speaks with, and the journal's if it keeps that.

A secret that isn't needed isn't looked up, so that it needn't be on that machine. What stands in its place is good for
nothing: it is made anew in every process.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, SecretBytes, SecretStr

from connectors.door import SIGNING_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

STAND_IN = SIGNING_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
"""In the place of a secret that isn't looked up: spelt so that every check of a secret's form lets it pass."""
_HUBS = {("bus", "store_password"), ("traces", "authorization")}
"""What only the process with the journal needs."""
_PAGES = {("http", "oidc"), ("http", "token")}
"""What only processes with pages need."""


@dataclass(frozen=True, slots=True)
class Needs:
    """The systems whose secrets are needed, None for all of them, and whether the journal's and the pages' are.

    `broker`: it connects to the broker, so that the files with its credentials and authority have to be there.
    """

    systems: frozenset[str] | None = None
    journal: bool = True
    pages: bool = True
    broker: bool = True

    def needed(self, section: str, place: Sequence[str | int]) -> bool:
        """True if the secret at a place of a section (`bus`, `systems.erp`) is needed."""
        name = section.removeprefix("systems.")
        if name != section:
            return self.systems is None or name in self.systems
        if (section, *place[:1]) in _PAGES:
            return self.pages
        return self.journal or (section, *place) not in _HUBS


EVERY_SECRET = Needs()
NO_SECRET = Needs(frozenset(), journal=False, pages=False, broker=False)


def is_secret(annotation: Any) -> bool:
    """True for the type of a field that keeps secrets, however wrapped."""
    return annotation in (SecretStr, SecretBytes) or any(map(is_secret, get_args(annotation)))


def keeps_secret(model: type[BaseModel], place: Sequence[str | int]) -> bool:
    """True if what stands at a place of a model is kept secret."""
    at = model
    for part in place:
        info = at.model_fields.get(str(part))
        if info is None:
            continue
        inner = model_in(info.annotation)
        if inner is None:
            return is_secret(info.annotation)
        at = inner
    return False


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The one model that an annotation holds, however wrapped."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [inner for inner in map(model_in, get_args(annotation)) if inner]
    return found[0] if len(found) == 1 else None
