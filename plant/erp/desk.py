"""The ERP's posting desk: each document it gets becomes postings, a no with a reason, or an answer from the books."""

from __future__ import annotations

from collections import defaultdict
from copy import deepcopy
from decimal import Decimal
from typing import TYPE_CHECKING

from plant.erp.documents import (
    CONSUMED,
    REVERSED,
    Refusal,
    answer,
    confirmation,
    data_of,
    line_of,
    materials,
    name_of,
    number_of,
    schedule,
    stamp_property,
    stamp_segment,
    text_of,
    verb_of,
)
from plant.erp.soap import E

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lxml.etree import _Element

    from plant.erp.books import Books, Line, Posting

LOT_ELEMENTS_AFTER_PROPERTIES = (
    "MaterialSubLot", "StorageLocation", "Quantity", "TestSpecificationID", "AssemblyLot", "AssemblySubLot",
)  # fmt: skip


class Desk:
    """Works on one document at a time, whole or not at all."""

    def __init__(self, books: Books, number: Callable[[], str]) -> None:
        self._books, self._number = books, number

    def work_on(self, asked: _Element) -> _Element:
        """The answer to a document. Raises ValueError for one that the ERP has no use for."""
        verb = verb_of(asked)
        noun = name_of(asked).removeprefix(verb)
        if verb == "Get":
            return answer(asked, "Show", self._number(), self._found(noun, asked), None)
        post = {"OperationsPerformance": self._report, "MaterialLot": self._lot, "TestResult": self._result}.get(noun)
        if post is None or verb not in ("Process", "Sync"):
            raise ValueError(f"the ERP takes no {name_of(asked)}")
        nouns = list(asked.iterfind(f"{{*}}DataArea/{{*}}{noun}"))
        try:
            posted = [post(element) for element in nouns]
            shown, refusal = [element for make in posted for element in make()], None
        except Refusal as no:
            shown, refusal = nouns, no
        if verb == "Sync":
            return confirmation(asked, self._number(), refusal)
        return answer(asked, "Acknowledge", self._number(), map(deepcopy, shown), refusal)

    def _report(self, performance: _Element) -> Callable[[], list[_Element]]:
        """Check a performance; what is returned posts it."""
        entries = [
            self._movement(response) if _is_inventory(response, performance) else self._work(response)
            for response in performance.iterchildren("{*}OperationsResponse")
        ]

        def post() -> list[_Element]:
            for entry in entries:
                entry()
            return [performance]

        return post

    def _movement(self, response: _Element) -> Callable[[], None]:
        order = text_of(response, "OperationsRequestID") or text_of(response, "SegmentResponse/{*}OperationsRequestID")
        segments = list(response.iterchildren("{*}SegmentResponse"))
        lines = tuple(
            line_of(actual, inventory=True)
            for segment in segments
            for actual in segment.iterchildren("{*}MaterialActual")
        )

        def post() -> None:
            posting = self._books.post("goods movement", text_of(response, "ID"), order or None, lines, response)
            stamp_segment(segments[0], posting.number)

        return post

    def _work(self, response: _Element) -> Callable[[], None]:
        """Post each segment response as a confirmation of its output and one goods issue per consumed material."""
        posts = [
            self._segment(segment, text_of(segment, "OperationsRequestID") or text_of(response, "OperationsRequestID"))
            for segment in response.iterchildren("{*}SegmentResponse")
        ]

        def post() -> None:
            for one in posts:
                one(response)

        return post

    def _segment(self, segment: _Element, order: str) -> Callable[[_Element], None]:
        if order not in self._books.orders:
            raise Refusal("ORDER_UNKNOWN", f"order {order or '(none)'} wasn't released by this ERP")
        actuals = list(segment.iterchildren("{*}MaterialActual"))
        undone = data_of(segment, REVERSED)
        if undone:
            return self._reversal(segment, actuals, undone)
        used = [actual for actual in actuals if text_of(actual, "MaterialUse") in CONSUMED]
        made = [actual for actual in actuals if actual not in used]
        issued = [(actual, line_of(actual, inventory=False)) for actual in used]
        self._refuse_negative([line for _, line in issued])
        output = tuple(line_of(actual, inventory=False) for actual in made)
        reference = text_of(segment, "ID")

        def post(response: _Element) -> None:
            if made or not used:
                posting = self._books.post("confirmation", reference, order, output, response)
                stamp_segment(segment, posting.number)
            for actual, line in issued:
                posting = self._books.post(
                    "goods issue", f"{reference}/{text_of(actual, 'ID')}", order, (line,), response
                )
                stamp_property(actual, "MaterialActualProperty", posting.number)

        return post

    def _reversal(self, segment: _Element, actuals: list[_Element], number: str) -> Callable[[_Element], None]:
        """Post the counter-document of the one with that number."""
        original = self._books.standing(number)
        if original is None:
            raise Refusal("NOT_REVERSIBLE", f"there is no document {number} that could be reversed")
        reference = text_of(segment, "ID")

        def post(response: _Element) -> None:
            if original.kind == "confirmation":
                stamp_segment(segment, self._books.reverse(original, reference, response).number)
            else:
                line = f"{reference}/{text_of(actuals[0], 'ID')}"
                posting = self._books.reverse(original, line, response)
                stamp_property(actuals[0], "MaterialActualProperty", posting.number)

        return post

    def _refuse_negative(self, lines: Sequence[Line]) -> None:
        """No stock goes below zero."""
        needed: dict[str, Decimal] = defaultdict(Decimal)
        for line in lines:
            needed[line.material] += line.quantity
        for material, quantity in needed.items():
            if self._books.stock[material] < quantity:
                there = self._books.stock[material]
                raise Refusal("STOCK_MISSING", f"{quantity} of {material} can't be issued, {there} are there")

    def _lot(self, lot: _Element) -> Callable[[], list[_Element]]:
        if not text_of(lot, "Disposition"):
            raise Refusal("DISPOSITION_MISSING", f"lot {text_of(lot, 'ID')}: nothing is decided about it")

        def post() -> list[_Element]:
            posting = self._books.post("usage decision", text_of(lot, "ID"), None, (), lot)
            stamp_property(lot, "MaterialLotProperty", posting.number, LOT_ELEMENTS_AFTER_PROPERTIES)
            return [lot]

        return post

    def _result(self, result: _Element) -> Callable[[], list[_Element]]:
        def post() -> list[_Element]:
            self._books.post("inspection record", text_of(result, "ID"), None, (), result)
            return [result]

        return post

    def _found(self, noun: str, asked: _Element) -> list[_Element]:
        """Everything of a noun that matches the ids asked for; no id asks for all."""
        if noun == "OperationsPerformance":
            return self._performances(_ids(asked, "OperationsResponse"), _ids(asked, "SegmentResponse"))
        if noun == "OperationsSchedule":
            wanted = _ids(asked, "OperationsRequest")
            orders = [order for order in self._books.orders.values() if not wanted or order.id in wanted]
            return [schedule(orders)] if orders else []
        wanted = _ids(asked, noun)
        known = materials() if noun == "MaterialDefinition" else self._sources(noun)
        return [deepcopy(element) for element in known if not wanted or text_of(element, "ID") in wanted]

    def _sources(self, noun: str) -> list[_Element]:
        return [posting.source for posting in self._books.postings if name_of(posting.source) == noun]

    def _performances(self, responses: set[str], segments: set[str]) -> list[_Element]:
        """One performance with everything posted under the ids; reports of one segment response stand together."""
        found: dict[str, _Element] = {}
        for posting in self._books.postings:
            if posting.kind == "goods movement" and posting.reference in responses:
                found[posting.reference] = deepcopy(posting.source)
            elif posting.kind in ("confirmation", "goods issue"):
                _gather(found, posting, segments)
        if not found:
            return []
        return [E.OperationsPerformance(E.ID("erp"), *found.values())]


