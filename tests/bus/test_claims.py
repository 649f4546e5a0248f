"""Bodies over the broker's limit are kept apart, before the message that refers to them, and outlive it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from patience import until
from sayings import consumption, order
from sqlalchemy import select
from test_intake import an_intake, say

from canonical.claim import Claim
from canonical.message import Action
from canonical.wire import from_headers, to_headers
from mombus.bus import claims
from mombus.bus.errors import BodyGone
from mombus.bus.publishing import Letter
from mombus.bus.streams import CLAIMS, MOM
from mombus.index.feeder import Feeder
from mombus.index.tables import index_metadata, refs
from mombus.journal import disagreements
from mombus.journal.journal import Journal

HERE = Path(__file__).parent
SOON = timedelta(hours=1)


def large(key: str = "PO-4711", text: str = "x", **more):
    return order(key, text * 2_500_000, **more)


async def kept(bus) -> set[str]:
    info = await bus.js.stream_info(CLAIMS, subjects_filter="claim.>")
    return {subject.rpartition(".")[0] for subject in info.state.subjects or {}}


@pytest.fixture
async def journal(tmp_path):
    opened = await Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    yield opened
    await opened.close()


async def test_a_large_body_travels_apart_and_comes_back_as_it_was(bus):
    said = large(revision=1)
    stored = await bus.publish(said)
    light = await bus.at(MOM, stored.seq)
    assert (light.content, light.claim.size) == (b"", len(said.content))
    assert await bus.whole(light) == said
    with pytest.raises(ValueError, match="travels without its body"):
        _ = light.body
    assert (await bus.js.stream_info(CLAIMS)).state.messages == 3
    small = await bus.at(MOM, (await bus.publish(order("PO-1", revision=1))).seq)
    assert await bus.whole(small) is small
    assert (await bus.publish(said)).duplicate


def test_a_claim_is_read_as_it_was_written_and_nothing_else_is():
    said = replace(order(revision=1), content=b"", claim=Claim.of("mom.lyon.x", b"body"), _body=None)
    assert from_headers(to_headers(said), b"") == said
    for text in ("claim.x.y.1", "claim", f"{said.claim}.1", "http://elsewhere/body", f"{said.claim}\n"):
        with pytest.raises(ValueError, match="no reference"):
            Claim.parse(text)


async def test_compare_and_set_and_batches_work_as_with_small_bodies(bus):
    letters = [Letter.of(large(f"PO-{n}", revision=1), expect=0) for n in range(2)]
    letters.insert(1, Letter.of(order("PO-9", revision=1), expect=0))
    first = await bus.publish_letters(letters)
    assert [stored.seq for stored in first] == [1, 2, 3]
    assert [(s.seq, s.duplicate) for s in await bus.publish_letters(letters)] == [(1, True), (2, True), (3, True)]
    alone = Letter.of(large("PO-0", "y", revision=2), expect=1)
    assert (await bus.publish_letters([alone]))[0].seq == 4
    assert (await bus.publish_letters([alone]))[0] == replace(first[0], seq=4, duplicate=True)


async def test_echoes_revisions_and_disagreements_are_told_without_fetching_but_shown_whole(bus, journal):
    intake = await an_intake(bus, journal)
    for text in ("x", "x", "y"):
        (outcome,) = await say(intake, "erp", large(text=text))
        assert outcome.accepted
    again = await an_intake(bus, journal)
    await say(again, "erp", large(text="y"))
    assert again.counts["erp", "production_order", "echo"] == 1
    assert (await bus.js.stream_info(MOM)).state.last_seq == 2
    await until(
        lambda: bus.latest("production_order", "PO-4711", site="lyon"), good=lambda found: found and found.revision == 2
    )
    (agrees,) = await say(again, "mes", large(text="y", source="mes"))
    assert agrees.accepted
    (otherwise,) = await say(again, "mes", large(text="z", source="mes"))
    assert not otherwise.accepted
    (row,) = await journal.read(disagreements.rows)
    assert (row.fields, len(row.owner_says)) == (("description",), len(large().content))


async def test_a_body_that_is_gone_or_another_is_told(bus):
    stored = await bus.publish(large(revision=1))
    light = await bus.at(MOM, stored.seq)
    claim = light.claim
    await bus.js.publish(f"{claim}.2", b"z" * 900_000, headers={"ce-part": "2/3", "ce-for": light.subject})
    with pytest.raises(BodyGone, match="not what was stored"):
        await bus.whole(light)
    await bus.js.purge_stream(CLAIMS, subject=f"{claim}.2")
    with pytest.raises(BodyGone, match="part 2 is missing"):
        await bus.whole(light)
    theirs = replace(order("PO-1", revision=1), content=b"", claim=claim, _body=None)
    with pytest.raises(BodyGone, match="another message's"):
        await bus.whole(theirs)


async def test_the_index_knows_what_a_large_message_names(bus, tmp_path):
    index = await Journal.open(f"sqlite:///{tmp_path / 'index.db'}", schema=index_metadata)
    actuals = replace(consumption("5"), content=b"", _body=None)
    body = consumption("5").body
    actual = body.material_actual[0].model_copy(update={"description": "x" * 1_200_000})
    await bus.publish(actuals.with_body(body.model_copy(update={"material_actual": (actual,)})))
    feeder = asyncio.create_task(Feeder(bus.js, index, lambda _message, _at: None).run())

    async def named():
        rows = await index.read(lambda c: c.execute(select(refs.c.object, refs.c.value)).all())
        return ("material", "CAP-28") in rows and ("production_order", "PO-4711") in rows

    await until(named)
    feeder.cancel()
    await index.close()


async def test_a_sweep_drops_only_what_nothing_refers_to(bus):
    old = [large("PO-1", revision=1), large("PO-1", "y", revision=2), large("PO-2", revision=1)]
    fact = consumption("5")
    fact = replace(fact, content=fact.content + b" " * 1_200_000)
    for message in (*old, fact):
        await bus.publish(message)
    names = [str(Claim.of(m.subject, m.content)) for m in (*old, fact)]
    await until(lambda: bus.latest("production_order", "PO-2", site="lyon"))
    now = datetime.now(UTC)
    assert await claims.sweep(bus.js, before=now - SOON, waiting=set()) == 0
    assert await claims.sweep(bus.js, before=now + SOON, waiting={names[3]}) == 1
    assert await kept(bus) == {names[1], names[2], names[3]}, "the superseded revision alone"
    assert await claims.sweep(bus.js, before=now + SOON, waiting=set()) == 1
    await bus.publish(replace(old[2], action=Action.DELETE, content=b"", revision=2, id="gone", _body=None))
    latest = partial(bus.latest, "production_order", "PO-2", site="lyon")
    await until(latest, good=lambda found: found.revision == 2)
    assert await claims.sweep(bus.js, before=now + SOON, waiting=set()) == 1
    assert await kept(bus) == {names[1]}
    assert (await bus.whole(await bus.latest("production_order", "PO-1", site="lyon"))).content == old[1].content


KILLED = f"""
import asyncio, os, signal, sys
sys.path[:0] = {[str(HERE), str(HERE.parent)]!r}
from test_claims import large
from mombus.bus import publishing
from mombus.bus.connection import connect
from mombus.bus.streams import Limits

stored = publishing.Publisher.publish

async def publish(self, letter, *, deadline_s=None):
    if letter.subject.startswith("mom.") or letter.subject.endswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return await stored(self, letter, deadline_s=deadline_s)

async def main():
    async with connect(sys.argv[1], limits=Limits()) as bus:
        letter = await bus._publisher._carried(publishing.Letter.of(large(revision=1)), None)
        await publish(bus._publisher, letter)

publishing.Publisher.publish = publish
asyncio.run(main())
"""


@pytest.mark.parametrize("where", [".2", "nowhere: before the message"])
async def test_a_kill_between_body_and_message_leaves_what_saying_it_again_completes(broker, bus, where):
    hub = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED, broker.url, where], cwd=HERE.parents[1], check=False
    )
    assert hub.returncode == -signal.SIGKILL
    assert (await bus.js.stream_info(MOM)).state.messages == 0
    assert (await bus.js.stream_info(CLAIMS)).state.messages == (1 if where == ".2" else 3)
    stored = await bus.publish(large(revision=1))
    assert await bus.whole(await bus.at(MOM, stored.seq)) == large(revision=1)
    assert (await bus.js.stream_info(CLAIMS)).state.messages == 3
