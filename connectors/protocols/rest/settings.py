"""What a REST system is declared with: where it is, and how its items and canonical messages become each other.

Expressions are JSONata. In `url`, `query` and `headers` they stand in braces: `/orders/{key}`, `{body.id}`.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from canonical.message import Action, Verb
from canonical.objects import data_object
from connectors.connector import ConnectorConfig, Effect, Level, Speaks
from connectors.door import DoorConfig
from connectors.jsonata import compile as compile_jsonata

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


def _compiles(text: str) -> str:
    compile_jsonata(text)
    return text


def _fills(text: str) -> str:
    for expression in _PLACEHOLDER.findall(text):
        compile_jsonata(expression)
    if re.search(r"[{}]", _PLACEHOLDER.sub("", text)):
        raise ValueError(f"'{text}' has a brace that isn't closed; an expression in braces holds no braces itself")
    return text


def _catalogued(name: str) -> str:
    try:
        data_object(name)
    except LookupError as unknown:
        raise ValueError(str(unknown)) from None
    return name


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"'{url}' is no http:// or https:// URL")
    if parts.username or parts.password:
        raise ValueError("credentials don't belong into a URL: use token, or user and password")
    if parts.query or parts.fragment:
        raise ValueError("the base URL has no query: parameters belong to the single calls")
    return url.rstrip("/")


def _http_url_or_none(url: str) -> str:
    return _http_url(url) if url else url


Jsonata = Annotated[str, AfterValidator(_compiles)]
Template = Annotated[str, AfterValidator(_fills)]
ObjectName = Annotated[str, AfterValidator(_catalogued)]
Path = Annotated[str, Field(pattern=r"^[\w@.$*-]*$")]
"""Names joined by dots, such as `data.items`; `*` is every element; empty is the whole document."""


class Section(BaseModel):
    """A part of the declaration: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Says(Section):
    """How one native item becomes one message. The expressions see the item."""

    object: ObjectName = Field(description="Data object of the catalogue.")
    verb: Verb = Field(default=Verb.SYNC, description="ISA-95 verb of the message.")
    when: Jsonata | None = Field(default=None, description="Only items for which this is true; others say nothing.")
    body: Jsonata = Field(description="The canonical body.")
    occurred: Jsonata = Field(description="When it happened: ISO 8601 with its offset.")
    revision: Jsonata | None = Field(default=None, description="Orders versions: an integer, or a time with offset.")
    action: Jsonata | None = Field(default=None, description="Add, Change, Delete or Replaced; Change when left out.")
    by: Jsonata | None = Field(default=None, description="Who noted it.")
    posting: Jsonata | None = Field(default=None, description="Business date, such as 2026-03-02.")
    revises: Jsonata | None = Field(default=None, description="Key of the fact this corrects before it was posted.")
    reverses: Jsonata | None = Field(default=None, description="Key of the fact this cancels after it was posted.")


class Paging(Section):
    """How a list comes in pages. `page` and `offset` go on until `more` is false, or a page is empty without it."""

    style: Literal["none", "page", "offset", "link", "cursor"] = Field(
        default="none", description="How the next page is asked for; none: the list is one page."
    )
    size: int = Field(default=100, ge=1, le=1000, description="Items asked for per page.")
    size_query: str | None = Field(default=None, description="Query parameter for the size.")
    query: str = Field(default="page", description="Query parameter for the page number, offset or cursor.")
    first: int = Field(default=1, description="Number of the first page (style page).")
    next: Path = Field(default="next", description="Where the page has the next link or cursor (styles link, cursor).")
    more: Jsonata | None = Field(default=None, description="True of a page that isn't the last.")
    limit: int = Field(default=10_000, ge=1, description="Pages read in one go at most; more is an error.")


class Listing(Section):
    """A list that can be read."""

    url: Template = Field(description="Path below the base URL.")
    query: dict[str, Template] = Field(default_factory=dict, description="Query parameters.")
    items: Path = Field(default="", description="Where a page has its items.")
    paging: Paging = Field(default=Paging(), description="How it comes in pages.")
    local_times: tuple[Path, ...] = Field(
        default=(), description="Times without offset in an item, meant in `timezone`; the offset is added."
    )


