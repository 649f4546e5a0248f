"""Strict JSON: what a system sent is read exactly, or refused with a reason; nothing is guessed.

Refused: more than `max_bytes`, anything but UTF-8 (a byte order mark is fine), duplicate names, NaN and infinities,
integers and decimals over MAX_DIGITS digits, nesting over MAX_DEPTH. Decimals are read as `Decimal`, so that 0.1 stays
0.1.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_DIGITS = 40


class StrictJsonError(ValueError):
    """Not the JSON that a system may send; the text says what is wrong, and where it can."""


def read_object(raw: bytes, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Read a document that is one JSON object, its texts without lone surrogates. Raises StrictJsonError."""
    document = read_json(raw, max_bytes)
    if not isinstance(document, dict):
        raise StrictJsonError(f"a JSON object {{…}} is expected, this is {_word(document)}")
    if b"\\u" in raw:
        _unicode(document)
    return document


def read_json(raw: bytes, max_bytes: int = MAX_BYTES) -> Any:
    """Read any JSON document. Raises StrictJsonError."""
    if len(raw) > max_bytes:
        raise StrictJsonError(f"{len(raw)} bytes: at most {max_bytes} are taken")
    try:
        text = raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise StrictJsonError(f"byte {error.start} is not UTF-8") from None
    try:
        document = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_integer, parse_float=_decimal
        )
    except RecursionError:
        raise StrictJsonError(f"nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise StrictJsonError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    _shallow(document)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise StrictJsonError(f"'{_twice(pairs)[:60]}' is there twice in one object")
    return found


def _twice(pairs: list[tuple[str, Any]]) -> str:
    """The first name that was there before; in one pass, for an object may have a million names."""
    met: set[str] = set()
    for name, _ in pairs:
        if name in met:
            return name
        met.add(name)
    raise LookupError("every name is there once")


def _no_constant(text: str) -> NoReturn:
    raise StrictJsonError(f"{text} is not a JSON number")


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS + 1:
        raise StrictJsonError(f"an integer of {len(text)} digits: at most {MAX_DIGITS}")
    return int(text)


def _decimal(text: str) -> Decimal:
    number = Decimal(text) if len(text) <= MAX_DIGITS + 10 else None
    if number is None or abs(number.adjusted()) > MAX_DIGITS:
        raise StrictJsonError(f"'{text[:60]}' has over {MAX_DIGITS} digits")
    return number


def _shallow(document: Any) -> None:
    level, depth = [document], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise StrictJsonError(f"nested deeper than {MAX_DEPTH} levels")
        level = [inner for value in level for inner in _inside(value)]


def _unicode(document: Any) -> None:
    """A lone half of a surrogate pair is no text: nobody could write it on."""
    try:
        json.dumps(document, ensure_ascii=False, default=str).encode("utf-8")
    except UnicodeEncodeError as error:
        raise StrictJsonError(f"\\u{ord(error.object[error.start]):04x} is half a character") from None


def _inside(value: Any) -> list[Any]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [child for child in children if isinstance(child, dict | list)]


def _word(document: Any) -> str:
    return {list: "an array", str: "a text", bool: "true or false", type(None): "null"}.get(type(document), "a number")
