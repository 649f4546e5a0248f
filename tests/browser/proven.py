"""Every deed that pages offer: a form's address, and what is chosen in it. Tests say which of them they prove.

A test that does one in the browser, and looks at what came of it in the target or the journal, is marked so:

    @pytest.mark.proves("/waiting/do hold", "/waiting/do release")

The mark is held to (conftest.py): the browser must have sent these forms, and the hub must have taken them.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import parse_qs, urlsplit

from starlette.routing import Match

from mombus.delivery.commands import Command
from mombus.desk.bulk import BulkCommand
from mombus.desk.kept import KeptDecision
from mombus.journal.disagreements import Decision
from mombus.web.pages import ROUTERS
from mombus.web.pages.people import DEEDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fastapi.routing import APIRoute

CHOICES: Mapping[str, tuple[str, frozenset[str]]] = {
    "/waiting/do": ("command", frozenset(Command)),
    "/waiting/bulk": ("command", frozenset(get_args(BulkCommand))),
    "/waiting/kept/do": ("command", frozenset(get_args(KeptDecision.model_fields["command"].annotation))),
    "/disagreements/{number}": ("decision", frozenset(Decision)),
    "/people/{what}": ("what", frozenset(DEEDS)),
}
"""By a form's address the field, or the part of the address, in which something is chosen, and all that may be."""
DONE: set[str] = set()
"""What was done in the browser by the test that runs."""


def deeds() -> set[str]:
    """All that the pages take."""
    found: set[str] = set()
    for route in _routes():
        _, choices = CHOICES.get(route.path, ("", frozenset()))
        found.update({f"{route.path} {choice}" for choice in choices} or {route.path})
    return found


def deed(address: str, fields: Mapping[str, str]) -> str:
    """Which of them a form is, by its address and what is chosen in it; what no page takes is what it says."""
    path = urlsplit(address).path
    scope = {"type": "http", "method": "POST", "path": path, "root_path": "", "headers": []}
    for route in _routes():
        match, more = route.matches(scope)
        if match is Match.FULL:
            name, _ = CHOICES.get(route.path, ("", None))
            chosen = more["path_params"].get(name) or fields.get(name, "")
            return f"{route.path} {chosen}".strip()
    return f"{path}, where nothing is"


def sent(address: str, body: str | None) -> str:
    """The same of a form as a browser sends it."""
    return deed(address, {name: said[-1] for name, said in parse_qs(body or "").items()})


def marked(folder: Path) -> set[str]:
    """What tests in `folder` say that they prove."""
    return {text for file in sorted(folder.glob("test_*.py")) for text in _marks(ast.parse(file.read_text()))}


def _marks(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "proves":
            yield from (str(ast.literal_eval(argument)) for argument in node.args)


def actions(template: str) -> list[str]:
    """The addresses of a template's forms that do something; what is filled in is `x`."""
    forms = re.findall(r'<form\b[^>]*method="post"[^>]*action="([^"]*)"', template)
    return [re.sub(r"{{.*?}}", "x", action) for action in forms]


def _routes() -> Iterator[APIRoute]:
    for router in ROUTERS:
        for route in router.routes:
            found: Any = route
            if "POST" in found.methods:
                yield found
