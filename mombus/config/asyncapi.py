"""The bus of one plant as an AsyncAPI 3.1 document: what is said on it, by whom, and to whom it goes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from canonical.message import Action, Origin, Verb
from canonical.objects import Kind, data_object
from canonical.subjects import ROOT, SIGNAL_ROOT, token
from mombus.config.duration import written
from mombus.config.schemas import DIALECT, object_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mombus.config.model import Config, Ownership, Route

VERSION = "3.1.0"
SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"
_ENCODED = "Encoded as one token: what isn't plain is `=` and two hexadecimal digits for each byte."
_PARAMETERS = {
    "verb": {"description": "What is said (ISA-95 Part 5).", "enum": [verb.value for verb in Verb]},
    "system": {"description": f"Who says it. {_ENCODED}"},
    "partition": {"description": "The lane's partition, 0 to 15; the broker puts it there."},
    "lane": {"description": f"What must not overtake what. {_ENCODED}"},
    "key": {"description": f"Which thing it is about, `_` for facts. {_ENCODED}"},
}
_TIME = {"type": "string", "format": "date-time"}
HEADERS: Mapping[str, Any] = {
    "type": "object",
    "required": ["Nats-Msg-Id", "ce-specversion", "ce-id", "ce-source", "ce-type", "ce-subject", "ce-time",
                 "ce-recorded", "ce-site", "ce-lanes", "ce-origin", "ce-datacontenttype"],
    "properties": {
        "Nats-Msg-Id": {"type": "string", "description": "The message's id: the same message has the same one."},
        "ce-specversion": {"const": "1.0"}, "ce-id": {"type": "string"},
        "ce-source": {"type": "string", "description": "The system that says it."},
        "ce-type": {"type": "string", "description": "`mom.<object>.<verb>`"},
        "ce-subject": {"type": "string", "description": "The key: which thing it is about."},
        "ce-time": {**_TIME, "description": "When it happened."},
        "ce-recorded": {**_TIME, "description": "When it was first noted."},
        "ce-site": {"type": "string"}, "ce-lanes": {"type": "string", "description": "Its lanes, with commas between."},
        "ce-origin": {"enum": [origin.value for origin in Origin]},
        "ce-datacontenttype": {"const": "application/json"},
        "ce-revision": {"type": "string", "pattern": r"^\d+$", "description": "Orders what is said about one thing."},
        "ce-action": {"enum": [action.value for action in Action]},
        "traceparent": {"type": "string", "description": "W3C Trace Context."},
    },
}  # fmt: skip


def asyncapi(config: Config, version: str) -> dict[str, Any]:
    """The document. `version` is that of the software that runs the bus."""
    owned: dict[str, list[Ownership]] = {}
    for ownership in config.objects:
        owned.setdefault(ownership.object, []).append(ownership)
    names = sorted(owned)
    return {
        "asyncapi": VERSION,
        "info": {
            "title": f"The bus of {config.plant.enterprise} {config.plant.site}", "version": version,
            "description": "Generated from the objects and routes of its configuration. Only owners state objects.",
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(config.plant.site, name) for name in names},
        "operations": dict([*_statements(owned), *_deliveries(config)]),
        "components": {
            "messages": {name: _message(name) for name in names},
            "schemas": {element: schema for name in names for element, schema in _schema(name)["$defs"].items()},
            "messageTraits": {"cloudEvent": {"headers": {"schemaFormat": SCHEMA_FORMAT, "schema": HEADERS}}},
        },
    }  # fmt: skip


def _channel(site: str, name: str) -> dict[str, Any]:
    root = SIGNAL_ROOT if data_object(name).kind is Kind.SIGNAL else ROOT
    return {
        "address": f"{root}.{token(site)}.{name}." + ".".join(f"{{{parameter}}}" for parameter in _PARAMETERS),
        "title": name, "description": _kind(name), "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "parameters": _PARAMETERS,
    }  # fmt: skip


def _kind(name: str) -> str:
    return {
        Kind.STATE: "A state: the newest revision replaces the one before.",
        Kind.FACT: "A fact: it stands for itself, and may be added up.",
        Kind.SIGNAL: "A signal of level 2, by source time.",
    }[data_object(name).kind]


def _message(name: str) -> dict[str, Any]:
    schema = {key: value for key, value in _schema(name).items() if key not in {"$schema", "$defs"}}
    return {
        "name": name, "title": name, "contentType": "application/json",
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {"schemaFormat": SCHEMA_FORMAT, "schema": {"$schema": DIALECT, **schema}},
    }  # fmt: skip


def _schema(name: str) -> dict[str, Any]:
    """Its elements are the document's: readers look for `#/…` in the whole document, not in the one schema."""
    return {"$defs": {}, **object_schema(name, "#/components/schemas")}


def _statements(owned: Mapping[str, list[Ownership]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the bus receives: each object from its owners."""
    for name in sorted(owned):
        owners = [
            f"{ownership.owner}{f' (for {ownership.scope})' if ownership.scope else ''}" for ownership in owned[name]
        ]
        yield f"take-{name}", {
            "action": "receive", "channel": {"$ref": f"#/channels/{name}"},
            "summary": f"{name} is stated by {', '.join(owners)}; everybody else may ask.",
            "tags": [{"name": ownership.owner} for ownership in owned[name]],
        }  # fmt: skip


def _deliveries(config: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the bus sends: each handover with its promise."""
    seen: Counter[str] = Counter()
    for route, target in ((one, target) for one in config.routes for target in one.to):
        name = f"hand-{route.object}-to-{target}"
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}-{seen[name]}", {
            "action": "send", "channel": {"$ref": f"#/channels/{route.object}"}, "summary": _promise(route, target),
            "tags": [{"name": target}],
        }  # fmt: skip


def _promise(route: Route, target: str) -> str:
    words = f"{route.object} goes to {target}, done when {route.effect.value}"
    if route.within is not None:
        words += f", within {written(route.within)}"
    return f"{words}; only where {route.when}." if route.when else f"{words}."
