"""Which parts of a hub one process runs: everything, or what `mombus run --part …` names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mombus.config.needs import Needs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mombus.config.model import Config

EXPECTED = "connectors:erp (or several: connectors:erp,mes), delivery, or web"


class PartsError(ValueError):
    """The parts that were asked for can't be run; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of this process. `systems` are those whose connectors it runs, None for every one."""

    systems: frozenset[str] | None = None
    delivery: bool = True
    web: bool = True

    @property
    def whole(self) -> bool:
        """True if nothing of the hub runs elsewhere."""
        return self.systems is None and self.delivery and self.web

    def runs(self, system: str) -> bool:
        """True if this process has the system's connector."""
        return self.systems is None or system in self.systems

    @property
    def needs(self) -> Needs:
        """The secrets that this process needs."""
        return Needs(self.systems, self.delivery, self.web)

    def check(self, config: Config) -> None:
        """Raises PartsError when they can't work with that configuration."""
        for name in sorted(self.systems or ()):
            if name not in config.systems:
                known = ", ".join(sorted(config.systems))
                raise PartsError(f"--part connectors:{name}: there is no system '{name}'; the systems are {known}")
        if not self.whole and config.bus.broker == "embedded":
            raise PartsError(
                "parts that run apart meet at a broker of your own: write its configuration with "
                "`mombus broker-config`, start it, and set `bus: {broker: nats://…}`"
            )
        self._check_account(config)

    def _check_account(self, config: Config) -> None:
        """An account is one system's: whoever breaks into one process must not get what another system may."""
        file = config.bus.credentials
        account = file.stem if file is not None else ""
        run = config.systems if self.systems is None else self.systems
        others = [f"connectors:{name}" for name in sorted(run) if name != account]
        others += [name for name, runs in (("delivery", self.delivery), ("web", self.web)) if runs]
        if account in config.systems and others:
            raise PartsError(
                f"{file} is the account of {account} alone, it can't run {', '.join(others)}: start one process for "
                f"each system, as `mombus run --part connectors:{account} --credentials {file}`"
            )

    def __str__(self) -> str:
        connectors = "connectors" if self.systems is None else f"connectors:{','.join(sorted(self.systems))}"
        named = {connectors: self.systems is None or self.systems, "delivery": self.delivery, "web": self.web}
        return "everything" if self.whole else " ".join(name for name, runs in named.items() if runs)


EVERYTHING = Parts()


def parse_parts(asked: Sequence[str]) -> Parts:
    """What `--part` says, given several times or not at all. Raises PartsError."""
    if not asked:
        return EVERYTHING
    systems: set[str] = set()
    every = delivery = web = False
    for text in asked:
        part, colon, names = text.partition(":")
        if part == "connectors" and (names or not colon):
            every = every or not colon
            systems |= {name.strip() for name in names.split(",") if name.strip()}
        elif text == "delivery":
            delivery = True
        elif text == "web":
            web = True
        else:
            raise PartsError(f"--part {text}: expected {EXPECTED}")
    return Parts(None if every else frozenset(systems), delivery, web)
