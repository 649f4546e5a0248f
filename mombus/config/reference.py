"""What the reference pages and `mombus connectors` say of kinds and fields: all of it from their declarations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined

from canonical.element import Element, default_of
from canonical.message import Verb
from connectors.connector import ConnectorError, Surroundings
from mombus.config.duration import written
from mombus.config.kinds import KindError, load_kind
from mombus.config.needs import is_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic.fields import FieldInfo

    from connectors.connector import Connector


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a section or a connector."""

    name: str
    type: str
    default: str
    description: str
    required: bool
    secret: bool


@dataclass(frozen=True, slots=True)
class Part:
    """Keys and values that stand below a field whose type names them."""

    name: str
    summary: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class KindReference:
    """One kind of connector; `problem` says why it can't be loaded, if it can't."""

    kind: str
    summary: str = ""
    offers: tuple[str, ...] = ()
    accepts: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    parts: tuple[Part, ...] = ()
    problem: str = ""


def kind_reference(kind: str) -> KindReference:
    """What a kind of connector is; what it offers and accepts only where its class tells that."""
    try:
        connector = load_kind(kind)
    except KindError as error:
        return KindReference(kind, problem=str(error))
    like = _example(kind, connector)
    return KindReference(
        kind, connector.summary, _offers(getattr(like, "offers", ())), _offers(getattr(like, "accepts", ())),
        tuple(field for field in fields(connector.Config) if field.name != "connector"), tuple(parts(connector.Config)),
    )  # fmt: skip


def fields(model: type[BaseModel]) -> list[Field]:
    """The fields of a model, as people write them."""
    return [_field(info.alias or name, info) for name, info in model.model_fields.items()]


def parts(*models: type[BaseModel]) -> list[Part]:
    """What stands below the fields of models, at any depth: each kind of keys and values once, as it is met."""
    found: dict[type[BaseModel], None] = {}
    coming = list(models)
    while coming:
        new = [one for info in coming.pop(0).model_fields.values() for one in _models(info.annotation)]
        coming += [one for one in dict.fromkeys(new) if one not in found]
        found |= dict.fromkeys(new)
    return [Part(_part_name(one), " ".join((one.__doc__ or "").split()), tuple(fields(one))) for one in found]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _part_name(model: type[BaseModel]) -> str:
    """An element by its name in ISA-95; a part of the configuration in the words of the configuration."""
    return model.__name__ if issubclass(model, Element) else model.__name__.removesuffix("Config").lower()


def _example(kind: str, connector: type[Connector]) -> Any:
    """An instance with a url only, as a profile's offers are the same for all; the class where that isn't enough."""
    try:
        config = connector.Config.model_validate({"connector": kind, "url": "http://localhost"})
        return connector(config, Surroundings(system="example", site="site", timezone=ZoneInfo("UTC")))
    except (ValidationError, ConnectorError):
        return connector


def _offers(offers: Any) -> tuple[str, ...]:
    """Static ones only: a class that learns them from YAML has a property or an annotation there."""
    if not isinstance(offers, Mapping | frozenset | set | tuple | list):
        return ()
    return tuple(sorted(o.object if o.verb is Verb.SYNC else f"{o.object} {o.verb}" for o in offers))


def _field(name: str, info: FieldInfo) -> Field:
    secret = is_secret(info.annotation)
    default = "" if info.is_required() else _default(info)
    return Field(name, _type(info.annotation), default, (info.description or "").strip(), info.is_required(), secret)


def _default(info: FieldInfo) -> str:
    value = default_of(info) if info.default_factory is None else info.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or isinstance(value, BaseModel):
        return ""
    if value in ((), [], {}, frozenset()):
        return ""
    if isinstance(value, timedelta):
        return written(value)
    if isinstance(value, frozenset | tuple):
        return ", ".join(map(str, sorted(value) if isinstance(value, frozenset) else value))
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)


_WORDS = {
    "str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path",
    "SecretStr": "secret",
    "Size": "size",
    "AwareDatetime": "time",
    "date": "day",
    "timedelta": "span of time", "datetime": "time", "Decimal": "decimal", "ZoneInfo": "time zone", "Any": "anything",
}  # fmt: skip


def _type(annotation: Any) -> str:
    """The type in words."""
    arguments = [one for one in get_args(annotation) if one is not type(None)]
    origin = getattr(annotation, "__origin__", None)
    if origin in (tuple, list, set, frozenset):
        return f"list of {_type(arguments[0])}" if arguments else "list"
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return f"{_type(arguments[0])} → {_type(arguments[1])}"
    if not isinstance(annotation, type) and arguments:
        return _either(arguments)
    members = getattr(annotation, "__members__", None)
    if members:
        return _either(member.value for member in members.values())
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _part_name(annotation)
    name = getattr(annotation, "__name__", str(annotation))
    return _WORDS.get(name, "keys and values" if isinstance(annotation, type) else name)


def _either(parts: Iterable[Any]) -> str:
    spelt = [f"`{part}`" if isinstance(part, str | int) else _type(part) for part in parts if not _is_constraint(part)]
    return " or ".join(dict.fromkeys(spelt))


def _is_constraint(part: Any) -> bool:
    """Annotated's arguments after the first."""
    return not isinstance(part, type | str | int) and not hasattr(part, "__origin__") and not get_args(part)