class Bookmark(Section):
    """How a poll asks for what is new. Items that a page repeats at the border are recognised and left out."""

    field: Path = Field(description="Where an item has the value that moves on: a change time or a sequence number.")
    query: str = Field(description="Query parameter that asks for items from (or after) the value.")
    start: str | None = Field(default=None, description="Value to begin with; without it the parameter is left out.")
    ordered: bool = Field(default=True, description="The list is in ascending order of the value.")


class Read(Listing):
    """A list that is polled, or read whole as a snapshot."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Names the read in bookmarks and findings.")
    every_s: float = Field(default=5.0, gt=0, description="Seconds between two polls.")
    bookmark: Bookmark | None = Field(
        default=None, description="Asks for what is new; without it the whole list is read, and what changed is said."
    )
    snapshot: Literal["no", "partial", "complete"] = Field(
        default="no", description="Read on demand, not polled; complete: what it lacks doesn't exist."
    )
    says: tuple[Says, ...] = Field(min_length=1, description="What an item says; each that fits says a message.")


class Find(Listing):
    """How it is read back whether a message took effect. The expressions see the message, and `item`."""

    match: Jsonata | None = Field(default=None, description="True of the item that is the effect; any without it.")
    document: Jsonata | None = Field(default=None, description="The document's number.")
    refused: Jsonata | None = Field(
        default=None, description="Why the system refused the item after it had taken it; nothing if it didn't."
    )


class Write(Section):
    """How one object and verb is written. The expressions see the message as routes do, with `id` and `revision`.

    Of a reversal they also see `reverses` and `document`, the system's number for what it undoes.
    """

    object: ObjectName = Field(description="Data object of the catalogue.")
    verb: Verb = Field(default=Verb.SYNC, description="ISA-95 verb of the messages.")
    actions: frozenset[Action] = Field(default=frozenset(), description="Only these actions; all when empty.")
    when: Jsonata | None = Field(default=None, description="Only these messages; the first write that fits is used.")
    method: Literal["POST", "PUT", "PATCH", "DELETE"] = Field(default="POST", description="Method of the request.")
    url: Template = Field(description="Path below the base URL.")
    query: dict[str, Template] = Field(default_factory=dict, description="Query parameters.")
    headers: dict[str, Template] = Field(default_factory=dict, description="Headers besides the credentials.")
    body: Jsonata | None = Field(default=None, description="The native body; none without it.")
    numbers: tuple[Path, ...] = Field(default=(), description="Decimals of the native body written as JSON numbers.")
    idempotency_header: str | None = Field(default=None, description="Header that carries the message's id.")
    effect: Effect | None = Field(
        default=None, description="findable with `find`, idempotent with `idempotency_header`, else blind."
    )
    error: Jsonata | None = Field(default=None, description="As the system's `error`, for this write.")
    duplicate: frozenset[int] = Field(default=frozenset(), description="Statuses that mean: it is there already.")
    document: Jsonata | None = Field(default=None, description="The document's number in the answer: level posted.")
    find: Find | None = Field(default=None, description="How it is read back whether a message took effect.")
    concurrency: int = Field(default=4, ge=1, le=64, description="Writes that may be under way at once.")

    @property
    def keeps(self) -> Effect:
        """How an effect is kept from happening twice."""
        if self.effect is not None:
            return self.effect
        if self.find is not None:
            return Effect.FINDABLE
        return Effect.IDEMPOTENT if self.idempotency_header else Effect.BLIND

    @property
    def level(self) -> Level:
        """How far a taken message has got."""
        return Level.ACCEPTED if self.document is None else Level.POSTED

    @model_validator(mode="after")
    def _can_be_found(self) -> Self:
        if self.keeps is Effect.FINDABLE and self.find is None:
            raise ValueError("effect findable needs `find`: how is it read back?")
        return self


class Lookup(Listing):
    """How a get about an object is answered. The expressions of url and query see the get, those of `says` the item."""

    says: Says = Field(description="What an item says.")


class Pushed(Section):
    """What the system posts to us. Items that nothing in `says` fits are refused, unless `ignores` is true of them."""

    items: Path = Field(default="", description="Where a document has its items.")
    local_times: tuple[Path, ...] = Field(
        default=(), description="Times without offset in an item, meant in `timezone`; the offset is added."
    )
    ignores: Jsonata | None = Field(default=None, description="Items that say nothing and aren't refused.")
    says: tuple[Says, ...] = Field(min_length=1, description="What an item says; each that fits says a message.")


class Check(Section):
    """A call that works with good credentials only."""

    url: Template = Field(description="Path below the base URL.")
    expect: Jsonata | None = Field(default=None, description="True of the answer when the credentials are good.")


class Wire(Section):
    """How a system's API and canonical messages become each other."""

    check: Check | None = Field(default=None, description="A call that works with good credentials only.")
    error: Jsonata | None = Field(
        default=None,
        description="What is wrong in an answer of status 2xx: a reason, or {'status', 'reason', 'lacking'}; nothing "
        "if fine. `lacking` is true of a refusal for missing stock: it is tried again when stock came.",
    )
    reads: tuple[Read, ...] = Field(default=(), description="Lists that are polled, or read whole as a snapshot.")
    writes: tuple[Write, ...] = Field(default=(), description="How objects and verbs are written, and read back.")
    answers: tuple[Lookup, ...] = Field(default=(), description="How gets about its objects are answered.")
    pushed: Pushed | None = Field(default=None, description="What it posts to `listen`.")

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [read.name for read in self.reads]
        if len(set(names)) < len(names):
            raise ValueError("two reads have the same name: their bookmarks would mix")
        return self


