"""How the packaging line makes bottles: four machines in a row, a capper that jams, a labeler that rejects.

Everything is counted in bottles and decided by counting, so that the same job always gives the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

LABEL_REJECT_EVERY = 80
"""Every 80th label sits askew."""


class State(IntEnum):
    """ANSI/ISA-TR88.00.02 unit states by their numbers."""

    UNDEFINED = 0
    CLEARING = 1
    STOPPED = 2
    STARTING = 3
    IDLE = 4
    SUSPENDED = 5
    EXECUTE = 6
    STOPPING = 7
    ABORTING = 8
    ABORTED = 9
    HOLDING = 10
    HELD = 11
    UNHOLDING = 12
    SUSPENDING = 13
    UNSUSPENDING = 14
    RESETTING = 15
    COMPLETING = 16
    COMPLETE = 17


@dataclass
class Machine:
    """One machine: its state, what it worked on since it was built, how many of those it rejected."""

    name: str
    equipment: str
    state: State = State.STOPPED
    processed: int = 0
    defective: int = 0
    waiting: int = 0
    """Bottles on its infeed belt."""


@dataclass
class Job:
    """A job the line was given, and what became of it."""

    id: str
    quantity: int
    material: str
    order: str
    state: str = "Waiting"
    good: int = 0
    scrap: int = 0
    started: str = ""
    ended: str = ""

    @property
    def open(self) -> bool:
        """True while it still has to be made."""
        return self.state in {"Waiting", "Running", "Held"}


def bottles_needed(good: int, faults: int) -> int:
    """How many bottles have to be filled for `good` ones to be packed."""
    labelled = good
    while labelled - labelled // LABEL_REJECT_EVERY < good:
        labelled += 1
    return labelled + faults


@dataclass
class Run:
    """One job on the machines; counts of the job itself, beside the machines' own that never go back."""

    job: Job
    filler: Machine
    capper: Machine
    labeler: Machine
    packer: Machine
    faults: int
    filled: int = 0
    capped: int = 0
    labelled: int = 0
    jams: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.total = bottles_needed(self.job.quantity, self.faults)
        self.jams = [self.total * (number + 1) // (self.faults + 1) for number in range(self.faults)]

    @property
    def done(self) -> bool:
        """True when everything ordered is packed."""
        return self.job.good >= self.job.quantity

    def step(self, bottles: int) -> bool:
        """Move up to `bottles` through every machine, the last first. Returns True when the capper jams."""
        self._pack(min(bottles, self.packer.waiting))
        self._label(min(bottles, self.labeler.waiting))
        jammed = self._cap(min(bottles, self.capper.waiting))
        self._fill(min(bottles, self.total - self.filled))
        return jammed

    def _fill(self, bottles: int) -> None:
        self.filled += bottles
        self.filler.processed += bottles
        self.capper.waiting += bottles

    def _cap(self, bottles: int) -> bool:
        """The bottle under the capper when it jams is crushed."""
        jam = next((at for at in self.jams if self.capped < at <= self.capped + bottles), None)
        if jam is not None:
            bottles = jam - self.capped
        self.capped += bottles
        self.capper.waiting -= bottles
        self.capper.processed += bottles
        self._reject(self.capper, int(jam is not None))
        self.labeler.waiting += bottles - int(jam is not None)
        return jam is not None

    def _label(self, bottles: int) -> None:
        before = self.labelled // LABEL_REJECT_EVERY
        self.labelled += bottles
        askew = self.labelled // LABEL_REJECT_EVERY - before
        self.labeler.waiting -= bottles
        self.labeler.processed += bottles
        self._reject(self.labeler, askew)
        self.packer.waiting += bottles - askew

    def _pack(self, bottles: int) -> None:
        self.packer.waiting -= bottles
        self.packer.processed += bottles
        self.job.good += bottles

    def _reject(self, machine: Machine, bottles: int) -> None:
        machine.defective += bottles
        self.job.scrap += bottles
