"""How it goes: hubs, systems, flows, and what a person should look at."""

from __future__ import annotations

from mombus.desk.question import Nothing, Question

STATUS = Question("status", Nothing)
