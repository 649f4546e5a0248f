"""The simulated laboratory: takes inspection orders, measures, and decides on the lot.

Its habits are those of real ones: a bearer token, lists as `{"count", "pagesize", "page", "next", "items"}` with a link
to the next page, results as text in the laboratory's own unit words, a state machine per sample. `ClientSampleID` is
the client's reference and unique: creating a sample again is answered with 409.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import partial
from hashlib import sha256
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

ROOT = "/senaite/v1"
CHARACTERISTICS = (
    ("FILL_VOLUME", "mL", Decimal("497.0"), Decimal("503.0"), Decimal("0.1")),
    ("CAP_TORQUE", "N.m", Decimal("1.60"), Decimal("2.40"), Decimal("0.01")),
    ("LABEL_POSITION", "mm", Decimal("-1.00"), Decimal("1.00"), Decimal("0.05")),
)
"""Keyword, unit word, lower limit, upper limit, resolution."""
MEASURE_S, DECIDE_S = 2.0, 2.0


class Refusal(Exception):  # noqa: N818 - what the laboratory says, not what went wrong in it
    """Said as an HTTP error with a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Qms:
    """The laboratory's server; `token` None asks for none. Its port is known once it was started; its data stays."""

    def __init__(
        self, port: int = 0, pace: float = 1.0, token: str | None = None, timezone: str = "Europe/Paris"
    ) -> None:
        self._zone = ZoneInfo(timezone)
        self._token = token
        self._agenda = Agenda(pace)
        self._samples: dict[str, dict[str, Any]] = {}
        self._analyses: list[dict[str, Any]] = []
        self._decisions: list[dict[str, Any]] = []
        self._batches: dict[str, dict[str, Any]] = {}
        self._production: dict[str, dict[str, Any]] = {}
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
        """Cut every connection; samples and results stay."""
        await self._server.stop()
        await self._agenda.stop()

    def _app(self) -> Starlette:
        def route(path: str, handle: Callable[[Request], Awaitable[object]], *methods: str) -> Route:
            async def endpoint(request: Request) -> Response:
                return await self._answered(request, handle)

            return Route(path, endpoint, methods=list(methods))

        return Starlette(
            routes=[
                route(f"{ROOT}/users/current", self._me, "GET"),
                route(f"{ROOT}/Batch/{{id}}", self._put_batch, "PUT"),
                route(f"{ROOT}/Production/{{id:path}}", self._put_production, "PUT"),
                route(f"{ROOT}/AnalysisRequest/create", self._create, "POST"),
                route(f"{ROOT}/AnalysisRequest", self._list_samples, "GET"),
                route(f"{ROOT}/Analysis", self._list_analyses, "GET"),
                route(f"{ROOT}/Disposition", self._list_decisions, "GET"),
                route("/numbers/{order}", self._numbers, "GET"),
            ]
        )

    async def _answered(self, request: Request, handle: Callable[[Request], Awaitable[object]]) -> Response:
        if not allowed(request, "authorization", self._token):
            return answer({"message": "Unauthorized"}, 401)
        try:
            return answer(await handle(request))
        except Refusal as refusal:
            return answer({"success": False, "message": str(refusal)}, refusal.status)
        except (ValueError, KeyError, TypeError) as mistake:
            return answer({"success": False, "message": f"{type(mistake).__name__}: {mistake}"}, 400)

    async def _me(self, request: Request) -> object:
        return {"items": [{"username": "hub", "authenticated": True}], "count": 1}

    async def _put_batch(self, request: Request) -> object:
        """The plan for a production order: what will be inspected."""
        order = request.path_params["id"]
        self._batches[order] = await body_of(request) | {"id": order, "modified": self._now()}
        return {"items": [self._batches[order]], "count": 1}

    async def _put_production(self, request: Request) -> object:
        """What was produced so far, told by response id."""
        response = request.path_params["id"]
        self._production[response] = await body_of(request) | {"id": response, "modified": self._now()}
        return {"items": [self._production[response]], "count": 1}

    async def _create(self, request: Request) -> object:
        """Register a sample. A reference that is known is a conflict."""
        body = await body_of(request)
        reference = str(body["ClientSampleID"])
        if reference in self._samples:
            self._repeated += 1
            raise Refusal(409, f"ClientSampleID {reference} already exists")
        if not body.get("ClientReference"):
            raise Refusal(400, "ClientReference (the lot) is required")
        sample = body | {
            "id": f"QL-{len(self._samples) + 1:06}", "uid": sha256(reference.encode()).hexdigest()[:32],
            "portal_type": "AnalysisRequest", "review_state": "sample_received", "version": 1, "modified": self._now(),
        }  # fmt: skip
        self._samples[reference] = sample
        for number, characteristic in enumerate(CHARACTERISTICS, 1):
            self._agenda.after(MEASURE_S * number, partial(self._measure, reference, characteristic))
        self._agenda.after(MEASURE_S * len(CHARACTERISTICS) + DECIDE_S, partial(self._decide, reference))
        return {"items": [sample], "count": 1}

    def _measure(self, reference: str, characteristic: tuple[str, str, Decimal, Decimal, Decimal]) -> None:
        """A value within the limits, the same for the same sample."""
        keyword, unit, low, high, step = characteristic
        steps = int((high - low) / step)
        value = low + step * (sha256(f"{reference}/{keyword}".encode()).digest()[0] * steps // 256)
        sample = self._samples[reference]
        self._analyses.append(
            {
                "uid": sha256(f"{sample['uid']}/{keyword}".encode()).hexdigest()[:32], "portal_type": "Analysis",
                "Keyword": keyword, "Result": f"{value:f}", "Unit": unit, "RequestID": sample["id"],
                "ClientReference": sample["ClientReference"], "ClientOrderNumber": sample.get("ClientOrderNumber"),
                "ResultsRange": {"min": f"{low:f}", "max": f"{high:f}"}, "review_state": "verified",
                "InRange": low <= value <= high, "ResultCaptureDate": self._now(), "modified": self._now(), "Retest": 0,
            }
        )  # fmt: skip
        self._change(reference, "to_be_verified")

    def _decide(self, reference: str) -> None:
        sample = self._samples[reference]
        measured = [analysis for analysis in self._analyses if analysis["RequestID"] == sample["id"]]
        self._decisions.append(
            {
                "id": f"UD-{len(self._decisions) + 1:06}", "portal_type": "Disposition", "RequestID": sample["id"],
                "ClientReference": sample["ClientReference"], "ClientOrderNumber": sample.get("ClientOrderNumber"),
                "SampleType": sample.get("SampleType"), "Analyst": "lab1", "decided": self._now(),
                "decision": "released" if all(analysis["InRange"] for analysis in measured) else "blocked",
                "modified": self._now(), "version": 0,
            }
        )  # fmt: skip
        self._change(reference, "published")

    def _change(self, reference: str, state: str) -> None:
        sample = self._samples[reference]
        self._samples[reference] = sample | {
            "review_state": state,
            "version": sample["version"] + 1,
            "modified": self._now(),
        }

    def _now(self) -> str:
        return datetime.now(self._zone).isoformat(timespec="milliseconds")

    async def _list_samples(self, request: Request) -> object:
        reference = request.query_params.get("ClientSampleID")
        return self._page(
            request, [row for row in self._samples.values() if reference in (None, row["ClientSampleID"])]
        )

    async def _list_analyses(self, request: Request) -> object:
        return self._page(request, self._analyses)

    async def _list_decisions(self, request: Request) -> object:
        return self._page(request, self._decisions)

    def _page(self, request: Request, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """A page of what changed since `modified_since`, oldest change first, with a link to the next one."""
        asked = request.query_params
        if "modified_since" in asked:
            since = datetime.fromisoformat(asked["modified_since"])
            rows = [row for row in rows if datetime.fromisoformat(row["modified"]) >= since]
        rows = sorted(rows, key=lambda row: datetime.fromisoformat(row["modified"]))
        start, limit = int(asked.get("b_start", "0")), min(int(asked.get("limit", "25")), 100)
        after = request.url.include_query_params(b_start=start + limit) if start + limit < len(rows) else None
        items = rows[start : start + limit]
        return {
            "count": len(rows), "pagesize": limit, "page": start // limit + 1, "next": after and str(after),
            "items": items,
        }  # fmt: skip

    async def _numbers(self, request: Request) -> object:
        """What the laboratory knows of an order: samples, results, the decision per lot, repeated calls."""
        order = request.path_params["order"]

        def of_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [row for row in rows if row.get("ClientOrderNumber") == order]

        return {
            "order": order,
            "planned": order in self._batches,
            "samples": {row["id"]: row["ClientSampleID"] for row in of_order(list(self._samples.values()))},
            "results": {row["Keyword"]: f"{row['Result']} {row['Unit']}" for row in of_order(self._analyses)},
            "decisions": {row["ClientReference"]: row["decision"] for row in of_order(self._decisions)},
            "repeated": self._repeated,
        }
