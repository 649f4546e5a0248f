"""The REST connector under the contract suite, against a server that is stopped and started at its port."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, ClassVar

from patience import PATIENCE_S
from rest_bodies import message, surroundings
from rest_system import SAYS, WRITE, Ledger

from connectors.contract import ConnectorContract, Harness, SinkContract, SourceContract
from connectors.protocols.rest import Rest, RestConfig

if TYPE_CHECKING:
    from pathlib import Path

    from canonical.message import Message


class RestHarness(Harness):
    def __init__(self) -> None:
        self.ledger = Ledger()
        self._numbers = count(1)

    async def start(self) -> None:
        await self.ledger.server.start()

    async def stop(self) -> None:
        await self.ledger.server.stop()

    async def kill(self) -> None:
        await self.ledger.server.stop()

    async def restart(self) -> None:
        await self.ledger.server.start()

    def connector(self) -> Rest:
        read = {
            "name": "docs",
            "url": "/page/docs",
            "items": "data.items",
            "every_s": 0.05,
            "paging": {"style": "page", "query": "at", "first": 0, "more": "data.more"},
            "bookmark": {"field": "seq", "query": "since"},
            "says": [SAYS],
        }
        config = RestConfig.model_validate(
            {"connector": "rest", "url": self.ledger.url, "timeout_s": PATIENCE_S, "reads": [read], "writes": [WRITE]}
        )
        return Rest(config, surroundings("ledger"))

    async def say(self, count: int) -> list[str]:
        refs = [f"D-{next(self._numbers)}" for _ in range(count)]
        for ref in refs:
            self.ledger.add(ref)
        return refs

    async def say_badly(self) -> None:
        self.ledger.add(f"D-{next(self._numbers)}", decided="yesterday")

    def good(self, count: int) -> list[Message]:
        return [self._decision(f"W-{next(self._numbers)}", "L1") for _ in range(count)]

    def bad(self) -> Message:
        return self._decision(f"W-{next(self._numbers)}", "REFUSED")

    def _decision(self, ref: str, lot: str) -> Message:
        body = {"id": ref, "material_lot_id": lot, "disposition": "UnRestricted", "decided": "2026-03-02T09:00:00Z"}
        return message("release_decision", body)

    async def effects(self, message: Message) -> int:
        return self.ledger.count(message.key)

    async def swallow_next_reply(self) -> None:
        self.ledger.swallow = True


class TestRest(SourceContract, SinkContract, ConnectorContract):
    exempt: ClassVar[dict[str, str]] = {
        "test_recognises_a_message_it_had": "FINDABLE: this API makes a second document; the hub reads back first"
    }

    def make_harness(self, tmp_path: Path) -> Harness:
        return RestHarness()
