"""The simulated ERP as a server: its SOAP service, its numbers, and the orders it sends to the hub."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

import httpx
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from plant.erp.books import Books
from plant.erp.desk import Desk
from plant.erp.documents import document, materials, name_of, schedule, text_of
from plant.erp.soap import E, content, fault, wrap, wsdl
from plant.served import Served

if TYPE_CHECKING:
    from lxml.etree import _Element
    from starlette.requests import Request

QUANTITY = Decimal(240)
FIRST_ORDER = 4711
PATIENCE_S = 1.0
"""Between two attempts to reach the hub, times the pace."""
MIN_PATIENCE_S = 0.05


class Erp:
    """The ERP's server. It has no idempotency: what is reported twice is posted twice, and counted as a duplicate.

    `hub_url` is the hub's SOAP service; None sends nothing. `release` sends an order and repeats it, as the same
    document, until the hub has acknowledged it. Its port is known once it was started; its books stay when it stops.

        POST /erp             SOAP 1.1, B2MML V7       GET /erp?wsdl          its description
        GET  /numbers/<order> the books about an order POST /release/<order>  release an order, 202
    """

    def __init__(self, port: int = 0, hub_url: str | None = None, pace: float = 1.0) -> None:
        self.hub_url = hub_url
        self.books = Books()
        self.refused: dict[str, str] = {}
        """Document ids that the hub rejected, with its reason."""
        self._patience_s = max(PATIENCE_S * pace, MIN_PATIENCE_S)
        self._numbers = count(1)
        self._orders = count(FIRST_ORDER)
        self._desk = Desk(self.books, self._bod_id)
        self._sending: set[asyncio.Task[None]] = set()
        self._server = Served(self._app(), port)

    @property
    def url(self) -> str:
        """Where its WSDL is."""
        return f"{self._server.url}/erp?wsdl"

    @property
    def port(self) -> int:
        """Its port, known once it was started."""
        return self._server.port

    async def start(self) -> None:
        """Listen."""
        await self._server.start()

    async def stop(self) -> None:
        """Cut every connection and stop sending; the books stay."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        await self._server.stop()

    async def release(self, order_id: str | None = None, quantity: Decimal = QUANTITY) -> str:
        """Release an order, PO-4711 the first, and return its id when the hub has acknowledged or refused it."""
        order = self.books.release(order_id or f"PO-{next(self._orders)}", quantity)
        verb = E.Process(E.ActionCriteria(E.ActionExpression(actionCode="Add")), acknowledgeCode="Always")
        await self._send(document("ProcessOperationsSchedule", self._bod_id(), verb, [schedule([order])]))
        return order.id

    async def publish_materials(self) -> None:
        """Send the material master; return when the hub has taken it."""
        verb = E.Sync(E.ActionCriteria(E.ActionExpression(actionCode="Add")))
        await self._send(document("SyncMaterialDefinition", self._bod_id(), verb, materials()))

    def numbers(self, order_id: str) -> dict[str, object]:
        """What the books say about an order."""
        return self.books.numbers(order_id)

    def _bod_id(self) -> str:
        return f"ERP-{next(self._numbers):08d}"

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/erp", self._describe, methods=["GET"]),
                Route("/erp", self._soap, methods=["POST"]),
                Route("/numbers/{order}", self._show_numbers, methods=["GET"]),
                Route("/release/{order}", self._release_later, methods=["POST"]),
            ]
        )

    async def _describe(self, request: Request) -> Response:
        return Response(wsdl(str(request.url.replace(query=""))), media_type="text/xml")

    async def _soap(self, request: Request) -> Response:
        try:
            asked = content(await request.body())
            if asked is None:
                raise ValueError("the body is empty")
            return Response(wrap(self._desk.work_on(asked)), media_type="text/xml")
        except ValueError as error:
            return Response(fault("Client", str(error)), 500, media_type="text/xml")

    async def _show_numbers(self, request: Request) -> Response:
        return JSONResponse(self.numbers(request.path_params["order"]))

    async def _release_later(self, request: Request) -> Response:
        task = asyncio.create_task(self._released(request.path_params["order"]))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return Response(status_code=202)

    async def _released(self, order_id: str) -> None:
        await self.release(order_id)

    async def _send(self, bod: _Element) -> None:
        """Send a document again and again, always the same, until it is answered."""
        if self.hub_url is None:
            return
        bod_id = text_of(bod, "ApplicationArea/{*}BODID")
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{name_of(bod)}"'}
        envelope = wrap(bod)
        async with httpx.AsyncClient(timeout=10, trust_env=False) as hub:
            while True:
                try:
                    response = await hub.post(self.hub_url, content=envelope, headers=headers)
                    self._heard(bod_id, content(response.content) if response.content else None)
                except (httpx.HTTPError, ValueError):
                    await asyncio.sleep(self._patience_s)
                else:
                    return

    def _heard(self, bod_id: str, answer: _Element | None) -> None:
        """Note a rejection. Raises ValueError when the answer is for another document."""
        if answer is None:
            return
        answered = [element.text for element in answer.iterfind(".//{*}OriginalApplicationArea/{*}BODID")]
        if bod_id not in answered:
            raise ValueError(f"the hub answered {answered}, not {bod_id}")
        for criteria in answer.iterfind(".//{*}ResponseCriteria"):
            expression = criteria.find("{*}ResponseExpression")
            if expression is not None and expression.get("actionCode") == "Rejected":
                said = (
                    text_of(criteria, f"ChangeStatus/{{*}}{name}") for name in ("Reason", "Description", "ReasonCode")
                )
                reason = next(filter(None, said), "")
                self.refused[bod_id] = reason or "no reason given"
