"""What a changed configuration would change, told before it is made."""

from __future__ import annotations

from pydantic import Field

from mombus.desk.question import ENGINEERING, Asked, Question
from mombus.plan.fates import Flow
from mombus.plan.plan import Told


class Salted(Asked):
    """How secrets are sealed in the answer."""

    salt: str = Field(
        min_length=16, max_length=64, pattern=r"^[0-9a-f]+$",
        description="Chosen at random by who asks: the same secret is sealed the same under the same salt.",
    )  # fmt: skip


class Basis(Told):
    """What a plan begins with: the running configuration as `mombus.plan.picture` draws it, and what is on its way."""

    running: dict[str, dict[str, dict[str, object]]]
    flow: Flow


BASIS = Question("plan_basis", Salted, ENGINEERING)
