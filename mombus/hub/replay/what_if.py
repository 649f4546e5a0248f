"""What if: what other routes would have made of history. Pure: nothing is sent, no system is connected.

Two configurations are asked about each message of history: who owns it, whom it goes to, and what each gets. References
that are held for, and what a target answers, aren't asked: those are not in the configuration.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from connectors.connector import MappingError, Offer, Sink
from mombus.delivery.routing import Routing, mapped
from mombus.delivery.target import Target
from mombus.hub.building import connector_of, rule_of
from mombus.ownership.aliases import Declared
from mombus.ownership.aliases import Missing as NoAlias
from mombus.ownership.owners import Owners

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from canonical.message import Message
    from mombus.config.model import Config

NOTHING = "(nothing)"


class Difference(StrEnum):
    """What is different for a message at a target, or, without one, for the message itself."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    STUCK = "stuck"
    """It would be parked, or wait for an alias."""
    UNSTUCK = "no longer stuck"
    REFUSED = "refused"
    """Its source may not say it."""
    ALLOWED = "now allowed"


@dataclass(frozen=True, slots=True)
class Sent:
    """What a target gets: the body in its words."""

    body: Any


@dataclass(frozen=True, slots=True)
class Stuck:
    """Why a target doesn't get it though it should."""

    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one message: refused, or what each target gets of it."""

    refused: str | None
    targets: Mapping[str, Sent | Stuck]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `details` are paths with what was and what would be, or a reason."""

    target: str | None
    what: Difference
    details: tuple[str, ...] = ()


class Routes:
    """The routes of one configuration, asked about messages in the order of history: what has entered by a `when` gets
    every later revision."""

    def __init__(self, config: Config) -> None:
        """Raises ConfigError, KindError."""
        self._owners = Owners(config.objects, config.plant.equipment)
        self._aliases = Declared(config.aliases)
        connectors = {name: connector_of(config, system, self._owners) for name, system in config.systems.items()}
        self._targets = {
            name: _Target(config, self._owners, name, connector)
            for name, connector in connectors.items()
            if isinstance(connector, Sink)
        }

    def verdict(self, message: Message) -> Verdict:
        """What these routes make of a message, which has its body."""
        owner = self._owners.of(message.object, message.body if message.content else None, message.source)
        if owner != message.source:
            return Verdict(f"{message.object} is owned by {owner or 'nobody'}, not by {message.source}", {})
        found = {name: got for name, target in self._targets.items() if (got := self._got(target, message)) is not None}
        return Verdict(None, found)

    def _got(self, target: _Target, message: Message) -> Sent | Stuck | None:
        try:
            rule = target.rule(message)
            if isinstance(rule, str):
                return None
            if Offer(message.object, message.verb) not in target.takes:
                return Stuck(f"the connector takes no {message.verb} of {message.object}")
            said = self._aliases.outbound(target.system, mapped(rule, message))
        except MappingError as error:
            return Stuck(str(error))
        if isinstance(said, NoAlias):
            return Stuck(str(said))
        return Sent(parsed(said))


class _Target:
    """One system of a configuration as its inbox sees it."""

    def __init__(self, config: Config, owners: Owners, system: str, sink: Sink) -> None:
        self.system = system
        self.takes = sink.accepts
        rules = [rule_of(route) for route in config.routes if system in route.to]
        self._routing = Routing(Target(system=system, sink=sink, rules=rules, owned=owners.owned_by(system)))
        self._entered: set[tuple[str, str]] = set()

    def rule(self, message: Message) -> Any:
        """As `Routing.rule_for`, and what passes enters."""
        thing = (message.object, message.key)
        conditional = self._routing.is_conditional(message)
        rule = self._routing.rule_for(message, conditional and thing in self._entered)
        if conditional and not isinstance(rule, str):
            self._entered.add(thing)
        return rule


def differences(now: Verdict, other: Verdict) -> list[Change]:
    """What is different between two verdicts about one message, the targets in the order of their names."""
    if now.refused != other.refused:
        if other.refused is not None:
            return [Change(None, Difference.REFUSED, (other.refused,))]
        return [Change(None, Difference.ALLOWED, (f"goes to {', '.join(other.targets) or 'nobody'}",))]
    names = sorted({*now.targets, *other.targets})
    return [change for name in names if (change := _change(name, now.targets.get(name), other.targets.get(name)))]


def _change(  # noqa: PLR0911 - one line per case
    target: str, now: Sent | Stuck | None, other: Sent | Stuck | None
) -> Change | None:
    if now == other:
        return None
    match now, other:
        case _, Stuck(reason):
            return Change(target, Difference.STUCK, (reason,))
        case Stuck(reason), _:
            return Change(target, Difference.UNSTUCK, (reason,))
        case None, Sent(body):
            return Change(target, Difference.ADDED, tuple(f"{path}: {value}" for path, value in _leaves(body)))
        case _, None:
            return Change(target, Difference.REMOVED)
        case Sent(before), Sent(after):
            return Change(target, Difference.CHANGED, tuple(changed_paths(before, after)))
    return None


def parsed(message: Message) -> Any:
    """What a message says as JSON values."""
    return json.loads(message.content) if message.content else {"deleted": message.key}


def changed_paths(before: Any, after: Any) -> Iterator[str]:
    """What changed in a JSON value, by path: `quantity.value: 10 → 12`."""
    was, now = dict(_leaves(before)), dict(_leaves(after))
    for path in dict.fromkeys((*was, *now)):
        if was.get(path) != now.get(path):
            yield f"{path}: {was.get(path, NOTHING)} → {now.get(path, NOTHING)}"


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict | list) and value:
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        for step, inner in steps:
            yield from _leaves(inner, f"{path}.{step}" if path else str(step))
    else:
        yield path, json.dumps(value, ensure_ascii=False)
