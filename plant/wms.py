"""The simulated warehouse: stages packaging material for orders and puts released goods away.

Its habits are those of real ones: a `token` header, pages of `page` and `max_page`, errors inside HTTP 200 as
`{"status_code", "detail"}`, article numbers of its own, quantities without a unit, naive local times, goods and
quantities as parallel lists. A client's code (`dn_code`, `asn_code`, `issue_code`, `release_code`) is unique.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.routing import Route

from plant.agenda import Agenda
from plant.served import Served, allowed, answer, body_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

ARTICLES = {
    30001: "Bottle 0.5 l",
    30002: "Cap 28 mm",
    30003: "Label A",
    30004: "Case of 12",
    30005: "Still water 0.5 l",
    30006: "Water, bulk",
}
STAGED = frozenset({30001, 30002, 30003, 30004})
"""What the warehouse keeps for the line; water comes by pipe."""
SPARE = Decimal("1.08")
"""More is staged than ordered, because some breaks."""
OPENING = Decimal(100_000)
STAGING_S, PUT_AWAY_S = 4.0, 3.0
WAREHOUSE, LINE = "WH1", "LINE1"


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of a stock document."""

    seq: int
    doc: str
    year: int
    item: int
    type: str
    order: str
    goods_code: int
    goods_qty: Decimal
    from_bin: str
    to_bin: str
    lot: str
    create_time: str


class Refusal(Exception):  # noqa: N818 - what the warehouse says, not what went wrong in it
    """Said as HTTP 200 with a status code in the body."""

    def __init__(self, status_code: int, detail: str) -> None:
        super().__init__(detail)
        self.status_code = status_code


