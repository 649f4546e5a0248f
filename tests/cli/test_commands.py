"""`mombus` itself, and the commands about configuration."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from mombus import __version__
from mombus.cli.main import COMMANDS

if TYPE_CHECKING:
    from conftest import Mombus, Result

ROOT = Path(__file__).parent.parent.parent


HEAVY = {"asyncio", "asyncua", "fastapi", "httpx", "lxml", "nats", "pydantic", "rich", "sqlalchemy", "yaml", "zeep"}
"""What takes long to load, and the help has no need of: it is there in a moment, as `make bench` measures."""


def test_help_lists_every_command_and_loads_nothing_else(mombus: Mombus) -> None:
    done = mombus("--help", options=("-X", "importtime"))
    assert done.returncode == 0
    for name, row in COMMANDS.items():
        assert any(line.split()[:1] == [name] and row.help[:40] in line for line in done.stdout.splitlines()), name
    loaded = _loaded(done)
    ours = {name for name in loaded if name.split(".")[0] in {"canonical", "connectors", "mombus"}}
    assert ours == {"mombus", "mombus.cli", *(f"mombus.cli.{name}" for name in ("main", "exits", "panels"))}
    assert not loaded & HEAVY


def _loaded(done: Result) -> set[str]:
    """The modules it imported, as Python's own log of that says."""
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


def test_every_row_of_the_table_leads_somewhere() -> None:
    assert not [row.module for row in COMMANDS.values() if find_spec(f"mombus.cli.{row.module}") is None]


def test_version(mombus: Mombus) -> None:
    done = mombus("--version")
    assert (done.returncode, done.stdout) == (0, f"mombus {__version__}\n")


@pytest.mark.parametrize(
    "args", [("chekc",), ("--nope",), ("check", "--nope"), ("connectors", "nope"), ("schema", "nope")]
)
def test_wrong_usage_exits_64_and_says_so_on_stderr(mombus: Mombus, args: tuple[str, ...]) -> None:
    done = mombus(*args)
    assert done.returncode == 64
    assert done.stdout == ""
    assert done.stderr


@pytest.mark.parametrize("args", [("retry", "erp", "0a1b", "--all"), ("dismiss", "0a1b", "--all")])
def test_one_by_its_id_and_all_contradict_each_other(mombus: Mombus, args: tuple[str, ...]) -> None:
    done = mombus(*args, "--yes", "--why", "x")
    assert (done.returncode, done.stderr) == (64, "say either one by its id, or --all\n")


def test_a_typo_is_understood(mombus: Mombus) -> None:
    assert "Did you mean 'check'?" in mombus("chekc").stderr


def test_check_passes_the_example(mombus: Mombus) -> None:
    done = mombus("check", cwd=ROOT)
    assert done.stdout == ""
    assert done.returncode == 0
    assert done.stderr.startswith("Checked routes.yaml, plant/equipment.csv, plant/shifts.yaml")
    assert "6 systems" in done.stderr
    assert "0 errors, 0 warnings" in done.stderr


def test_check_without_a_file_says_which_is_missing(mombus: Mombus) -> None:
    done = mombus("check")
    assert done.returncode == 78
    assert done.stdout.startswith("routes.yaml:1:1: error: the file can't be read: No such file or directory; name the")