class Endpoint(ConnectorConfig):
    """Where a REST system is and how it is spoken to."""

    speaks: ClassVar[Speaks | None] = "http"

    url: Annotated[str, AfterValidator(_http_url)] = Field(description="Base URL of the API.")
    token: SecretStr | None = Field(default=None, description="Token; `Bearer` in front of it in Authorization.")
    token_header: str | None = Field(default=None, description="Header for the token; Authorization without it.")
    user: str | None = Field(default=None, description="User for basic authentication.")
    password: SecretStr | None = Field(default=None, description="Password for basic authentication.")
    timeout_s: float = Field(default=30.0, gt=0, le=600, description="Seconds for one call in all.")
    connect_timeout_s: float = Field(default=5.0, gt=0, le=60, description="Seconds to open a connection.")
    ca_file: str | None = Field(default=None, description="PEM file of the authority that signed the server's key.")
    client_cert: str | None = Field(default=None, description="PEM file of our certificate, for mutual TLS.")
    client_key: str | None = Field(default=None, description="PEM file of our certificate's key.")
    max_response_bytes: int = Field(default=16 * 1024 * 1024, gt=0, description="Larger answers are refused.")
    timezone: str | None = Field(default=None, description="Zone of its times without offset; the plant's without it.")
    poll_s: float | None = Field(
        default=None, gt=0, description="Seconds between two polls, instead of the reads' own."
    )
    listen: str | None = Field(default=None, pattern=r"^/[\w/.-]+$", description="Path it may post to, as `/in/qms`.")
    door: DoorConfig = Field(default=DoorConfig(), description="What it has to show at `listen`, and its limits.")

    @property
    def longest_call_s(self) -> float:
        """The longest a write takes: one call in all."""
        return self.timeout_s

    def moved(self, url: str, *, answer_s: float | None = None) -> Self:
        """As ConnectorConfig.moved; what is below the base URL stays."""
        away = {"token": None, "user": None, "password": None}
        return self.model_copy(update={"url": url, "timeout_s": answer_s or self.timeout_s, **away})

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.token is not None and self.user is not None:
            raise ValueError("either token, or user and password")
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together")
        if self.listen is None and self.door != DoorConfig():
            raise ValueError("a door needs `listen`: the path it is at")
        return self


class RestConfig(Endpoint, Wire):
    """A REST system declared from YAML alone."""

    url: Annotated[str, AfterValidator(_http_url_or_none)] = Field(
        default="", description="Base URL of the API; none for a system that only posts to `listen`."
    )

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        asked = self.check or self.reads or self.writes or self.answers
        if not self.url and (asked or self.listen is None):
            raise ValueError("needs `url`, where its API is: only a system that just posts to `listen` has none")
        return self

    @model_validator(mode="after")
    def _listens_for_something(self) -> Self:
        if (self.listen is None) != (self.pushed is None):
            raise ValueError("listen and pushed belong together: where it posts, and what that says")
        return self
