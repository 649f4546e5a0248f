"""Plays the cases of a file, one after the other, each on a hub of its own; one broker serves them all."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from canonical.message import Message, Verb
from canonical.objects import KeyMissingError, data_object
from connectors.connector import Answers, Item, MappingError, Raw, Translates
from mombus.bus.embedded import EmbeddedBroker
from mombus.bus.errors import BusError
from mombus.config.model import Bus
from mombus.delivery.routing import holds
from mombus.hub.building import connector_of, rule_of
from mombus.hub.trial.saying import NotHeardError, Says
from mombus.hub.trial.stand_in import stand_in
from mombus.hub.trial.trial_hub import NotQuietError, open_trial
from mombus.hub.trial.wired import Mocks, Wired, answer_s
from mombus.hub.trial.witness import Witness
from mombus.ownership.owners import Owners
from mombus.trial.happened import Happened, Ran, Result
from mombus.trial.judging import judged, learned, unanswered
from mombus.trial.wires import over_its_wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from connectors.connector import Connector, ConnectorConfig, Outcome
    from mombus.config.model import Config
    from mombus.delivery.target import Rule
    from mombus.hub.trial.stand_in import Played
    from mombus.hub.trial.trial_hub import TrialHub
    from mombus.hub.trial.wired import Mock
    from mombus.trial.cases import Case, Given, Step
    from mombus.trial.happened import Failure
    from mombus.trial.reading import Spoken, Test, TestFile

IN_MEMORY = "/dev/shm"  # noqa: S108 - a folder of its own is made there
"""Memory that is a folder, where there is one: a case's broker and journal needn't outlive it."""


class CaseError(Exception):
    """A case that can't be played as it is written."""


class Playing:
    """Plays cases on the broker at `url`, with their files in `folder`."""

    def __init__(self, url: str, folder: Path, mocks: Mocks) -> None:
        self._url = url
        self._folder = folder
        self._mocks = mocks
        self._played = 0

    async def file(self, file: TestFile, tests: Sequence[Test]) -> Ran:
        """Play cases of a file. It has a configuration."""
        assert file.config is not None  # noqa: S101 - the caller looked at its findings
        play = _Play(file.config, self._mocks)
        results = [await self._case(play, test) for test in tests]
        used = frozenset().union(*(result.routes for result in results))
        unused = {
            f"routes[{at}]": f"{route.object} to {', '.join(route.to)}"
            for at, route in enumerate(play.config.routes)
            if at not in used
        }
        return Ran(str(file.path), tuple(results), unused)

    async def _case(self, play: _Play, test: Test) -> Result:
        self._played += 1
        folder = self._folder / str(self._played)
        folder.mkdir()
        began = time.perf_counter()
        failures: list[Failure] = []
        routes: frozenset[int] = frozenset()
        error = None
        try:
            failures, routes = await play.case(test, self._url, folder)
        except (CaseError, NotQuietError, BusError) as trouble:
            error = str(trouble)
        except Exception as trouble:  # noqa: BLE001 - whatever is wrong with one case must not hide the others
            error = f"it can't be played to its end: {type(trouble).__name__}: {trouble}"
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return Result(
            test.case.name, test.mark("name"), tuple(failures), error, time.perf_counter() - began, routes
        )  # fmt: skip


@asynccontextmanager
async def playing() -> AsyncIterator[Playing]:
    """Ready to play. Raises BusError."""
    base = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="mombus-test-", dir=base, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        async with EmbeddedBroker(folder / "broker", observe=_unobserved) as broker, AsyncExitStack() as stack:
            yield Playing(broker.url, folder, Mocks(folder, stack, broker.url))


def _unobserved(_text: str) -> None:
    """What the broker says of itself is nothing of the cases."""


