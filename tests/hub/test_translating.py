"""Documents translated again after a mapping was mended: shown first, then corrected, and nothing said twice."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from history_plant import FACT, board, loaded, mombus, post, post_docs, write_config
from patience import PATIENCE_S, until
from small_documents import AT, decision

from mombus.desk.audit import Wanted as Deeds
from mombus.desk.kept import KeptItems
from mombus.hub.hub import open_hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from history_plant import Board

    from mombus.hub.hub import Hub

WITHOUT = '{"id": ref, "material_lot_id": lot, "disposition": "UnRestricted", "decided": decided}'
MENDED = '{"id": ref, "material_lot_id": lot, "disposition": "UnRestricted", "decided": decided, "description": note}'
"""The first forgot the note."""


@asynccontextmanager
async def hub(folder: Path, one: Board, says: str, **more: Any) -> AsyncIterator[Hub]:
    async with open_hub(loaded(write_config(folder, one, [FACT], says, **more))) as running:
        yield running


async def indexed(running: Hub, number: int) -> None:
    async def seen() -> bool:
        found = await running.desk.replays.survey({"source": ["ledger"]})
        return found["count"] == number and found["behind"] == 0

    await until(seen)


async def translated(running: Hub, **correction: Any) -> list[dict[str, Any]]:
    opened = await running.desk.replays.answer("replay_translate", correction)
    rows = []
    while part := await running.desk.replays.answer("replay_rows", opened):
        rows += part
    return rows


async def test_a_mended_mapping_revises_facts_and_what_was_right_stays(tmp_path: Path) -> None:
    noted = [decision("UD-1", note="torn label"), decision("UD-2")]
    async with board() as one:
        async with hub(tmp_path, one, WITHOUT) as running:
            await post_docs(running.url, noted)
            await until(lambda: one.ids == ["UD-1", "UD-2"])
        async with hub(tmp_path, one, MENDED) as running:
            await indexed(running, 2)
            select = ("replay", "--object", "release_decision", "--from-raw")
            code, out, err = await mombus(*select, "--dry-run", cwd=tmp_path)
            assert code == 2, err
            assert out == 'release_decision UD-1 from ledger: changed\n    description: (nothing) → "torn label"\n'
            assert "1 changed, 1 same." in err
            assert len(one.ids) == 2

            code, _, err = await mombus(*select, "--why", "the note was forgotten", "--yes", cwd=tmp_path)
            assert code == 0, err
            assert "1 corrections were published, 0 weren't taken." in err
            await until(lambda: len(one.ids) == 3)
            assert [(entry["id"], entry.get("note")) for entry in one.entries.values()] == [
                ("UD-1", None), ("UD-2", None), ("UD-1", "torn label")
            ]  # fmt: skip
            await indexed(running, 3)

            question = {
                "selection": {"object": ["release_decision"]},
                "publish": True,
                "who": "ada",
                "why": "once more",
            }
            assert {row["difference"] for row in await translated(running, **question)} == {"same"}
            assert len(one.ids) == 3
            assert "the note was forgotten" in {deed["why"] for deed in await running.desk.audit.deeds(Deeds())}


async def test_a_state_gets_a_next_revision_unless_it_was_said_anew_since(tmp_path: Path) -> None:
    async with board() as one:
        async with hub(tmp_path, one, WITHOUT, text="txet") as running:
            await post_docs(running.url, [{"made": "FG-1", "text": "Water", "decided": AT}])
            await post_docs(running.url, [{"made": "FG-2", "text": "Nectar", "decided": AT}])
            await post_docs(running.url, [{"made": "FG-2", "text": "Juice", "txet": "Jus", "decided": AT}])
            await indexed(running, 3)
        async with hub(tmp_path, one, WITHOUT) as running:
            translate = {"selection": {"object": ["material"]}, "publish": True, "who": "ada", "why": "a typo"}

            async def rows() -> list[tuple[str, str, list[str]]]:
                rows = await translated(running, **translate)
                return [(row["key"], row["difference"], row["details"]) for row in rows]

            assert await rows() == [
                ("FG-1", "changed", ['description: (nothing) → "Water"']), ("FG-2", "said since", []),
                ("FG-2", "changed", ['description: "Jus" → "Juice"']),
            ]  # fmt: skip
            await indexed(running, 5)
            assert [what for _, what, _ in await rows()] == ["same", "said since", "same"]
            latest = await running.desk._bus.latest("material", "FG-1", site="lyon")
            assert latest is not None
            assert (latest.revision, latest.body.description) == (2, "Water")


async def differences(running: Hub) -> list[str]:
    return [row["difference"] for row in await translated(running, kept=True)]


async def test_a_kept_fault_that_can_be_read_now_is_taken_in_and_closed(tmp_path: Path) -> None:
    wrong = '{"id": ref, "material_lot_id": lot, "disposition": "UnRestricted", "decided": when}'
    async with board() as one:
        async with hub(tmp_path, one, wrong) as running:
            await post_docs(running.url, [decision("UD-1"), {"ref": "UD-2", "decided": AT}], 422)
            assert len((await running.desk.kept.page(KeptItems()))["rows"]) == 2
        async with hub(tmp_path, one, WITHOUT) as running:
            code, out, err = await mombus("replay", "--kept", "--why", "mended", "--yes", cwd=tmp_path)
            assert code == 0, err
            assert "release_decision UD-1 from ledger: new" in out
            assert out.count("read now") == 1
            assert "still a fault" in out
            await until(lambda: one.ids == ["UD-1"])
            (left,) = (await running.desk.kept.page(KeptItems()))["rows"]
            assert '"UD-2"' in left["content"]

            async with asyncio.timeout(PATIENCE_S):
                while await differences(running) != ["same", "still a fault"]:  # noqa: ASYNC110 - the index follows
                    await asyncio.sleep(0.1)


async def test_what_a_document_doesn_t_say_any_more_is_told(tmp_path: Path) -> None:
    async with board() as one:
        async with hub(tmp_path, one, WITHOUT) as running:
            await post(running.url, ["UD-1"])
            await indexed(running, 1)
        async with hub(tmp_path, one, WITHOUT.replace("ref", '"X-" & ref')) as running:
            rows = await translated(running, selection={"key": ["UD-1"]})
            assert [(row["key"], row["difference"]) for row in rows] == [
                ("X-UD-1", "new"), ("UD-1", "not said any more")
            ]  # fmt: skip