class Wms:
    """The warehouse's server; `token` None asks for none. Its port is known once it was started; its stock stays."""

    def __init__(
        self, port: int = 0, pace: float = 1.0, token: str | None = None, timezone: str = "Europe/Paris"
    ) -> None:
        self._zone = ZoneInfo(timezone)
        self._token = token
        self._agenda = Agenda(pace)
        self._demands: dict[str, dict[str, Any]] = {}
        self._codes: dict[str, dict[str, dict[str, Any]]] = {"asn": {}, "issue": {}, "release": {}}
        self._movements: list[Movement] = []
        self._received: dict[str, Decimal] = defaultdict(Decimal)
        self._stock = defaultdict(Decimal, {(article, WAREHOUSE, ""): OPENING for article in STAGED})
        self._repeated = 0
        self._server = Served(self._app(), port)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._server.url

    async def start(self) -> None:
        """Listen, and go on with what was to be done."""
        await self._server.start()
        self._agenda.start()

    async def stop(self) -> None:
        """Cut every connection; stock and documents stay."""
        await self._server.stop()
        await self._agenda.stop()

    def _app(self) -> Starlette:
        def route(path: str, handle: Callable[[Request], Awaitable[object]], *methods: str) -> Route:
            async def endpoint(request: Request) -> Response:
                return await self._answered(request, handle)

            return Route(path, endpoint, methods=list(methods))

        return Starlette(
            routes=[
                route("/dn/list/{dn_code}/", self._demand, "PUT", "DELETE"),
                route("/dn/list/", self._list_demands, "GET"),
                *(route(f"/{kind}/list/", self._create, "POST") for kind in self._codes),
                *(route(f"/{kind}/list/", self._list_created, "GET") for kind in self._codes),
                *(route(f"/{kind}/list/{{code:path}}/", self._put, "PUT") for kind in ("asn", "release")),
                route("/asn/cancel/{number:int}/", self._cancel, "PUT"),
                route("/movement/list/", self._list_movements, "GET"),
                route("/stock/list/", self._list_stock, "GET"),
                route("/staff/me/", self._me, "GET"),
                route("/numbers/{order}/", self._numbers, "GET"),
            ]
        )

    async def _answered(self, request: Request, handle: Callable[[Request], Awaitable[object]]) -> Response:
        """Answer as this API does: whatever happens, HTTP 200."""
        if not allowed(request, "token", self._token):
            return answer({"status_code": 401, "detail": "User does not exist"})
        try:
            return answer(await handle(request))
        except Refusal as refusal:
            return answer({"status_code": refusal.status_code, "detail": str(refusal)})
        except (ValueError, KeyError, ArithmeticError) as mistake:
            return answer({"status_code": 400, "detail": f"{type(mistake).__name__}: {mistake}"})

    async def _me(self, request: Request) -> object:
        return {"staff_name": "hub", "staff_type": "Customer"}

    async def _demand(self, request: Request) -> object:
        """Create, change or cancel a demand; its goods are staged once."""
        code = request.path_params["dn_code"]
        if request.method == "DELETE":
            if code in self._demands:
                self._demands[code]["dn_status"] = 0
            return {"dn_code": code, "dn_status": 0}
        body = await body_of(request)
        goods = dict(zip(map(_article, body["goods_code"]), map(_quantity, body["goods_qty"]), strict=True))
        known = self._demands.get(code)
        number = known["id"] if known else len(self._demands) + 1
        status = known["dn_status"] if known else 2
        self._demands[code] = {
            "id": number, "dn_code": code, "customer": body.get("customer", LINE), "dn_status": status,
            "goods_code": list(goods), "goods_qty": list(goods.values()),
        }  # fmt: skip
        if known is None:
            self._agenda.after(STAGING_S, lambda: self._stage(code))
        return self._demands[code]

    def _stage(self, code: str) -> None:
        demand = self._demands[code]
        if demand["dn_status"] != 2:
            return
        demand["dn_status"] = 5
        goods = zip(demand["goods_code"], demand["goods_qty"], strict=True)
        lines = [
            (article, (quantity * SPARE).to_integral_value(ROUND_CEILING))
            for article, quantity in goods
            if article in STAGED
        ]
        self._move("TRANSFER", code, lines, (WAREHOUSE, LINE))

    async def _create(self, request: Request) -> object:
        """Take an expected receipt (asn), an issue or a stock release, each code once."""
        kind = request.url.path.split("/")[1]
        body = await body_of(request)
        code = str(body[f"{kind}_code"])
        if code in self._codes[kind]:
            self._repeated += 1
            raise Refusal(409, f"{kind}_code exists: {code}")
        return self._taken(kind, code, body)

    async def _put(self, request: Request) -> object:
        """Create or correct an expected receipt or a stock release."""
        kind = request.url.path.split("/")[1]
        return self._taken(kind, request.path_params["code"], await body_of(request))

    async def _cancel(self, request: Request) -> object:
        """Expect nothing any more of an expected receipt, named by its number; again changes nothing."""
        number, code = request.path_params["number"], str((await body_of(request))["cancel_code"])
        row = next((row for row in self._codes["asn"].values() if row["id"] == number), None)
        if row is None:
            raise Refusal(404, f"there is no expected receipt {number}")
        if self._received[row["lot"]]:
            raise Refusal(409, f"lot {row['lot']} is received already")
        row.update(goods_qty=Decimal(), cancel_code=code)
        return row

    def _taken(self, kind: str, code: str, body: dict[str, Any]) -> dict[str, Any]:
        rows = self._codes[kind]
        _article(body["goods_code"])
        row = {"id": rows[code]["id"] if code in rows else len(rows) + 1, **body}
        if kind != "release":
            row["goods_qty"] = _quantity(body["goods_qty"])
        if kind == "issue":
            self._refuse_negative(row["goods_code"], row["goods_qty"])
        rows[code] = row
        if kind == "issue" and body["goods_code"] in STAGED:
            self._move("ISSUE", body["order"], [(body["goods_code"], row["goods_qty"])], (LINE, ""))
        elif kind != "issue":
            self._agenda.after(PUT_AWAY_S, lambda: self._put_away(body["lot"]))
        return row

    def _refuse_negative(self, article: int, quantity: Decimal) -> None:
        """No stock of the line goes below zero."""
        there = self._stock[article, LINE, ""]
        if article in STAGED and there < quantity:
            raise Refusal(422, f"insufficient stock of {article} at {LINE}: {there:f} of {quantity:f}")

    def _put_away(self, lot: str) -> None:
        """Receive what was made of a free lot and isn't received yet."""
        releases = [row for row in self._codes["release"].values() if row["lot"] == lot]
        made = [row for row in self._codes["asn"].values() if row["lot"] == lot]
        rest = sum((row["goods_qty"] for row in made), Decimal()) - self._received[lot]
        if releases and releases[-1]["stock_status"] == "FREE" and rest > 0:
            self._received[lot] += rest
            self._move("RECEIPT", made[0]["order"], [(made[0]["goods_code"], rest)], ("", WAREHOUSE), lot)

    def _move(
        self, type: str, order: str, lines: list[tuple[int, Decimal]], way: tuple[str, str], lot: str = ""
    ) -> None:
        now = datetime.now(self._zone)
        document = f"49{len({movement.doc for movement in self._movements}) + 1:08}"
        for item, (article, quantity) in enumerate(lines, 1):
            for place, change in zip(way, (-quantity, quantity), strict=True):
                if place:
                    self._stock[article, place, lot] += change
            self._movements.append(
                Movement(
                    seq=len(self._movements) + 1, doc=document, year=now.year, item=item, type=type, order=order,
                    goods_code=article, goods_qty=quantity, from_bin=way[0], to_bin=way[1], lot=lot,
                    create_time=now.replace(tzinfo=None).isoformat(" ", "seconds"),
                )
            )  # fmt: skip

    async def _list_demands(self, request: Request) -> object:
        code = request.query_params.get("dn_code")
        return _page(request, [row for row in self._demands.values() if code in (None, row["dn_code"])])

    async def _list_created(self, request: Request) -> object:
        kind = request.url.path.split("/")[1]
        code = request.query_params.get(f"{kind}_code")
        rows = self._codes[kind]
        return _page(request, list(rows.values()) if code is None else [rows[code]] if code in rows else [])

    async def _list_movements(self, request: Request) -> object:
        after = int(request.query_params.get("seq__gt", "0"))
        return _page(request, [asdict(movement) for movement in self._movements[after:]])

    async def _list_stock(self, request: Request) -> object:
        now = datetime.now(self._zone).replace(tzinfo=None).isoformat(" ", "seconds")
        rows = [
            {"goods_code": article, "bin": place, "lot": lot, "goods_qty": quantity, "count_time": now}
            for (article, place, lot), quantity in sorted(self._stock.items())
        ]
        return _page(request, rows)

    async def _numbers(self, request: Request) -> object:
        """What the warehouse has for an order: per article in total, and how often a client repeated itself."""
        order = request.path_params["order"]
        totals: dict[str, dict[str, Decimal]] = {"TRANSFER": {}, "ISSUE": {}, "RECEIPT": {}}
        for movement in self._movements:
            if movement.order == order:
                of_type = totals[movement.type]
                article = str(movement.goods_code)
                of_type[article] = of_type.get(article, Decimal()) + movement.goods_qty
        return {
            "order": order,
            "staged": _texts(totals["TRANSFER"]),
            "issued": _texts(totals["ISSUE"]),
            "received": _texts(totals["RECEIPT"]),
            "documents": len({m.doc for m in self._movements if m.order == order}),
            "repeated": self._repeated,
        }


def _page(request: Request, rows: list[dict[str, Any]]) -> dict[str, Any]:
    page, size = int(request.query_params.get("page", "1")), min(int(request.query_params.get("max_page", "30")), 1000)
    part = rows[(page - 1) * size : page * size]
    following = f"?page={page + 1}&max_page={size}" if page * size < len(rows) else None
    return {"count": len(rows), "next": following, "previous": None, "results": part}


def _article(number: object) -> int:
    if not isinstance(number, int) or number not in ARTICLES:
        raise Refusal(400, f"goods_code does not exist: {number}")
    return number


def _quantity(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or value < 0:
        raise Refusal(400, f"goods_qty must be a positive number: {value!r}")
    return Decimal(value)


def _texts(totals: dict[str, Decimal]) -> dict[str, str]:
    return {article: f"{quantity:f}" for article, quantity in totals.items()}
