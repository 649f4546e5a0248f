"""Compares what a step expects with what happened at each system."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from canonical.objects import shown_key
from mombus.trial.comparing import NOTHING, Difference, among, differences, document, pretty, shown
from mombus.trial.happened import TROUBLE, UNREMARKABLE, Failure, Happened

if TYPE_CHECKING:
    from mombus.trial.cases import Expected, Request, Step
    from mombus.trial.reading import Test

_IDENTITY = ("object", "key", "verb", "action")
"""What tells which message is meant, when several happened."""


def judged(test: Test, number: int, step: Step, happened: Sequence[Happened]) -> list[Failure]:
    """What in a step isn't as expected."""
    by_system: dict[str, list[Happened]] = {}
    for one in happened:
        by_system.setdefault(one.system, []).append(one)
    judging = _Judging(test, number)
    failures: list[Failure] = []
    for system, expected in step.expect.items():
        failures += judging.system(system, expected, by_system.get(system, []))
    for system, there in by_system.items():
        if system not in step.expect:
            failures += judging.unexpected(system, there, only_trouble=not step.nobody_else)
    return failures


def learned(test: Test, number: int, step: Step, known: Mapping[tuple[str, str, str], str | None]) -> Iterator[Failure]:
    """The numbers of a step that stand for something else than it says; `known` by system, object and number."""
    for (system, object_, native), got in known.items():
        wanted = step.aliases[system][object_][native]
        if wanted != got:
            place = ("aliases", system, object_, native)
            yield Failure(test.mark(*test.step_place(number), *place), ".".join(place), shown(wanted), shown(got))


def unanswered(test: Test, number: int, asked: Mapping[str, Sequence[str]]) -> Iterator[Failure]:
    """What systems were asked that the mocks of a case say nothing about: what followed isn't worth much."""
    for system, requests in asked.items():
        for request in dict.fromkeys(requests):
            mark = test.mark(*test.step_place(number), "mocks", system)
            yield Failure(mark, f"mocks.{system}", "an answer for every request", f"none for {request}")


class _Judging:
    """Judges one step of one case."""

    def __init__(self, test: Test, number: int) -> None:
        self._test = test
        self._place = test.step_place(number)

    def system(self, system: str, expected: Sequence[Expected], there: Sequence[Happened]) -> Iterator[Failure]:
        left, missing = list(there), False
        met: list[Happened] = []
        for at, one in enumerate(expected):
            found = _best(one, left)
            if found is None:
                yield self._missing(system, at, one, there)
                missing = True
                continue
            left.remove(found)
            yield from self._differing(system, at, one, found)
            if any(_overtook(before, found, there) for before in met):
                yield self._failure((system, at), "after the one before", "before it, in the same lane", found)
            met.append(found)
        for other in left:
            if other.state not in UNREMARKABLE and not missing:
                yield self._failure((system,), "nothing else" if expected else NOTHING, str(other), other)

    def unexpected(self, system: str, there: Sequence[Happened], *, only_trouble: bool) -> Iterator[Failure]:
        for one in there:
            if one.state in TROUBLE:
                yield self._failure((system,), "that what is given is taken", str(one), one, key="given")
            elif not only_trouble and one.state not in UNREMARKABLE:
                yield self._failure((system,), "that nobody else gets anything", str(one), one, key="nobody_else")

    def _missing(self, system: str, at: int, expected: Expected, there: Sequence[Happened]) -> Failure:
        named = [f"{field} {getattr(expected, field)}" for field in _IDENTITY if getattr(expected, field) is not None]
        what = " ".join([expected.state, *named])
        got = "; ".join(str(one) for one in there if one.state != "stored" or expected.state == "stored")
        return self._failure((system, at), what, got or f"{NOTHING} at {system}", *there)

    def _differing(self, system: str, at: int, expected: Expected, found: Happened) -> Iterator[Failure]:
        for place, wanted, got in _different(expected, found):
            yield self._failure((system, at, *place), wanted, got, found)

    def _failure(
        self, place: tuple[str | int, ...], expected: str, got: str, *whole: Happened, key: str = "expect"
    ) -> Failure:
        inside = (*self._place, key, *place) if key == "expect" else (*self._place, key)
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
        everything = pretty([_whole(one) for one in whole])
        return Failure(self._test.mark(*inside), path, expected, got, everything)


