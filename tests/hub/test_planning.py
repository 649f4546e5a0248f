"""`mombus plan` against a running hub: what would change, asked of who runs it."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from mombus.config.loader import load
from mombus.hub.hub import open_hub

if TYPE_CHECKING:
    from pathlib import Path

CONFIG: dict[str, Any] = {
    "version": 1,
    "plant": {"enterprise": "acme", "site": "lyon", "timezone": "Europe/Paris"},
    "bus": {"folder": "hub"},
    "http": {"port": 0},
    "systems": {
        "erp": {"connector": "nats", "url": "nats://127.0.0.1:1", "says": ["production_order"]},
        "mes": {"connector": "nats", "url": "nats://127.0.0.1:1", "takes": ["production_order"]},
    },
    "objects": {"production_order": {"owner": "erp"}},
    "routes": [{"object": "production_order", "to": "mes"}],
}


async def mombus(folder: Path, *args: str) -> tuple[int | None, str, str]:
    """Exit code, what went to stdout, and what to stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mombus", *args, cwd=folder, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin", "LANG": "C.UTF-8"},
    )  # fmt: skip
    out, error = await process.communicate()
    return process.returncode, out.decode(), error.decode()


def write(folder: Path, **changed: Any) -> Path:
    path = folder / "routes.yaml"
    path.write_text(json.dumps(CONFIG | changed))
    return path


async def test_the_hub_says_what_a_file_would_change(tmp_path: Path) -> None:
    loaded = load([write(tmp_path)])
    assert loaded.config, loaded.findings
    async with open_hub(loaded.config):
        code, out, _ = await mombus(tmp_path, "plan", "--folder", "hub")
        assert (code, out) == (0, "Nothing changes: the hub runs this configuration.\n")
        write(tmp_path, routes=[{"object": "production_order", "to": "mes", "within": "15m"}])
        code, out, error = await mombus(tmp_path, "plan", "--folder", "hub")
        assert (code, error) == (2, "")
        assert "  ~ production_order → mes\n      within: (default) → 900 s\n" in out
        code, out, _ = await mombus(tmp_path, "plan", "routes.yaml", "--folder", "hub", "--json")
        (change,) = json.loads(out)["changes"]
        assert (code, change["what"], change["how"]) == (2, "production_order → mes", "changed")
        write(tmp_path, routes=[{"object": "production_order", "to": "mess"}])
        code, _, error = await mombus(tmp_path, "plan", "--folder", "hub")
        assert code == 78
        assert "did you mean 'mes'?" in error
    write(tmp_path)
    code, _, error = await mombus(tmp_path, "plan", "--folder", "hub")
    assert (code, "no hub runs" in error) == (1, True)
