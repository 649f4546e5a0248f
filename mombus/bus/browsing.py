"""Looking into a stream from a sequence on, without a consumer: direct gets make and change nothing at the broker."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from mombus.bus.errors import NotReachable, StreamGone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mombus.bus.connection import Bus

ANSWER_S = 5.0
_NOTHING, _END = "404", "204"


class Kept(NamedTuple):
    """What is at a sequence of a stream."""

    seq: int
    at: datetime
    subject: str
    headers: Mapping[str, str]
    content: bytes


class Part(NamedTuple):
    """Some of what matches, in order, and how much of it comes after these."""

    found: list[Kept]
    more: int


async def last_sequence(bus: Bus, stream: str) -> int:
    """The sequence of the newest message. Raises StreamGone, NotReachable."""
    from nats.errors import Error  # noqa: PLC0415 - heavy
    from nats.js.errors import APIError, NotFoundError  # noqa: PLC0415

    try:
        return int((await bus.js.stream_info(stream)).state.last_seq)
    except NotFoundError:
        raise StreamGone(f"the stream {stream} doesn't exist any more") from None
    except (Error, APIError, TimeoutError) as error:
        raise NotReachable(f"{stream} can't be read: {error}") from error


async def part(
    bus: Bus, stream: str, subject: str, *, after: int, most: int, most_bytes: int, since: datetime | None = None
) -> Part:
    """The messages on a subject after a sequence, or stored since a time, at most so many. Raises NotReachable."""
    from nats.errors import Error  # noqa: PLC0415

    where: dict[str, Any] = {"start_time": since.isoformat()} if since is not None else {"seq": after + 1}
    asked = {**where, "next_by_subj": subject, "batch": most, "max_bytes": most_bytes}
    try:
        async with asyncio.timeout(ANSWER_S):
            return await _asked(bus, stream, asked)
    except (Error, TimeoutError, ConnectionError) as error:
        raise NotReachable(f"{stream} can't be read: {str(error) or type(error).__name__}") from error


async def _asked(bus: Bus, stream: str, asked: Mapping[str, Any]) -> Part:
    inbox = bus.client.new_inbox()
    answers = await bus.client.subscribe(inbox)
    found: list[Kept] = []
    more = 0
    try:
        await bus.client.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(asked).encode(), reply=inbox)
        while True:
            answer = await answers.next_msg(ANSWER_S)
            headers = {str(name): value for name, value in (answer.headers or {}).items()}
            status = headers.get("Status")
            if status in {_NOTHING, _END}:
                return Part(found, int(headers.get("Nats-Num-Pending", more)))
            if status is not None:
                raise NotReachable(f"{stream} can't be read: {headers.get('Description', status)}")
            more = int(headers.get("Nats-Num-Pending", more))
            found.append(_kept(headers, answer.data))
    finally:
        await answers.unsubscribe()


def _kept(headers: dict[str, str], content: bytes) -> Kept:
    seq, subject, at = (headers.pop(f"Nats-{name}", "") for name in ("Sequence", "Subject", "Time-Stamp"))
    return Kept(int(seq), _time(at), subject, headers, content)


def _time(said: str) -> datetime:
    """RFC 3339 with nanoseconds, which Python doesn't read."""
    seconds, _, fraction = said.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{seconds}.{fraction[:6]:0<6}+00:00")
