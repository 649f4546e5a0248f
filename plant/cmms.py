"""The simulated maintenance system: takes work requests, plans and does them, keeps asset downtimes.

Its habits are those of real ones: an `x-api-key` header, integer ids, pages counted from 0 as `{"content", "last"}`,
errors as `{"success": false, "message"}` with 404 for an unknown asset and 406 for a broken rule, times in UTC.
A client's `reference` is unique: creating a request again is answered with 409; a downtime is put by its reference.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.routing import Route

from plant.agenda import Agenda
from plant.served import Served, allowed, answer, body_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

ASSETS = {101: "Filler", 103: "Capper", 104: "Labeler", 105: "Case packer"}
PRIORITIES = ("NONE", "LOW", "MEDIUM", "HIGH")
FIRST_NUMBER = 5001
PLANNED_S, DONE_S = 5.0, 20.0


class Refusal(Exception):  # noqa: N818 - what the system says, not what went wrong in it
    """Said as an HTTP error with a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Cmms:
    """The server; `token` None asks for none. Its port is known once it was started; what it was told stays."""

    def __init__(self, port: int = 0, pace: float = 1.0, token: str | None = None) -> None:
        self._token = token
        self._agenda = Agenda(pace)
        self._requests: dict[int, dict[str, Any]] = {}
        self._downtimes: dict[str, dict[str, Any]] = {}
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
        """Cut every connection; requests and downtimes stay."""
        await self._server.stop()
        await self._agenda.stop()

    def _app(self) -> Starlette:
        def route(path: str, handle: Callable[[Request], Awaitable[object]], *methods: str) -> Route:
            async def endpoint(request: Request) -> Response:
                return await self._answered(request, handle)

            return Route(path, endpoint, methods=list(methods))

        return Starlette(
            routes=[
                route("/requests", self._create, "POST"),
                route("/requests", self._list, "GET"),
                route("/requests/{id:int}", self._one, "GET"),
                route("/asset-downtimes", self._list_downtimes, "GET"),
                route("/asset-downtimes/{reference:path}", self._put_downtime, "PUT"),
                route("/auth/me", self._me, "GET"),
                route("/numbers", self._numbers, "GET"),
            ]
        )

    async def _answered(self, request: Request, handle: Callable[[Request], Awaitable[object]]) -> Response:
        if not allowed(request, "x-api-key", self._token):
            return answer({"success": False, "message": "Access denied"}, 403)
        try:
            return answer(await handle(request))
        except Refusal as refusal:
            return answer({"success": False, "message": str(refusal)}, refusal.status)
        except (ValueError, KeyError, TypeError) as mistake:
            return answer({"success": False, "message": f"{type(mistake).__name__}: {mistake}"}, 400)

    async def _me(self, request: Request) -> object:
        return {"id": 7, "username": "hub"}

    async def _create(self, request: Request) -> object:
        """Take a work request. A reference that is known is a conflict."""
        body = await body_of(request)
        reference = body.get("reference")
        if reference is not None and any(known["reference"] == reference for known in self._requests.values()):
            self._repeated += 1
            raise Refusal(409, f"reference {reference} already exists")
        if body.get("priority", "NONE") not in PRIORITIES:
            raise Refusal(400, f"priority must be one of {', '.join(PRIORITIES)}")
        number = FIRST_NUMBER + len(self._requests)
        self._requests[number] = {
            "id": number, "reference": reference, "title": body["title"], "description": body.get("description"),
            "priority": body.get("priority", "NONE"), "asset": {"id": _asset(body)}, "status": "NEW", "version": 0,
            "productionOrder": body.get("productionOrder"), "createdAt": self._now(),
        }  # fmt: skip
        self._change(number, "NEW")
        self._agenda.after(PLANNED_S, lambda: self._change(number, "PLANNED"))
        self._agenda.after(DONE_S, lambda: self._change(number, "DONE"))
        return self._requests[number]

    def _change(self, number: int, status: str) -> None:
        request = self._requests[number]
        self._requests[number] = request | {
            "status": status,
            "version": request["version"] + 1,
            "updatedAt": self._now(),
        }

    def _now(self) -> str:
        now = datetime.now(UTC)
        return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    async def _list(self, request: Request) -> object:
        since, reference = request.query_params.get("updatedAfter", ""), request.query_params.get("reference")
        rows = [
            row
            for row in self._requests.values()
            if row["updatedAt"] >= since and reference in (None, row["reference"])
        ]
        return _page(request, sorted(rows, key=lambda row: row["updatedAt"]))

    async def _one(self, request: Request) -> object:
        try:
            return self._requests[request.path_params["id"]]
        except KeyError:
            raise Refusal(404, "request not found") from None

    async def _put_downtime(self, request: Request) -> object:
        """Record a downtime, or correct the one of that reference."""
        body = await body_of(request)
        started = datetime.fromisoformat(body["startsOn"])
        if started.tzinfo is None or not body.get("reason"):
            raise Refusal(406, "a downtime needs startsOn with an offset and a reason")
        reference = request.path_params["reference"]
        known = self._downtimes.get(reference, {"id": len(self._downtimes) + 1, "version": 0})
        self._downtimes[reference] = body | {
            "id": known["id"],
            "version": known["version"] + 1,
            "reference": reference,
            "asset": {"id": _asset(body)},
        }
        return self._downtimes[reference]

    async def _list_downtimes(self, request: Request) -> object:
        reference, asset = request.query_params.get("reference"), request.query_params.get("asset")
        rows = [
            row
            for row in self._downtimes.values()
            if reference in (None, row["reference"]) and asset in (None, str(row["asset"]["id"]))
        ]
        return _page(request, rows)

    async def _numbers(self, request: Request) -> object:
        """What the system was told: requests by number, downtimes by reference, how often a client repeated itself."""
        downtime_s = sum((Decimal(row.get("duration") or 0) for row in self._downtimes.values()), Decimal())
        return {
            "requests": {str(number): row for number, row in self._requests.items()},
            "downtimes": self._downtimes,
            "downtime_s": f"{downtime_s:f}",
            "repeated": self._repeated,
        }


def _asset(body: dict[str, Any]) -> int:
    number = body["asset"]["id"]
    if number not in ASSETS:
        raise Refusal(404, f"asset {number} not found")
    return int(number)


def _page(request: Request, rows: list[dict[str, Any]]) -> dict[str, Any]:
    number, size = int(request.query_params.get("page", "0")), min(int(request.query_params.get("size", "20")), 200)
    return {
        "content": rows[number * size : (number + 1) * size],
        "totalElements": len(rows),
        "number": number,
        "size": size,
        "last": (number + 1) * size >= len(rows),
    }
