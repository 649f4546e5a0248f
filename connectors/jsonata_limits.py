"""What JSONata expressions may not do because the engine can't be stopped while it does it.

The engine looks at the clock between its steps, not within one. So a step that can take long, or all memory, is
refused, or sees little data only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import jsonatapy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MOST_PICTURE = 500
"""Characters of the picture of a number or time."""
MOST_ROMAN = 100_000
"""The largest number in Roman numerals: they grow by a letter per thousand."""
MOST_WIDTH = 20_000
"""Characters that `$pad` fills up to."""

UNREPEATABLE = ("now", "millis", "random", "shuffle", "eval")

_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`|/\*.*?\*/', re.DOTALL)
_JOIN = re.compile(r"@\s*\$")
_COSTLY = re.compile(r"\$(?:distinct|match|replace|split)\b|~>\s*\|")


class Limits(NamedTuple):
    """How much one evaluation may hold: elements of a sequence, values and characters of the data it sees."""

    sequence: int
    values: int | None
    characters: int | None


WIDE = Limits(100_000, None, None)
NARROW = Limits(10_000, 20_000, 1_000_000)
"""For an expression with a step whose time grows with the square of what it sees, or that multiplies it."""


def limits_of(text: str) -> Limits:
    """How much an expression may hold. Raises ValueError for one that is refused."""
    bare = _QUOTED.sub("''", text)
    if _JOIN.search(bare):
        raise ValueError("'@$…' joins everything with everything, however long that takes: use a function instead")
    return NARROW if _COSTLY.search(bare) else WIDE


def counting(data: Any) -> Iterator[tuple[Any, int, int]]:
    """Each value of some JSON, with how many values and characters there are up to it."""
    values, characters, pending = 0, 0, [data]
    while pending:
        value = pending.pop()
        values += 1
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, dict):
            characters += sum(map(len, value))
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
        yield value, values, characters


def check_data(data: Any, limits: Limits) -> None:
    """Raise ValueError if an expression with these limits may not see so much. `data` holds JSON values."""
    if limits.values is None or limits.characters is None:
        return
    for _, values, characters in counting(data):
        if values > limits.values or characters > limits.characters:
            raise ValueError(
                "$distinct, $match, $replace, $split and transforms (~> |…|) see at most "
                f"{limits.values} values and {limits.characters} characters"
            )


def guarded(engine: jsonatapy.JsonataExpression) -> jsonatapy.JsonataExpression:
    """The engine's expression with functions of ours in place of those that answer anew each time, or don't end."""
    for name in UNREPEATABLE:
        engine.register_override(name, _refusal(name))
    engine.register_override("pad", _pad)
    engine.register_override("formatInteger", _format_integer)
    for name in ("formatNumber", "fromMillis", "toMillis", "parseInteger"):
        engine.register_override(name, _pictured(name))
    return engine


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any) -> NoReturn:
        raise ValueError(f"${name} gives another answer each time; use what the message says, such as occurred")

    return refuse


def _pad(text: str | None, width: float, filler: str | None = None) -> str | None:
    """The built-in one allocates any width, however long that takes."""
    if text is None:
        return None
    if abs(width) > MOST_WIDTH:
        raise ValueError(f"$pad to a width over {MOST_WIDTH}")
    missing = max(0, int(abs(width)) - len(text))
    filler = (filler or " ")[: missing + 1]
    padding = (filler * (missing // len(filler) + 1))[:missing]
    return text + padding if width >= 0 else padding + text


def _format_integer(number: float | None, picture: str) -> Any:
    if number is not None and picture[:1] in ("I", "i") and abs(number) > MOST_ROMAN:
        raise ValueError(f"$formatInteger in Roman numerals over {MOST_ROMAN}")
    return _pictured("formatInteger")(number, picture)


def _pictured(name: str) -> Callable[..., Any]:
    """The built-in one for pictures of a sensible length."""

    def call(*arguments: Any) -> Any:
        if any(isinstance(one, str) and len(one) > MOST_PICTURE for one in arguments):
            raise ValueError(f"${name} with a text over {MOST_PICTURE} characters")
        return _built_in(name, arguments)

    return call


def _built_in(name: str, arguments: Sequence[Any]) -> Any:
    """What the engine's own function gives; an argument that is None was nothing."""
    names = [f"a{index}" for index in range(len(arguments))]
    given = {name: value for name, value in zip(names, arguments, strict=True) if value is not None}
    return jsonatapy.compile(f"${name}({', '.join(names)})").evaluate(given)
