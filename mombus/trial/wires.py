"""What a case says of a system's wire, compared with what can be said there, before anything is played."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mombus.trial import machines
from mombus.trial.cases import NATIVE
from mombus.trial.mocks import NO_CONNECTION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.connector import Speaks
    from mombus.config.model import Config, System
    from mombus.trial.cases import CaseFile, Given
    from mombus.trial.mocks import Mock

    Misfit = tuple[tuple[str | int, ...], str, str]
    """Where, what is wrong, and what to do."""

Place = tuple[str | int, ...]


def steps(made: CaseFile) -> Iterator[tuple[Place, Any]]:
    """Every step of every case, with its place."""
    for index, case in enumerate(made.tests):
        for number, step in enumerate(case.parts):
            yield (("tests", index, "steps", number) if case.steps else ("tests", index)), step


def over_its_wire(given: Given, config: Config) -> bool:
    """True for what a system says over its wire, read there by its connector; other documents are only translated."""
    if given.nodes is not None:
        return True
    return given.native and _speaks(config.systems[str(given.source)]) == "nats"


def misfits(made: CaseFile, config: Config) -> Iterator[Misfit]:
    """What can't be said over its system's wire, or has nobody who hears it. Unknown systems are left aside."""
    for place, step in steps(made):
        for name, mocks in step.mocks.items():
            if (system := config.systems.get(name)) is None:
                continue
            if name in made.tests[int(place[1])].answers:
                yield (*place, "mocks", name), f"{name} is played over its wire: leave out its `answers`", ""
            for inside, wrong, hint in _answers(mocks, system, config):
                yield (*place, "mocks", name, *inside), wrong, hint
        for at, given in enumerate(step.given):
            if given.native and (system := config.systems.get(str(given.source))) is not None:
                for inside, wrong, hint in _said(given, system, config):
                    yield (*place, "given", at, *inside), wrong, hint


def _answers(mocks: Sequence[Mock], system: System, config: Config) -> Iterator[Misfit]:
    speaks = _speaks(system)
    if speaks is None:
        yield (), f"{system.kind} can't be played over its wire", "say what it answers in `answers`"
        return
    for at, mock in enumerate(mocks):
        for key, wrong in mock.misfits(speaks):
            yield (at, key), wrong, ""
    if len(mocks) > 1 and any(mock.trouble == NO_CONNECTION for mock in mocks):
        yield (), "where there is no connection nothing else is answered: take another step for that", ""
    if speaks == "opcua":
        for at, key, wrong, hint in machines.asked_in_vain(machines.of(system.config, config), mocks):
            yield (at, key), wrong, hint


def _said(given: Given, system: System, config: Config) -> Iterator[Misfit]:
    speaks = _speaks(system)
    if given.nodes is not None and speaks != "opcua":
        hint = f"give a document: {', '.join(NATIVE[:-1])}"
        yield ("nodes",), f"{system.name} is no OPC UA server: it has no nodes", hint
    elif given.nodes is not None:
        for place, wrong, hint in machines.told_in_vain(machines.of(system.config, config), given.nodes):
            yield ("nodes", *place), wrong, hint
    if given.headers and speaks != "nats":
        yield ("headers",), f"what {system.name} says has no headers: it isn't said over NATS", ""
    if speaks == "nats":
        subject = f"{system.config.spoken_on(system.name)}.say."
        if not (given.channel or "").startswith(subject):
            yield ("channel",), "it is said on no subject of its system", f"write {subject}<object>.<verb>"


def _speaks(system: System) -> Speaks | None:
    return type(system.config).speaks
