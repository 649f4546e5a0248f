"""A small JSON API for tests: decisions on lots, listed in every paging style, with the faults of real systems."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ports import free_port
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from plant.served import Served

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

SAYS = {
    "object": "release_decision",
    "occurred": "decided",
    "body": '{"id": ref, "material_lot_id": lot, "disposition": "UnRestricted", "decided": decided}',
}
FIND = {
    "url": "/docs",
    "query": {"ref": "{body.id}"},
    "items": "items",
    "match": "item.ref = body.id",
    "document": "item.number",
}
WRITE = {
    "object": "release_decision",
    "url": "/docs",
    "body": '{"ref": body.id, "lot": body.material_lot_id, "decided": body.decided}',
    "document": "number",
    "find": FIND,
}


@dataclass
class Ledger:
    """The system: documents in order of `seq`. `next_answers` are given once each instead of what it would say."""

    docs: list[dict[str, Any]] = field(default_factory=list)
    next_answers: list[Response] = field(default_factory=list)
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    after_page: Callable[[], None] | None = None
    swallow: bool = False
    hang: bool = False
    links: str = "whole"

    def __post_init__(self) -> None:
        routes = [
            Route("/me", self._me),
            Route("/docs", self._docs, methods=["GET", "POST", "PUT"]),
            Route("/docs/{ref}", self._doc, methods=["GET", "PUT", "PATCH", "DELETE"]),
            Route("/{style}/docs", self._paged),
        ]
        self.server = Served(Starlette(routes=routes), free_port())
        self.released = asyncio.Event()

    @property
    def url(self) -> str:
        return self.server.url

    def add(self, ref: str, **more: Any) -> None:
        seq = len(self.docs) + 1
        decided = f"2026-03-02T09:{seq // 60:02}:{seq % 60:02}Z"
        self.docs.append({"seq": seq, "number": 7000 + seq, "ref": ref, "lot": "L1", "decided": decided} | more)

    def count(self, ref: str) -> int:
        return sum(doc["ref"] == ref for doc in self.docs)

    async def _me(self, request: Request) -> Response:
        return self.next_answers.pop(0) if self.next_answers else _json({"user": "hub"})

    async def _docs(self, request: Request) -> Response:
        body = await request.body()
        self.seen.append((request.method, str(request.url), dict(request.headers), body))
        if self.next_answers:
            return self.next_answers.pop(0)
        if request.method == "GET":
            ref = request.query_params.get("ref")
            return _json({"items": [doc for doc in self.docs if ref in (None, doc["ref"])]})
        given = json.loads(body)
        if given.get("lot") == "REFUSED":
            return _json({"error": {"message": "lot REFUSED is closed"}}, 422)
        self.add(given["ref"], given=body.decode())
        if self.swallow:
            self.swallow = False
            self.server.cut()
        if self.hang:
            await self.released.wait()
        return _json({"number": self.docs[-1]["number"]}, 201)

    async def _doc(self, request: Request) -> Response:
        self.seen.append((request.method, str(request.url), dict(request.headers), await request.body()))
        return _json({"number": 1})

    async def _paged(self, request: Request) -> Response:
        """What is after `since`, or from it on with `from`, in pages of `size`."""
        self.seen.append((request.method, str(request.url), dict(request.headers), b""))
        if self.next_answers:
            return self.next_answers.pop(0)
        asked = request.query_params
        rows = [doc for doc in self.docs if doc["seq"] > int(asked.get("since", "0"))]
        if "from" in asked:
            rows = sorted((doc for doc in rows if doc["decided"] >= asked["from"]), key=lambda doc: doc["decided"])
        size = int(asked.get("size", "2"))
        style = request.path_params["style"]
        start = int(asked.get("at", "0")) * (size if style == "page" else 1)
        page: dict[str, Any] = {"items": rows[start : start + size], "more": start + size < len(rows)}
        if page["more"]:
            following = request.url.include_query_params(at=start + size)
            links = {
                "whole": str(following),
                "rooted": f"{following.path}?{following.query}",
                "bare": f"?{following.query}",
            }
            page["next"] = links[self.links] if style == "link" else str(start + size)
        if self.after_page is not None:
            self.after_page()
        return _json({"data": page})


def _json(body: object, status: int = 200) -> Response:
    return Response(json.dumps(body), status, media_type="application/json")