class _Play:
    """The cases of one configuration: its connectors are made once, and never connected but to mocks of a case."""

    def __init__(self, config: Config, mocks: Mocks) -> None:
        kept = Bus(keep=config.bus.keep, largest_body_bytes=config.bus.largest_body_bytes)
        self.config = config.model_copy(update={"bus": kept})
        self._mocks = mocks
        self._owners = Owners(config.objects, config.plant.equipment)
        self._connectors = {
            name: connector_of(self.config, system, self._owners) for name, system in config.systems.items()
        }  # fmt: skip
        self._rules = [rule_of(route) for route in config.routes]

    async def case(self, test: Test, url: str, folder: Path) -> tuple[list[Failure], frozenset[int]]:
        """What isn't as expected, and which routes were used. Raises CaseError, NotQuietError, BusError."""
        case = test.case
        failures: list[Failure] = []
        routes: set[int] = set()
        async with AsyncExitStack() as stack:
            mocks = {name: await self._mock(name, test, stack) for name in sorted(case.mocked | self._saying(case))}
            wired = {name: self._wired(name, test, mocks[name]) for name in sorted(case.mocked)}
            stand_ins: dict[str, Played] = {
                name: wired.get(name) or stand_in(name, connector, case.answers.get(name, ()))
                for name, connector in self._connectors.items()
            }
            hub = await stack.enter_async_context(
                open_trial(self.config, self._owners, broker=url, folder=folder, stand_ins=stand_ins, now=case.now)
            )
            witness = Witness(hub, stand_ins)
            for number, step in enumerate(case.parts):
                for name, lines in test.played[number].items():
                    await wired[name].play(lines)
                happened = await self._step(hub, witness, step.retry, test.said[number], case, mocks)
                failures += judged(test, number, step, happened)
                failures += learned(test, number, step, await _known(hub, step))
                failures += unanswered(test, number, {name: one.unanswered() for name, one in wired.items()})
                routes |= {at for one in happened for at in self._used(one)}
        return failures, frozenset(routes)

    async def _mock(self, name: str, test: Test, stack: AsyncExitStack) -> Mock:
        mock = await stack.enter_async_context(
            self._mocks.open(name, self.config.systems[name].config, self.config.folder)
        )
        await mock.play(test.played[0].get(name, ()))
        return mock

    def _wired(self, name: str, test: Test, mock: Mock) -> Wired:
        """A system that is played over its wire: its connector, which finds a mock where its system is."""
        config = self.config.systems[name].config
        return Wired(self._there(name, config.moved(mock.url, answer_s=answer_s(test.played, name))), mock)

    def _there(self, name: str, config: ConnectorConfig) -> Connector:
        """A system's connector with another configuration."""
        system = self.config.systems[name].model_copy(update={"config": config})
        return connector_of(self.config, system, self._owners)

    async def _step(  # noqa: PLR0917 - all that a step is played with
        self, hub: TrialHub, witness: Witness, retry: Sequence[str], said: Sequence[Spoken], case: Case,
        mocks: Mapping[str, Mock],
    ) -> list[Happened]:  # fmt: skip
        for system in retry:
            await hub.retry(system)
        for spoken in said:
            if over_its_wire(spoken.given, self.config):
                await self._say(hub, witness, spoken, mocks[str(spoken.given.source)])
            else:
                system, item = await self._item(spoken, case)
                await witness.given(system, item, await hub.take(system, item))
            await hub.quiet()
        await hub.quiet()
        return await witness.happened()

    def _saying(self, case: Case) -> frozenset[str]:
        """The systems that say something over their wires."""
        said = [one for step in case.parts for one in step.given]
        return frozenset(str(one.source) for one in said if over_its_wire(one, self.config))

    async def _say(self, hub: TrialHub, witness: Witness, spoken: Spoken, mock: Mock) -> None:
        """A system says something over its wire. Raises CaseError."""
        system = str(spoken.given.source)
        config = self.config.systems[system].config

        async def take(item: Item) -> Sequence[Outcome]:
            outcomes = await hub.take(system, item)
            await witness.given(system, item, outcomes)
            return outcomes

        assert isinstance(mock, Says)  # noqa: S101 - reading saw to it
        try:
            await mock.say(spoken, lambda url: self._there(system, config.moved(url)), take)
        except NotHeardError as error:
            raise CaseError(f"{system}: {error}") from error

    async def _item(self, spoken: Spoken, case: Case) -> tuple[str, Item]:
        given, now = spoken.given, case.now or datetime.now(UTC)
        if given.native:
            system = str(given.source)
            return system, await _translated(self._connectors[system], system, spoken)
        system = given.source or self._owner(given, spoken.content)
        if given.verb is Verb.GET:
            self._check_answered(given, spoken.content, case)
        return system, Item(messages=(_message(given, spoken.content, system, self.config.plant.site, now),))

    def _check_answered(self, given: Given, content: bytes, case: Case) -> None:
        """Raises CaseError for a get whose owner would answer it, if the case said how."""
        owner = self._owner(given, content)
        if isinstance(self._connectors[owner], Answers) and owner not in case.mocked:
            raise CaseError(f"{owner} is asked for {given.object}: say in `mocks` what it answers over its wire")

    def _owner(self, given: Given, content: bytes) -> str:
        row = data_object(str(given.object))
        owner = self._owners.of(row.name, row.body.model_validate_json(content) if content else None, "")
        if owner is None:
            raise CaseError(f"nobody owns {row.name}: say who says it, with `from`")
        return owner

    def _used(self, happened: Happened) -> Sequence[int]:
        """The routes by which something got to a target."""
        message = happened.stored
        if message is None or not message.verb.states or message.to is not None or happened.state == "filtered":
            return ()
        return [
            at
            for at, (route, rule) in enumerate(zip(self.config.routes, self._rules, strict=True))
            if route.object == message.object and happened.system in route.to and _met(rule, message)
        ]


async def _known(hub: TrialHub, step: Step) -> dict[tuple[str, str, str], str | None]:
    """What is known of the numbers that a step says."""
    return {
        (system, object_, native): await hub.learned(system, object_, native)
        for system, objects in step.aliases.items()
        for object_, numbers in objects.items()
        for native in numbers
    }


def _met(rule: Rule, message: Message) -> bool:
    try:
        return rule.when is None or holds(rule.when, message)
    except MappingError:
        return True


def _message(given: Given, content: bytes, system: str, site: str, now: datetime) -> Message:
    """What is given in canonical words, as the connector of its system would say it. Raises CaseError."""
    row = data_object(str(given.object))
    body = row.body.model_validate_json(content) if content else None
    lanes = None if body is not None else (f"{row.name}:{given.key or 'all'}",)
    try:
        return Message.of(
            row.name, body, source=system, site=site, occurred=given.occurred or now, recorded=now, verb=given.verb,
            action=given.action, revision=given.revision, key=given.key, lanes=lanes, posting=given.posting,
            origin=given.origin, by=given.by, correlation=given.correlation, to=given.to,
        )  # fmt: skip
    except KeyMissingError as error:
        raise CaseError(str(error)) from None


async def _translated(connector: Connector, system: str, spoken: Spoken) -> Item:
    """What a document means, by the connector's own mapping. Raises CaseError."""
    given = spoken.given
    if not isinstance(connector, Translates):
        raise CaseError(f"{system}'s connector reads no documents that stand by themselves: give a message instead")
    raw = Raw(content=spoken.content, content_type=given.content_type, channel=given.channel)
    item = await connector.translate(raw)
    return Item(messages=item.messages, faults=item.faults, raw=spoken.content, content_type=given.content_type,
                channel=given.channel)  # fmt: skip
