"""What is said on the bus, as it is said: asked for again and again from where the last answer ended.

Nothing is held for who watches, so that a tap ends when its watcher is gone. Filters and samples are the hub's: a flood
doesn't reach who watches.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from canonical.message import Verb
from mombus.desk.question import Asked, Question
from mombus.desk.stages import Content

MOST_ROWS = 200
MOST_SINCE_S = 86_400.0

Object = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
SystemName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
Value = Annotated[str, StringConstraints(min_length=1, max_length=250)]
RouteName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,64}>[a-z0-9_-]{1,32}$")]
Position = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}-[0-9]{1,18}$")]


class TapAsked(Asked):
    """What is listened to: what fits everything that is given, each by one of its values."""

    object: tuple[Object, ...] = Field(default=(), max_length=20, description="Of this data object.")
    verb: tuple[Verb, ...] = Field(default=(), max_length=9, description="With this verb.")
    key: tuple[Value, ...] = Field(
        default=(), max_length=20, description="About the thing with this key or id, or of the order or lot of this id."
    )
    system: tuple[SystemName, ...] = Field(
        default=(), max_length=20, description="Said by this system, or going to it."
    )
    route: RouteName | None = Field(default=None, description="By this route, as OBJECT>TARGET.")
    signals: bool = Field(default=False, description="Also what machines say; naming a signal's object is enough.")
    bodies: bool = Field(default=False, description="With the bodies, of long ones the beginning.")
    after: Position | None = Field(
        default=None, description="Where the last answer ended; nothing yet without it, but where to go on."
    )
    since_s: float | None = Field(
        default=None, ge=0, le=MOST_SINCE_S, allow_inf_nan=False,
        description="Begin with what was stored in the last so many seconds.",
    )  # fmt: skip
    most: int = Field(default=100, ge=1, le=MOST_ROWS, description="Messages in one answer at most.")
    spread: bool = Field(
        default=False, description="Where there are more, leave out some all over; otherwise they come next time."
    )


class Tapped(BaseModel):
    """One message, as it was stored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: datetime = Field(description="When it was stored.")
    id: str
    object: str
    verb: str
    action: str | None
    key: str
    source: str
    targets: list[str] = Field(description="Where the routes of now bring it.")
    lane: str
    revision: int | None
    size: int = Field(ge=0, description="Bytes of its body.")
    reason: str | None
    document: str | None
    body: Content | None = None


class TapPart(BaseModel):
    """What was said since the last answer, in order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    messages: list[Tapped]
    after: str = Field(description="Ask with this for what comes then.")
    left_out: int = Field(ge=0, description="How many went by that aren't here, about.")
    more: bool = Field(description="Whether there is more already.")


TAP = Question("messages_tap", TapAsked)
