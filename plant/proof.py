"""The proof that the plant's systems agree: each is asked over its own protocol, then their numbers are compared."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiomqtt
import httpx

from plant.line_link import MACHINES, NAMESPACE
from plant.mes_notes import RECIPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncua.client.client import Client

Numbers = dict[str, Any]

PRODUCT = "FG-1000"
ARTICLES = {"30001": "BOTTLE-05", "30002": "CAP-28", "30003": "LABEL-A", "30004": "CASE-12", "30005": PRODUCT}
"""The warehouse's own numbers."""
CHARACTERISTICS = 3
STOPS = 3
ANSWERS_S, MQTT_WAIT_S = 30.0, 2.0


async def numbers(urls: Mapping[str, str], order: str, qms_token: str | None = None) -> Numbers:
    """What each system says about an order, by the system's name in routes.yaml; an empty dict: it knows nothing.

    `urls` are the systems' addresses as `Plant.urls` has them. Raises OSError, httpx.HTTPError or aiomqtt.MqttError
    when a system doesn't answer.
    """
    token = qms_token or (Path(__file__).parent / "secrets" / "QMS_TOKEN").read_text("utf-8").strip()
    async with httpx.AsyncClient(timeout=ANSWERS_S, trust_env=False, follow_redirects=True) as http:
        line = await _line(urls["line1"], order)
        orders = sorted({order, *line["jobs"]})
        erp = await asyncio.gather(*(_get(http, urls["erp"], f"/numbers/{made}") for made in orders))
        return {
            "order": order,
            "line1": line,
            "erp": erp[orders.index(order)],
            "erp_consumption": _added([books["consumption"] for books in erp]),
            "mes": await _mes(urls["mes"], order),
            "qms": await _get(http, urls["qms"], f"/numbers/{order}", {"Authorization": f"Bearer {token}"}),
            "cmms": _maintenance(await _get(http, urls["cmms"], "/numbers"), order),
            "wms": await _get(http, urls["wms"], f"/numbers/{order}/"),
        }


async def _get(http: httpx.AsyncClient, url: str, path: str, headers: Mapping[str, str] | None = None) -> Numbers:
    response = await http.get(httpx.URL(url).copy_with(path=path, query=None), headers=headers)
    response.raise_for_status()
    found: Numbers = response.json()
    return found


def _added(consumptions: list[Mapping[str, str]]) -> dict[str, str]:
    materials = sorted({material for consumption in consumptions for material in consumption})
    return {
        material: f"{sum(Decimal(consumption.get(material, 0)) for consumption in consumptions):f}"
        for material in materials
    }


async def _line(url: str, order: str) -> Numbers:
    """The job's own result, every machine's counters, and the state of every order made since they began to count."""
    from asyncua.client.client import Client  # noqa: PLC0415 - heavy

    async with Client(url, timeout=ANSWERS_S, watchdog_intervall=ANSWERS_S) as client:
        index = await client.get_namespace_index(NAMESPACE)
        line = await client.nodes.objects.get_child(f"{index}:Line1")
        receiver = await line.get_child(f"{index}:JobOrderReceiver")
        method = await receiver.get_child(f"{index}:RequestJobResponseByJobOrderID")
        _, state, good, scrap, started, ended = await receiver.call_method(method.nodeid, f"{order}-J1")
        lists = [await receiver.get_child(f"{index}:{name}") for name in ("JobOrderIDs", "JobOrderStates")]
        jobs = zip(*await client.read_values(lists), strict=True)
        return {
            "state": state, "good": good, "scrap": scrap, "started": started, "ended": ended,
            "jobs": {job.removesuffix("-J1"): state for job, state in jobs},
            "counters": {equipment: await _counters(client, index, name) for equipment, name in MACHINES.items()},
        }  # fmt: skip


async def _counters(client: Client, index: int, machine: str) -> dict[str, int]:
    parent = await client.nodes.objects.get_child([f"{index}:Line1", f"{index}:{machine}"])
    nodes = [await parent.get_child(f"{index}:{name}") for name in ("ProdProcessedCount", "ProdDefectiveCount")]
    processed, defective = await client.read_values(nodes)
    return {"processed": processed, "defective": defective}


