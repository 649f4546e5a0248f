"""What a changed configuration would change, told before it is made; and making it."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from mombus.desk.question import ENGINEERING, Asked, Deed, Nothing, Question
from mombus.plan.fates import Flow
from mombus.plan.plan import Plan, Told

SALT_BYTES = 16
LONGEST_S = 600.0

Salt: TypeAlias = Annotated[str, Field(min_length=16, max_length=64, pattern=r"^[0-9a-f]+$")]
"""Chosen at random by who asks: the same secret is sealed the same under the same salt."""
Fingerprint: TypeAlias = Annotated[str, Field(max_length=64, pattern=r"^[0-9a-f]+$")]
Systems: TypeAlias = Annotated[tuple[Annotated[str, Field(max_length=32)], ...], Field(max_length=1000)]


State: TypeAlias = Literal["none", "changing", "ready", "applied", "nothing to change", "kept"]
AtOther: TypeAlias = Literal["looked at", "ready", "changing", "runs it", "kept", "went back", "ended"]


class Salted(Asked):
    """How secrets are sealed in the answer."""

    salt: Salt


class MaybeSalted(Asked):
    """As Salted; a salt is made where none is given."""

    salt: Salt | None = None


class Basis(Told):
    """What a plan begins with: the running configuration as `mombus.plan.picture` draws it, and what is on its way."""

    files: tuple[str, ...] = Field(default=(), description="The files that the hub was started from, the base first.")
    running: dict[str, dict[str, dict[str, object]]]
    flow: Flow


class Planned(Told):
    """What the hub's files would change now: the plan, or the findings for which there is none."""

    salt: str = Field(description="Under which the fingerprints and sealed secrets of the plan hold.")
    files: tuple[str, ...] = Field(description="The files that the hub was started from, the first one the base.")
    findings: tuple[str, ...] = Field(description="The errors in them, each with its place.")
    plan: Plan | None


class Seen(Basis):
    """What one hub of several says of a change: its running configuration, what its files say, and what is on its way.

    `place` is the id of its disk, by which it is known again after it has changed.
    """

    place: str
    new: dict[str, dict[str, dict[str, object]]] | None
    findings: tuple[str, ...]
    busy: bool = Field(description="Whether another change is under way there.")


class Apply(Deed):
    """Take over what the hub's files say now."""

    base: Fingerprint | None = Field(default=None, description="Only if the hub runs what has this fingerprint.")
    to: Fingerprint | None = Field(default=None, description="Only if the files say what has this fingerprint.")
    salt: Salt | None = Field(default=None, description="The salt of both fingerprints.")
    skip: Systems = Field(default=(), description="What waits for these systems, which go, is never sent.")
    keep: Systems = Field(
        default=(), description="What waits for these systems, which go, stays until they are declared again."
    )
    within_s: float = Field(
        default=30.0, ge=0, le=LONGEST_S, description="How long what was stored before may take to be delivered."
    )
    unreached: bool = Field(default=False, description="Also if a system that is new or changed can't be reached.")


class Share(Apply):
    """What one hub of several does of a change that another one leads."""

    part: Literal["prepare", "take"] = Field(
        description="prepare: find out whether it can be taken, and deliver what was stored before; take: change over."
    )


class GoBack(Deed):
    """Work again under the configuration before the last change, if what runs is what that made it."""

    salt: Salt
    to: Fingerprint = Field(description="Of what it has changed to, under that salt.")


class HubStep(Told):
    """How far another hub is."""

    address: str
    state: AtOther


class Changed(Told):
    """How a change goes. `kept`: the configuration before it works on, for the reason that is given."""

    number: int = Field(description="Counts the changes since the hub's process began.")
    state: State
    step: str = Field(description="What is done now.")
    reason: str | None = Field(description="Why it was not taken; of what is taken, what isn't as it should be.")
    hubs: tuple[HubStep, ...] = Field(default=(), description="The other hubs, as far as they have been asked.")


BASIS = Question("plan_basis", Salted, ENGINEERING)
PLAN = Question("plan_make", MaybeSalted, ENGINEERING)
APPLY = Question("plan_apply", Apply, ENGINEERING)
CHANGED = Question("plan_changed", Nothing)
LOOK = Question("plan_look", Salted, ENGINEERING)
SHARE = Question("plan_share", Share, ENGINEERING)
GO_BACK = Question("plan_go_back", GoBack, ENGINEERING)
