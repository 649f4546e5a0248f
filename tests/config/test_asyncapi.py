"""The AsyncAPI document says what the plant's configuration declares, and what really travels fits into it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema
from typer.testing import CliRunner

from mombus.cli.main import app
from mombus.config.asyncapi import asyncapi
from mombus.config.loader import load
from mombus.config.needs import NO_SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUTES = Path(__file__).parents[2] / "routes.yaml"


def document() -> dict[str, Any]:
    config = load([ROUTES], needs=NO_SECRET).config
    assert config is not None
    return asyncapi(config, "1.0.0")


def _refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        yield from (ref for value in node.values() for ref in _refs(value))
    elif isinstance(node, list):
        yield from (ref for value in node for ref in _refs(value))


def test_every_owner_and_every_handover_is_in_it() -> None:
    config, found = load([ROUTES], needs=NO_SECRET).config, document()
    assert config is not None
    assert set(found["channels"]) == {ownership.object for ownership in config.objects}
    sent = [name for name, operation in found["operations"].items() if operation["action"] == "send"]
    assert len(sent) == sum(len(route.to) for route in config.routes)
    address = found["channels"]["production_order"]["address"]
    assert address == "mom.lyon.production_order.{verb}.{system}.{partition}.{lane}.{key}"
    assert found["operations"]["take-production_order"]["tags"] == [{"name": "erp"}]


def test_it_is_an_asyncapi_document_whose_references_lead_somewhere() -> None:
    found = document()
    ApplicationSchema.model_validate({**found, "asyncapi": "3.0.0"})
    for ref in set(_refs(found)):
        at: Any = found
        for part in ref.removeprefix("#/").split("/"):
            at = at[part]


def test_the_command_prints_it() -> None:
    done = CliRunner().invoke(app, ["schema", "bus", "--config", str(ROUTES)])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["asyncapi"] == "3.1.0"
