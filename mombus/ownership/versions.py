"""Which version of a state an owner's statement is: new, said before, older, or a contradiction."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from mombus.ownership.decision import Echo, Refused, digest

if TYPE_CHECKING:
    from canonical.message import Message


class Version(NamedTuple):
    """The newest version of one thing: its revision, what it says, and where: the subject's last sequence there."""

    revision: int
    digest: bytes
    subject: str
    seq: int


class Older(NamedTuple):
    """It is behind what the owner said before, by its revision or its times: dropped and counted."""

    reason: str


def next_version(message: Message, known: Version | None) -> Message | Echo | Older | Refused:
    """The statement with its revision, or why it isn't to be published.

    An owner with comparable numbers brings its own; otherwise different content is one more than the known version.
    """
    if known is None:
        return message.with_revision(1 if message.revision is None else message.revision)
    equal = digest(message) == known.digest
    if message.revision is None:
        return Echo("said before") if equal else message.with_revision(known.revision + 1)
    if message.revision > known.revision:
        return message.with_revision(message.revision)
    if message.revision < known.revision:
        return Older(f"revision {message.revision} is older than {known.revision}, which {message.source} said before")
    if equal:
        return Echo("said before")
    return Refused(
        f"{message.object} {message.key} revision {message.revision} was said before with other content: "
        f"{message.source} must give a changed {message.object} a higher revision"
    )


def by_times(message: Message, newest: Message) -> Older | Refused | None:
    """Why a state without a revision, which comes late, isn't to be published after `newest`; None when it is newer.

    It goes by both times: when the owner says that it was so, and when it was noted first. Where they contradict each
    other, or say nothing, nobody but a person knows which of the two holds.
    """
    occurred, recorded = message.occurred - newest.occurred, message.recorded - newest.recorded
    first, last = sorted((occurred, recorded))
    if last > timedelta(0) and first >= timedelta(0):
        return None
    late = f"{message.object} {message.key} comes late, after another hub took in a newer one"
    if last <= timedelta(0) and first < timedelta(0):
        return Older(f"{late}: it was noted at {message.recorded.isoformat()}, before that")
    return Refused(
        f"{late}, or an older one: it says {message.occurred.isoformat()} and was noted at "
        f"{message.recorded.isoformat()}, the other says {newest.occurred.isoformat()} and was noted at "
        f"{newest.recorded.isoformat()}; take it in if it holds, or dismiss it"
    )
