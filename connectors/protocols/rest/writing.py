"""Writes messages as native calls, and reads back whether they took effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from connectors.connector import (
    Absent,
    Accept,
    ConnectorError,
    Effect,
    Halted,
    Level,
    MappingError,
    NotConnected,
    Offer,
    OutcomeUnknown,
    PermanentError,
    Receipt,
    Rejected,
    Rendered,
    RetryableError,
)
from connectors.exchange import about
from connectors.protocols.rest.exchange import Call, readable
from connectors.protocols.rest.mapping import (
    as_number,
    changed,
    evaluate,
    exact_json,
    fill,
    fill_query,
    fill_url,
    seen_by_expressions,
)
from connectors.protocols.rest.webhook import TRACEPARENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from canonical.message import Message
    from connectors.protocols.rest.answers import Reply
    from connectors.protocols.rest.exchange import Exchange
    from connectors.protocols.rest.paging import Lists
    from connectors.protocols.rest.settings import Find, Wire, Write

_WEAKEST_FIRST = (Effect.BLIND, Effect.FINDABLE, Effect.IDEMPOTENT)


def accepts(writes: Sequence[Write]) -> dict[Offer, Accept]:
    """How each offer is taken; of several writes for one offer the weakest promise holds."""
    found: dict[Offer, Accept] = {}
    for write in writes:
        offer = Offer(write.object, write.verb)
        accept = Accept(write.keeps, concurrency=write.concurrency, level=write.level)
        known = found.get(offer)
        if known is None or _WEAKEST_FIRST.index(accept.effect) < _WEAKEST_FIRST.index(known.effect):
            found[offer] = accept
    return found


class RefusedLater(Rejected):
    """The system took a message and refused it afterwards."""


class Writer:
    """Writes to one system."""

    def __init__(self, wire: Wire, exchange: Exchange, lists: Lists) -> None:
        self._wire = wire
        self._exchange = exchange
        self._lists = lists

    async def write(self, messages: Sequence[Message]) -> list[Receipt | ConnectorError]:
        """As Sink.write."""
        results: list[Receipt | ConnectorError] = []
        for message in messages:
            try:
                with about(message.id):
                    results.append(await self._written(message))
            except (NotConnected, Halted) as error:
                if not results:
                    raise
                results += [error] * (len(messages) - len(results))
                break
            except ConnectorError as error:
                results.append(error)
        return results

    def rendered(self, message: Message) -> Rendered:
        """As Renders.rendered: the one call."""
        data = seen_by_expressions(message)
        call = _call(self._fitting(message, data), message, data)
        query = f"?{urlencode(call.query)}" if call.query else ""
        place = call.url if "://" in call.url else f"/{call.url.removeprefix('/')}"
        return Rendered(method=call.method, place=place + query, content=call.content or b"", headers=call.headers)

    async def find(self, message: Message) -> Receipt | Absent:
        """As Sink.find."""
        data = seen_by_expressions(message)
        write = self._fitting(message, data)
        if write.find is None:
            raise OutcomeUnknown(f"{write.object} {write.verb} can't be read back: no `find` is declared")
        try:
            found = await self._found(write, write.find, data)
            if found is None:
                await self.check()
        except (NotConnected, Halted, RefusedLater):
            raise
        except (RetryableError, PermanentError) as error:
            raise OutcomeUnknown(f"reading back failed: {error}") from error
        return found or Absent()

    async def check(self, timeout_s: float | None = None) -> None:
        """Make sure that the credentials are good, where `check` tells. Raises Halted when they aren't."""
        check = self._wire.check
        if check is not None:
            call = Call(url=fill_url(check.url, {}), timeout_s=timeout_s)
            answer = readable(call, await self._exchange.send(call))
            if check.expect is not None and evaluate(check.expect, answer) is not True:
                raise Halted(f"{check.url} doesn't answer as it does with good credentials; check them")

    async def _written(self, message: Message) -> Receipt:
        data = seen_by_expressions(message)
        write = self._fitting(message, data)
        call = _call(write, message, data)
        reply = await self._exchange.attempt(call)
        if reply.status in write.duplicate:
            return await self._already(write, call, reply, data)
        if not reply.good:
            raise self._exchange.refused(call, reply)
        return _receipt(write, call, reply)

    async def _already(self, write: Write, call: Call, reply: Reply, data: dict[str, Any]) -> Receipt:
        """It is there: the write of before took effect, whose number is read back."""
        if write.find is None:
            return Receipt(Level.ACCEPTED)
        try:
            found = await self._found(write, write.find, data)
        except RefusedLater:
            raise
        except ConnectorError as error:
            raise OutcomeUnknown(f"it is there already, but can't be read back: {error}") from error
        if found is None:
            raise self._exchange.refused(call, reply)
        return found

    async def _found(self, write: Write, find: Find, data: dict[str, Any]) -> Receipt | None:
        async for page in self._lists.pages(find, data, missing_ok=True):
            for item in page.items:
                seen = data | {"item": item}
                if find.match is None or evaluate(find.match, seen) is True:
                    if find.refused is not None and (reason := evaluate(find.refused, seen)):
                        raise RefusedLater(str(reason))
                    document = None if find.document is None else evaluate(find.document, seen)
                    level = write.level if document is not None else Level.ACCEPTED
                    return Receipt(level, None if document is None else str(document))
        return None

    def _fitting(self, message: Message, data: dict[str, Any]) -> Write:
        """The first write that is meant for the message. Raises MappingError when none is."""
        for write in self._wire.writes:
            if (write.object, write.verb) != (message.object, message.verb):
                continue
            if write.actions and message.action not in write.actions:
                continue
            if write.when is None or evaluate(write.when, data) is True:
                return write
        action = f" {message.action}" if message.action else ""
        raise MappingError(f"no declared write fits {message.object} {message.verb}{action} {message.key} as it is")


def _receipt(write: Write, call: Call, reply: Reply) -> Receipt:
    """What a good answer says. It took effect, so an answer without a number is a receipt without one."""
    if write.document is None:
        return Receipt(write.level)
    answer = readable(call, reply)
    try:
        document = evaluate(write.document, answer)
    except MappingError:
        document = None
    return Receipt(Level.ACCEPTED) if document is None else Receipt(write.level, str(document))


def _call(write: Write, message: Message, data: dict[str, Any]) -> Call:
    headers = {name: fill(template, data) for name, template in write.headers.items()}
    if write.idempotency_header:
        headers[write.idempotency_header] = message.id
    if message.traceparent and TRACEPARENT.fullmatch(message.traceparent):
        headers["traceparent"] = message.traceparent
    if write.body is not None:
        headers["content-type"] = "application/json"
    return Call(
        method=write.method,
        url=fill_url(write.url, data),
        query=fill_query(write.query, data),
        headers=headers,
        content=None if write.body is None else _content(write.body, write.numbers, data),
        repeatable=write.keeps is Effect.IDEMPOTENT,
        error=write.error,
    )


def _content(expression: str, numbers: Sequence[str], data: dict[str, Any]) -> bytes:
    body = evaluate(expression, data)
    if body is None:
        raise MappingError(f"`body` gives nothing for {data['object']} {data['key']}")
    return exact_json(changed(body, numbers, as_number))
