"""The audit trail of a running hub: what was done, and what was refused, as commands ask for it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import nats
import pytest
from hub_plant import Asker, Quiet, config, wire
from patience import PATIENCE_S

from mombus.bus.commands import command_subject
from mombus.hub import note
from mombus.hub.hub import open_hub
from mombus.journal import audit


def deed(number: int) -> audit.Deed:
    return audit.Deed(
        at=datetime.now(UTC), who="eve", action="skip", target="erp", message_id=f"m-{number}", why="", result="skipped"
    )  # fmt: skip


async def test_a_command_that_was_refused_is_in_the_trail_like_one_that_was_done(
    tmp_path, monkeypatch: pytest.MonkeyPatch
):
    wire(monkeypatch, {"erp": Quiet(), "mes": Asker()})
    async with open_hub(config(tmp_path, "erp", "mes", owns={"production_order": "erp"})) as hub:
        client = await nats.connect(note.find(tmp_path / ".mombus").broker)

        async def asked(name: str, **question: object) -> dict:
            asking = json.dumps(question).encode()
            reply = await client.request(command_subject("lyon", name), asking, timeout=PATIENCE_S)
            return json.loads(reply.data)

        assert (await asked("resume", system="erp", who="ada", why="new password"))["result"]["ok"]
        assert "say who decides" in (await asked("resume", system="erp", who="ada", why=" "))["error"]
        await asked("do", command="skip", target="epr", id="m-1", who="bob", why="a typo")
        assert not (await asked("do", command="skip", target="erp", id="m-1", who="bob", why="gone"))["result"]["ok"]
        rows = (await asked("audit"))["result"]
        assert [(row["who"], row["action"], row["target"], row["message_id"]) for row in rows] == [
            ("bob", "skip", "erp", "m-1"), ("bob", "skip", "epr", "m-1"), ("ada", "resume", "erp", None),
            ("ada", "resume", "erp", None),
        ]  # fmt: skip
        assert [row["result"].partition(":")[0] for row in rows] == ["not done", "not done", "not done", "tried"]
        assert [row["number"] for row in (await asked("audit", who="bob", target="epr"))["result"]] == [3]
        verdict = (await asked("audit_verify", head=rows[2]["hash"]))["result"]
        assert (verdict["intact"], verdict["rows"], verdict["head"]) == (True, 4, rows[0]["hash"])
        assert not (await asked("audit_verify", head="f" * 64))["result"]["intact"]
        long = [replace(deed(n), why="\U0001f512" * 2000) for n in range(200)]
        await hub.desk._journal.write(lambda connection: [audit.note(connection, one) for one in long])
        numbers, before = [], 2**31 - 1
        while page := (await asked("audit", before=before, who="eve"))["result"]:
            numbers += [row["number"] for row in page]
            before = page[-1]["number"]
        assert numbers == list(range(204, 4, -1)), "pages that the broker carries, and nothing left out"
        await client.close()
