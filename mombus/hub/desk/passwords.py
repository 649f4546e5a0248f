"""Passwords as they are kept: scrypt (RFC 7914), with what it was made with beside it.

`scrypt:<log2 of N>:<r>:<p>:<salt>:<hash>`, the last two in base64: a later release may cost more and still reads this.
"""

from __future__ import annotations

import asyncio
import unicodedata
from base64 import b64decode, b64encode
from functools import cache
from hashlib import scrypt
from hmac import compare_digest
from secrets import token_bytes

from mombus.desk.question import QuestionError

LOG_N, R, P = 15, 8, 3
"""32 MiB and some tenths of a second for each try (OWASP password storage cheat sheet)."""
SHORTEST = 12
_BYTES = 32


def hashed(password: str) -> str:
    """The password as it is kept. Takes its time."""
    salt = token_bytes(16)
    made = _made(password, salt, LOG_N, R, P)
    return f"scrypt:{LOG_N}:{R}:{P}:{b64encode(salt).decode()}:{b64encode(made).decode()}"


async def accepted(password: str, name: str) -> str:
    """A new password of that account, as it is kept. Raises QuestionError with what is wrong with it."""
    weak = weakness(password, name)
    if weak:
        raise QuestionError(weak)
    return await asyncio.to_thread(hashed, password)


def fits(password: str, kept: str | None) -> bool:
    """Whether it is the one that is kept. For none it takes as long: names that exist aren't told from others."""
    _, log_n, r, p, salt, made = (kept or _nobodys()).split(":")
    same = compare_digest(_made(password, b64decode(salt), int(log_n), int(r), int(p)), b64decode(made))
    return same and kept is not None


def weakness(password: str, name: str) -> str:
    """What is wrong with a new password that is long enough, empty if nothing is (NIST SP 800-63B: no rules of
    composition).
    """
    if name.lower() in password.lower() and len(password) < len(name) + SHORTEST:
        return "the password is little more than the name"
    if len(set(password)) < SHORTEST // 3:
        return "the password repeats very few characters"
    return ""


@cache
def _nobodys() -> str:
    return hashed("nobody's")


def _made(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    said = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
    n = 1 << log_n
    return scrypt(said, salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=_BYTES)
