"""The JSON Schema of files of route tests, for editors."""

from __future__ import annotations

import json
from typing import Any

from canonical.objects import CATALOGUE
from mombus.config.schemas import DIALECT
from mombus.trial.cases import CaseFile

FILE = "tests.schema.json"
_LISTS = (("Step", "given"), ("Step", "retry"), ("Case", "given"), ("Case", "retry"), ("Expected", "request"),
          ("CaseFile", "config"))  # fmt: skip
"""Where one thing may stand instead of a list of them."""
_BY_SYSTEM = (("Case", "answers"), *((owner, name) for owner in ("Case", "Step") for name in ("expect", "mocks")))
"""Where it may by system."""


def case_schema(bodies: str | None = "schemas/") -> dict[str, Any]:
    """The schema: what `mombus test` takes, the short forms included; `bodies` is where those of objects are, if so."""
    schema = CaseFile.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    for owner, name in _LISTS:
        properties = (schema if owner == "CaseFile" else definitions[owner])["properties"]
        properties[name] = _one_or_many(properties[name])
    for owner, name in _BY_SYSTEM:
        by_system = definitions[owner]["properties"][name]["patternProperties"]
        by_system.update({pattern: _one_or_many(values) for pattern, values in by_system.items()})
        definitions[owner]["properties"][name]["additionalProperties"] = False
    _nodes(definitions)
    definitions["Given"] = {"anyOf": [definitions["Given"], *(_short(name, bodies) for name in CATALOGUE)]}
    return {"$schema": DIALECT, **schema, "title": "route tests of mombus"}


def _one_or_many(field: dict[str, Any]) -> dict[str, Any]:
    arrays = [one for one in field.get("anyOf", [field]) if one.get("type") == "array"]
    described: dict[str, Any] = {key: field[key] for key in ("description", "default") if key in field}
    plain = {key: value for key, value in arrays[0].items() if key not in described}
    return {**described, "anyOf": [arrays[0]["items"], plain]}


def _nodes(definitions: dict[str, Any]) -> None:
    """A node says one thing or a list of them; a plain value is one."""
    (by_node,) = (one for one in definitions["Given"]["properties"]["nodes"]["anyOf"] if one.get("type") == "object")
    said = by_node["additionalProperties"]
    one = {"anyOf": [said["items"], {"type": ["string", "number", "boolean"]}]}
    by_node["additionalProperties"] = {"anyOf": [*one["anyOf"], {**said, "items": one}]}


def _short(name: str, bodies: str | None) -> dict[str, Any]:
    body = {"type": "object"} if bodies is None else {"$ref": f"{bodies}{name}.json"}
    return {"type": "object", "additionalProperties": False, "required": [name], "properties": {name: body}}


def page() -> str:
    """The file under docs/."""
    return json.dumps(case_schema(), indent=2, ensure_ascii=False) + "\n"
