"""Makes the pieces of the hub from the configuration: connectors, targets with their rules, prepared messages."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from canonical.message import Verb
from canonical.subjects import PARTITIONS
from connectors.connector import Answers, Rejected, Sink, Surroundings
from connectors.jsonata import compile as compile_expression
from mombus.config.closing import closed_at
from mombus.config.kinds import load_kind
from mombus.config.model import CALM_MARGIN_S
from mombus.config.scrubbing import Scrubber
from mombus.delivery.target import WRITE_TIMEOUT_S, Missing, Rule, Target
from mombus.hub.answering import Answering
from mombus.hub.apart.remote import RemoteSession, remote
from mombus.hub.discretion import discreet
from mombus.hub.session import Session, reconnecting
from mombus.ownership.aliases import Missing as NoAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nats.aio.client import Client

    from canonical.message import Message
    from connectors.connector import Connector
    from mombus.bus.connection import Bus
    from mombus.bus.known import Known
    from mombus.bus.requests import Requests
    from mombus.config.model import Config, Route, System
    from mombus.delivery.target import Prepare
    from mombus.hub.answering import TakeIn
    from mombus.hub.parts import Parts
    from mombus.ownership.aliases import Aliases
    from mombus.ownership.owners import Owners


def make_sessions(config: Config, owners: Owners, parts: Parts) -> dict[str, Session]:
    """One connector per system that runs here, none of them connected yet. Raises ConfigError, KindError."""
    return {
        name: Session(name, system.kind, connector_of(config, system, owners))
        for name, system in config.systems.items()
        if parts.runs(name)
    }


def make_far_sessions(config: Config, owners: Owners, parts: Parts, client: Client) -> dict[str, RemoteSession]:
    """One per system whose connector runs in another process. Raises ConfigError, KindError."""
    return {
        name: RemoteSession(
            name, system.kind, remote(client, config.plant.site, name, connector_of(config, system, owners))
        )
        for name, system in config.systems.items()
        if not parts.runs(name)
    }


def connector_of(config: Config, system: System, owners: Owners) -> Connector:
    """One system's connector, not connected. Raises ConfigError, KindError."""
    surroundings = Surroundings(
        system=system.name, site=config.plant.site, timezone=config.plant.timezone, folder=str(config.folder),
        owns=owners.owned_by(system.name),
    )  # fmt: skip
    return discreet(load_kind(system.kind)(system.config, surroundings), Scrubber.of(config))


def make_targets(
    config: Config,
    sessions: Iterable[Session],
    owners: Owners,
    *,
    take_in: TakeIn,
    requests: Requests,
    bus: Bus,
    aliases: Aliases,
) -> list[Target]:
    """Every system that is written to or asked, or each of its shards: its routes' rules, and the objects it owns.

    An owner whose connector does neither is a target as well, so that who asks it is told at once.
    """
    targets = []
    for session in sessions:
        owned = owners.owned_by(session.system)
        if owned or isinstance(session.connector, (Sink, Answers)):
            sink = Answering(
                session.system, session.connector, owned, take_in=take_in, requests=requests, bus=bus, aliases=aliases
            )  # fmt: skip
            rules = [rule_of(route) for route in config.routes if session.system in route.to]
            system, zone = config.systems[session.system], config.plant.timezone
            targets += [
                Target(
                    system=session.system, sink=sink, rules=rules, owned=owned, connect=reconnecting(session),
                    closed=partial(closed_at, system.closed, timezone=zone) if system.closed else None,
                    rate_per_s=system.rate_per_s, serialise_by=frozenset(system.serialise_by),
                    lacking_s=system.lacking.total_seconds(), shard=shard,
                    write_timeout_s=write_timeout_s(system), calm_s=system.calm_s,
                )
                for shard in (range(PARTITIONS) if system.shards > 1 else (None,))
            ]  # fmt: skip
    return targets


def write_timeout_s(system: System) -> float:
    """How long a write may take: the connector gives up first and says more."""
    return max(WRITE_TIMEOUT_S, system.config.longest_call_s + CALM_MARGIN_S)


def rule_of(route: Route) -> Rule:
    """A route as each of its targets sees it."""
    return Rule(
        object=route.object, effect=route.effect, start=route.start,
        within_s=route.within.total_seconds() if route.within else None,
        when=compile_expression(route.when).evaluate if route.when else None,
        map=compile_expression(route.map).evaluate if route.map else None, after=frozenset(route.after),
    )  # fmt: skip


def make_prepare(aliases: Aliases, known: Known, requests: Requests) -> Prepare:
    """How a message is put in a target's words: references first, then the target's own ids.

    A request that has expired is Rejected: its asker was told so, and doing it later would be an effect nobody expects.
    Any other can't expire from here on, until delivery lets it go; a get, which has no effect, may at any time.
    """

    async def is_over(message: Message) -> bool:
        if message.verb is Verb.GET:
            return await requests.is_over(message.id)
        return message.verb.asks and not await requests.act_on(message.id)

    async def prepare(system: str, message: Message) -> Message | Missing:
        if await is_over(message):
            raise Rejected("the request expired and its asker was told: it is not acted on any more")
        unknown = await known.held(message)
        if unknown is not None:
            return Missing("reference", unknown.object, unknown.id)
        translated = aliases.outbound(system, message)
        if isinstance(translated, NoAlias):
            return Missing("alias", translated.object, translated.id)
        return translated

    return prepare
