"""One owner for each object and scope, and each system doing its own job."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from canonical.objects import CATALOGUE, Kind
from mombus.config.finding import did_you_mean

if TYPE_CHECKING:
    from mombus.config.draft import Draft
    from mombus.config.finding import Findings
    from mombus.config.model import Ownership

FAMILIES = frozenset({"erp", "mes", "plc", "scada", "historian", "cmms", "qms", "wms", "bi"})
"""Kinds of systems of which it is known what their job is."""


def owner_is_declared(draft: Draft, findings: Findings) -> None:
    """An owner is a system of this file."""
    for ownership, place in draft.objects:
        if ownership.owner not in draft.declared:
            message = f"the owner '{ownership.owner}' is no declared system"
            hint = did_you_mean(ownership.owner, draft.declared)
            findings.error(draft.mark(*place, "owner"), f"objects.{ownership.object}", message, hint)


def scope_is_known(draft: Draft, findings: Findings) -> None:
    """A scope is a piece of the plant's equipment."""
    known = draft.scopes()
    for ownership, place in draft.objects:
        if ownership.scope is not None and known and ownership.scope not in known:
            message = f"the scope '{ownership.scope}' is not in the equipment file"
            hint = did_you_mean(ownership.scope, known)
            findings.error(draft.mark(*place, "scope"), f"objects.{ownership.object}", message, hint)


def scopes_are_disjoint(draft: Draft, findings: Findings) -> None:
    """No two owners of one object in one place."""
    above = draft.scopes()
    for (one, first), (two, second) in combinations(draft.objects, 2):
        if one.object == two.object and _overlap(one, two, above):
            line = draft.mark(*first).line
            message = f"{two.owner} and {one.owner} would both own {_where(one, two)}; the other one is in line {line}"
            hint = "one owner per object and scope: give each a scope of its own"
            findings.error(draft.mark(*second), f"objects.{one.object}", message, hint)


def owner_does_its_own_job(draft: Draft, findings: Findings) -> None:
    """A system owns what its kind usually decides."""
    for ownership, place in draft.objects:
        family, usual = draft.family(ownership.owner), CATALOGUE[ownership.object].owner
        if family in FAMILIES and family not in usual:
            message = (
                f"'{ownership.owner}' is a {family}: {ownership.object} is usually {' or '.join(usual)}'s to decide"
            )
            findings.warning(draft.mark(*place, "owner"), f"objects.{ownership.object}", message)


def owner_can_say_it(draft: Draft, findings: Findings) -> None:
    """An owner that never states its object leaves everybody waiting."""
    for ownership, place in draft.objects:
        owner = ownership.owner
        said = {offer.object for offer in (*draft.offers(owner), *draft.accepts(owner))}
        if owner in draft.connectors and ownership.object not in said:
            kind = draft.systems[owner].kind
            message = f"'{owner}' ({kind}) neither states {ownership.object} nor takes requests for it"
            hint = f"`mombus connectors {kind}` lists what it does"
            findings.warning(draft.mark(*place, "owner"), f"objects.{ownership.object}", message, hint)


def statements_are_the_owners(draft: Draft, findings: Findings) -> None:
    """What a system states about others' objects is at best an echo."""
    for name in draft.connectors:
        for offered in sorted({offer.object for offer in draft.offers(name) if offer.verb.states}):
            owners = draft.owners(offered)
            if owners and name not in owners:
                message = f"it states {offered}, which is {owners[0]}'s: what differs becomes a disagreement"
                findings.warning(draft.key("systems", name), f"systems.{name}", message)


def requests_stay_at_their_site(draft: Draft, findings: Findings) -> None:
    """Another site is read, never asked: what needs its owner's answer is answered Rejected."""
    for name in draft.connectors:
        for offered in sorted({offer.object for offer in draft.offers(name) if offer.verb.asks}):
            there = [owner for owner in draft.owners(offered) if _is_site(draft, owner)]
            if there and there == draft.owners(offered):
                message = f"it may ask for {offered}, which site '{there[0]}' owns: requests don't cross between sites"
                hint = "ask at that site; such a request is answered Rejected here"
                findings.warning(draft.key("systems", name), f"systems.{name}", message, hint)


def what_others_could_use_is_owned(draft: Draft, findings: Findings) -> None:
    """What nobody owns is refused: a handover that both ends are ready for was probably forgotten."""
    for name in draft.connectors if draft.complete else ():
        for offered in sorted({offer.object for offer in draft.offers(name)} - {"gap"}):
            takers = [taker for taker in draft.connectors if taker != name and _takes(draft, taker, offered)]
            if takers and not draft.owners(offered):
                message = f"it offers {offered} and {takers[0]} could take it, but nobody owns it: it will be refused"
                hint = f"add `{offered}: {{owner: …}}` to objects"
                findings.warning(draft.key("systems", name), f"systems.{name}", message, hint)


def somebody_consumes_it(draft: Draft, findings: Findings) -> None:
    """A fact that is owned, but neither routed nor asked for. States can be looked up and are kept for that."""
    if not draft.complete:
        return
    routed = {route.object for route, _ in draft.routes}
    asked = {offer.object for name in draft.connectors for offer in draft.offers(name) if offer.verb.asks}
    for object_ in dict.fromkeys(ownership.object for ownership, _ in draft.objects if not ownership.kept_for):
        if object_ not in routed | asked and CATALOGUE[object_].kind is Kind.FACT:
            findings.warning(
                draft.key("objects", object_), f"objects.{object_}", "nobody gets it: no route has it",
                "add a route, or say with `kept_for` why it is wanted",
            )  # fmt: skip


RULES = (
    owner_is_declared, scope_is_known, scopes_are_disjoint, owner_does_its_own_job, owner_can_say_it,
    statements_are_the_owners, requests_stay_at_their_site, what_others_could_use_is_owned, somebody_consumes_it,
)  # fmt: skip


def _overlap(one: Ownership, two: Ownership, above: dict[str, tuple[str, ...]]) -> bool:
    if one.scope is None or two.scope is None or one.scope == two.scope:
        return True
    return one.scope in above.get(two.scope, ()) or two.scope in above.get(one.scope, ())


def _where(one: Ownership, two: Ownership) -> str:
    scopes = [scope for scope in (one.scope, two.scope) if scope]
    return f"it in {scopes[-1]}" if scopes else "it"


def _is_site(draft: Draft, system: str) -> bool:
    known = draft.systems.get(system)
    return known is not None and known.kind == "site"


def _takes(draft: Draft, system: str, object: str) -> bool:
    return any(offer.object == object for offer in draft.accepts(system))
