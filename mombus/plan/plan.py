"""The plan: what a new configuration changes, as people and programs are told it."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

How: TypeAlias = Literal["added", "changed", "removed"]


class Told(BaseModel):
    """A part of a plan."""

    model_config = ConfigDict(frozen=True)


class FieldChange(Told):
    """One field, before and after; None where it has its default, or isn't there. Secrets are sealed."""

    field: str
    before: Any = None
    after: Any = None


class Change(Told):
    """Something that is declared in one of the two configurations only, or differently in both."""

    kind: str = Field(description="system, object, route, alias, or the section: plant, bus, http …")
    what: str = Field(description="Its name, such as `erp` or `production_order → mes`.")
    how: How
    fields: tuple[FieldChange, ...] = ()
    restart: str | None = Field(default=None, description="Why it takes a restart of the hub, if it does.")


class ConsumerChange(Told):
    """What a change is for one target's consumers at the broker."""

    target: str
    names: tuple[str, ...] = Field(description="The durable consumers of the stream MOM, one for each shard.")
    how: How
    begins: tuple[str, ...] = Field(default=(), description="Where each thing that is read begins, in words.")


class Fate(Told):
    """Messages that are on their way to a target, and what becomes of them."""

    target: str
    what: str = Field(description="Which, in words: `unread`, `production_order, parked`.")
    count: int = Field(ge=0)
    becomes: Literal["old rules", "new rules", "stays", "orphaned"]
    text: str = Field(description="What becomes of them, in a sentence.")
    decide: bool = Field(default=False, description="Whether a person must say what becomes of them: skip or keep.")


class AtHub(Told):
    """The same change at another hub of the journal."""

    address: str
    how: Literal["has it", "changes", "refuses"] = Field(
        description="has it: it runs it already; changes: it takes it too; refuses: nobody takes it, for what it says."
    )
    says: tuple[str, ...] = Field(default=(), description="Why it can't be taken there.")


class Apart(Told):
    """A part of the hub that runs in a process of its own, and what the change is for it."""

    part: str = Field(description="As `--part` names it: `connectors:mes`, `web`.")
    how: Literal["has it", "first", "start", "afterwards"] = Field(
        description="has it: it runs it already; first: it must take it before; start: it is to be started; "
        "afterwards: it is to be told, or stopped, when the hub runs it."
    )
    text: str = Field(description="What to do, in a sentence.")


class Plan(Told):
    """All that a new configuration changes. `base` and `to` are fingerprints of the two, under one salt."""

    base: str
    to: str
    changes: tuple[Change, ...] = ()
    consumers: tuple[ConsumerChange, ...] = ()
    in_flight: tuple[Fate, ...] = ()
    left: tuple[Fate, ...] = Field(
        default=(), description="What waits for systems that were no targets before: left by an earlier change."
    )
    hints: tuple[str, ...] = ()
    repeats: tuple[str, ...] = Field(
        default=(), description="What would take effect a second time, for which nobody takes it."
    )
    hubs: tuple[AtHub, ...] = Field(default=(), description="The other hubs that share the journal.")
    apart: tuple[Apart, ...] = Field(default=(), description="The parts in processes of their own that it is for.")

    @property
    def open(self) -> bool:
        """True while a hub doesn't run it."""
        return bool(self.changes) or any(hub.how == "changes" for hub in self.hubs)

    @property
    def blocked(self) -> list[str]:
        """Why it can't be taken, whatever a person decides."""
        hubs = [f"the hub at {hub.address}: {said}" for hub in self.hubs for said in hub.says]
        return [
            *self.restart,
            *self.repeats,
            *hubs,
            *(f"{one.part}: {one.text}" for one in self.apart if one.how == "first"),
        ]

    @property
    def restart(self) -> list[str]:
        """Why it takes a restart, if it does."""
        return [f"{change.what}: {change.restart}" for change in self.changes if change.restart]

    @property
    def undecided(self) -> dict[str, int]:
        """How many messages a person must decide about, by the target they are for."""
        found: dict[str, int] = {}
        for fate in (*self.in_flight, *self.left):
            if fate.decide:
                found[fate.target] = found.get(fate.target, 0) + fate.count
        return found

    @property
    def added_systems(self) -> frozenset[str]:
        """The systems that are new."""
        return self._systems("added")

    @property
    def changed_systems(self) -> frozenset[str]:
        """The systems with other settings than before."""
        return self._systems("changed")

    @property
    def removed_systems(self) -> frozenset[str]:
        """The systems that go."""
        return self._systems("removed")

    @property
    def decidable(self) -> frozenset[str]:
        """The systems about which a person may decide: those that go, and those that went before and left something."""
        orphaned = {fate.target for fate in self.in_flight if fate.decide}
        return self.removed_systems | orphaned | {fate.target for fate in self.left}

    def _systems(self, how: How) -> frozenset[str]:
        return frozenset(one.what for one in self.changes if one.kind == "system" and one.how == how)
