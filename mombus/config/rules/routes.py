"""Routes that can be kept: the target is there, can take it, and isn't asked what its kind never does."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from canonical.message import Verb
from canonical.objects import CATALOGUE, Kind
from connectors.connector import Level, Offer
from mombus.config.finding import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mombus.config.draft import Draft
    from mombus.config.finding import Findings, Mark
    from mombus.config.model import Route
    from mombus.config.validation import Place

_BUSINESS = frozenset({"erp", "mes", "cmms", "qms", "wms"})
_LEVELS = tuple(Level)


def object_is_known(draft: Draft, findings: Findings) -> None:
    """A route has an object of the catalogue."""
    for route, place in draft.routes:
        if route.object not in CATALOGUE:
            hint = did_you_mean(route.object, CATALOGUE) or "docs/objects.md lists them"
            message = f"there is no data object '{route.object}'"
            findings.error(draft.mark(*place, "object"), _path(place), message, hint)


def object_has_an_owner(draft: Draft, findings: Findings) -> None:
    """What nobody owns nobody may state: nothing would ever come."""
    if not draft.complete:
        return
    for route, place in draft.routes:
        if route.object in CATALOGUE and route.object != "gap" and not draft.owners(route.object):
            message = f"no system owns {route.object}, so nothing will come"
            hint = f"add `{route.object}: {{owner: …}}` to objects"
            findings.error(draft.mark(*place, "object"), _path(place), message, hint)


def target_is_declared(draft: Draft, findings: Findings) -> None:
    """A target is a system of this file."""
    for _, place, target, mark in _targets(draft):
        if target not in draft.declared:
            hint = did_you_mean(target, draft.declared)
            findings.error(mark, _path(place), f"the target '{target}' is no declared system", hint)


def target_is_not_the_owner(draft: Draft, findings: Findings) -> None:
    """The owner knows it already."""
    for route, place, target, mark in _targets(draft):
        owners = draft.owners(route.object)
        if owners and all(owner == target for owner in owners):
            message = f"'{target}' owns {route.object}: it would get back what it said"
            findings.error(
                mark, _path(place), message, "leave this target out; requests reach the owner without a route"
            )


def target_can_take_it(draft: Draft, findings: Findings) -> None:
    """The target's connector accepts the object."""
    for route, place, target, mark in _targets(draft):
        if target in draft.connectors and route.object in CATALOGUE:
            accepts = draft.accepts(target)
            if Offer(route.object, Verb.SYNC) not in accepts and not _refused_signal(draft, route, target):
                taken = sorted(offer.object for offer in accepts if offer.verb is Verb.SYNC)
                hint = f"it takes {', '.join(taken)}" if taken else "it takes nothing at all"
                message = f"'{target}' ({draft.systems[target].kind}) can't take {route.object}"
                findings.error(mark, _path(place), message, hint)


def effect_can_be_reached(draft: Draft, findings: Findings) -> None:
    """A route doesn't wait for more than the target ever tells."""
    for route, place, target, _ in _targets(draft):
        accept = draft.accepts(target).get(Offer(route.object, Verb.SYNC))
        if accept and _LEVELS.index(route.effect) > _LEVELS.index(accept.level):
            message = f"'{target}' never tells more than '{accept.level}': the route would wait for ever"
            findings.warning(draft.mark(*place, "effect"), _path(place), message, f"write `effect: {accept.level}`")


def signals_stay_below(draft: Draft, findings: Findings) -> None:
    """A signal is not an event: business systems get what was made of signals."""
    for route, place, target, mark in _targets(draft):
        if _refused_signal(draft, route, target):
            message = f"{route.object} is a level 2 signal, '{target}' a business system"
            hint = "route what is made of signals: downtime, production_response, kpi"
            findings.error(mark, _path(place), message, hint)
        elif _is_signal(route) and draft.family(target) == "bi":
            message = f"'{target}' would read raw signals; a BI system's numbers should come from events and KPIs"
            findings.warning(mark, _path(place), message)


def route_is_there_once(draft: Draft, findings: Findings) -> None:
    """One object, one target, one condition: one route."""
    spelt = [(route.object, target, route.when, route, mark, place) for route, place, target, mark in _targets(draft)]
    for one, two in combinations(spelt, 2):
        if one[:3] == two[:3]:
            message = f"{two[0]} goes to '{two[1]}' a second time; the first is in line {one[4].line}"
            findings.error(two[4], _path(two[5]), message, "keep one of them")


def after_names_what_comes_here(draft: Draft, findings: Findings) -> None:
    """What must be posted first is brought to the same target by a route that waits for its posting."""
    posted = {(route.object, target) for route, _, target, _ in _targets(draft) if route.effect is Level.POSTED}
    brought = {(route.object, target) for route, _, target, _ in _targets(draft)}
    for route, place, target, _ in _targets(draft):
        for index, name in enumerate(route.after):
            mark = draft.mark(*place, "after", index)
            if (name, target) not in brought:
                hint = did_you_mean(name, [object for object, to in brought if to == target])
                findings.error(mark, _path(place), f"`after`: no route brings {name} to '{target}'", hint)
            elif (name, target) not in posted:
                message = f"`after`: the route of {name} to '{target}' doesn't wait for its posting"
                findings.warning(mark, _path(place), message, "write `effect: posted` there")


RULES = (
    object_is_known, object_has_an_owner, target_is_declared, target_is_not_the_owner, target_can_take_it,
    effect_can_be_reached, signals_stay_below, route_is_there_once, after_names_what_comes_here,
)  # fmt: skip


def _targets(draft: Draft) -> Iterator[tuple[Route, Place, str, Mark]]:
    for route, place in draft.routes:
        for index, target in enumerate(route.to):
            yield route, place, target, draft.mark(*place, "to", index)


def _is_signal(route: Route) -> bool:
    return route.object in CATALOGUE and CATALOGUE[route.object].kind is Kind.SIGNAL


def _refused_signal(draft: Draft, route: Route, target: str) -> bool:
    return _is_signal(route) and draft.family(target) in _BUSINESS


def _path(place: Place) -> str:
    return f"routes[{place[1]}]"
