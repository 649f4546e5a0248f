"""What a system that is played over its wire answers to a request, and what it was asked in vain."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from mombus.trial.mocks import NO_CONNECTION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mombus.trial.mocks import Line


class Script:
    """The lines of one system. Of several that fit, each is given once, or its `times`; the last for good.

    `unanswered` are the requests that nothing was said about. Unless it has `begun` that is no matter: its connector
    `looked` whether anybody is there. Such a look takes no answer away, and gets only one that names its path.
    """

    def __init__(self) -> None:
        self.begun = self.looked = False
        self.unanswered: list[str] = []
        self._lines: deque[Line] = deque()

    @property
    def is_away(self) -> bool:
        """True while nobody can connect to it."""
        return any(line.mock.trouble == NO_CONNECTION for line in self._lines)

    def play(self, lines: Sequence[Line]) -> None:
        """From here on it answers so."""
        self._lines = deque(lines)

    def due(self, method: str, path: str) -> Line | None:
        """What it answers; None if nothing was said about such a request."""
        fitting = [
            at
            for at, line in enumerate(self._lines)
            if line.mock.fits(method, path) and (self.begun or line.mock.path is not None)
        ]
        if not fitting:
            self.looked = True
            if self.begun:
                self.unanswered.append(f"{method} {path}")
            return None
        at = fitting[0]
        line = self._lines[at]
        if not self.begun:
            return line
        times = line.mock.times
        if times == 1 or (times is None and len(fitting) > 1):
            del self._lines[at]
        elif times is not None:
            self._lines[at] = replace(line, mock=line.mock.model_copy(update={"times": times - 1}))
        return line
