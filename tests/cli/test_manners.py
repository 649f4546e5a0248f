"""What every command keeps to, the ones that are yet to come included: they are listed from the table of commands."""

from __future__ import annotations

import io
import json
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from mombus.cli import completing
from mombus.cli.exits import Exit
from mombus.cli.main import COMMANDS, _loaded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Mombus

NOT_CALLED = {"demo": "it runs until it is ended", "run": "the same"}
WITHOUT_JSON = {
    "run": "it runs until it is ended", "broker-config": "it writes files", "new plant": "it writes files",
    "new connector": "it writes files", "new route": "it prints YAML to be pasted", "export": "it writes a file",
    "schema": "it prints JSON anyway", "docs": "it writes files", "b2mml write": "it prints XML",
}  # fmt: skip
"""Why a command has no `--json`."""
ARGUMENTS = {"number": "7", "kind": "acme.mes", "object": "material", "to": "mes", "files": "none.xml"}
"""What stands for a required argument; `x` for any other."""
OPTIONS = ("--why", "--role", "--until", "--to")
COMPLETED = {"--system", "--target", "--object", "--route", "--source", "--owner", "--saved"}
ROUTES = """
systems: {erp: {}, mes: {}, wms: {}}
routes:
  - {object: production_order, to: [mes, wms]}
  - {object: downtime, to: mes}
  - 7
"""


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with what it is called by; a group that does something by itself is one as well."""
    for name in COMMANDS:
        command = _loaded(name)
        inner = getattr(command, "commands", {})
        if not inner or command.invoke_without_command:
            yield name, command
        yield from ((f"{name} {sub}", one) for sub, one in inner.items())


EVERY = dict(commands())


def options(command: Any) -> dict[str, Any]:
    """Its options by how they are spelt."""
    return {spelt: one for one in command.params for spelt in one.opts if spelt.startswith("-")}


def call_of(name: str) -> list[str]:
    """A call of it that is spelt well, and asks for JSON where that can be had."""
    known = options(EVERY[name])
    required = [one for one in EVERY[name].params if one.param_type_name == "argument" and one.required]
    said = {"--why": "x", "--role": "viewer", "--until": "8h", "--to": "mes"}
    more = [part for option in OPTIONS if option in known for part in (option, said[option])]
    switches = [option for option in ("--json", "--yes", "--no-input") if option in known]
    return [*name.split(), *(ARGUMENTS.get(one.name, "x") for one in required), *more, *switches]


@pytest.mark.parametrize("name", [name for name in EVERY if name not in NOT_CALLED])
def test_without_a_hub_and_a_file_it_says_what_to_do_next(
    called: Mombus, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """stdout is JSON or nothing, stderr is for people and uncoloured, the code is one of those that are declared."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    call = call_of(name)
    done = called(*call)
    assert done.returncode in set(Exit), done
    assert "\x1b" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if "--json" in call:
        told = json.loads(done.stdout)
        assert not done.returncode or not isinstance(told, dict) or told
        if isinstance(told, dict) and "error" in told:
            assert told["error"] == done.stderr.strip()
    elif done.returncode:
        assert not done.stdout
    if done.returncode in {Exit.USAGE, Exit.CONFIG} or "no hub" in done.stderr:
        assert re.search(r"mombus|--\w|docs/|\.csv|No such file|Is a directory", done.stdout + done.stderr)
    if "no hub" in done.stderr:
        assert done.stderr == "no hub runs in .mombus: start one with `mombus run` or `mombus demo`\n"


def test_what_prints_data_prints_it_as_json_too() -> None:
    assert {name for name, command in EVERY.items() if "--json" not in options(command)} == set(WITHOUT_JSON)


@pytest.mark.parametrize("name", EVERY)
def test_a_misspelt_option_is_understood(called: Mombus, name: str) -> None:
    """Where it can be told what was meant."""
    known = [option for option in options(EVERY[name]) if len(option) > 5]
    for option in known[:1]:
        done = called(*name.split(), f"{option[:-2]}{option[-1]}{option[-2]}x")
        assert done.returncode == Exit.USAGE
        assert not done.stdout
        assert f"--{option[2:]}" in done.stderr, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_its_help_has_an_example_that_is_spelt_well(called: Mombus, name: str) -> None:
    shown = called(name, "-h")
    assert shown.returncode == 0
    assert f"Example: mombus {name} {COMMANDS[name].example}" in " ".join(shown.stdout.split())
    words = shlex.split(COMMANDS[name].example)
    command = EVERY.get(f"{name} {words[0]}") if words else None
    if command is not None:
        words = words[1:]
    (command or EVERY[name]).make_context(name, words)


def test_names_are_completed_wherever_one_is_asked_for() -> None:
    silent = {
        f"{name} {spelt}"
        for name, command in EVERY.items()
        for spelt, option in options(command).items()
        if spelt in COMPLETED and option._custom_shell_complete is None
    }
    assert silent == {"b2mml read --source", "b2mml check --source"}, "where any name will do"


def test_what_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert completing.route_names("") == completing.system_names("") == []
    (tmp_path / "routes.yaml").write_text(ROUTES, encoding="utf-8")
    assert completing.route_names("") == ["downtime>mes", "production_order>mes", "production_order>wms"]
    assert completing.route_names("production_order>w") == ["production_order>wms"]
    assert completing.system_names("m") == ["mes"]
    assert "downtime" in completing.object_names("down")
    assert completing.search_names("") == [], "there is no hub to ask"


@pytest.mark.parametrize(("word", "offered"), [("down", "downtime\\>mes"), ("'down", "downtime>mes")])
def test_bash_is_offered_no_word_that_writes_to_a_file(
    called: Mombus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, offered: str
) -> None:
    (tmp_path / "routes.yaml").write_text(ROUTES, encoding="utf-8")
    monkeypatch.setenv("_MOMBUS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"mombus\ntap\n--route\n{word}")
    monkeypatch.setenv("COMP_CWORD", "3")
    assert called().stdout.split() == [offered]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_than_bash_complete_the_same(
    called: Mombus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    (tmp_path / "routes.yaml").write_text(ROUTES, encoding="utf-8")
    monkeypatch.setenv("_MOMBUS_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "mombus tap --route downtime")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    assert "downtime>mes" in called().stdout
