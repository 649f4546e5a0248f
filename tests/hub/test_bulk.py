"""Many lanes in trouble at once: seen as one, the others keep going, and one decision deals with all of them."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
import pytest_asyncio
from hub_plant import Asker, config, order, wire
from patience import until
from proof import Part
from pydantic import ValidationError

from connectors.connector import Accept, Effect, Item, Offer, PermanentError, Receipt
from mombus.bus.commands import UnknownNameError
from mombus.config.model import Route
from mombus.desk.audit import Wanted as Deeds
from mombus.desk.bulk import BULK_BEGIN, Begin, Cancel, Choice
from mombus.desk.kept import KeptItems
from mombus.desk.question import Nothing, QuestionError
from mombus.hub.desk import bulk as module
from mombus.hub.desk.bulk import BulkActions
from mombus.hub.desk.choice import BulkError
from mombus.hub.hub import open_hub
from mombus.journal import audit, selection
from mombus.journal import bulk as rows
from mombus.journal.selection import Selection
from mombus.journal.waiting import Wait

LANES, DEEP = 1000, 3
TOLD = {"who": "ann", "why": "the period is open again"}
ROOT = Path(__file__).parents[2]


def behind(key: str, place: int) -> Any:
    """Another order in the lane of the order `key`."""
    return replace(order(f"{key}-{place}", revision=1), lanes=(f"order:{key}",))


class Closed(Asker):
    """Refuses orders named BAD- as long as its period is closed; keeps what it took, in order."""

    accepts: ClassVar[dict[Offer, Accept]] = {Offer("production_order"): Accept(Effect.IDEMPOTENT, batch=50)}

    def __init__(self) -> None:
        super().__init__()
        self.closed = True
        self.tries = 0

    async def write(self, messages: Any) -> list[Any]:
        self.tries += len(messages)
        return [self._one(message) for message in messages]

    def _one(self, message: Any) -> Any:
        if self.closed and message.key.startswith("BAD-"):
            return PermanentError("the period is closed")
        self.got.append(message)
        return Receipt()


class Plant:
    """A hub with an ERP that says orders and a target that may be closed."""

    def __init__(self, hub: Any, erp: Asker, target: Closed, folder: Path) -> None:
        self.folder = folder
        self.hub, self.desk, self.erp, self.target = hub, hub.desk, erp, target
        self.bulk: BulkActions = hub.desk.bulk

    async def say(self, *keys: str) -> None:
        await self.say_all(*(order(key, revision=1) for key in keys))

    async def say_all(self, *said: Any) -> None:
        told = asyncio.get_running_loop().create_future()

        async def settle(outcomes: Any) -> None:
            told.set_result(outcomes)

        await self.erp.to_say.put(Item(messages=said, settle=settle))
        await told

    async def waiting(self, count: int) -> dict[str, Any]:
        """The status once so many wait."""
        found: dict[str, Any] = {}

        async def look() -> bool:
            found.update(await self.desk.status())
            return found["waiting_total"] == count

        await until(look)
        return found

    async def clear(self) -> None:
        """Nothing waits any more, and the period is closed."""
        began = await self.bulk.begin(Begin(command="skip", target="mes", **TOLD))
        await self.ended(began["id"])
        await self.waiting(0)
        self.target.closed = True
        self.target.got.clear()

    async def ended(self, id: str) -> Any:
        async def look() -> bool:
            return (await self.bulk.progress(id))["state"] != "running"

        await until(look)
        return await self.bulk.results(id)


@asynccontextmanager
async def plant(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Plant]:
    erp, target = Asker(), Closed()
    erp.accepts = {}
    wire(monkeypatch, {"erp": erp, "mes": target})
    routes = (Route(object="production_order", to=("mes",)),)
    made = config(folder, "erp", "mes", owns={"production_order": "erp"}, routes=routes)
    async with open_hub(made) as hub:
        yield Plant(hub, erp, target, folder / ".mombus")


async def test_a_thousand_poisoned_lanes_are_one_line_and_one_decision_replays_them_in_order(
    monkeypatch, tmp_path, proof
):
    bad = [f"BAD-{n}" for n in range(LANES)]
    async with plant(monkeypatch, tmp_path) as running:
        await running.say(*bad)
        status = await running.waiting(LANES)
        assert status["trouble"] == [f"{LANES} production orders to mes are parked: the period is closed"]
        assert [flow["waiting"] for flow in status["flows"]] == [LANES]
        assert len(json.dumps(status)) < 20_000
        await running.say(*(f"GOOD-{n}" for n in range(300)))
        await until(lambda: len(running.target.got) == 300)
        passed = len(running.target.got)
        tries = running.target.tries
        for place in range(2, DEEP + 1):
            await running.say_all(*(behind(key, place) for key in bad))
            await running.say(f"GOOD-{place}-x")
        await until(lambda: len(running.target.got) == 300 + DEEP - 1)
        assert running.target.tries == tries + DEEP - 1, "what is behind a poisoned order isn't tried"
        await running.waiting(LANES * DEEP)

        choice = {"command": "retry", "target": "mes", "kind": "parked"}
        seen = await running.bulk.preview(Choice(**choice))
        assert (seen["count"], seen["groups"][0]["reason"]) == (LANES, "the period is closed")
        running.target.closed = False
        began = await running.bulk.begin(Begin(**choice, **TOLD))
        assert began["total"] == LANES
        done = await running.ended(began["id"])
        assert (done["state"], done["done"], done["refused"]) == ("done", LANES, 0)
        await running.waiting(0)
        had = defaultdict(list)
        for message in running.target.got[300 + DEEP - 1 :]:
            had[message.lane].append(message.key)
        assert had == {f"order:{key}": [key, *(f"{key}-{n}" for n in range(2, DEEP + 1))] for key in bad}
        trail = [(deed["action"], deed["result"]) for deed in await running.desk.audit.deeds(Deeds())]
    assert trail == [
        ("retry --all", f"bulk {began['id']} done: {LANES} of {LANES} changed, 0 not"),
        ("retry --all", f"bulk {began['id']} begun: {LANES} chosen: target mes, kind parked"),
    ]
    proof(
        Part.LANES,
        fault=f"{LANES} lanes poisoned at once, {DEEP - 1} orders behind each; one decision releases them all",
        load=f"{LANES * DEEP} orders in poisoned lanes, {300 + DEEP - 1} in others",
        expected="one line in the status, the others pass, what is behind isn't tried; released: each once, in order",
        seen=f"{passed} of 300 passed at once; {done['done']} released, {sum(map(len, had.values()))} delivered, "
        f"{sum(keys != sorted(keys) for keys in had.values())} of {len(had)} lanes out of order",
    )


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        async with plant(patch, tmp_path_factory.mktemp("bulk")) as shared:
            yield shared


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_chosen_is_what_was_meant(running):
    await running.say("BAD-1", "BAD-2", "BAD-3")
    await running.waiting(3)
    count = {}
    for name, choice in {
        "all": {}, "reason": {"reason": "PERIOD is"}, "no reason": {"reason": "the 100%"},
        "object": {"object": "job_order"}, "lane": {"lane": "order:BAD-2"}, "older": {"older": "1h"},
        "kind": {"kind": "held"},
    }.items():  # fmt: skip
        count[name] = (await running.bulk.preview(Choice(command="retry", target="mes", **choice)))["count"]
    assert count == {"all": 3, "reason": 3, "no reason": 0, "object": 0, "lane": 1, "older": 0, "kind": 0}
    began = await running.bulk.begin(Begin(command="hold", target="mes", lane="BAD-2", **TOLD))
    await running.ended(began["id"])
    assert (await running.bulk.preview(Choice(command="retry", target="mes")))["count"] == 2, "not what is held"
    for choice, words in (
        ({"command": "retry"}, "--target"), ({"command": "take"}, "--system"),
        ({"command": "take", "target": "mes", "lane": "x"}, "what is kept"),
    ):  # fmt: skip
        with pytest.raises(BulkError, match=words):
            await running.bulk.preview(Choice(**choice))
    with pytest.raises(QuestionError, match="no span"):
        await running.bulk.preview(Choice(command="retry", target="mes", older="soon"))
    for choice, words in (
        ({"target": "mse"}, "there is no system 'mse'; did you mean 'mes'?"),
        ({"target": "mes", "kind": "prked"}, "there is no kind 'prked'; did you mean 'parked'?"),
        ({"target": "mes", "object": "production_ordr"}, "did you mean 'production_order'?"),
    ):
        with pytest.raises(UnknownNameError, match=re.escape(words)):
            await running.bulk.preview(Choice(command="retry", **choice))
    with pytest.raises(ValidationError, match="why"):
        Begin(command="skip", target="mes", who="ann", why=" ")
    with pytest.raises(QuestionError, match="who decides and why"):
        await running.desk.ask(BULK_BEGIN, Begin(command="skip", target="mes", why="no name"))
    with pytest.raises(UnknownNameError, match="no bulk action 'none'; `mombus bulk` lists them"):
        await running.bulk.progress("none")
    await running.clear()


@pytest.mark.asyncio(loop_scope="module")
async def test_skipping_all_sends_nothing_that_was_behind(running):
    keys = [f"BAD-S{n}" for n in range(30)]
    await running.say(*keys)
    await running.waiting(30)
    await running.say_all(*(behind(key, 2) for key in keys))
    await running.waiting(60)
    began = await running.bulk.begin(Begin(command="skip", target="mes", **TOLD))
    done = await running.ended(began["id"])
    assert (done["done"], done["total"]) == (60, 60)
    await running.waiting(0)
    assert running.target.got == []


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_kept_is_taken_and_dismissed_at_once(running):
    for n in range(5):
        await running.erp.say(order(f"PO-{n}", source="mes"))
    assert len((await running.desk.kept.page(KeptItems()))["rows"]) == 5
    taken = await running.ended((await running.bulk.begin(Begin(command="take", target="erp", **TOLD)))["id"])
    assert (taken["done"], taken["refused"]) == (0, 5)
    assert {"can't speak for" in one["result"] for one in taken["results"]} == {True}
    gone = await running.ended((await running.bulk.begin(Begin(command="dismiss", target="erp", **TOLD)))["id"])
    assert (gone["done"], gone["refused"]) == (5, 0)
    assert (await running.desk.kept.page(KeptItems()))["rows"] == []


@pytest.mark.asyncio(loop_scope="module")
async def test_a_cancelled_action_stops_and_says_how_far_it_came(running, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 2)
    await running.say(*(f"BAD-C{n}" for n in range(200)))
    await running.waiting(200)
    began = await running.bulk.begin(Begin(command="hold", target="mes", **TOLD))

    async def moving() -> bool:
        return (await running.bulk.progress(began["id"]))["done"] > 0

    await until(moving)
    stopped = await running.bulk.cancel(Cancel(id=began["id"], who="ann", why="the wrong ones"))
    assert stopped["state"] == "cancelled"
    assert 0 < stopped["done"] < 200
    again = await running.bulk.cancel(Cancel(id=began["id"], who="ann", why="twice"))
    assert again["ended"] == stopped["ended"]
    assert (await running.desk.audit.deeds(Deeds()))[0]["result"].startswith(f"bulk {began['id']} cancelled: ")
    await running.clear()


KILLED = f"""
import asyncio, sys
sys.path[:0] = {[str(folder) for folder in Path(__file__).parents[:2]]!r}
from pathlib import Path
import pytest
import test_bulk
from mombus.desk.bulk import Begin
from mombus.desk.question import Nothing
from mombus.hub.desk import bulk

