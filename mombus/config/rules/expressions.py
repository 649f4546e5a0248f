"""JSONata in routes: it compiles, and what it names exists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, get_args

from pydantic import BaseModel

from canonical.objects import CATALOGUE
from connectors import jsonata
from mombus.config.document import Scalar
from mombus.config.finding import Mark, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mombus.config.draft import Draft
    from mombus.config.finding import Findings
    from mombus.config.model import Route

_TOKEN = re.compile(
    r"""(?P<skip>\s+|/\*.*?\*/)|(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<number>\d+(?:\.\d+)?)"""
    r"""|(?P<name>[A-Za-z_]\w*|`[^`]*`)|(?P<variable>\$\w*)|(?P<symbol>\S)""",
    re.DOTALL,
)
_WORDS = frozenset({"and", "or", "in", "true", "false", "null", "function"})


class _Path(NamedTuple):
    """A path that starts at the expression's own data: its names and where the first one stands."""

    names: tuple[str, ...]
    position: int


def expressions_compile(draft: Draft, findings: Findings) -> None:
    """`when` and `map` are JSONata about what a message has."""
    for route, place in draft.routes:
        for name in ("when", "map"):
            text, path = getattr(route, name), f"routes[{place[1]}].{name}"
            node = draft.node(*place, name)
            if text is None or not isinstance(node, Scalar):
                continue
            try:
                jsonata.compile(text)
            except jsonata.ExpressionError as error:
                mark = _within(node, error.position or 0)
                findings.error(mark, path, error.reason, "docs.jsonata.org describes the language")
                continue
            for message, hint, position in _unknown(route, text):
                findings.error(_within(node, position), path, message, hint)


RULES = (expressions_compile,)


def _unknown(route: Route, text: str) -> Iterator[tuple[str, str, int]]:
    for path in _root_paths(text):
        first = path.names[0]
        if first not in jsonata.ENVIRONMENT:
            fields = CATALOGUE[route.object].body.model_fields if route.object in CATALOGUE else {}
            hint = f"did you mean 'body.{first}'?" if first in fields else did_you_mean(first, jsonata.ENVIRONMENT)
            yield f"an expression knows no '{first}'", hint, path.position
        elif first == "body" and route.object in CATALOGUE:
            yield from _unknown_field(CATALOGUE[route.object].body, path)


def _unknown_field(body: type[BaseModel], path: _Path) -> Iterator[tuple[str, str, int]]:
    model: type[BaseModel] | None = body
    for name in path.names[1:]:
        if model is None:
            return
        info = model.model_fields.get(name)
        if info is None:
            hint = did_you_mean(name, model.model_fields) or "`mombus schema OBJECT` prints what it has"
            yield f"{model.__name__} has no '{name}'", hint, path.position
            return
        model = _only_model(info.annotation)


def _only_model(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    found = {model for part in get_args(annotation) if (model := _only_model(part))}
    return found.pop() if len(found) == 1 else None


def _root_paths(text: str) -> Iterator[_Path]:
    """Paths outside of predicates, steps and orderings: inside of those, names belong to other data."""
    tokens = [(str(m.lastgroup), m[0], m.start()) for m in _TOKEN.finditer(text) if m.lastgroup != "skip"]
    scopes, before = [True], ("", "")
    index = 0
    while index < len(tokens):
        kind, token, position = tokens[index]
        if kind == "name" and scopes[-1] and before[1] not in (".", "%") and token not in _WORDS:
            end = _path_end(tokens, index)
            yield _Path(tuple(name.strip("`") for _, name, _ in tokens[index:end:2]), position)
            index = end - 1
            kind, token, _ = tokens[index]
        elif token in ("(", "[", "{") and kind == "symbol":
            scopes.append(scopes[-1] and not _steps_into(token, before, tokens, index))
        elif token in (")", "]", "}") and kind == "symbol" and len(scopes) > 1:
            scopes.pop()
        before = (kind, token)
        index += 1


def _path_end(tokens: list[tuple[str, str, int]], index: int) -> int:
    end = index + 1
    while end + 1 < len(tokens) and tokens[end][1] == "." and tokens[end + 1][0] == "name":
        end += 2
    return end


def _steps_into(bracket: str, before: tuple[str, str], tokens: list[tuple[str, str, int]], index: int) -> bool:
    """True if what is inside of the bracket is about other data than what is outside."""
    kind, token = before
    if bracket == "(":
        called_on = kind == "variable" and index >= 2 and tokens[index - 2][1] == "."
        return token in (".", "^") or called_on
    return token in (".", ")", "]", "}") or kind in ("name", "variable")


def _within(node: Scalar, position: int) -> Mark:
    """Where an offset of a scalar's text stands in the file; the column is exact for texts in one line."""
    line, column = node.text.count("\n", 0, position), position - (node.text.rfind("\n", 0, position) + 1)
    if "\n" in node.text.rstrip("\n"):
        return Mark(node.mark.file, node.mark.line + 1 + line, 1 + column)
    return Mark(node.mark.file, node.mark.line, node.mark.column + column + int(node.quoted))
