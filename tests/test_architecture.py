"""The house keeps its rooms: which package may import which, what starts fast, how files are called."""

from __future__ import annotations

import ast
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("canonical", "connectors", "mombus", "plant")
ROOMS = (
    "config", "journal", "ownership", "bus", "index", "delivery", "tracing", "doctor", "plan", "desk", "web", "trial",
    "scaffold", "cli",
)  # fmt: skip
"""Left to right: a room imports only rooms to its left."""
COMPOSITION_ROOT = "hub"
"""`mombus/hub/` wires the rooms together; only the CLI uses it."""
EXEMPT = {("mombus/cli/demo.py", "plant"): "the demo is about the simulated plant, and imports it only when it runs"}
FORBIDDEN_NAMES = ("utils", "util", "helpers", "helper", "manager", "base", "common", "misc", "tools")
HEAVY = ("asyncua", "zeep", "httpx", "aiomqtt", "lxml", "faststream", "nats", "sqlalchemy", "fastapi", "uvicorn",
         "jinja2", "paho", "pydantic", "yaml", "rich")  # fmt: skip
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    """The tree of a file, made while no garbage is collected.

    What a collection ends may print a traceback, for which CPython parses, too; one parsing in the middle of another
    lets it lose count of its depth: "AST constructor recursion depth mismatch".
    """
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"), str(path))
    finally:
        gc.enable()


def imported(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Every module that a file imports anywhere in it, its line, and whether it stands at the file's top."""
    tree = parsed(path)
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, id(node) in top
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(path.relative_to(ROOT).parent.parts[: None if node.level == 1 else 1 - node.level])
            module = node.module or ""
            name = f"{package}.{module}".rstrip(".") if node.level else module
            yield name, node.lineno, id(node) in top
            for alias in node.names:
                yield f"{name}.{alias.name}", node.lineno, id(node) in top


def arrows(allowed: dict[str, tuple[str, ...]]) -> list[str]:
    """Imports between our packages that aren't allowed; an exempt one must not stand at the file's top."""
    return [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in SOURCES
        for module, line, top in imported(path)
        if (there := module.split(".")[0]) in PACKAGES
        and (here := path.relative_to(ROOT).parts[0]) != there
        and there not in allowed[here]
        and (top or (path.relative_to(ROOT).as_posix(), there) not in EXEMPT)
    ]


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 50
    assert {path.relative_to(ROOT).parts[0] for path in SOURCES} == set(PACKAGES)


def test_packages_import_one_way() -> None:
    assert not arrows({
        "canonical": (), "connectors": ("canonical",), "mombus": ("canonical", "connectors"), "plant": ("canonical",),
    })  # fmt: skip


def test_rooms_import_to_the_left() -> None:
    wrong = []
    for path in SOURCES:
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] != "mombus" or len(parts) < 2 or parts[1] in ("__init__", "__main__", COMPOSITION_ROOT):
            continue
        assert parts[1] in ROOMS, f"mombus/{parts[1]} is no room: name its place in ROOMS"
        for module, line, _ in imported(path):
            there = module.split(".")[1] if module.startswith("mombus.") else ""
            if there in ROOMS and ROOMS.index(there) > ROOMS.index(parts[1]):
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
            if there == COMPOSITION_ROOT and parts[1] != "cli":
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert not wrong


def test_canonical_is_pure() -> None:
    """No I/O, no clock, no broker: what it says depends on what it is given only."""
    forbidden = {
        "asyncio", "socket", "http", "urllib.request", "subprocess", "sqlite3", "sqlalchemy", "nats", "faststream",
        "httpx", "asyncua", "zeep", "random", "time", "threading",
    }  # fmt: skip
    found = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in SOURCES
        if path.is_relative_to(ROOT / "canonical")
        for module, line, _ in imported(path)
        if module in forbidden or module.split(".")[0] in forbidden
    ]
    assert not found


def test_canonical_asks_no_clock() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} calls {node.func.attr}()"
        for path in SOURCES
        if path.is_relative_to(ROOT / "canonical")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("now", "utcnow", "today", "uuid4")
    ]
    assert not found


def test_no_cancellation_is_swallowed() -> None:
    """On Python 3.11 `asyncio.wait_for` loses a cancellation that comes when it is just over; not `asyncio.timeout`."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} uses asyncio.wait_for"
        for path in SOURCES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute)
        and node.attr == "wait_for"
        and isinstance(node.value, ast.Name)
        and node.value.id == "asyncio"
    ]
    assert not found


def test_names_are_from_the_field() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if any(
            word in FORBIDDEN_NAMES for part in path.relative_to(ROOT).with_suffix("").parts for word in part.split("_")
        )
    ]
    assert not found


def test_files_are_short() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert not {str(path): lines for path, lines in lengths.items() if lines > 450}


def modules() -> list[str]:
    """Every module of ours by its name, entry points of `python -m` aside."""
    names = (path.relative_to(ROOT).with_suffix("").parts for path in SOURCES)
    return [".".join(parts[:-1] if parts[-1] == "__init__" else parts) for parts in names if parts[-1] != "__main__"]


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after a statement."""
    code = f"import sys\n{statement}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=240, check=True
    )
    return set(done.stdout.split())


def test_the_command_line_starts_light() -> None:
    assert not loaded_by("import mombus.cli.main") & set(HEAVY)


def test_checking_a_configuration_needs_no_clients() -> None:
    clients = {"asyncua", "zeep", "httpx", "aiomqtt", "lxml", "faststream", "nats", "sqlalchemy", "fastapi", "uvicorn"}
    assert not loaded_by("import mombus.config.loader, mombus.cli.check") & clients


def test_the_contracts_are_light() -> None:
    light = "import canonical.objects, canonical.message, canonical.wire, connectors.connector"
    assert loaded_by(light) & set(HEAVY) <= {"pydantic"}


def test_importing_does_nothing(tmp_path: Path) -> None:
    """No module opens a file to write, a socket or a thread, prints, or starts a process when it is imported."""
    script = tmp_path / "imports.py"
    script.write_text(
        "import importlib, sys, threading\n"
        "seen = []\n"
        "def hook(event, args):\n"
        "    if event in ('socket.connect', 'socket.bind', 'subprocess.Popen', 'os.system', 'os.mkdir', 'os.remove'):\n"
        "        seen.append((event, str(args)[:100]))\n"
        "    if event == 'open' and isinstance(args[1], str) and set(args[1]) & set('wax+'):\n"
        "        if '__pycache__' not in str(args[0]):\n"
        "            seen.append((event, str(args)[:100]))\n"
        "for name in ('asyncua', 'zeep', 'uvicorn', 'fastapi', 'faststream.nats', 'amqtt.broker', 'httpx'):\n"
        "    importlib.import_module(name)\n"
        "sys.addaudithook(hook)\n"
        "before = threading.active_count()\n"
        f"for name in {modules()!r}:\n"
        "    importlib.import_module(name)\n"
        "    if seen or threading.active_count() != before:\n"
        "        sys.exit(f'importing {name} does something: {seen}')\n",
        encoding="utf-8",
    )
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == ""


@pytest.mark.parametrize("path", [ROOT / "routes.yaml", *sorted((ROOT / "plant").glob("*.yaml"))], ids=lambda p: p.name)
def test_examples_name_no_machine(path: Path) -> None:
    assert str(ROOT) not in path.read_text(encoding="utf-8")
