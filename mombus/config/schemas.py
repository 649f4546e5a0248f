"""The JSON Schemas: of routes.yaml for editors, of each data object's body for whoever reads the bus."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from canonical.objects import CATALOGUE, data_object
from mombus.config.kinds import KindError, kinds, load_kind
from mombus.config.model import Bus, Http, Ownership, Route, Traces
from mombus.config.sections import COMMON_KEYS, REQUIRED, PlantSection, SystemSection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = {"type": "string", "pattern": r"\$\{(secret|env|file|command):"}
"""A number or a switch may come from elsewhere."""


def routes_schema(ours: bool = False) -> dict[str, Any]:
    """The JSON Schema of routes.yaml with the installed connectors, or with `ours` only, for editors."""
    names = {"type": "string", "enum": [name for name in CATALOGUE if name != "gap"]}
    ownership = _section(Ownership, drop=("object",))
    route = _section(Route, one_or_many=("to", "after"))
    route["properties"]["object"] = {**route["properties"]["object"], "enum": list(CATALOGUE)}
    route["properties"]["within"] = {
        "type": "string", "pattern": r"^(P?(\d+[dD])?T?(\d+[hH])?(\d+[mM])?(\d+[sS])?)$",
        "description": route["properties"]["within"]["description"], "examples": ["30s", "15m", "1h30m", "2d"],
    }  # fmt: skip
    aliases = {
        "anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": ["string", "number"]}}]
    }
    properties = {
        "version": {"const": 1, "description": "Version of this file's format."},
        "plant": _section(PlantSection), "bus": _section(Bus), "http": _section(Http),
        "traces": _section(Traces),
        "secrets": {"type": "string", "default": "secrets", "description": "Folder with one file per secret."},
        "systems": _mapping("The systems of the plant.", {"$ref": "#/$defs/system"}),
        "objects": {
            "type": "object", "description": "Who owns each data object.", "propertyNames": names,
            "additionalProperties": {"anyOf": [ownership, {"type": "array", "items": ownership}]},
        },
        "routes": {"type": "array", "description": "What goes where.", "items": route},
        "aliases": _mapping("System → object → native id → canonical id, or a CSV file.", _mapping("", aliases)),
    }  # fmt: skip
    return {
        "$schema": DIALECT, "title": "routes.yaml of mombus", "type": "object", "additionalProperties": False,
        "required": list(REQUIRED), "properties": properties,
        "$defs": {"system": {"oneOf": list(_systems(ours))}},
    }  # fmt: skip


def object_schema(name: str, elements: str = "#/$defs") -> dict[str, Any]:
    """The JSON Schema of a data object's body as it travels; its elements are referred to below `elements`.

    They are in its `$defs` in any case. Raises UnknownObjectError.
    """
    row = data_object(name)
    schema = row.body.model_json_schema(
        mode="serialization", schema_generator=_AsItTravels, ref_template=f"{elements}/{{model}}"
    )
    return {"$schema": DIALECT, "title": name, **{key: value for key, value in schema.items() if key != "title"}}


class _AsItTravels(GenerateJsonSchema):
    """Defaults are left out on the wire, so nothing that has one is required."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        return bool(field.get("schema", {}).get("type") != "default")


def _systems(ours: bool) -> Iterator[dict[str, Any]]:
    for kind in kinds(ours):
        with suppress(KindError):
            yield _system(kind)


def _system(kind: str) -> dict[str, Any]:
    own = _section(load_kind(kind).Config)
    common = _section(SystemSection, one_or_many=("decides", "closed", "serialise_by"))
    own["properties"]["connector"] = {"const": kind, "description": load_kind(kind).summary}
    own["properties"] |= {name: common["properties"][name] for name in COMMON_KEYS}
    own["title"] = kind
    return own


def _section(model: type[BaseModel], drop: tuple[str, ...] = (), one_or_many: tuple[str, ...] = ()) -> dict[str, Any]:
    """A model's schema, definitions inlined, as YAML spells it: references to secrets and the environment allowed."""
    schema = model.model_json_schema(mode="validation")
    schema = _inlined(schema, schema.pop("$defs", {}), ())
    for name in drop:
        schema["properties"].pop(name)
    for name in one_or_many:
        described = schema["properties"][name]
        one = {"anyOf": [described.get("items", {}), {"type": "array", "items": described.get("items", {})}]}
        schema["properties"][name] = {**one, "description": described.get("description", "")}
    schema["properties"] = {name: _or_reference(one) for name, one in schema["properties"].items()}
    schema["required"] = [name for name in schema.get("required", []) if name not in drop]
    return {**schema, "additionalProperties": False}


def _or_reference(field: dict[str, Any]) -> dict[str, Any]:
    choices = field.get("anyOf", [field])
    if not any(one.get("type") in ("integer", "number", "boolean") for one in choices):
        return field
    described = ("description", "default", "title")
    outer: dict[str, Any] = {key: field.pop(key) for key in described if key in field}
    return {**outer, "anyOf": [*choices, _REFERENCE]}


def _inlined(node: Any, definitions: dict[str, Any], within: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_inlined(one, definitions, within) for one in node]
    if not isinstance(node, dict):
        return node
    reference = str(node.get("$ref", "")).rpartition("/")[2]
    if reference in within:
        return {"type": "object"}
    if reference:
        inner = {**definitions[reference], **{key: value for key, value in node.items() if key != "$ref"}}
        return _inlined(inner, definitions, (*within, reference))
    return {key: _inlined(value, definitions, within) for key, value in node.items()}


def _mapping(description: str, values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "description": description, "additionalProperties": values}
