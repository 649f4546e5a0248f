"""A figure: what was measured, beside what the bare library does, and the aim it should meet."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HEAD = ("figure", "value", "bare", "ratio", "aim", "met")


@dataclass(frozen=True, slots=True)
class Aim:
    """What a figure should reach: its `ratio` to bare or its own `value`, `least` or `most` this much."""

    of: Literal["ratio", "value"]
    bound: Literal["least", "most"]
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure. `bare` is the bare library's, in the same unit; `note` says how it was measured."""

    name: str
    value: float
    unit: str
    bare: float | None = None
    aim: Aim | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Value to bare."""
        return self.value / self.bare if self.bare else None

    @property
    def met(self) -> bool | None:
        """Does it reach its aim? None without one."""
        if self.aim is None:
            return None
        reached = self.ratio if self.aim.of == "ratio" else self.value
        if reached is None:
            return False
        return reached >= self.aim.limit if self.aim.bound == "least" else reached <= self.aim.limit

    def as_json(self) -> dict[str, Any]:
        """All of it, with what follows from it."""
        return asdict(self) | {"ratio": self.ratio, "met": self.met}


def table(figures: Iterable[Figure]) -> str:
    """The figures as a table, their notes below it."""
    figures = list(figures)
    rows = [HEAD, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    notes = dict.fromkeys(f"{figure.name}: {figure.note}" for figure in figures if figure.note)
    return "\n".join([*lines, "", *notes])


def _row(figure: Figure) -> tuple[str, ...]:
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    bare = "" if figure.bare is None else f"{amount(figure.bare)} {figure.unit}"
    met = {True: "yes", False: "no", None: ""}[figure.met]
    return (figure.name, f"{amount(figure.value)} {figure.unit}", bare, ratio, _aim(figure), met)


def _aim(figure: Figure) -> str:
    if figure.aim is None:
        return ""
    sign = "≥" if figure.aim.bound == "least" else "≤"
    return f"{sign} {figure.aim.limit:g}{' bare' if figure.aim.of == 'ratio' else f' {figure.unit}'}"


def amount(value: float) -> str:
    """A number as people read it."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *middle, last = row
    cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(middle, widths[1:], strict=False))]
    return "  ".join([*cells, last]).rstrip()