def _is_inventory(response: _Element, performance: _Element) -> bool:
    return (text_of(response, "OperationsType") or text_of(performance, "OperationsType")) == "Inventory"


def _gather(found: dict[str, _Element], posting: Posting, segments: set[str]) -> None:
    """Add the posted segment responses asked for; the actuals of later documents join the first one's."""
    for segment in posting.source.iterchildren("{*}SegmentResponse"):
        reference = text_of(segment, "ID")
        if reference not in segments:
            continue
        if reference not in found:
            found[reference] = deepcopy(posting.source)
        same = (one for one in found[reference].iterchildren("{*}SegmentResponse") if text_of(one, "ID") == reference)
        _join(next(same), segment)


def _join(shown: _Element, segment: _Element) -> None:
    """Add to a shown segment response what a later document says of it: further actuals, the confirmation's number."""
    known = {_item(actual) for actual in shown.iterchildren("{*}MaterialActual")}
    for actual in segment.iterchildren("{*}MaterialActual"):
        if _item(actual) not in known:
            list(shown.iterchildren("{*}MaterialActual"))[-1].addnext(deepcopy(actual))
    number = number_of(segment)
    if number and not number_of(shown):
        stamp_segment(shown, number)


def _item(actual: _Element) -> tuple[str, str]:
    """A report's output and its consumption number their lines apart."""
    return text_of(actual, "ID"), text_of(actual, "MaterialUse")


def _ids(asked: _Element, name: str) -> set[str]:
    """The ids of all elements of that name in a document's data; `*` asks for none in particular."""
    return {text_of(element, "ID") for element in asked.iterfind(f"{{*}}DataArea//{{*}}{name}")} - {"*"}
