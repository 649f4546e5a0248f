"""The how-to's example is a declaration that works."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from rest_bodies import surroundings

from connectors.connector import Effect, Offer
from connectors.protocols.rest import Rest, RestConfig

DOCS = Path(__file__).parents[2] / "docs" / "rest.md"


def test_the_example_of_the_how_to_is_a_working_declaration() -> None:
    found = re.search(r"```yaml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert found is not None
    declared = yaml.safe_load(found[1])["systems"]["tool_store"]
    connector = Rest(RestConfig.model_validate(declared), surroundings("tool_store"))
    assert connector.offers == {Offer("inventory_movement")}
    assert connector.accepts[Offer("production_order")].effect is Effect.FINDABLE
