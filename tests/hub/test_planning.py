"""`mombus plan` and `mombus apply` against a running hub, the same over HTTP, and a file that is read again."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
from housed import csrf
from patience import PATIENCE_S, until

from mombus.config.loader import load
from mombus.hub.changing import changing
from mombus.hub.changing.here import Origin
from mombus.hub.hub import Hub, open_hub
from mombus.web import front

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

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


def write(folder: Path, name: str = "routes.yaml", **changed: Any) -> Path:
    path = folder / name
    path.write_text(json.dumps(CONFIG | changed))
    return path


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Hub]:
    """A hub that was started from the file in `folder`."""
    path = write(folder)
    loaded = load([path])
    assert loaded.config, loaded.findings
    async with open_hub(loaded.config, origin=Origin((path,), loaded.files, lambda: load([path]))) as hub:
        yield hub


async def read_again_after_a_change(hub: Hub) -> None:
    """As `mombus run --reload` does, whose file `mombus apply` has replaced."""
    await until(lambda: hub._applying.busy)
    await until(lambda: hub.reload("ann", "its files have changed"))


async def test_a_file_is_compared_and_taken_over_from_the_command_line(tmp_path: Path) -> None:
    promised = [{"object": "production_order", "to": "mes", "within": "15m"}]
    async with running(tmp_path) as hub:
        other = write(tmp_path, "other.yaml", routes=promised)
        code, out, error = await mombus(tmp_path, "plan", "other.yaml", "--out", "plan.json", "--folder", "hub")
        assert (code, error) == (2, "Saved: `mombus apply plan.json` does that, and nothing else.\n")
        assert "  ~ production_order → mes\n      within: (default) → 900 s\n" in out
        watching = asyncio.create_task(read_again_after_a_change(hub))
        done = await mombus(tmp_path, "apply", "plan.json", "--yes", "--why", "asked for", "--folder", "hub")
        await watching
        assert (done[0], done[2].splitlines()[-1]) == (0, "The hub runs it.")
        assert (tmp_path / "routes.yaml").read_text() == other.read_text(), "the next start finds it"
        code, out, _ = await mombus(tmp_path, "plan", "--folder", "hub")
        assert (code, out) == (0, "Nothing changes: the hub runs this configuration.\n")
        code, out, _ = await mombus(tmp_path, "apply", "--json", "--folder", "hub")
        assert (code, json.loads(out)["state"]) == (0, "nothing to change")


async def test_what_the_hub_does_not_take_leaves_its_file_as_it_was(tmp_path: Path) -> None:
    async with running(tmp_path):
        before = (tmp_path / "routes.yaml").read_text()
        systems = {**CONFIG["systems"], "wms": CONFIG["systems"]["mes"]}
        write(tmp_path, "other.yaml", systems=systems)
        code, _, error = await mombus(
            tmp_path, "apply", "other.yaml", "--yes", "--why", "new warehouse", "--folder", "hub"
        )
        assert code == 1
        assert "Not taken over, the configuration before works on: wms " in error
        assert (tmp_path / "routes.yaml").read_text() == before
        write(tmp_path, routes=[{"object": "production_order", "to": "mess"}])
        code, _, error = await mombus(tmp_path, "plan", "--folder", "hub")
        assert (code, "did you mean 'mes'?" in error) == (78, True)


async def test_over_http_it_is_the_hubs_own_file_that_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "PATIENCE_S", PATIENCE_S)
    monkeypatch.setattr(changing, "ANSWER_S", 5.0)
    promised = [{"object": "production_order", "to": "mes", "within": "15m"}]
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(running(tmp_path))
        http, browser = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=hub.url, trust_env=False)) for _ in range(2)
        ]
        write(tmp_path, routes=promised)
        told = (await http.get("/api/plan")).json()
        assert [change["what"] for change in told["plan"]["changes"]] == ["production_order → mes"]
        answer = await http.post("/api/plan/apply", json={"why": "x", "files": ["/etc/passwd"]})
        assert answer.status_code == 422, "it can't be told what to read"
        form = await csrf(browser, "/systems/mes")
        wish = {"why": "asked for", "base": told["plan"]["base"], "to": told["plan"]["to"], "salt": told["salt"]}
        async with browser.stream("GET", "/live") as live:
            lines = live.aiter_lines()
            await anext(lines)
            answer = await http.post("/api/plan/apply", json=wish)
            assert (answer.status_code, answer.json()["state"]) == (202, "changing"), answer.text
            seen = set()
            while (now := await http.get("/api/plan/apply")).json().get("state") == "changing":
                seen.add((await http.get("/api/status")).status_code)
            assert (now.json()["state"], seen) == ("applied", {200}), "who asks meanwhile waits a moment"
            sent = await browser.post("/systems/mes/probe", data={"csrf": form}, headers={"origin": hub.url})
            assert sent.status_code == 200, "a form that was open before is taken"
            async for _ in lines:
                pass  # what streams has been ended, to be asked for again
        assert (await http.get("/api/plan")).json()["plan"]["changes"] == []


async def test_a_broken_file_is_told_until_a_good_one_is_read(tmp_path: Path) -> None:
    async with running(tmp_path) as hub, httpx.AsyncClient(base_url=hub.url, trust_env=False) as http:

        async def told(words: str) -> bool:
            return words in (await http.get("/readyz?verbose")).text

        desk = hub.desk
        write(tmp_path, routes=[{"object": "production_order", "to": "mess"}])
        assert hub.reload("ann", "edited")
        await until(lambda: told("did you mean 'mes'?"))
        assert await told(
            f"[!] the changed configuration was not taken, the one before works on: {tmp_path}/routes.yaml:1:"
        )
        assert "mombus_config_reload_failed 1.0" in (await http.get("/metrics")).text
        assert any("was not taken" in line for line in (await http.get("/api/status")).json()["trouble"])
        assert hub.desk is desk
        write(tmp_path, routes=[{"object": "production_order", "to": "mes", "start": "now"}])
        assert hub.reload("ann", "mended")
        await until(lambda: hub.desk is not desk)
        await until(lambda: told("was not taken"), good=lambda found: not found)
        assert "mombus_config_reload_failed 0.0" in (await http.get("/metrics")).text
