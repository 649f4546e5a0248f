"""What a file of route tests holds: the one declaration behind reading, errors, editor schema and docs."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from canonical.element import Timestamp
from canonical.message import Action, Origin, Verb
from canonical.objects import CATALOGUE
from connectors.plc.signals import VariantKind
from mombus.config.finding import did_you_mean
from mombus.config.model import Name, Section, one_or_many
from mombus.trial.mocks import Mock

STATES = (
    "delivered", "stored", "filtered", "superseded", "skipped", "rejected", "retrying", "parked", "in doubt", "held",
    "behind", "awaiting reference", "awaiting alias", "awaiting posting", "awaiting another", "awaiting stock",
    "not sent", "refused", "disagrees", "waits for an alias", "fault", "dropped",
)  # fmt: skip
"""What may become of a message at a system. As a target: delivered to rejected, the waiting room's reasons, and
`not sent` (it is down or closed). As a source: stored, refused, disagrees, waits for an alias, fault (a part that can't
be read), dropped (an echo, or older than what is known)."""


def _known_state(state: str) -> str:
    if state not in STATES:
        raise ValueError(f"there is no state '{state}'; {did_you_mean(state, STATES) or ', '.join(STATES)}")
    return state


State = Annotated[str, AfterValidator(_known_state), WithJsonSchema({"type": "string", "enum": list(STATES)})]

NATIVE = ("json", "text", "file", "base64", "nodes")


def _short(given: Any) -> Any:
    """`production_order: {…}` is short for an object and its body."""
    if isinstance(given, dict) and len(given) == 1:
        name, body = next(iter(given.items()))
        if name in CATALOGUE:
            return {"object": name, "body": body}
    return given


def _many(given: Any) -> Any:
    """One where a list is taken."""
    return (given,) if isinstance(given, dict) else given


class Told(Section):
    """What a node of an OPC UA server says: `6` is short for `{value: 6}`."""

    value: Any = Field(default=None, description="The value; a list is an array.")
    at: Timestamp | None = Field(
        default=None, description="Its source time; without one now, in the order it is written in."
    )
    status: str = Field(
        default="Good", pattern="^(Good|Uncertain|Bad)[A-Za-z0-9]*$", description="Its status code's name."
    )
    type: VariantKind | None = Field(default=None, description="Its OPC UA type; without one that of the value.")


def _told(given: Any) -> Any:
    """One thing that a node says, or a list of them, as a list; a plain value is one."""
    told = given if isinstance(given, list | tuple) else [given]
    return tuple(one if isinstance(one, dict) else {"value": one} for one in told)


class Given(Section):
    """What a system says: a message in canonical words, or a document in the system's own.

    `production_order: {id: PO-1, …}` is short for `{object: production_order, body: {id: PO-1, …}}`.
    """

    source: Name | None = Field(
        default=None, alias="from", description="The system that says it; without it the owner of the object."
    )
    object: str | None = Field(default=None, description="A name of the catalogue, for a message in canonical words.")
    verb: Verb = Field(default=Verb.SYNC, description="What it does: sync states, get, process … ask the owner.")
    action: Action | None = Field(default=None, description="Add, Change or Delete; Accepted … in a reply.")
    body: dict[str, Any] | None = Field(default=None, description="The object's body; none with action Delete.")
    key: str | None = Field(default=None, description="Which thing, where there is no body to tell it.")
    revision: int | None = Field(default=None, description="The source's own revision; without it the hub counts.")
    occurred: Timestamp | None = Field(default=None, description="When it happened; without it the case's `now`.")
    posting: date | None = Field(default=None, description="The business date to post on.")
    origin: Origin = Field(default=Origin.IMPORTED, description="Who noticed it.")
    by: str | None = Field(default=None, description="The person or program that noticed it.")
    correlation: str | None = Field(default=None, description="Id of the request that this replies to.")
    to: Name | None = Field(default=None, description="The system that a reply is for.")
    channel: str | None = Field(
        default=None,
        description="Which of the system's ways a document came by: a topic, the name of a read; none: it was posted.",
    )
    content_type: str = Field(default="application/json", description="Media type of the document.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers of a document that came over NATS.")
    json_: Any = Field(default=None, alias="json", description="The document as JSON: a webhook's body, a payload.")
    text: str | None = Field(default=None, description="The document as text: B2MML, say.")
    file: str | None = Field(default=None, description="The document's file, from this file's folder on.")
    base64: str | None = Field(default=None, description="The document's bytes.")
    nodes: dict[str, Annotated[tuple[Told, ...], BeforeValidator(_told)]] | None = Field(
        default=None, min_length=1,
        description="What nodes of its OPC UA server say over the wire, one after the other; one or a list for each.",
    )  # fmt: skip

    @property
    def native(self) -> bool:
        """True for a document in the system's own words."""
        return self.object is None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        documents = [name for name in NATIVE if name.rstrip("_") in {_spelt(one) for one in self.model_fields_set}]
        if self.object is not None and documents:
            raise ValueError(f"it is a message (`object`) or a document (`{documents[0]}`), not both")
        if self.object is None and len(documents) != 1:
            raise ValueError(f"say an `object` with its `body`, or one document: {', '.join(NATIVE)}")
        if self.object is None and self.source is None:
            raise ValueError("`from` is missing: the system whose document this is")
        if self.object is not None and self.object not in CATALOGUE:
            raise ValueError(f"there is no data object '{self.object}'; docs/objects.md lists them")
        return self


def _spelt(name: str) -> str:
    return name.rstrip("_")


