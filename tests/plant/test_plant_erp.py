"""The simulated ERP: its documents are valid, its books count what comes twice, it insists until it is answered."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from lxml import etree
from patience import PATIENCE_S
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from plant.erp import Erp
from plant.erp.documents import document
from plant.erp.soap import B2MML, E, content, wrap
from plant.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lxml.etree import _Element
    from starlette.requests import Request

SCHEMAS = Path(__file__).parents[3] / "shared/b2mml/xsd/AllSchemas.xsd"


@pytest.fixture
async def erp() -> AsyncIterator[Erp]:
    erp = Erp(pace=0)
    await erp.start()
    yield erp
    await erp.stop()


def report(response: str, use: str = "Produced", material: str = "FG-1000", quantity: str = "10") -> _Element:
    actual = E.MaterialActual(
        E.ID("1"), E.MaterialDefinitionID(material), E.MaterialUse(use),
        E.Quantity(E.QuantityString(quantity), E.DataType("decimal"), E.UnitOfMeasure("H87")),
    )  # fmt: skip
    segment = E.SegmentResponse(E.ID(response), E.OperationsRequestID("PO-4711"), actual)
    performance = E.OperationsPerformance(E.ID("P"), E.OperationsResponse(E.ID("R"), segment))
    return document("ProcessOperationsPerformance", f"B-{response}", E.Process(), [performance])


async def tell(erp: Erp, bod: _Element) -> _Element:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = content((await http.post(erp.url, content=wrap(bod))).content)
    assert answer is not None
    return valid(answer)


def valid(bod: _Element) -> _Element:
    if SCHEMAS.exists():
        schema = etree.XMLSchema(etree.parse(SCHEMAS))
        assert schema.validate(etree.fromstring(etree.tostring(bod))), schema.error_log
    return bod


def code(answer: _Element) -> str | None:
    expression = answer.find(".//{*}ResponseExpression")
    return None if expression is None else expression.get("actionCode")


async def test_what_comes_twice_is_posted_twice_and_counted(erp: Erp) -> None:
    await erp.release()
    for _ in range(2):
        assert code(await tell(erp, report("C-1"))) == "Accepted"
    numbers = erp.numbers("PO-4711")
    assert (numbers["good"], numbers["documents"], numbers["duplicates"]) == ("20", 2, 1)


@pytest.mark.parametrize("wrong", [{"material": "GLUE"}, {"quantity": "many"}])
async def test_a_refused_report_posts_nothing(erp: Erp, wrong: dict[str, str]) -> None:
    await erp.release()
    assert code(await tell(erp, report("C-1", **wrong))) == "Rejected"
    assert erp.numbers("PO-4711")["documents"] == 0


async def test_an_order_needs_what_its_bottles_need(erp: Erp) -> None:
    """240 bottles: 240 bottles, caps and labels, 120 litres, 20 cases; the order's document is valid."""
    needs = erp.books.release("PO-1", Decimal(240)).needs()
    assert needs == {"BOTTLE-05": 240, "CAP-28": 240, "LABEL-A": 240, "WATER": 120, "CASE-12": 20}
    asked = document("GetOperationsSchedule", "B", E.Get(), [E.OperationsSchedule(E.ID("*"))])
    shown = await tell(erp, asked)
    amounts = {
        requirement.findtext("{*}MaterialDefinitionID"): requirement.findtext("{*}Quantity/{*}QuantityString")
        for requirement in shown.iter(f"{{{B2MML}}}MaterialRequirement")
    }
    assert amounts == {
        "FG-1000": "240", "BOTTLE-05": "240", "CAP-28": "240", "LABEL-A": "240", "WATER": "120", "CASE-12": "20",
    }  # fmt: skip


async def test_it_sends_the_same_document_until_it_is_answered() -> None:
    """Down, 503, a page, an answer to something else: only its own acknowledgement ends it."""
    heard: list[str] = []

    async def hub(request: Request) -> Response:
        bod = content(await request.body())
        assert bod is not None
        valid(bod)
        bod_id = bod.findtext("{*}ApplicationArea/{*}BODID") or ""
        heard.append(bod_id)
        if len(heard) == 1:
            return Response("down", 503)
        if len(heard) == 2:
            return Response("<html/>", media_type="text/html")
        about = "another" if len(heard) == 3 else bod_id
        said = E.Acknowledge(E.OriginalApplicationArea(E.CreationDateTime("2026-03-02T06:00:00Z"), E.BODID(about)))
        return Response(wrap(document("AcknowledgeOperationsSchedule", "A", said, [])), media_type="text/xml")

    served = Served(Starlette(routes=[Route("/in/erp", hub, methods=["POST"])]))
    await served.start()
    await served.stop()
    erp = Erp(pace=0, hub_url=f"{served.url}/in/erp")
    releasing = asyncio.create_task(erp.release())
    await asyncio.sleep(0.12)
    await served.start()
    async with asyncio.timeout(PATIENCE_S):
        assert await releasing == "PO-4711"
    assert heard == ["ERP-00000001"] * 4
    await served.stop()


async def test_a_release_by_http_goes_on_by_itself(erp: Erp) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        base = f"http://127.0.0.1:{erp.port}"
        assert (await http.post(f"{base}/release/PO-9")).status_code == 202
        for _ in range(50):
            if (await http.get(f"{base}/numbers/PO-9")).json()["released"]:
                return
            await asyncio.sleep(0.02)
    raise AssertionError("PO-9 wasn't released")
