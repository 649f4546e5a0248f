"""The ERP's books: orders, and the documents posted for them. Nothing here notices that a report came twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lxml.etree import _Element


class Material(NamedTuple):
    """A material master record."""

    description: str
    unit: str


MATERIALS = {
    "FG-1000": Material("Still water 0.5 l", "H87"),
    "BOTTLE-05": Material("Bottle 0.5 l", "H87"),
    "CAP-28": Material("Cap 28 mm", "H87"),
    "LABEL-A": Material("Label A", "H87"),
    "CASE-12": Material("Case of 12", "H87"),
    "WATER": Material("Water, bulk", "LTR"),
}
PRODUCT = "FG-1000"
BATCH = 12
"""Bottles per case."""
PER_BATCH = {"BOTTLE-05": 12, "CAP-28": 12, "LABEL-A": 12, "WATER": 6, "CASE-12": 1}
OPENING = Decimal(100_000)
"""How much of each material there is at first."""
STOCK = {"consumed": -1, "issued": -1, "received": 1}
"""Which uses change the stock, and how."""
FIRST_NUMBERS = {
    "confirmation": 5_000_000_123,
    "goods issue": 4_900_000_001,
    "goods movement": 4_950_000_001,
    "usage decision": 3_000_000_001,
    "inspection record": 3_100_000_001,
}


@dataclass(frozen=True, slots=True)
class Order:
    """A released production order."""

    id: str
    quantity: Decimal
    start: datetime

    @property
    def end(self) -> datetime:
        """When it should be finished: a bottle takes two seconds."""
        return self.start + timedelta(seconds=2 * int(self.quantity))

    def needs(self) -> dict[str, Decimal]:
        """Every component with its total."""
        return {material: self.quantity * amount / BATCH for material, amount in PER_BATCH.items()}


class Line(NamedTuple):
    """One material of a document: `use` is good, scrap, consumed, received, issued or moved."""

    material: str
    quantity: Decimal
    use: str


@dataclass(frozen=True, slots=True)
class Posting:
    """A document of the books. `reference` is the reporter's own number, `source` what it reported."""

    number: str
    kind: str
    reference: str
    order: str | None
    lines: tuple[Line, ...]
    source: _Element
    reverses: str | None = None
    """The number of the document that it undoes."""


class Books:
    """Everything that was ordered and posted."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.postings: list[Posting] = []
        self.stock = defaultdict(Decimal, dict.fromkeys(MATERIALS, OPENING))
        self._next = dict(FIRST_NUMBERS)

    def release(self, order_id: str, quantity: Decimal) -> Order:
        """Open an order; an order that is open already stays as it is."""
        return self.orders.setdefault(order_id, Order(order_id, quantity, datetime.now(UTC).replace(microsecond=0)))

    def post(  # noqa: PLR0917 - a document has that many parts
        self, kind: str, reference: str, order: str | None, lines: tuple[Line, ...], source: _Element,
        reverses: str | None = None,
    ) -> Posting:  # fmt: skip
        """Post a document under a new number, whether or not the reference was posted before."""
        number = self._next[kind]
        self._next[kind] += 1
        posting = Posting(str(number), kind, reference, order, lines, source, reverses)
        self.postings.append(posting)
        for line in lines:
            self.stock[line.material] += STOCK.get(line.use, 0) * line.quantity
        return posting

    def reverse(self, original: Posting, reference: str, source: _Element) -> Posting:
        """Post the counter-document of a document: the same lines, taken away."""
        lines = tuple(line._replace(quantity=-line.quantity) for line in original.lines)
        return self.post(original.kind, reference, original.order, lines, source, original.number)

    def standing(self, number: str) -> Posting | None:
        """The document of that number, if it is no reversal and not reversed."""
        reversed_ones = {posting.reverses for posting in self.postings}
        found = (posting for posting in self.postings if posting.number == number and posting.reverses is None)
        return next((posting for posting in found if number not in reversed_ones), None)

    def numbers(self, order: str) -> dict[str, object]:
        """What the books say about an order, quantities as text."""
        of_order = [posting for posting in self.postings if posting.order == order]
        totals: dict[str, Decimal] = defaultdict(Decimal)
        consumption: dict[str, Decimal] = defaultdict(Decimal)
        for line in (line for posting in of_order for line in posting.lines):
            totals[line.use] += line.quantity
            if line.use == "consumed":
                consumption[line.material] += line.quantity
        posted = Counter((posting.kind, posting.reference) for posting in of_order)
        return {
            "order": order,
            "released": order in self.orders,
            "good": _text(totals["good"]),
            "scrap": _text(totals["scrap"]),
            "consumption": {material: _text(quantity) for material, quantity in sorted(consumption.items())},
            "receipts": _text(totals["received"]),
            "documents": len(of_order),
            "duplicates": sum(count - 1 for count in posted.values()),
        }


def _text(quantity: Decimal) -> str:
    return f"{quantity.normalize():f}"
