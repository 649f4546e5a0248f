"""The sections of routes.yaml that are spelt differently from what they become."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from mombus.config.closing import closing
from mombus.config.duration import duration
from mombus.config.model import SPOOL, Name, Section, one_or_many
from mombus.config.rate import per_second
from mombus.config.size import Size

if TYPE_CHECKING:
    from collections.abc import Callable

SECTIONS = ("version", "plant", "bus", "http", "traces", "secrets", "systems", "objects", "routes", "aliases")
"""The keys of routes.yaml."""
REQUIRED = ("version", "plant", "systems", "objects")


def _zone(value: object) -> ZoneInfo:
    try:
        return value if isinstance(value, ZoneInfo) else ZoneInfo(str(value))
    except (LookupError, ValueError, OSError):
        raise ValueError(f"there is no time zone '{value}'; write one such as Europe/Paris") from None


class PlantSection(Section):
    """Where this is: enterprise, site, its time zone, its equipment hierarchy and calendar."""

    enterprise: str = Field(min_length=1, description="The enterprise's name.")
    site: Name = Field(description="The site's name: a part of every subject on the bus.")
    timezone: Annotated[ZoneInfo, BeforeValidator(_zone)] = Field(
        description="The plant's time zone, such as Europe/Paris.", json_schema_extra={"type": "string"}
    )
    equipment: str | None = Field(default=None, description="CSV file with the columns id,parent,level,description.")
    calendar: str | None = Field(default=None, description="YAML file with the shifts of a week.")


def _as(read: Callable[[str], Any]) -> Callable[[str], str]:
    """Accept what `read` can read, as it is written."""

    def check(text: str) -> str:
        read(text)
        return text

    return check


class SystemSection(Section):
    """What every system may say besides its connector's own fields."""

    connector: str = Field(description="Kind of connector, as listed by `mombus connectors`.")
    decides: Annotated[tuple[str, ...], BeforeValidator(one_or_many)] = Field(
        default=(), description="What is decided in this system: shown where people ask who decides."
    )
    contact: str | None = Field(default=None, description="Whom to ask about this system.")
    allow_link_local: bool = Field(
        default=False, description="Its addresses may be link-local ones (169.254.0.0/16, fe80::/10)."
    )
    spool: Size = Field(
        default=SPOOL, description="How much of what it says and can't repeat is kept on disk while the bus stores "
        "nothing, such as 256 MiB; 0 keeps nothing. What doesn't fit is lost, and told as a gap.",
    )  # fmt: skip
    closed: Annotated[tuple[Annotated[str, AfterValidator(_as(closing))], ...], BeforeValidator(one_or_many)] = Field(
        default=(), description="When nothing is written to it, in the plant's time zone: `Sun 02:00-04:00`, "
        "`Mon-Fri 22:00-23:30`, `2026-03-31 18:00 to 2026-04-01 06:00`. Deadlines go on.",
    )  # fmt: skip
    rate: Annotated[str, AfterValidator(_as(per_second))] | None = Field(
        default=None, description="How many messages are written to it at most: `10/s`, `600/min`, `5000/h`."
    )
    serialise_by: Annotated[tuple[str, ...], BeforeValidator(one_or_many)] = Field(
        default=(), description="Data objects of which two messages that name the same one are never written at once, "
        "such as `[material, material_lot]`.",
    )  # fmt: skip
    lacking: Annotated[timedelta, BeforeValidator(duration)] = Field(
        default=timedelta(hours=8), description="How long what it refuses for missing stock waits for what brings it, "
        "before a person decides.",
    )  # fmt: skip
    calm: Annotated[timedelta, BeforeValidator(duration)] | None = Field(
        default=None, description="How long it may still act on a call that ended without its answer: what it hasn't "
        "got by then is written again. Without it as long as the connector lets a call take, and 5 s.",
    )  # fmt: skip
    shards: Literal[1, 16] = Field(
        default=1, description="Into how many shards what is written to it is split by lane, so that several hubs "
        "write at once (docs/several-hubs.md).",
    )  # fmt: skip


COMMON_KEYS = (
    "decides", "contact", "allow_link_local", "spool", "closed", "rate", "serialise_by", "lacking", "calm",
    "shards",
)  # fmt: skip
"""The keys of a system that aren't its connector's."""
