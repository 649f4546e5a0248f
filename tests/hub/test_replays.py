"""History replayed by the command line through a running hub, and through one that is killed meanwhile."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import typer
from history_plant import FACT, board, loaded, mombus, post, start, write_config
from patience import PATIENCE_S, until
from sqlalchemy.exc import OperationalError

from mombus.cli import replay
from mombus.cli.asking import asked, the_hub
from mombus.desk.audit import Wanted as Deeds
from mombus.hub import note
from mombus.hub.hub import open_hub
from mombus.hub.replay import feeding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from history_plant import Board

    from mombus.hub.hub import Hub


@asynccontextmanager
async def hub(folder: Path, one: Board, *routes: dict[str, Any], **more: Any) -> AsyncIterator[Hub]:
    async with open_hub(loaded(write_config(folder, one, routes, **more))) as running:
        yield running


async def indexed(running: Hub, number: int) -> None:
    async def seen() -> bool:
        found = await running.desk.replays.survey({"object": ["release_decision"]})
        return found["count"] == number and found["behind"] == 0

    await until(seen)


def wish(**selection: Any) -> dict[str, Any]:
    return {"selection": selection, "to": ["board"], "who": "ada", "why": "test"}


async def test_a_board_that_came_later_gets_what_it_missed_and_nobody_gets_it_twice(tmp_path: Path) -> None:
    async with board() as one:
        async with hub(tmp_path, one) as running:
            await post(running.url, [f"UD-{n}" for n in range(6)], lots=2)
        async with hub(tmp_path, one, FACT) as running:
            await post(running.url, ["UD-live"])
            await until(lambda: one.ids == ["UD-live"])
            await indexed(running, 7)
            select = ("replay", "--object", "release_decision", "--to", "board")

            code, out, err = await mombus(*select, "--dry-run", "--json", cwd=tmp_path)
            previewed = [(row["key"], row["fate"]) for row in json.loads(out)]
            assert (code, previewed[-1]) == (0, ("UD-live", "already there"))
            assert "7 messages: object release_decision" in err
            assert "Without --dry-run, board: 6 sent, 1 already there. Nothing was sent now." in err
            assert one.ids == ["UD-live"]

            code, out, err = await mombus(*select, "--why", "the board is new", "--yes", cwd=tmp_path)
            assert (code, len(one.ids)) == (0, 7), err
            assert "7 of 7  6 sent, 1 already there" in out
            assert [id for id in one.ids if id[-1] in "024"] == ["UD-0", "UD-2", "UD-4"]
            assert [id for id in one.ids if id[-1] in "135"] == ["UD-1", "UD-3", "UD-5"]

            await running.desk.replays.answer("replay_begin", wish(object=["release_decision"]))
            assert (await ended(tmp_path))["fates"] == {"already there": 7}
            assert one.posts == 7
            assert "the board is new" in {deed["why"] for deed in await running.desk.audit.deeds(Deeds())}


async def test_a_second_effect_is_asked_for_twice(tmp_path: Path) -> None:
    async with board() as one, hub(tmp_path, one, FACT) as running:
        await post(running.url, ["UD-1", "UD-2"])
        await until(lambda: len(one.ids) == 2)
        await indexed(running, 2)
        again = ("replay", "--key", "UD-1", "--to", "board", "--again")

        code, _, err = await mombus(*again, cwd=tmp_path, answers="torn label\nn\n")
        assert (code, err.rpartition("?")[2].strip().endswith("Nothing was sent.")) == (1, True)
        assert "for a SECOND EFFECT each?" in err
        assert one.posts == 2

        code, _, err = await mombus(*again, cwd=tmp_path, answers="torn label\ny\n")
        assert code == 0, err
        assert one.ids == ["UD-1", "UD-2", "UD-1"]


async def test_what_selects_nothing_says_what_was_meant(tmp_path: Path) -> None:
    async with board() as one, hub(tmp_path, one, FACT) as running:
        await post(running.url, ["UD-4711"])
        await indexed(running, 1)

        async def reasons(**said: Any) -> list[str]:
            found = await running.desk.replays.survey(said)
            assert found["count"] == 0
            return found["reasons"]

        assert await reasons(key=["UD-4712"]) == ["nothing names the key 'UD-4712': did you mean 'UD-4711'?"]
        for option, name, meant in (
            ("--object", "release_decison", "data object 'release_decison'; did you mean 'release_decision'?"),
            ("--source", "legder", "system 'legder'; did you mean 'ledger'?"),
            ("--to", "borad", "target 'borad'; did you mean 'board'?"),
        ):
            asked = ["--key", "UD-4711"] if option == "--to" else ["--to", "board"]
            code, out, err = await mombus("replay", option, name, *asked, "--yes", "--why", "x", cwd=tmp_path)
            assert (code, out, err.splitlines()[-1]) == (64, "", f"there is no {meant}")
        code, _, err = await mombus("replay", "--kept", "--source", "bord", "--dry-run", cwd=tmp_path)
        assert (code, err) == (64, "there is no system 'bord'; did you mean 'board'?\n")
        code, _, err = await mombus("replay", "cancel", "nosuch", "--why", "x", cwd=tmp_path)
        assert code == 64
        assert "there is no running replay 'nosuch'; `mombus replay status` lists them" in err
        assert "isn't kept any more" in (await reasons(until="2020-01-01", time="stored"))[0]
        assert "in the future" in (await reasons(since="2999-01-01"))[0]
        assert await reasons(key=["UD-4711"], source=["board"]) == [
            "each of these fits something, but nothing fits all of them: leave one out"
        ]
        code, out, err = await mombus("replay", "--key", "UD-4712", "--to", "board", cwd=tmp_path)
        assert (code, out) == (1, "")
        assert "did you mean 'UD-4711'?" in err
        for question, words in (
            (wish(key=["UD-4711"]) | {"to": ["borad"]}, "there is no target 'borad'; did you mean 'board'?"),
            (wish(key=["UD-4711"], since="yesterday"), "'yesterday' is no time"),
            (wish(key=["UD-4711"], since="0001-01-01"), "'0001-01-01' is too far away"),
            (wish(key=["UD-4711"], until="9999-12-31T23:59:59-14:00"), "is too far away"),
            (wish(ref=["material=A"] * 3000), "ref: 3000 values: give 200 at once"),
            (wish(key=["UD-4711"]) | {"why": " "}, "say who decides and why"),
            (wish(key=["UD-4711"]) | {"to": []}, "say which targets it goes to"),
            (wish(ref=["UD-4711"]), "names nothing: write OBJECT=ID"),
            (wish(id=["abc"]), "is too little of an id"),
            (wish(), "say what is replayed"),
        ):
            with pytest.raises(ValueError, match=re.escape(words)):
                await running.desk.replays.answer("replay_begin", question)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--key", "UD-4711"), "say where it goes"),
        (("--key", "UD-4711", "--to", "board", "--again", "--restored"), "contradict"),
    ],
)
def test_wrong_usage_is_told(args: tuple[str, ...], words: str) -> None:
    with pytest.raises(typer.BadParameter, match=words):
        typer.main.get_command(replay.app).main(args, standalone_mode=False)


def test_who_asks_nobody_must_say_everything() -> None:
    with pytest.raises(typer.BadParameter, match="--why is needed"):
        replay._deed(None, None, yes=True, no_input=True)("?")
    with pytest.raises(typer.BadParameter, match="--yes is needed"):
        replay._deed(None, "because", yes=False, no_input=True)("?")


async def test_a_hub_that_is_killed_goes_on_with_its_replay(tmp_path: Path) -> None:
    """Nothing is lost, nothing has two effects, every lot's order is kept."""
    number, lots = 500, 5
    async with board() as one:
        async with hub(tmp_path, one) as running:
            await post(running.url, [f"UD-{n:03}" for n in range(number)], lots=lots)
            await indexed(running, number)
        write_config(tmp_path, one, [FACT])
        one.pause_s = 0.002
        begun = 0
        for goal in (60, number):
            process = await start("run", "routes.yaml", cwd=tmp_path)
            try:
                await up(tmp_path)
                if not begun:
                    await asked(the_hub(tmp_path / "hub"), "replay_begin", wish(source=["ledger"]))
                    begun = 1
                await until(lambda: len(one.ids) >= goal)  # noqa: B023 - awaited at once
                if goal == number:
                    assert (await ended(tmp_path))["fates"] == {"sent": number}
            finally:
                process.send_signal(signal.SIGKILL)
                await process.communicate()
        assert sorted(one.ids) == [f"UD-{n:03}" for n in range(number)]
        for lot in range(lots):
            mine = [entry["id"] for entry in one.entries.values() if entry["lot"] == f"L{lot}"]
            assert mine == sorted(mine)


async def up(folder: Path) -> None:
    def there() -> bool:
        try:
            return bool(note.find(folder / "hub").broker)
        except LookupError:
            return False

    await until(there)


async def ended(folder: Path) -> dict[str, Any]:
    """The replay once it has ended."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            row = (await asked(the_hub(folder / "hub"), "replay_list", {}))[0]
            if row["progress"] == "done":
                return dict(row)
            await asyncio.sleep(0.05)


async def test_a_journal_that_does_not_answer_for_a_while_ends_no_feeding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "AGAIN_S", 0.01)
    asked, answers = 0, asyncio.Event()

    class Away:
        async def read(self, _work: Any) -> list[Any]:
            nonlocal asked
            asked += 1
            if asked <= 2:
                raise OperationalError("SELECT", {}, Exception("connection refused"))
            answers.set()
            return []

    running = asyncio.create_task(feeding.Feeding(Away(), Away(), None, None).run())
    await asyncio.wait({running, asyncio.create_task(answers.wait())}, return_when=asyncio.FIRST_COMPLETED)
    assert answers.is_set()
    assert not running.done()
    running.cancel()
