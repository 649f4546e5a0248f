"""Which names with a `$` an expression may use. The engine takes any other for nothing, and fails when it is called."""

from __future__ import annotations

import difflib
import re

BUILT_IN = frozenset({
    "abs", "append", "assert", "average", "base64decode", "base64encode", "boolean", "ceil", "contains",
    "count", "decodeUrl", "decodeUrlComponent", "distinct", "each", "encodeUrl", "encodeUrlComponent", "error",
    "eval", "exists", "filter", "floor", "formatBase", "formatInteger", "formatNumber", "fromMillis", "join",
    "keys", "length", "lookup", "lowercase", "map", "match", "max", "merge", "millis", "min", "not", "now",
    "number", "pad", "parseInteger", "power", "random", "reduce", "replace", "reverse", "round", "shuffle",
    "sift", "single", "sort", "split", "spread", "sqrt", "string", "substring", "substringAfter",
    "substringBefore", "sum", "toMillis", "trim", "type", "uppercase", "zip",
})  # fmt: skip
"""The functions of JSONata 2."""

_QUOTED = re.compile(
    r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`|/\*.*?\*/|(?<=[(,:?=>\[])\s*/(?!\*)(?:\\.|[^/\\\n])+/', re.DOTALL
)
"""What isn't the expression's own words: texts, names, notes, and regular expressions, which stand where nothing can be
divided."""
_NAME = re.compile(r"(?<![\\$])\$(\w+)")
"""Neither `$$` nor the `\\$` of a regular expression."""
_GIVEN = re.compile(r"\$(\w+)\s*:=|#\s*\$(\w+)")
_PARAMETERS = re.compile(r"(?:\bfunction|λ)\s*\(([^)]*)\)")


def unknown_name(text: str) -> tuple[str, int] | None:
    """What is wrong with the first name that neither JSONata nor the expression itself gives, and its 0-based place."""
    bare = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), text)
    known = BUILT_IN | {one or other for one, other in _GIVEN.findall(bare)}
    known |= {name for parameters in _PARAMETERS.findall(bare) for name in _NAME.findall(parameters)}
    for found in _NAME.finditer(bare):
        if found[1] not in known:
            return f"there is no ${found[1]}{_like(found[1], known)}", found.start()
    return None


def _like(name: str, known: frozenset[str]) -> str:
    lower = {one.lower(): one for one in sorted(known)}
    alike = difflib.get_close_matches(name.lower(), lower, n=1)
    return f"; did you mean ${lower[alike[0]]}?" if alike else ""
