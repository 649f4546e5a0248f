"""The navigation that all pages share: each page declares its place in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mombus.desk.question import Person, Question


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the navigation: `icon` is a name of templates/icons.html, a smaller `order` comes first.

    Who may not ask `asks` isn't shown it.
    """

    title: str
    path: str
    icon: str
    order: int
    asks: Question | None = None

    def open_to(self, person: Person) -> bool:
        """Whether it is any use to them."""
        return self.asks is None or bool(person.roles & self.asks.roles)

    def has(self, path: str) -> bool:
        """Whether a page is this one or below it."""
        return path == self.path or (self.path != "/" and path.startswith(f"{self.path}/"))