class Answer(Section):
    """How a target answers what it is told. Without one it takes everything, and numbers what it posts."""

    object: str | None = Field(default=None, description="Only messages of this object; without it all.")
    times: int | None = Field(default=None, ge=1, description="How often it answers so; without it from then on.")
    number: str | None = Field(default=None, description="It takes it, as a document with this number.")
    takes: bool = Field(default=False, description="It takes it without a number, also where it could post.")
    refuses: str | None = Field(default=None, description="It understood and says no, for this reason.")
    lacks: str | None = Field(default=None, description="It has too little stock, and posted nothing.")
    busy: str | None = Field(default=None, description="Not now: it may be tried again.")
    down: str | None = Field(default=None, description="It can't be reached; nothing is sent.")
    halted: str | None = Field(default=None, description="It doesn't let us in: the system stands still for a person.")
    silent: Literal["took", "did not take"] | None = Field(
        default=None, description="No answer in time: whether it took effect all the same."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        said = self.model_fields_set - {"object", "times"}
        if len(said) != 1:
            raise ValueError("say one of number, takes, refuses, lacks, busy, down, halted, silent")
        return self


class Request(Section):
    """A request as the target gets it, in its own words. What isn't said isn't compared."""

    method: str | None = Field(default=None, description="PUT, POST …; SOAP, PUBLISH, CALL, WRITE or REQUEST.")
    path: str | None = Field(default=None, description="Path and query, name of the document, topic, node or subject.")
    headers: dict[str, str] | None = Field(default=None, description="Headers among others.")
    body: Any = Field(
        default=None, description="JSON, or XML as keys and values: names without prefix, attributes with `@`."
    )


class Expected(Section):
    """One thing that becomes of a message at a system. What isn't said isn't compared."""

    state: State = Field(default="delivered", description="What became of it there.")
    object: str | None = Field(default=None, description="The message's object.")
    key: str | None = Field(default=None, description="Its key.")
    verb: Verb | None = Field(default=None, description="Its verb.")
    action: Action | None = Field(default=None, description="Its action.")
    revision: int | None = Field(default=None, description="Its revision.")
    reason: str | None = Field(default=None, description="A part of the reason, in any case.")
    document: str | None = Field(default=None, description="The number of the target's document.")
    waits_for: str | None = Field(
        default=None,
        description="For what or whom it waits there, a part of it: `a person`, `time`, `material FG-1000` …",
    )
    body: Any = Field(
        default=None, description="What the body holds, as the target gets it: mapped, and in the target's ids."
    )
    request: Annotated[tuple[Request, ...] | None, BeforeValidator(_many)] = Field(
        default=None, description="The requests that the target gets in this step, in order; one or a list; `[]`: none."
    )
    exactly: bool = Field(default=False, description="`body` and requests hold what is said and nothing else.")


OneOrMore: TypeAlias = Annotated[tuple[Expected, ...], BeforeValidator(_many)]


class Step(Section):
    """What is said, and what becomes of it. Steps of one case follow each other at the same hub."""

    mocks: dict[Name, Annotated[tuple[Mock, ...], BeforeValidator(_many)]] = Field(
        default_factory=dict,
        description="What systems answer over their wires from here on, read by their connectors; one or a list.",
    )
    given: Annotated[tuple[Annotated[Given, BeforeValidator(_short)], ...], BeforeValidator(_many)] = Field(
        default=(), description="What systems say, one after the other; one or a list."
    )
    retry: Annotated[tuple[Name, ...], BeforeValidator(one_or_many)] = Field(
        default=(), description="Targets at which a person first has everything tried again that waits."
    )
    expect: dict[Name, OneOrMore] = Field(
        default_factory=dict,
        description="By system: everything it gets in this step, and what else is to be compared. `[]`: nothing.",
    )
    nobody_else: bool = Field(default=False, description="Systems that `expect` doesn't name get nothing.")
    aliases: dict[Name, dict[str, dict[str, str | None]]] = Field(
        default_factory=dict,
        description="What was learned by then, as in `aliases` of the configuration: by system and object, its own "
        "number and what that is here; nothing means that it isn't known.",
    )  # fmt: skip

    @property
    def expects(self) -> bool:
        """True if something can be otherwise than it says."""
        return bool(self.expect or self.nobody_else or self.aliases)


class Case(Step):
    """One test: a hub of its own, empty at the beginning, with stand-ins for the systems."""

    name: str = Field(min_length=1, description="What is shown, in words of the plant.")
    now: Timestamp | None = Field(
        default=None, description="The time at which it happens: closed windows and deadlines go by it."
    )
    answers: dict[Name, Annotated[tuple[Answer, ...], BeforeValidator(_many)]] = Field(
        default_factory=dict, description="How targets answer, in order; one or a list."
    )
    steps: tuple[Step, ...] = Field(default=(), description="Several steps instead of one.")

    @property
    def mocked(self) -> frozenset[str]:
        """The systems that are played over their wires."""
        return frozenset(name for step in self.parts for name in step.mocks)

    @property
    def parts(self) -> tuple[Step, ...]:
        """Its steps; a case without is one itself."""
        return self.steps or (self,)

    @model_validator(mode="after")
    def _either(self) -> Self:
        own = self.model_fields_set & set(Step.model_fields)
        if bool(self.steps) == bool(own):
            raise ValueError("either `given` and `expect`, or `steps`, each with its own")
        return self


class CaseFile(Section):
    """A file of route tests, `*.test.yaml` beside the configuration."""

    config: Annotated[tuple[str, ...], BeforeValidator(one_or_many)] = Field(
        default=("routes.yaml",), min_length=1,
        description="The configuration, from this file's folder on; a list lays the others over the first.",
    )  # fmt: skip
    tests: tuple[Case, ...] = Field(min_length=1, description="The cases.")
