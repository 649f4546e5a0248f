"""People sign in at pages that are a process of their own: the hub looks at passwords, the bus sees only hashes."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import nats
import pytest
from housed import PASSWORD, csrf, sign_in
from hub_plant import Asker, Quiet, config, wire
from own_broker import broker
from typer.testing import CliRunner

from mombus.cli import user
from mombus.config.model import Bus
from mombus.hub.desk import passwords
from mombus.hub.hub import open_hub
from mombus.hub.parts import Parts

if TYPE_CHECKING:
    from pathlib import Path

HUB = Parts(frozenset({"erp", "mes"}), delivery=True, web=False)
WEB = Parts(frozenset(), delivery=False, web=True)


async def mombus_user(folder: Path, *args: str, said: str = "") -> Any:
    """As on the command line; what it says with `--json`."""
    run = CliRunner().invoke
    command = [*args, "--folder", str(folder / ".mombus"), "--json"]
    result = await asyncio.to_thread(run, user.app, command, input=said)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def test_people_are_managed_by_command_and_sign_in_at_pages_elsewhere(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(passwords, "LOG_N", 4)
    wire(monkeypatch, {"erp": Quiet(), "mes": Asker()})
    overheard: list[bytes] = []

    async def hear(message: Any) -> None:
        overheard.append(message.data)

    async with broker(tmp_path / "nats") as url:
        ear = await nats.connect(url)
        await ear.subscribe(">", cb=hear)
        settings = config(tmp_path, "erp", "mes", owns={"production_order": "erp"}, bus=Bus(broker=url))
        async with open_hub(settings, parts=HUB), open_hub(settings, parts=WEB) as web:
            added = await mombus_user(tmp_path, "add", "ann", "--role", "engineer", said=f"{PASSWORD}\n")
            assert added == {"ok": True, "text": "ann may come in as engineer"}
            given = await mombus_user(tmp_path, "token", "ann", "--role", "viewer", "--days", "1", "--for", "reports")
            async with httpx.AsyncClient(base_url=web.url, trust_env=False, headers={"accept": "text/html"}) as http:
                assert (await http.get("/")).headers["location"] == "/sign-in?next=/"
                answer = await sign_in(http, next="/")
                assert (answer.status_code, answer.headers["location"]) == (303, "/")
                session = http.cookies["mombus"]
                assert "ann" in (await http.get("/")).text
                found = await mombus_user(tmp_path, "list")
                assert {(one["kind"], one["name"], one["origin"]) for one in found["passes"]} == {
                    ("session", "ann", "127.0.0.1"), ("token", "ann", "reports"),
                }  # fmt: skip
                deed = {"csrf": await csrf(http, "/people"), "name": "bbo", "why": "a typo"}
                wrong = await http.post("/people/disable", data=deed)
                assert (wrong.status_code, "no account" in wrong.text) == (422, True)
                token = {"authorization": f"Bearer {given['token']}"}
                assert (await http.get("/api/me", headers=token)).json() == {"name": "ann", "roles": ["viewer"]}
                refused = await http.post("/api/people/disable", json={"name": "ann", "why": "x"}, headers=token)
                assert refused.status_code == 403
                for old, status in ((f"{PASSWORD}?", 422), (PASSWORD, 303)):
                    form = {"csrf": await csrf(http, "/me"), "old": old, "new": "staple battery horse"}
                    assert (await http.post("/me/password", data=form)).status_code == status
                rows = (await http.get("/api/audit")).json()
                assert [(row["who"], row["action"], row["result"][:15]) for row in rows][:5] == [
                    ("ann", "user_own_password", "ann has another"), ("ann", "user_own_password", "not done: that "),
                    ("ann", "user_disable", "not done: it is"), ("ann", "user_disable", "not done: there"),
                    ("ann", "sign_in", "signed in from "),
                ]  # fmt: skip
        await ear.drain()
    said = b"\n".join(overheard)
    assert b"ann" in said
    kept = (given["token"], session, "scrypt:")
    assert [secret for secret in kept if secret.encode() in said] == []
    assert re.search(rb"[0-9a-f]{64}", said)
