"""Who may do what at the broker: one account per part of the hub and per system, from the ownership table.

Subjects and streams belong to the account HUB alone. Every other account is a room of its own in which nobody hears
anything, and from which exactly the services named here lead to another account. So a reply subject, a header, a
consumer or a stream that a system makes up stays in its room; what isn't named here doesn't exist for it.

A system that speaks NATS itself has two rooms: one for its connector, as every system, and `<system>-native`, which it
connects to itself. From there it reaches its connector and nobody else: what it says is judged as that system's.

Another site's broker is joined to an account of its own (`site-nantes`) and to nothing else: what crosses the line is
what is named here, that a site which we tell reads our streams, and that our connector reads its.

What a system tries beyond that is led to the hub as a refusal (`mombus.refused.<account>.…`) and noted in the audit
trail, instead of vanishing in its room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from canonical.subjects import ROOT as MESSAGES
from canonical.subjects import SIGNAL_ROOT, token
from connectors.protocols.nats.settings import NatsConfig
from connectors.site.connector import SiteConfig
from mombus.bus.calls.framing import connectors_base, intake_base
from mombus.bus.commands import ROOT as COMMANDS
from mombus.bus.streams import CLAIMS, DEAD_ROOT, LATEST, MOM, RAW_ROOT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from mombus.config.model import Config

HUB, WEB, SYS = "HUB", "WEB", "SYS"
REFUSED = "mombus.refused"
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
    """All accounts of one site. `natives` speak NATS themselves, `sites` are joined to it."""

    site: str
    systems: tuple[str, ...]
    natives: tuple[str, ...]
    services: tuple[Service, ...]
    sites: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every account that somebody connects with."""
        return (HUB, WEB, *self.systems, *map(native_account, self.natives))


def native_account(system: str) -> str:
    """The account with which a system connects that speaks NATS itself."""
    return f"{system}-native"


def site_account(site: str) -> str:
    """The account to which another site's broker is joined."""
    return f"site-{token(site)}"


def accounts(config: Config, sites: Sequence[str] = (), told: Collection[str] = ()) -> Accounts:
    """The accounts of a configuration. `sites` are joined to it; those in `told` read what is stated here.

    Raises AccountsError.
    """
    systems = tuple(config.systems)
    natives = {
        name: system.config.spoken_on(name)
        for name, system in config.systems.items()
        if isinstance(system.config, NatsConfig)
    }
    _check(systems, natives, sites)
    if stray := set(told) - set(sites):
        raise AccountsError(f"--tell {min(stray)}: no such site is joined; add --site {min(stray)}")
    services = [_same(HUB, WEB, f"{COMMANDS}.{token(config.plant.site)}.*")]
    for name in systems:
        services += _part(config, name)
    for name, subject in natives.items():
        services += _native(name, subject)
    for site in sites:
        services += _told(config, site) if site in told else ()
    services += _read(config, sites)
    for account in (WEB, *systems, *map(native_account, natives), *map(site_account, sites)):
        services += _refused(config, account, natives)
    return Accounts(config.plant.site, systems, tuple(natives), tuple(services), tuple(sites))


def _check(systems: tuple[str, ...], natives: Mapping[str, str], sites: Sequence[str]) -> None:
    more = (*map(native_account, natives), *map(site_account, sites))
    own = {HUB, WEB, SYS, *(name.upper() for name in more)}
    if taken := own & {name.upper() for name in systems}:
        raise AccountsError(f"a system can't be called '{min(taken).lower()}' here: that is an account of mombus's own")
    for name, subject in natives.items():
        for other, longer in natives.items():
            if name != other and f"{longer}.".startswith(f"{subject}."):
                raise AccountsError(f"{other} would hear what is for {name}: give their `subject` different beginnings")


def _part(config: Config, system: str) -> Iterator[Service]:
    """A connector in its own process: it hands over to the hub, the hub writes to it."""
    yield _same(HUB, system, f"{intake_base(config.plant.site)}.{token(system)}.>")
    yield _same(system, HUB, f"{connectors_base(config.plant.site)}.{token(system)}.>")


def _native(system: str, subject: str) -> Iterator[Service]:
    """It says what it says to its connector, which tells and asks it."""
    account = native_account(system)
    yield _same(system, account, f"{subject}.say.>")
    for place in ("take.>", "find", "get.>"):
        yield _same(account, system, f"{subject}.{place}")


def _told(config: Config, site: str) -> Iterator[Service]:
    """It reads: direct gets make nothing, change nothing, and answer to who asked."""
    here = f"site.{token(config.plant.site)}"
    for stream in (MOM, LATEST, CLAIMS):
        yield Service(HUB, site_account(site), f"$JS.API.STREAM.INFO.{stream}", f"{here}.STREAM.INFO.{stream}")
        yield Service(HUB, site_account(site), f"$JS.API.DIRECT.GET.{stream}", f"{here}.DIRECT.GET.{stream}", many=True)


def _read(config: Config, sites: Sequence[str]) -> Iterator[Service]:
    """Our connectors ask the other sites' streams, each its own. Raises AccountsError."""
    for system, declared in config.systems.items():
        other = declared.config
        if isinstance(other, SiteConfig) and other.joined:
            if other.site not in sites:
                raise AccountsError(f"{system} reads site {other.site}, which isn't joined: add --site {other.site}")
            subject = f"site.{token(other.site)}.>"
            yield Service(site_account(other.site), system, subject, subject, many=True)


def _refused(config: Config, account: str, natives: Mapping[str, str]) -> Iterator[Service]:
    """What it may not do leads to the hub's audit trail. No two of an account's subjects may overlap."""
    for name, root in _SHUT.items():
        if not (account == WEB and root == COMMANDS):
            yield Service(HUB, account, f"{REFUSED}.{account}.{name}.>", f"{root}.>")
    for other in config.systems:
        if other != account:
            for kind, place in (("in", intake_base(config.plant.site)), ("to", connectors_base(config.plant.site))):
                yield Service(HUB, account, f"{REFUSED}.{account}.{kind}.{token(other)}.>", f"{place}.{token(other)}.>")
    for other, subject in natives.items():
        if account not in {other, native_account(other)}:
            yield Service(HUB, account, f"{REFUSED}.{account}.native.{token(other)}.>", f"{subject}.>")


def tried(subject: str, site: str) -> tuple[str, str]:
    """Of a refused subject: the account, and what it published on."""
    account, name, rest = subject.removeprefix(f"{REFUSED}.").split(".", 2)
    roots = {**_SHUT, "in": intake_base(site), "to": connectors_base(site)}
    return account, rest if name == "native" else f"{roots.get(name, name)}.{rest}"


def _same(exporter: str, importer: str, subject: str) -> Service:
    return Service(exporter, importer, subject, subject)
