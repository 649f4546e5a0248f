"""Parts that run apart, each with its own secrets only: handovers reach systems whose secrets the hub doesn't have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from own_broker import broker
from patience import until
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mombus.config.loader import load
from mombus.hub.hub import open_hub
from mombus.hub.parts import parse_parts
from plant.served import Served

if TYPE_CHECKING:
    from pathlib import Path

    from mombus.config.model import Config

ROUTES = """\
version: 1
plant: {{enterprise: acme, site: lyon, timezone: Europe/Paris}}
bus: {{broker: "{broker}", folder: "{folder}"}}
http: {{port: 0}}
systems:
  erp:
    connector: rest
    url: "{systems}"
    token: "${{secret:ERP_TOKEN}}"
    reads:
      - name: articles
        url: /articles
        every_s: 0.2
        says: [{{object: material, body: "{{'id': id}}", occurred: at}}]
  wms:
    connector: rest
    url: "{systems}"
    token: "${{secret:WMS_TOKEN}}"
    writes:
      - {{object: material, url: /articles, effect: idempotent, body: "{{'id': key}}"}}
objects: {{material: {{owner: erp}}}}
routes: [{{object: material, to: wms}}]
"""
TOKENS = {"GET": "Bearer erp-secret", "POST": "Bearer wms-secret"}
DELIVERY = parse_parts(["delivery"])


class Articles:
    """Both systems in one: tells its articles to who may read, and takes some from who may write."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.app = Starlette(routes=[Route("/articles", self._asked, methods=["GET", "POST"])])

    async def _asked(self, request: Request) -> JSONResponse:
        if request.headers.get("authorization") != TOKENS[request.method]:
            return JSONResponse({}, 401)
        if request.method == "GET":
            return JSONResponse([{"id": "CAP-1", "at": "2026-03-02T06:00:00Z"}])
        self.taken.append(json.loads(await request.body())["id"])
        return JSONResponse({})


def configured(folder: Path, name: str, environ: dict[str, str], **places: str) -> Config:
    """What a part reads on its own machine, where the environment is that one."""
    file = folder / f"{name}.yaml"
    file.write_text(ROUTES.format(folder=folder / name, **places))
    parts = parse_parts(["delivery"] if name == "hub" else [f"connectors:{name}"])
    loaded = load([file], environ, parts.needs)
    assert loaded.config is not None, loaded.findings
    return loaded.config


async def test_delivery_hands_over_between_systems_whose_secrets_it_was_never_given(tmp_path):
    systems = Articles()
    served = Served(systems.app)
    await served.start()
    try:
        async with broker(tmp_path / "nats") as url:
            places = {"broker": url, "systems": f"http://127.0.0.1:{served.port}"}
            hub = configured(tmp_path, "hub", {}, **places)
            erp = configured(tmp_path, "erp", {"ERP_TOKEN": "erp-secret"}, **places)
            wms = configured(tmp_path, "wms", {"WMS_TOKEN": "wms-secret"}, **places)
            async with (
                open_hub(hub, parts=DELIVERY),
                open_hub(erp, parts=parse_parts(["connectors:erp"])),
                open_hub(wms, parts=parse_parts(["connectors:wms"])),
            ):
                await until(lambda: systems.taken == ["CAP-1"])
    finally:
        await served.stop()
