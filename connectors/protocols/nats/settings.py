"""How a system that speaks NATS itself is declared: its broker, its subjects, what it says and takes."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field

from canonical.message import Verb
from canonical.objects import data_object
from canonical.subjects import LATEST_ROOT, ROOT, SIGNAL_ROOT, token
from connectors.connector import Effect, Offer, Speaks
from connectors.protocols.nats.login import BrokerConfig

_SAID = frozenset({Verb.SYNC, Verb.GET, Verb.PROCESS, Verb.CHANGE, Verb.CANCEL})
_TAKEN = frozenset(Verb) - {Verb.GET}
_HUBS_OWN = frozenset({ROOT, SIGNAL_ROOT, LATEST_ROOT, "raw", "dead", "claim", "mombus", "site"})


def offer_of(text: str) -> Offer:
    """What `object` (a sync) or `object/verb` names. Raises ValueError."""
    name, slash, verb = text.partition("/")
    try:
        return Offer(data_object(name).name, Verb(verb) if slash else Verb.SYNC)
    except LookupError as unknown:
        raise ValueError(str(unknown)) from None
    except ValueError:
        raise ValueError(f"'{verb}' is no verb: {', '.join(Verb)}") from None


def _said(text: str) -> str:
    if offer_of(text).verb not in _SAID:
        raise ValueError(
            f"'{text}': a system says {', '.join(sorted(_SAID))}; what it is asked it answers in its reply"
        )
    return text


def _taken(text: str) -> str:
    if offer_of(text).verb not in _TAKEN:
        raise ValueError(f"'{text}': gets are for `answers`")
    return text


def _known(name: str) -> str:
    return offer_of(name).object


def _free(subject: str) -> str:
    if subject.partition(".")[0] in _HUBS_OWN:
        raise ValueError(f"subjects that begin with '{subject.partition('.')[0]}' are the hub's own")
    return subject


class NatsConfig(BrokerConfig):
    """A system that speaks NATS itself."""

    speaks: ClassVar[Speaks | None] = "nats"

    url: str = Field(
        pattern=r"^(nats|tls)://",
        description="Broker where it is met, or several with commas: mombus's own broker or the system's.",
    )
    subject: Annotated[str, AfterValidator(_free)] | None = Field(
        default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$", max_length=200,
        description="What all its subjects begin with; the system's name if not given.",
    )  # fmt: skip
    says: tuple[Annotated[str, AfterValidator(_said)], ...] = Field(
        default=(), description="What it says on `<subject>.say.<object>.<verb>`: `object` (sync), or `object/verb`."
    )
    takes: tuple[Annotated[str, AfterValidator(_taken)], ...] = Field(
        default=(),
        description="What it is told on `<subject>.take.<object>.<verb>`: `object` (sync), or `object/verb`.",
    )
    answers: tuple[Annotated[str, AfterValidator(_known)], ...] = Field(
        default=(), description="Objects it answers gets about, asked on `<subject>.get.<object>`."
    )
    effect: Effect = Field(
        default=Effect.FINDABLE,
        description="What it does to have no effect twice: findable (it answers on `<subject>.find`), idempotent (it "
        "knows the id of what it took) or blind (neither: a person looks).",
    )
    concurrency: int = Field(default=16, ge=1, le=256, description="How many things it is told at once.")
    timeout_s: float = Field(default=30.0, gt=0, le=600, description="Seconds it has for an answer.")
    max_waiting: int = Field(
        default=1000, ge=1, le=100_000, description="How much of what it says may wait to be stored; more is told so."
    )
    max_bytes: int = Field(default=1024 * 1024, ge=1024, le=64 * 1024 * 1024, description="Longest message taken.")

    def moved(self, url: str, *, answer_s: float | None = None) -> Self:
        """As ConnectorConfig.moved; the URL may hold user and password of the stand-in's broker."""
        return self.model_copy(update={
            "url": url, "credentials": None, "token": None, "ca": None, "timeout_s": answer_s or self.timeout_s,
        })  # fmt: skip

    def spoken_on(self, system: str) -> str:
        """As ConnectorConfig.spoken_on."""
        return self.subject or token(system)
