"""The claim: where the content of a message is kept when it is too large to travel with it.

Claim Check (Hohpe and Woolf, Enterprise Integration Patterns): the message travels without its content, and carries
a reference by which it is fetched where it is needed. The reference is the CloudEvents attribute `dataref`.
"""

from __future__ import annotations

import re
from hashlib import blake2b, sha256
from typing import NamedTuple, Self

ROOT = "claim"

_WRITTEN = re.compile(rf"{ROOT}\.([0-9a-f]{{16}})\.([0-9a-f]{{64}})\.([0-9]{{1,15}})")


class Claim(NamedTuple):
    """`owner` says by a digest on which subject the message is, so that nobody claims what belongs to another.

    `sha256` is the content's digest in hexadecimal, `size` its bytes.
    """

    owner: str
    sha256: str
    size: int

    def __str__(self) -> str:
        return f"{ROOT}.{self.owner}.{self.sha256}.{self.size}"

    @classmethod
    def of(cls, subject: str, content: bytes) -> Self:
        """The claim of a message's content, by the subject it is published on."""
        return cls(owner_of(subject), sha256(content).hexdigest(), len(content))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a claim. Raises ValueError."""
        written = _WRITTEN.fullmatch(text)
        if written is None:
            raise ValueError(f"'{text}' is no reference to a content that is kept apart")
        return cls(written[1], written[2], int(written[3]))

    def fits(self, content: bytes) -> bool:
        """True if that is the content."""
        return len(content) == self.size and sha256(content).hexdigest() == self.sha256


def owner_of(subject: str) -> str:
    """How claims name the subject of their message."""
    return blake2b(subject.encode(), digest_size=8).hexdigest()
