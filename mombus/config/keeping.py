"""How long and how much is kept: fields of `bus: {keep: …}`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mombus.config.duration import Span, written
from mombus.config.share import share

Share = Annotated[str, AfterValidator(share)]

LEAST_AGE = timedelta(hours=1)


def _long_enough(age: timedelta) -> timedelta:
    if age < LEAST_AGE:
        raise ValueError(f"'{written(age)}' is over before a system is back: keep it for {written(LEAST_AGE)} at least")
    return age


Age = Annotated[Span, AfterValidator(_long_enough)]


class Keep(BaseModel):
    """How long and how much each stream keeps: what ends first counts. Shares are of the embedded broker's disk.

    A broker of your own gets sizes; what isn't named has no limit for `mom_size`, else the share of 100 GiB.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mom_age: Age = Field(default=timedelta(days=90), description="How long states and facts are kept.")
    mom_size: Share = Field(
        default="40%", description="How much of them. Near it the oldest that all targets have settled make room; "
        "what a target has still to get never does: then nothing more is taken in.",
    )  # fmt: skip
    signals_age: Age = Field(default=timedelta(days=7), description="How long level 2 signals are kept.")
    signals_size: Share = Field(default="10%, at most 4 GiB", description="How much of them; the oldest make room.")
    raw_age: Age = Field(default=timedelta(days=90), description="How long documents are kept as they came.")
    raw_size: Share = Field(default="15%, at most 16 GiB", description="How much of them; the oldest make room.")
    dead_age: Age = Field(default=timedelta(days=365), description="How long notices of what was parked are kept.")
    exchanges_age: Age = Field(
        default=timedelta(days=7), description="How long the hub keeps what was exchanged with the targets, in its "
        "folder: requests, answers, refusals.",
    )  # fmt: skip
    exchanges_size: Share = Field(
        default="256 MiB", description="How much of that, compressed; the oldest make room. Of a long text 64 KiB."
    )
    dead_size: Share = Field(default="1%, at most 1 GiB", description="How much of them; the oldest make room.")
