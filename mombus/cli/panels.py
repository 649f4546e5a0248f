"""In which order `mombus --help` shows the commands, under what headings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

PANELS: Mapping[str, tuple[str, ...]] = {
    "Begin": ("demo", "new", "check", "test", "doctor", "connectors"),
    "Run": ("run", "plan", "apply", "broker-config"),
    "Look": ("status", "flows", "journey", "messages", "searches", "tap", "audit", "export"),
    "What waits, and what was kept": (
        "waiting", "release", "retry", "hold", "skip", "sent", "not-sent", "resume", "disagreements", "kept", "take",
        "dismiss", "replay", "bulk",
    ),
    "Who may come in": ("user", "secret"),
    "References and documents": ("schema", "docs", "b2mml", "journal"),
}  # fmt: skip
ELSE = "Besides"
"""Where a command stands that no panel names."""


def panels(names: Iterable[str]) -> dict[str, list[str]]:
    """The names by panel; each stands in one."""
    left = dict.fromkeys(names)
    found: dict[str, list[str]] = {}
    for title, theirs in PANELS.items():
        found[title] = [name for name in theirs if left.pop(name, ...) is None]
    found[ELSE] = list(left)
    return {title: theirs for title, theirs in found.items() if theirs}