bulk.AT_ONCE = 5

async def main():
    with pytest.MonkeyPatch.context() as patch:
        async with test_bulk.plant(patch, Path(sys.argv[1])) as running:
            await running.say(*(f"BAD-{{n}}" for n in range(300)))
            await running.waiting(300)
            await running.bulk.begin(Begin(command="hold", target="mes", who="ann", why="a test"))
            while True:
                progress = (await running.bulk.list(Nothing()))[0]
                print(progress["done"], flush=True)
                await asyncio.sleep(0.005)

asyncio.run(main())
"""


async def test_a_killed_hub_goes_on_where_it_was_and_does_nothing_twice(monkeypatch, tmp_path):
    hub = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT)  # noqa: ASYNC220
    assert hub.stdout is not None
    reached = 0
    while reached < 40:
        reached = int(await asyncio.to_thread(hub.stdout.readline))
    hub.send_signal(signal.SIGKILL)
    await asyncio.to_thread(hub.wait)
    hub.stdout.close()
    async with plant(monkeypatch, tmp_path) as running:
        (action,) = await running.bulk.list(Nothing())
        done = await running.ended(action["id"])
        assert (reached < 300, done["state"], done["done"], done["refused"]) == (True, "done", 300, 0)
        journal = running.bulk._journal
        held = await journal.read(lambda c: selection.ids(c, Selection(target="mes", kinds=(Wait.HELD,))))
        assert len(held) == 300
        assert len(await journal.read(audit.deeds)) == 2
        later = datetime.now(UTC) + timedelta(days=1)
        assert await journal.write(lambda c: rows.prune(c, later)) == 1
        assert await running.bulk.list(Nothing()) == []


@pytest.mark.asyncio(loop_scope="module")
async def test_the_command_line_shows_asks_and_follows(running):
    def mombus(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mombus", *arguments, "--folder", str(running.folder)]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False, stdin=subprocess.DEVNULL
        )

    await running.say(*(f"BAD-L{n}" for n in range(20)))
    await running.waiting(20)
    chosen = ("retry", "--all", "--target", "mes", "--kind", "parked")
    dry = await asyncio.to_thread(mombus, *chosen, "--dry-run")
    assert (dry.returncode, "20" in dry.stdout, "the period is closed" in dry.stdout) == (0, True, True), dry.stderr
    unsure = await asyncio.to_thread(mombus, *chosen)
    assert (unsure.returncode, "--yes" in unsure.stderr) == (64, True)
    running.target.closed = False
    done = await asyncio.to_thread(mombus, *chosen, "--yes", "--why", "open again", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, lines[0]["count"], lines[-1]["done"], lines[-1]["state"]) == (0, 20, 20, "done")
    await running.waiting(0)
    shown = await asyncio.to_thread(mombus, "bulk", lines[-1]["id"])
    assert shown.stdout.count("tried now") == 20, shown.stderr
    listed = await asyncio.to_thread(mombus, "bulk")
    assert "20 of 20" in listed.stdout
    single = await asyncio.to_thread(mombus, "retry", "mes", "nope", "--why", "a test")
    assert (single.returncode, "doesn't wait" in single.stdout) == (1, True), single.stderr
