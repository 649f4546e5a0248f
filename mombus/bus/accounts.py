"""Who may do what at the broker: one account per part of the hub and per system, from the ownership table.

Subjects and streams belong to the account HUB alone. Every other account is a room of its own in which nobody hears
anything, and from which exactly the services named here lead to another account. So a reply subject, a header, a
consumer or a stream that a system makes up stays in its room; what isn't named here doesn't exist for it.

What a system tries beyond that is led to the hub as a refusal (`mombus.refused.<account>.…`) and noted in the audit
trail, instead of vanishing in its room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from canonical.message import Verb
from canonical.objects import CATALOGUE, Kind
from canonical.subjects import ROOT as MESSAGES
from canonical.subjects import SIGNAL_ROOT, token
from mombus.bus.calls.framing import connectors_base, intake_base
from mombus.bus.commands import ROOT as COMMANDS
from mombus.bus.streams import DEAD_ROOT, MOM, RAW_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mombus.config.model import Config

HUB, WEB, SYS = "HUB", "WEB", "SYS"
REFUSED = "mombus.refused"
READ = "HUB.API"
"""Before a native system's own JetStream subjects: nats clients take it as their API prefix."""
_SHUT = {
    "mom": MESSAGES, "sig": SIGNAL_ROOT, "raw": RAW_ROOT, "dead": DEAD_ROOT, "command": COMMANDS, "js": "$JS.API",
}  # fmt: skip
"""What is shut to systems, by its token in a refused subject."""


class AccountsError(ValueError):
    """No accounts can be made of this configuration; the text says why."""


@dataclass(frozen=True, slots=True)
class Service:
    """What account `importer` may ask of account `exporter`: `subject` there, `local` in its own room."""

    exporter: str
    importer: str
    subject: str
    local: str
    many: bool = False
    """True if several messages answer one question."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """All accounts of one site."""

    site: str
    systems: tuple[str, ...]
    services: tuple[Service, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every account that somebody connects with."""
        return (HUB, WEB, *self.systems)


def accounts(config: Config, native: Iterable[str] = ()) -> Accounts:
    """The accounts of a configuration. The systems in `native` speak NATS themselves, the others by their connectors.

    Raises AccountsError.
    """
    natives, systems = frozenset(native), tuple(config.systems)
    if unknown := natives - set(systems):
        raise AccountsError(f"--native {min(unknown)}: there is no such system; the systems are {', '.join(systems)}")
    if taken := {HUB, WEB, SYS} & {name.upper() for name in systems}:
        raise AccountsError(f"a system can't be called '{min(taken).lower()}' here: that is an account of mombus's own")
    services = [_same(HUB, WEB, f"{COMMANDS}.{token(config.plant.site)}.*"), *_refused(config, WEB, native=False)]
    for name in systems:
        services += _native(config, name) if name in natives else _part(config, name)
        services += _refused(config, name, native=name in natives)
    return Accounts(config.plant.site, systems, tuple(services))


def may_publish(config: Config, system: str) -> frozenset[str]:
    """Where a system that speaks NATS itself may publish, without the `.>` at the end.

    What it owns it states and answers for; what others own it may ask them about.
    """
    site, owned = token(config.plant.site), {row.object for row in config.objects if row.owner == system}
    asked = {row.object for row in config.objects} - owned
    verbs = [(name, verb) for name in {*owned, "gap"} for verb in Verb if not verb.asks]
    verbs += [(name, verb) for name in asked for verb in Verb if verb.asks]
    return frozenset(
        f"{SIGNAL_ROOT if CATALOGUE[name].kind is Kind.SIGNAL else MESSAGES}.{site}.{name}.{verb}.{token(system)}"
        for name, verb in verbs
        if name in CATALOGUE
    )


def durable(system: str) -> str:
    """The consumer of MOM from which a native system reads; the hub's account makes it."""
    return f"for-{system}"


def _part(config: Config, system: str) -> Iterator[Service]:
    """A connector in its own process: it hands over to the hub, the hub writes to it."""
    yield _same(HUB, system, f"{intake_base(config.plant.site)}.{token(system)}.>")
    yield _same(system, HUB, f"{connectors_base(config.plant.site)}.{token(system)}.>")


def _native(config: Config, system: str) -> Iterator[Service]:
    """It publishes what it owns, and reads one consumer that it can neither make nor change."""
    for subject in sorted(may_publish(config, system)):
        yield _same(HUB, system, f"{subject}.>")
    consumer = f"{MOM}.{durable(system)}"
    for call, many in (("CONSUMER.INFO", False), ("CONSUMER.MSG.NEXT", True)):
        yield Service(HUB, system, f"$JS.API.{call}.{consumer}", f"{READ}.{call}.{consumer}", many)
    yield _same(HUB, system, f"$JS.ACK.{consumer}.>")
    yield _same(HUB, system, f"$JS.ACK.*.*.{consumer}.>")


def _refused(config: Config, account: str, *, native: bool) -> Iterator[Service]:
    """What it may not do leads to the hub's audit trail. No two of an account's subjects may overlap."""
    for name, root in _SHUT.items():
        if name in {"mom", "sig"} and native:
            yield from _refused_messages(config, account, name, root)
        elif not (account == WEB and root == COMMANDS):
            yield Service(HUB, account, f"{REFUSED}.{account}.{name}.>", f"{root}.>")
    for other in config.systems:
        if other != account:
            for kind, place in (("in", intake_base(config.plant.site)), ("to", connectors_base(config.plant.site))):
                yield Service(HUB, account, f"{REFUSED}.{account}.{kind}.{token(other)}.>", f"{place}.{token(other)}.>")


def _refused_messages(config: Config, account: str, name: str, root: str) -> Iterator[Service]:
    """Of one that may publish some: what it says in another's name, or states though another owns it."""
    site, permitted = token(config.plant.site), may_publish(config, account)
    places = [f"{site}.*.*.{token(other)}" for other in config.systems if other != account]
    places += [f"{site}.{row.object}.{verb}.{token(account)}" for row in config.objects for verb in Verb if verb.states]
    for place in dict.fromkeys(places):
        if f"{root}.{place}" not in permitted:
            yield Service(HUB, account, f"{REFUSED}.{account}.{name}.{place}.>", f"{root}.{place}.>")


def tried(subject: str, site: str) -> tuple[str, str]:
    """Of a refused subject: the account, and what it published on."""
    account, name, rest = subject.removeprefix(f"{REFUSED}.").split(".", 2)
    roots = {**_SHUT, "in": intake_base(site), "to": connectors_base(site)}
    return account, f"{roots.get(name, name)}.{rest}"


def _same(exporter: str, importer: str, subject: str) -> Service:
    return Service(exporter, importer, subject, subject)
