"""JSONata expressions, compiled once and evaluated within limits.

The engine works on JSON: decimals and times are text in it, as in canonical bodies, so `$number(body.quantity)` is
needed to calculate. Integers beyond 2^53 would lose digits there and are text too. An expression gives the same answer
for the same data: `$now`, `$millis`, `$random`, `$shuffle` and `$eval` are refused.
"""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from datetime import time as time_of_day
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jsonatapy

from connectors.jsonata_limits import WIDE, Limits, check_data, counting, guarded, limits_of
from connectors.jsonata_names import unknown_name

if TYPE_CHECKING:
    from canonical.message import Message

MAX_TEXT = 20_000
"""The longest expression, in characters."""
TIMEOUT_MS = 200
"""How long one evaluation may take."""
STALLS = 4
"""How often one is begun again because the machine stood still meanwhile."""
MAX_STACK = 200
"""How deep functions may call each other, and how deep data may be nested."""
MAX_SEQUENCE = WIDE.sequence
"""How many elements a sequence, or a result in all, may have."""
MAX_RESULT_TEXT = 4_000_000
"""How many characters the texts of a result may have in all."""
EXACT_INTEGER = 2**53 - 1
"""Beyond this the engine's numbers skip integers."""

ENVIRONMENT = ("object", "verb", "action", "source", "site", "key", "occurred", "by", "posting", "body")
"""The names that `when` and `map` of a route can use."""

_CODE = re.compile(r"\b([STDU]\d{4})\b: ?(.*)", re.DOTALL)
_UNEXPECTED_END = frozenset({"S0203", "S0207"})
_SYMBOLS = {
    "LeftParen": "(", "RightParen": ")", "LeftBracket": "[", "RightBracket": "]", "LeftBrace": "{", "RightBrace": "}",
    "Comma": ",", "Colon": ":", "Semicolon": ";", "Pipe": "|", "Caret": "^", "Hash": "#", "At": "@", "Dot": ".",
}  # fmt: skip
_SYMBOL = re.compile(rf"\b(?:{'|'.join(_SYMBOLS)})\b")
_TOO_LONG = "D1012"
_PANIC = "PanicException"
"""What the engine raises when it has hit a bug of its own; it is no Exception."""
MAX_REASON = 300
POSITION_S = 0.5
"""How long the place of a mistake is looked for."""
KEPT = 2000
"""How many expressions a thread keeps compiled."""

_this_thread = threading.local()


class ExpressionError(ValueError):
    """An expression that can't be compiled, or can't be evaluated on this data.

    `position` is the 0-based offset of the mistake in the text, None when it lies in the data or can't be told.
    `code` is JSONata's error code (S syntax, T types, D evaluation), empty when the limits here were exceeded.
    """

    def __init__(self, reason: str, text: str, position: int | None = None, code: str = "") -> None:
        self.reason, self.text, self.position, self.code = reason, text, position, code
        super().__init__(f"{reason}{self._place()} in the expression: {_shortened(text)}")

    def _place(self) -> str:
        if self.position is None:
            return ""
        before = self.text[: self.position]
        line = before.count("\n") + 1
        column = self.position - (before.rfind("\n") + 1) + 1
        return f" at column {column}" if "\n" not in self.text.strip() else f" at line {line}, column {column}"


class Expression:
    """A compiled expression. Threads may share it: each has an engine's object of its own, and keeps it."""

    def __init__(self, text: str) -> None:
        """Use `compile`."""
        self.text = text
        self._limits = _limits(text)
        _engine(text)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def evaluate(self, data: Any) -> Any:
        """The result on `data`: JSON values, None when nothing matches.

        `data` holds JSON values, decimals, dates and times. Raises ExpressionError when the expression fails on it,
        takes longer than TIMEOUT_MS, recurses deeper than MAX_STACK or gives more than the limits allow, when the
        result is no JSON (NaN, infinity), and when the data isn't.
        """
        try:
            plain = _plain(data, MAX_STACK)
            check_data(plain, self._limits)
            result = self._evaluated(plain)
        except (ValueError, TypeError) as failure:
            code, reason = _reason(failure)
            raise ExpressionError(_shortened(reason, MAX_REASON), self.text, code=code) from None
        except BaseException as failure:
            if type(failure).__name__ != _PANIC:
                raise
            raise ExpressionError(_shortened(f"the engine gave up: {failure}", MAX_REASON), self.text) from None
        self._check_size(result)
        return result

    def _evaluated(self, plain: Any) -> Any:
        """Again when it took too long by the clock, but hardly worked: the machine stood still meanwhile."""
        for _ in range(STALLS):
            began = time.thread_time()
            try:
                return self._evaluated_once(plain)
            except ValueError as failure:
                if _TOO_LONG not in str(failure) or (time.thread_time() - began) * 1000 > TIMEOUT_MS / 2:
                    raise
        return self._evaluated_once(plain)

    def _evaluated_once(self, plain: Any) -> Any:
        return _engine(self.text).evaluate(
            plain, timeout=TIMEOUT_MS, max_stack_depth=MAX_STACK, max_sequence_length=self._limits.sequence
        )

    def _check_size(self, result: Any) -> None:
        """Refuse what is too large to be a message or is no JSON."""
        for value, elements, characters in counting(result):
            if isinstance(value, float) and not math.isfinite(value):
                raise ExpressionError("the result is not a finite number (a division by zero?)", self.text)
            if elements > MAX_SEQUENCE or characters > MAX_RESULT_TEXT:
                raise ExpressionError(
                    f"the result is larger than {MAX_SEQUENCE} elements or {MAX_RESULT_TEXT} characters", self.text
                )


