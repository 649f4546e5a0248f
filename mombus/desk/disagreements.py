"""Where systems say something else than the owner."""

from __future__ import annotations

from mombus.desk.question import Nothing, Question

DISAGREEMENTS = Question("disagreements", Nothing)
