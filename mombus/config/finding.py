"""What the loader found: where, what is wrong, what to do next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mombus.config.scrubbing import Scrubber


class Severity(StrEnum):
    """Errors keep the hub from starting, warnings don't."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a file; line and column start at 1."""

    file: str
    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `path` is the place in the configuration, such as `systems.erp.url`, empty for the file itself."""

    severity: Severity
    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {place}{self.message}{hint}"


class Findings:
    """Collects findings while a configuration is read."""

    def __init__(self) -> None:
        self._found: dict[Finding, None] = {}

    def error(self, mark: Mark, path: str, message: str, hint: str = "") -> None:
        """Something the hub can't start with."""
        self._add(Severity.ERROR, mark, path, message, hint)

    def warning(self, mark: Mark, path: str, message: str, hint: str = "") -> None:
        """Something that works, but probably isn't what was meant."""
        self._add(Severity.WARNING, mark, path, message, hint)

    @property
    def failed(self) -> bool:
        """True if one of them is an error."""
        return any(finding.severity is Severity.ERROR for finding in self._found)

    def sorted(self, scrubber: Scrubber | None = None) -> tuple[Finding, ...]:
        """All of them in the order of files and lines, without what is secret."""
        shown = (_without(finding, scrubber) if scrubber else finding for finding in self._found)
        return tuple(sorted(shown, key=lambda finding: (finding.file, finding.line, finding.column)))

    def _add(self, severity: Severity, mark: Mark, path: str, message: str, hint: str) -> None:
        self._found[Finding(severity, mark.file, mark.line, mark.column, path, message, hint)] = None


def _without(finding: Finding, scrubber: Scrubber) -> Finding:
    return replace(finding, message=scrubber.text(finding.message), hint=scrubber.text(finding.hint))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint with the closest known name, else with all of them if they are few."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known are {', '.join(names)}" if 0 < len(names) <= 12 else ""
