"""The sections of routes.yaml that are spelt differently from what they become."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field

from mombus.config.model import SPOOL, Name, Section, one_or_many
from mombus.config.size import Size

SECTIONS = ("version", "plant", "bus", "http", "secrets", "systems", "objects", "routes", "aliases")
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


class SystemSection(Section):
    """What every system may say besides its connector's own fields."""

    connector: str = Field(description="Kind of connector, as listed by `mombus connectors`.")
    decides: Annotated[tuple[str, ...], BeforeValidator(one_or_many)] = Field(
        default=(), description="What is decided in this system: shown where people ask who decides."
    )
    contact: str | None = Field(default=None, description="Whom to ask about this system.")
    spool: Size = Field(
        default=SPOOL, description="How much of what it says and can't repeat is kept on disk while the bus stores "
        "nothing, such as 256 MiB; 0 keeps nothing. What doesn't fit is lost, and told as a gap.",
    )  # fmt: skip


COMMON_KEYS = ("decides", "contact", "spool")
"""The keys of a system that aren't its connector's."""
