"""A running hub asks for `http.token`."""

from __future__ import annotations

import httpx
from hub_plant import Quiet, config, wire
from pydantic import SecretStr

from mombus.config.model import Http
from mombus.hub.hub import open_hub


async def test_the_configured_token_is_asked_for(tmp_path, monkeypatch):
    wire(monkeypatch, {"erp": Quiet()})
    http = Http(port=0, token=SecretStr("tok-1"))
    async with (
        open_hub(config(tmp_path, "erp", owns={"production_order": "erp"}, http=http)) as hub,
        httpx.AsyncClient(base_url=hub.url, trust_env=False) as client,
    ):
        for path in ("/", "/metrics", "/api/status"):
            assert (await client.get(path)).status_code == 401
            assert (await client.get(path, headers={"Authorization": "Bearer tok-1"})).status_code == 200
            assert (await client.get(path, auth=("ann", "tok-1"))).status_code == 200
        assert (await client.get("/livez")).status_code == 200
