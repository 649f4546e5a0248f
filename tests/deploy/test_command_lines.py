"""Every command line in deploy/ is one that mombus takes, with files and systems that exist."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
import yaml
from authority import Authority

from connectors.door import token_hash
from mombus.cli.main import app
from mombus.config.loader import load
from mombus.hub.parts import parse_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
SYSTEMS = yaml.safe_load((ROOT / "routes.yaml").read_text())["systems"]
SAFE_EXPOSURE = 30
"""Of 100, as `systemd-analyze security` counts it; an unhardened unit has 96."""


def unit(file: Path) -> ConfigParser:
    read = ConfigParser(strict=False, interpolation=None, delimiters="=")
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read(file)
    return read


def manifests() -> Iterator[dict[str, Any]]:
    for file in (DEPLOY / "kubernetes").glob("*.yaml"):
        yield from yaml.safe_load_all(file.read_text())


def commands() -> dict[str, list[str]]:
    """Where it stands → the arguments of `mombus`."""
    found = {}
    for file in UNITS:
        program, *arguments = shlex.split(unit(file)["Service"]["ExecStart"].replace("%i", "erp"))
        assert program == "/opt/mombus/bin/mombus"
        found[file.name] = arguments
    for name, service in yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].items():
        if service["image"] == "mombus":
            found[f"compose {name}"] = service["command"]
    for manifest in manifests():
        for container in manifest["spec"].get("template", {}).get("spec", {}).get("containers", ()):
            if container["image"] == "mombus":
                found[f"kubernetes {manifest['metadata']['name']}"] = container["args"]
    text = (DEPLOY / "Containerfile").read_text()
    found["Containerfile"] = json.loads(re.findall(r"^CMD (.*)$", text, re.MULTILINE)[-1])
    return found


def test_there_is_something_to_check() -> None:
    assert len(commands()) >= 8


@pytest.mark.parametrize("where", commands())
def test_mombus_takes_the_command(where: str) -> None:
    name, *arguments = commands()[where]
    command = typer.main.get_command(app).resolve_command(None, [name])[1]  # type: ignore[attr-defined]
    said = command.make_context(name, arguments).params
    for file in said["files"]:
        known = {"routes.yaml": ROOT, "production.yaml": DEPLOY, "single.yaml": DEPLOY, "erp.yaml": None}
        assert file.name in known
        assert known[file.name] is None or (known[file.name] / file.name).exists()
    assert (parse_parts(said["part"] or ()).systems or set()) <= set(SYSTEMS)


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_systemd_takes_the_unit_and_finds_it_safe(file: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze isn't here")
    here = tmp_path / file.name.replace("@", "@erp")
    here.write_text(file.read_text().replace("/opt/mombus/bin/mombus", sys.executable))
    checked = subprocess.run([analyze, "verify", "--man=no", str(here)], capture_output=True, text=True, check=False)
    about_us = [line for line in checked.stderr.splitlines() if file.name.split(".")[0].split("@")[0] in line]
    assert about_us == []
    exposure = [analyze, "security", "--offline=true", f"--threshold={SAFE_EXPOSURE}", str(here)]
    found = subprocess.run(exposure, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-600:] + found.stderr


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_a_unit_hands_over_what_its_process_reads(file: Path, tmp_path: Path) -> None:
    """It runs as a user of its own, who can't read the files of `/etc/mombus`: all it gets are its credentials."""
    handed = dict(re.findall(r"^LoadCredential=(\S+):(/etc/mombus/\S+)$", file.read_text(), re.MULTILINE))
    Authority(tmp_path, "ca").sign("tls")
    for name in handed.keys() - {"ca.pem", "tls.pem", "tls.key"}:
        (tmp_path / name).write_text("t0a1b2")
    assert sorted(handed) == sorted(one.name for one in tmp_path.iterdir() if one.name != "ca.key")
    door = tmp_path / "door.yaml"
    door.write_text(f'systems: {{erp: {{door: {{tokens: ["{token_hash("t6e7f8")}"]}}}}}}')
    arguments = commands()[file.name]
    parts = [arguments[at + 1] for at, word in enumerate(arguments) if word == "--part"]
    folders = dict.fromkeys(("MOMBUS_SECRETS", "MOMBUS_CERTIFICATES"), str(tmp_path))
    said = {"MOMBUS_BROKER": "tls://nats:4222", "MOMBUS_STORE": "postgresql://db/mombus", **folders}
    assert all(f"{name}=%d" in file.read_text() for name in folders)
    loaded = load([ROOT / "routes.yaml", DEPLOY / "production.yaml", door], said, parse_parts(parts).needs)
    assert loaded.config, loaded.findings
