"""The streams: what is kept, for how long, and what happens when one is full.

MOM      states and facts, by age; near its size limit the oldest that all targets have settled make room (`room.py`);
         when that is not enough new messages wait (discard new): nothing is lost
LATEST   the last statement per thing, sourced from MOM, no age limit
SIGNALS  level 2, by age and size; the oldest make room
RAW      documents and webhooks as they came, by age and size; the oldest make room
CLAIMS   bodies too large for the broker's messages, in parts; housekeeping drops those that nothing refers to
MARKS    the mark that journal and broker share, one per site: tells an older copy of either; the newest audit row
DEAD     notification copies of what was parked, by age and size; the oldest make room
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from canonical.claim import ROOT as CLAIM_ROOT
from canonical.objects import CATALOGUE, Kind
from canonical.subjects import LATEST_ROOT, PARTITIONS, ROOT, SIGNAL_ROOT
from mombus.bus.errors import BusError, TooFewNodes
from mombus.config.share import bytes_of

if TYPE_CHECKING:
    from nats.js import JetStreamContext
    from nats.js.api import StreamConfig

    from mombus.config.keeping import Keep

MOM = "MOM"
LATEST = "LATEST"
SIGNALS = "SIGNALS"
RAW = "RAW"
CLAIMS = "CLAIMS"
DEAD = "DEAD"
MARKS = "MARKS"

MARK_ROOT = "mark"
RAW_ROOT = "raw"
DEAD_ROOT = "dead"

_DAY_S = 86_400.0
_GIB = 1024**3
_LEAST_BYTES = 1024**2
_SHARE = 8
"""A stream that doesn't fit gets an eighth, so that room is left for MOM."""
_NAME_IN_USE = 10058
_NO_STORAGE = 10047
_NO_PEERS = {10005, 10074}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is kept. Ages in seconds, sizes in bytes, -1 for no limit.

    `dedup_window_s` is how long the broker recognises a message's id; versions and journals decide beyond it.
    """

    mom_age_s: float = 90 * _DAY_S
    mom_bytes: int = -1
    signals_age_s: float = 7 * _DAY_S
    signals_bytes: int = 4 * _GIB
    raw_age_s: float = 90 * _DAY_S
    raw_bytes: int = 16 * _GIB
    dead_age_s: float = 365 * _DAY_S
    dead_bytes: int = _GIB
    dedup_window_s: float = 600.0
    replicas: int = 1

    @classmethod
    def of(cls, keep: Keep, disk_bytes: int | None, replicas: int = 1) -> Limits:
        """As declared.

        Without a known disk (somebody else's broker) MOM has no limit but a declared size, and shares
        are those of 100 GiB.
        """
        disk = disk_bytes or 100 * _GIB
        unknown = disk_bytes is None and "%" in keep.mom_size
        return cls(
            mom_age_s=keep.mom_age.total_seconds(), mom_bytes=-1 if unknown else bytes_of(keep.mom_size, disk),
            signals_age_s=keep.signals_age.total_seconds(), signals_bytes=bytes_of(keep.signals_size, disk),
            raw_age_s=keep.raw_age.total_seconds(), raw_bytes=bytes_of(keep.raw_size, disk),
            dead_age_s=keep.dead_age.total_seconds(), dead_bytes=bytes_of(keep.dead_size, disk),
            replicas=replicas,
        )  # fmt: skip


async def ensure_streams(js: JetStreamContext, limits: Limits = Limits()) -> None:
    """Create the streams that are missing and bring the limits of the others up to date.

    A size limit is storage the broker reserves: on a small disk, streams whose oldest messages make room get less.
    """
    for config in _configs(limits):
        await _ensure(js, config)


async def _ensure(js: JetStreamContext, config: StreamConfig) -> None:
    from nats.js.errors import APIError, ServiceUnavailableError  # noqa: PLC0415 - imported where it is used

    try:
        await js.add_stream(config)
    except ServiceUnavailableError:
        raise
    except APIError as error:
        if error.err_code == _NAME_IN_USE:
            await _update(js, config)
        elif error.err_code in _NO_PEERS:
            raise TooFewNodes(_too_few(config)) from error
        elif error.err_code == _NO_STORAGE and await _exists(js, config):
            return
        elif error.err_code == _NO_STORAGE and (config.max_bytes or 0) >= _SHARE * _LEAST_BYTES:
            await _ensure(js, config.evolve(max_bytes=(config.max_bytes or 0) // _SHARE))
        else:
            raise BusError(f"the broker can't make the stream {config.name}: {error.description}") from error


def _too_few(config: StreamConfig) -> str:
    return (
        f"the broker can't keep {config.num_replicas} copies of the stream {config.name}: start the other nodes of its "
        "cluster, or set `bus: {replicas: 1}`"
    )


async def _exists(js: JetStreamContext, config: StreamConfig) -> bool:
    from nats.js.errors import NotFoundError  # noqa: PLC0415

    try:
        await js.stream_info(str(config.name))
    except NotFoundError:
        return False
    return True


async def _update(js: JetStreamContext, config: StreamConfig) -> None:
    from nats.js.errors import APIError  # noqa: PLC0415

    try:
        await js.update_stream(config)
    except APIError as error:
        if error.err_code in _NO_PEERS:
            raise TooFewNodes(_too_few(config)) from error
        if error.err_code != _NO_STORAGE:
            raise BusError(f"the broker can't change the stream {config.name}: {error.description}") from error


def _configs(limits: Limits) -> list[StreamConfig]:
    from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig  # noqa: PLC0415

    shared = StreamConfig(
        retention=RetentionPolicy.LIMITS, storage=StorageType.FILE, num_replicas=limits.replicas, allow_direct=True,
        duplicate_window=limits.dedup_window_s, max_msgs=-1, max_bytes=-1,
    )  # fmt: skip
    old, new = DiscardPolicy.OLD, DiscardPolicy.NEW
    return [
        shared.evolve(
            name=MOM, subjects=[f"{ROOT}.*.*.*.*.*.*"], subject_transform=_partitioned(ROOT), allow_atomic=True,
            max_age=limits.mom_age_s, max_bytes=limits.mom_bytes, discard=new,
        ),
        shared.evolve(name=LATEST, sources=_statements(), max_msgs_per_subject=1, discard=old),
        shared.evolve(
            name=SIGNALS, subjects=[f"{SIGNAL_ROOT}.*.*.*.*.*.*"], subject_transform=_partitioned(SIGNAL_ROOT),
            allow_atomic=True, max_age=limits.signals_age_s, max_bytes=limits.signals_bytes, discard=old,
        ),
        shared.evolve(
            name=RAW, subjects=[f"{RAW_ROOT}.>"], max_age=limits.raw_age_s, max_bytes=limits.raw_bytes, discard=old
        ),
        shared.evolve(name=MARKS, subjects=[f"{MARK_ROOT}.>"], max_msgs_per_subject=1, discard=old),
        shared.evolve(name=CLAIMS, subjects=[f"{CLAIM_ROOT}.>"], max_msgs_per_subject=1, discard=new),
        shared.evolve(
            name=DEAD, subjects=[f"{DEAD_ROOT}.>"], max_age=limits.dead_age_s, max_bytes=limits.dead_bytes, discard=old
        ),
    ]  # fmt: skip


def _partitioned(root: str) -> object:
    """Insert the lane's partition before the lane: consumers can be split by lane, order within a lane stays."""
    from nats.js.api import SubjectTransform  # noqa: PLC0415

    before = ".".join(f"{{{{wildcard({n})}}}}" for n in range(1, 5))
    return SubjectTransform(
        src=f"{root}.*.*.*.*.*.*",
        dest=f"{root}.{before}.{{{{partition({PARTITIONS},5)}}}}.{{{{wildcard(5)}}}}.{{{{wildcard(6)}}}}",
    )


def _statements() -> list[object]:
    """One source per state object: facts have no latest, and one source for all would name them all in each header."""
    from nats.js.api import StreamSource, SubjectTransform  # noqa: PLC0415

    return [
        StreamSource(
            name=MOM,
            subject_transforms=[
                SubjectTransform(
                    src=f"{ROOT}.*.{row.name}.sync.*.*.*.*",
                    dest=f"{LATEST_ROOT}.{{{{wildcard(1)}}}}.{row.name}.{{{{wildcard(2)}}}}.{{{{wildcard(5)}}}}",
                )
            ],
        )
        for row in CATALOGUE.values()
        if row.kind is Kind.STATE
    ]
