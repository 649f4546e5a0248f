"""What can go wrong between the hub and its broker.

BusError
├── BrokerError        the embedded broker can't be started or doesn't stay up
├── NotReachable       nobody answers at the broker's address
├── TooFewNodes        the broker's cluster hasn't enough nodes for the copies that are wanted
├── NotPermitted       the broker's account may not publish there
├── StreamGone         a stream that should be there isn't: deleted, or its store was wiped
├── NotOurs            the journal and the broker's streams don't belong together
├── StreamFull         the stream's limit is reached and the deadline passed while waiting for room
├── NotStored          the deadline passed before the broker confirmed; it may still have been stored
├── TooLarge           the message is over `bus: largest_body_bytes`, or its headers over the broker's max_payload
├── BodyGone           a body that is kept apart isn't there any more, or isn't what was stored
├── NobodyAnswers      no part of the hub answers a call: nothing was done
├── AnswerLost         a call was asked but its answer didn't come: it may have been done
└── Conflict           somebody else wrote that key first (compare-and-set)
"""

from __future__ import annotations


class BusError(Exception):
    """Something went wrong between the hub and its broker. Use one of the errors below."""


class BrokerError(BusError):
    """The embedded broker can't be started or doesn't stay up; the text has its last words."""


class NotReachable(BusError):  # noqa: N818
    """Nobody answers at the broker's address."""


class TooFewNodes(BusError):  # noqa: N818
    """The cluster hasn't as many nodes, up and with room, as copies of each message are wanted."""


class NotPermitted(BusError):  # noqa: N818
    """The account may not publish on that subject, until somebody grants it."""


class StreamGone(BusError):  # noqa: N818
    """The stream doesn't exist any more: it was deleted, or the broker's store was wiped."""


class NotOurs(BusError):  # noqa: N818
    """The journal and the broker's streams don't belong together: one was wiped, or restored from a backup."""


class StreamFull(BusError):  # noqa: N818
    """The stream has reached its limit and refuses new messages until there is room."""


class NotStored(BusError):  # noqa: N818
    """No confirmation before the deadline. It may have been stored: publish it again with the same id."""


class TooLarge(BusError):  # noqa: N818
    """The message is `size` bytes, `limit` are taken."""

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(
            f"{what} is {size} bytes, at most {limit} are taken: split the document, or raise `bus: largest_body_bytes`"
        )
        self.size = size
        self.limit = limit


class BodyGone(BusError):  # noqa: N818
    """A body that is kept apart can't be had: parts of it are gone, or its digest is another."""


class Conflict(BusError):  # noqa: N818
    """Another message was stored for that key since it was read: read again and decide again."""


class NobodyAnswers(BusError):  # noqa: N818
    """The other part of the hub isn't there, or never had all of the call: nothing was done."""


class AnswerLost(BusError):  # noqa: N818
    """The call was asked, but its answer won't come: it may have been done."""
