from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from patience import until

from canonical.isa95.operations import (
    MaterialRequirement,
    OperationsRequest,
    SegmentRequirement,
)
from canonical.isa95.resources import StockLevel
from canonical.message import Action, Message, Verb
from canonical.quantity import Quantity
from mombus.journal.aliases import Numbered
from mombus.journal.journal import Journal
from mombus.ownership.aliases import Aliases, Missing

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
DECLARED = {"wms": {"material": {"30001": "BOTTLE-05", "30005": "FG-1000"}}}


@pytest.fixture
async def journal(tmp_path):
    opened = await Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    yield opened
    await opened.close()


def stock(material: str) -> Message:
    body = StockLevel(
        material_definition_id=material, storage_location="WH1", quantity=Quantity(value="5", unit_of_measure="H87"),
        as_of=NOW,
    )  # fmt: skip
    return Message.of("stock_level", body, source="wms", site="lyon", occurred=NOW, recorded=NOW)


def order(material: str, key: str = "PO-1", *, object: str = "production_order") -> Message:
    need = MaterialRequirement(id="1", material_definition_id=material)
    body = OperationsRequest(id=key, segment_requirement=(SegmentRequirement(id="10", material_requirement=(need,)),))
    return Message.of(object, body, source="wms", site="lyon", occurred=NOW, recorded=NOW)


async def test_inbound_body_key_and_lanes_become_canonical(journal):
    there = await Aliases(DECLARED, journal).inbound("wms", stock("30005"))
    assert there.body.material_definition_id == "FG-1000"
    assert (there.key, there.lanes) == ("FG-1000/WH1/%2D/unrestricted".replace("%2D", "-"), ("material:FG-1000",))


async def test_outbound_is_the_way_back_and_keeps_key_and_lanes(journal):
    aliases = Aliases(DECLARED, journal)
    canonical = await aliases.inbound("wms", stock("30005"))
    back = aliases.outbound("wms", canonical)
    assert back.body == stock("30005").body
    assert (back.key, back.id) == (canonical.key, canonical.id)


async def test_nothing_passes_untranslated(journal):
    aliases = Aliases(DECLARED, journal)
    assert await aliases.inbound("wms", stock("99")) == Missing("wms", "material", "99")
    assert aliases.outbound("wms", order("CAP-28")) == Missing("wms", "material", "CAP-28")
    assert "`aliases:`" in str(Missing("wms", "material", "99"))


async def test_systems_without_a_table_use_canonical_ids(journal):
    aliases = Aliases(DECLARED, journal)
    assert await aliases.inbound("mes", stock("99")) == stock("99")
    assert aliases.outbound("mes", stock("99")) == stock("99")


async def test_a_tombstone_is_renamed_by_its_key(journal):
    gone = Message.of(
        "material", None, source="wms", site="lyon", key="30001", lanes=("material:30001",), occurred=NOW,
        recorded=NOW, action=Action.DELETE,
    )  # fmt: skip
    there = await Aliases(DECLARED, journal).inbound("wms", gone)
    assert (there.key, there.lanes) == ("BOTTLE-05", ("material:BOTTLE-05",))


async def test_learned_numbers_are_understood_after_a_restart_and_never_demanded(journal):
    aliases = Aliases({}, journal)
    assert await aliases.learn([Numbered("cmms", "maintenance_request", "MR-1", "WO-9", NOW)]) == 1
    for reopened in (aliases, Aliases({}, journal)):
        there = await reopened.inbound("cmms", order("X", "WO-9", object="maintenance_request"))
        assert (there.key, there.body.id) == ("MR-1", "MR-1")
        other = order("X", "WO-77", object="maintenance_request")
        assert await reopened.inbound("cmms", other) == other
        assert await reopened.documents("cmms", "maintenance_request", "MR-1") == ["WO-9"]


class SlowReads:
    """The journal, whose reads tell what was so when they were asked for, once `go` is set."""

    def __init__(self, journal):
        self.write = journal.write
        self._journal = journal
        self.go = asyncio.Event()
        self.waiting = 0

    async def read(self, work):
        found = await self._journal.read(work)
        self.waiting += 1
        await self.go.wait()
        return found


def said_by_number() -> Message:
    return replace(order("FG-1000", "WO-9", object="maintenance_request"), source="cmms")


async def test_a_number_that_is_looked_up_while_it_is_learned_is_understood(journal):
    slow = SlowReads(journal)
    aliases = Aliases({}, slow)
    slow.go.set()
    await aliases.learn([Numbered("cmms", "maintenance_request", "MR-0", "WO-1", NOW)])
    slow.go.clear()
    slow.waiting = 0
    early = asyncio.create_task(aliases.inbound("cmms", said_by_number()))
    await until(lambda: slow.waiting == 1)
    await aliases.learn([Numbered("cmms", "maintenance_request", "MR-1", "WO-9", NOW)])
    slow.go.set()
    await early
    assert (await aliases.inbound("cmms", said_by_number())).key == "MR-1"


async def test_the_first_number_that_is_learned_while_something_is_looked_up_is_understood(journal):
    slow = SlowReads(journal)
    aliases = Aliases({}, slow)
    learning = asyncio.create_task(aliases.learn([Numbered("cmms", "maintenance_request", "MR-1", "WO-9", NOW)]))
    await asyncio.sleep(0)
    early = asyncio.create_task(aliases.inbound("cmms", said_by_number()))
    await until(lambda: slow.waiting)
    slow.go.set()
    await asyncio.gather(early, learning)
    assert (await aliases.inbound("cmms", said_by_number())).key == "MR-1"


async def test_what_the_system_calls_it_itself_is_not_learned(journal):
    aliases = Aliases({}, journal)
    assert await aliases.learn([Numbered("erp", "production_order", "PO-1", "PO-1", NOW)]) == 0
    assert await aliases.documents("erp", "production_order", "PO-1") == []


async def test_what_has_no_body_is_named_by_its_key_which_is_translated(journal):
    declared = {"wms": {"material": {"30005": "FG-1000"}, "production_order": {"77": "PO-1"}}}
    aliases = Aliases(declared, journal)
    gone = replace(order("FG-1000"), action=Action.DELETE, content=b"", _body=None)
    assert aliases.outbound("wms", gone).key == "77"
    lot = replace(gone, object="material_lot", key="FG-1000/L%2F1")
    assert aliases.outbound("wms", lot).key == "30005/L%2F1"
    assert aliases.outbound("wms", replace(lot, key="CAP-28/L1")) == Missing("wms", "material", "CAP-28")


async def test_a_get_is_asked_in_the_owners_words_and_keeps_its_own(journal):
    aliases = Aliases({"wms": {"production_order": {"77": "PO-1"}}}, journal)
    get = replace(order("FG-1000"), verb=Verb.GET, content=b"", _body=None)
    assert aliases.outbound("wms", get).key == "PO-1"
    assert aliases.asked("wms", get).key == "77"
    assert aliases.asked("wms", replace(get, key="")).key == "", "a get of everything"
    assert aliases.asked("wms", replace(get, key="PO-2")) == Missing("wms", "production_order", "PO-2")