def compile(text: str) -> Expression:
    """Compile an expression. Raises ExpressionError with the position of the mistake."""
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"the expression is longer than {MAX_TEXT} characters", text, MAX_TEXT)
    if not text.strip():
        raise ExpressionError("the expression is empty", text, 0)
    expression = Expression(text)
    unknown = unknown_name(text)
    if unknown is not None:
        raise ExpressionError(unknown[0], text, unknown[1])
    return expression


def environment(message: Message) -> dict[str, Any]:
    """What a route's expressions see of a message. `body` is None for a tombstone and a get of everything."""
    return {
        "object": message.object,
        "verb": message.verb.value,
        "action": message.action.value if message.action else None,
        "source": message.source,
        "site": message.site,
        "key": message.key,
        "occurred": message.occurred.isoformat(),
        "by": message.by,
        "posting": message.posting.isoformat() if message.posting else None,
        "body": json.loads(message.content) if message.content else None,
    }


def _engine(text: str) -> jsonatapy.JsonataExpression:
    """The engine's object of this thread. Only the thread that made one can drop it: elsewhere it would leak."""
    if not hasattr(_this_thread, "engine"):
        _this_thread.engine = lru_cache(KEPT)(_compiled)
    compiled: jsonatapy.JsonataExpression = _this_thread.engine(text)
    return compiled


def _compiled(text: str) -> jsonatapy.JsonataExpression:
    try:
        return guarded(jsonatapy.compile(text))
    except ValueError as failure:
        code, reason = _reason(failure)
        raise ExpressionError(reason, text, _position(text, code), code) from None


def _reason(failure: Exception) -> tuple[str, str]:
    """The engine's error as (code, words)."""
    text = str(failure)
    found = _CODE.search(text)
    if not found:
        return "", text.removeprefix("host function raised ValueError: ").removeprefix("TypeError: ")
    code, words = found.groups()
    if code == "S0101":
        words = "a text isn't closed by its quotation mark"
    words = _SYMBOL.sub(lambda symbol: f"'{_SYMBOLS[symbol[0]]}'", words.removeprefix("Syntax error: "))
    words = re.sub(r"\b(?:Identifier|Variable|String|Number)\((.*?)\)", r"\1", words)
    return code, f"unexpected {words}" if code == "S0201" else _decapitalised(words.rstrip("."))


def _limits(text: str) -> Limits:
    try:
        return limits_of(text)
    except ValueError as refused:
        raise ExpressionError(str(refused), text) from None


def _position(text: str, code: str) -> int | None:
    """Where the mistake is: the engine doesn't say, but every shorter text that still holds it fails the same way."""
    end = len(text.rstrip())
    if code in _UNEXPECTED_END:
        return end
    until = time.thread_time() + POSITION_S
    while end > 1 and _code_of(text[: end - 1]) == code:
        end -= 1
        if time.thread_time() > until:
            return None
    return end - 1


def _code_of(text: str) -> str:
    try:
        jsonatapy.compile(text)
    except ValueError as failure:
        return _reason(failure)[0]
    return ""


def _plain(value: Any, depth: int) -> Any:
    """As the engine takes it: JSON values only, exact numbers only."""
    if isinstance(value, str | bool | float | None):
        return value
    if isinstance(value, int | Decimal):
        exact = isinstance(value, int) and abs(value) <= EXACT_INTEGER
        return value if exact else format(Decimal(value), "f")
    if isinstance(value, datetime | date | time_of_day):
        return value.isoformat()
    if depth == 0:
        raise ValueError(f"the data is nested deeper than {MAX_STACK}")
    if isinstance(value, Mapping):
        return {str(name): _plain(inner, depth - 1) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(inner, depth - 1) for inner in value]
    raise ValueError(f"the data holds a {type(value).__name__}, which is no JSON value")


def _decapitalised(words: str) -> str:
    return words[:1].lower() + words[1:] if words[1:2].islower() else words


def _shortened(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