async def _mes(url: str, order: str) -> Numbers:
    """The retained topic in which the MES shows an order; empty when there is none."""
    parts = urlsplit(url)
    async with aiomqtt.Client(parts.hostname or "127.0.0.1", parts.port or 1883, timeout=ANSWERS_S) as client:
        await client.subscribe(f"mes/state/{order}", qos=1)
        try:
            async with asyncio.timeout(MQTT_WAIT_S):
                message = await anext(client.messages)
        except TimeoutError:
            return {}
        state: Numbers = json.loads(bytes(message.payload))
        return state


def _maintenance(found: Numbers, order: str) -> Numbers:
    """What of the maintenance system's numbers is about the order."""
    return {
        "requests": {
            number: row["reference"] for number, row in found["requests"].items() if row["productionOrder"] == order
        },
        "downtimes": sorted(no for no, row in found["downtimes"].items() if row.get("productionOrder") == order),
    }


def differences(found: Numbers) -> list[str]:
    """Every two systems that don't tell the same, each as a sentence; empty when all agree and nothing is missing."""
    line, erp, mes, wms, qms, cmms = (found[name] for name in ("line1", "erp", "mes", "wms", "qms", "cmms"))
    order, lot = found["order"], f"{found['order']}-L1"
    if line["state"] != "Completed":
        return [f"the line hasn't completed {order}: {line['state'] or 'it has no such job'}"]
    if not mes:
        return [f"the MES doesn't know {order}"]
    good, scrap = line["good"], line["scrap"]
    checks = [
        ("good pieces: line and ERP", good, erp["good"]),
        ("scrap: line and ERP", scrap, erp["scrap"]),
        ("receipt: line's good pieces and ERP", good, erp["receipts"]),
        ("receipt: line's good pieces and WMS", good, wms["received"].get(_article(PRODUCT), 0)),
        ("documents the ERP has twice", 0, erp["duplicates"]),
        ("good pieces: line and MES", good, mes["good"]),
        ("scrap: line and MES", scrap, mes["scrap"]),
        *(
            (f"{material} used: MES and ERP", used, erp["consumption"].get(material, 0))
            for material, used in mes["used"].items()
        ),
        *(
            (f"{material} used: ERP and WMS issues", erp["consumption"].get(material, 0), wms["issued"].get(article, 0))
            for article, material in ARTICLES.items()
            if material != PRODUCT
        ),
        *_by_counters(line, found["erp_consumption"]),
        ("test results: QMS and MES", len(qms["results"]), len(mes["results"])),
        ("characteristics tested", CHARACTERISTICS, len(qms["results"])),
    ]
    words = [
        (f"QMS's decision on {lot}", "released", qms["decisions"].get(lot)),
        (f"MES's word on {lot}", "FREE", mes["decision"]),
        (f"MES's number of the test of {lot}", [_number(mes, f"QI-{lot}")], list(qms["samples"])),
        ("MES's number of the repair", [_number(mes, f"MR-{order}")], list(cmms["requests"])),
        ("stops in the CMMS", [stop["no"] for stop in mes["stops"]], cmms["downtimes"]),
        ("stops on the line", STOPS, len(mes["stops"])),
    ]
    return [f"{what}: {one} and {other}" for what, one, other in checks if Decimal(one) != Decimal(other)] + [
        f"{what}: {one} and {other}" for what, one, other in words if one != other
    ]


def _article(material: str) -> str:
    return next(article for article, known in ARTICLES.items() if known == material)


def _by_counters(line: Numbers, consumption: Mapping[str, str]) -> list[tuple[str, Any, Any]]:
    """What the machines' counters say was used since they began to count, and what the ERP posted of it.

    Nothing while a job is being made: the counters are ahead of the books then.
    """
    if set(line["jobs"].values()) != {"Completed"}:
        return []
    counters = line["counters"]
    return [
        (
            f"{part.article} used: {part.machine}'s counter and ERP", part.used(counters[part.machine]["processed"]),
            consumption.get(part.article, 0),
        )
        for part in RECIPES[PRODUCT]
    ]  # fmt: skip


def _number(mes: Numbers, request: str) -> str | None:
    number: str | None = mes["requests"].get(request, {}).get("docNo")
    return number