def test_check_finds(mombus: Mombus, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("version: 2\n", encoding="utf-8")
    done = mombus("check", "bad.yaml")
    assert done.returncode == 1
    assert "bad.yaml:1:10: error: version: this release reads version 1; write `version: 1`" in done.stdout
    assert "Checked bad.yaml: 4 errors, 0 warnings." in done.stderr


def test_what_check_refuses_does_not_start(mombus: Mombus, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("version: 2\n", encoding="utf-8")
    done = mombus("run", "bad.yaml")
    assert done.returncode == 78
    assert done.stdout == ""
    assert mombus("check", "bad.yaml").stdout.splitlines() == done.stderr.splitlines()[:4]


def test_check_in_json(mombus: Mombus, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("version: 2\n", encoding="utf-8")
    told = json.loads(mombus("check", "--json", "bad.yaml").stdout)
    assert told["ok"] is False
    assert told["findings"][-1] == {
        "severity": "error", "file": "bad.yaml", "line": 1, "column": 10, "path": "version",
        "message": "this release reads version 1", "hint": "write `version: 1`",
    }  # fmt: skip


def test_strict_lets_warnings_fail(mombus: Mombus, tmp_path: Path) -> None:
    (tmp_path / "over.yaml").write_text('systems: {qms: {token: "in plain sight"}}\n', encoding="utf-8")
    files = (str(ROOT / "routes.yaml"), str(tmp_path / "over.yaml"))
    done = mombus("check", *files)
    assert done.returncode == 0
    assert "warning: systems.qms.token: a secret stands here for all to read" in done.stdout
    assert "in plain sight" not in done.stdout + done.stderr
    assert mombus("check", "--strict", *files).returncode == 1


def test_check_loads_neither_a_hub_nor_any_client(mombus: Mombus) -> None:
    done = mombus("check", cwd=ROOT, options=("-X", "importtime"))
    assert done.returncode == 0
    assert not _loaded(done) & {"asyncua", "fastapi", "httpx", "mombus.hub.hub", "nats", "sqlalchemy", "zeep"}


def test_connectors(mombus: Mombus) -> None:
    listed = mombus("connectors")
    assert listed.returncode == 0
    assert "erp.b2mml" in listed.stdout
    shown = mombus("connectors", "qms.rest")
    assert "url (text, required)" in shown.stdout
    assert "token (secret, write ${secret:NAME})" in shown.stdout
    told = json.loads(mombus("connectors", "qms.rest", "--json").stdout)
    assert "quality_result" in told[0]["offers"]


def test_schema_of_routes_and_of_an_object(mombus: Mombus) -> None:
    routes = json.loads(mombus("schema").stdout)
    kinds = {one["properties"]["connector"]["const"] for one in routes["$defs"]["system"]["oneOf"]}
    assert {"erp.b2mml", "mes.mqtt", "plc.opcua", "rest"} <= kinds
    order = json.loads(mombus("schema", "production_order").stdout)
    assert order["title"] == "production_order"
    assert "id" in order["required"]
    assert "description" not in order["required"]


def test_the_example_is_spelt_as_its_schema_says() -> None:
    schema = json.loads((ROOT / "docs" / "routes.schema.json").read_text(encoding="utf-8"))
    example = yaml.load((ROOT / "routes.yaml").read_text(encoding="utf-8"), Loader=yaml.CBaseLoader)  # noqa: S506 - makes texts only
    assert example.keys() <= schema["properties"].keys()
    kinds = {one["properties"]["connector"]["const"]: one for one in schema["$defs"]["system"]["oneOf"]}
    for system in example["systems"].values():
        declared = kinds[system["connector"]]
        assert system.keys() <= declared["properties"].keys()
        assert set(declared["required"]) <= system.keys()
    for name, ownership in example["objects"].items():
        assert name in schema["properties"]["objects"]["propertyNames"]["enum"]
        one = schema["properties"]["objects"]["additionalProperties"]["anyOf"][0]
        assert ownership.keys() <= one["properties"].keys()
    for route in example["routes"]:
        assert route.keys() <= schema["properties"]["routes"]["items"]["properties"].keys()
        within = schema["properties"]["routes"]["items"]["properties"]["within"]
        assert re.fullmatch(within["pattern"], route.get("within", "1m"))


def test_the_pages_in_the_repository_are_not_stale(mombus: Mombus) -> None:
    done = mombus("docs", "--check", cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_docs_writes_and_finds_stale_pages(mombus: Mombus, tmp_path: Path) -> None:
    assert mombus("docs").returncode == 0
    assert (tmp_path / "docs" / "objects.md").read_text(encoding="utf-8").startswith("# Data objects")
    assert mombus("docs", "--check").returncode == 0
    (tmp_path / "docs" / "objects.md").write_text("old", encoding="utf-8")
    (tmp_path / "docs" / "schemas" / "gone.json").write_text("{}", encoding="utf-8")
    done = mombus("docs", "--check")
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["docs/objects.md", "docs/schemas/gone.json"]
    assert mombus("docs").returncode == 0
    assert not (tmp_path / "docs" / "schemas" / "gone.json").exists()