def _best(expected: Expected, there: Sequence[Happened]) -> Happened | None:
    """What is meant: of those that may be, the one that differs least, the first of equals."""
    meant = [one for one in there if one.state == expected.state and not list(_unlike(expected, one))]
    return min(meant, key=lambda one: len(list(_different(expected, one))), default=None)


def _unlike(expected: Expected, found: Happened) -> Iterator[str]:
    """What of the identity is another one's. Without a message only a part of a document can be meant."""
    message = found.message
    for field in _IDENTITY:
        wanted = getattr(expected, field)
        got = None if message is None else getattr(message, field)
        if wanted is not None and wanted != got:
            if field == "key" and message is not None and wanted == shown_key(message.object, message.key):
                continue
            yield field


def _different(expected: Expected, found: Happened) -> Iterator[Difference]:
    said = expected.model_fields_set
    revision = found.message.revision if found.message is not None else None
    for field, got in (("revision", revision), ("document", found.document)):
        if field in said and getattr(expected, field) != got:
            yield Difference((field,), shown(getattr(expected, field)), shown(got))
    for field, text in (("reason", found.reason), ("waits_for", found.waits_for)):
        wanted = getattr(expected, field)
        if field in said and (wanted.casefold() not in text.casefold() if wanted else text):
            yield Difference((field,), shown(wanted), shown(text or None))
    if "body" in said:
        yield from differences(expected.body, found.body, exactly=expected.exactly, place=("body",))
    if "request" in said:
        yield from _requests(expected, found)


def _requests(expected: Expected, found: Happened) -> Iterator[Difference]:
    wanted = expected.request or ()
    if len(wanted) != len(found.requests):
        none = "none: nothing was sent, or its connector can't show it"
        yield Difference(("request",), f"{len(wanted)} requests", str(len(found.requests)) if found.requests else none)
    for at, (one, rendered) in enumerate(zip(wanted, found.requests, strict=False)):
        place = ("request", at) if len(wanted) > 1 else ("request",)
        for difference in _request(one, rendered, exactly=expected.exactly):
            yield difference._replace(place=(*place, *difference.place))


def _request(expected: Request, rendered: Any, *, exactly: bool) -> Iterator[Difference]:
    for field, got in (("method", rendered.method), ("path", rendered.place)):
        wanted = getattr(expected, field)
        if wanted is not None and wanted != got:
            yield Difference((field,), shown(wanted), shown(got))
    if expected.headers is not None:
        yield from among(expected.headers, rendered.headers)
    if "body" in expected.model_fields_set:
        body = document(rendered.content, rendered.content_type)
        yield from differences(expected.body, body, exactly=exactly, place=("body",))


def _overtook(before: Happened, found: Happened, there: Sequence[Happened]) -> bool:
    """True if `found` was delivered before `before` though both are in one lane."""
    if before.message is None or found.message is None or before.state != "delivered" or found.state != "delivered":
        return False
    same = set(before.message.lanes) & set(found.message.lanes)
    order = [id(one) for one in there]
    return bool(same) and order.index(id(found)) < order.index(id(before))


def _whole(one: Happened) -> Mapping[str, Any]:
    message = one.message
    told = {} if message is None else {
        "object": message.object, "verb": message.verb, "key": message.key, "revision": message.revision,
        "source": message.source, "body": one.body,
    }  # fmt: skip
    requests = [
        {"method": request.method, "path": request.place, "headers": dict(request.headers),
         "body": document(request.content, request.content_type)}
        for request in one.requests
    ]  # fmt: skip
    said = {
        "system": one.system,
        "state": one.state,
        "reason": one.reason,
        "waits_for": one.waits_for,
        "document": one.document,
        **told,
    }
    return {
        name: value
        for name, value in {**said, "requests": requests, "wire": list(one.wire)}.items()
        if value not in (None, "", [])
    }
