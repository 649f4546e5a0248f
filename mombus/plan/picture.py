"""A configuration as plain data that may be shown and compared: defaults left out, secrets and files' contents sealed.

A sealed text tells two apart without telling either: scrypt (RFC 7914) over it, with a salt that who asks has chosen.
Guessing from it is slow, and a salt that is used once makes nothing of what was seen before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from hashlib import scrypt, sha256
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic_core import PydanticUndefined

from mombus.config.closing import Period, Window
from mombus.config.kinds import KindError, load_kind
from mombus.config.scrubbing import HIDDEN, Scrubber

if TYPE_CHECKING:
    from mombus.config.model import Config, System

KINDS = {"systems": "system", "objects": "object", "routes": "route", "aliases": "alias"}
"""The sections that have several things by name, in the order in which people are told of them; the others follow."""
ARROW = " → "
WRITTEN_TO = "is written to"
"""The field of a system that says whether it gets messages at all."""

Picture: TypeAlias = dict[str, dict[str, dict[str, Any]]]
"""section → name → field → value. A field's name is dotted where it is in another: `door.tokens[0]`."""
Seal: TypeAlias = Callable[[str], str]


def sealing(salt: str) -> Seal:
    """Seals texts, each of them once."""
    known: dict[str, str] = {}

    def seal(text: str) -> str:
        if text not in known:
            known[text] = scrypt(text.encode(), salt=salt.encode(), n=2**13, r=8, p=1, dklen=8).hex()
        return known[text]

    return seal


def picture(config: Config, digests: Mapping[str, str], seal: Seal) -> Picture:
    """The picture of a configuration; `digests` are of the files that its systems name (`files.contents`)."""
    aliases = {
        f"{system} {name}": {"ids": len(ids), "content": _digest(ids)}
        for system, objects in config.aliases.items() for name, ids in objects.items()
    }  # fmt: skip
    drawn = {
        "systems": {name: _system(system, digests, seal) for name, system in config.systems.items()},
        "objects": {
            one.object + (f" of {one.scope}" if one.scope else ""): _fields(one, seal, ("object", "scope"))
            for one in config.objects
        },
        "routes": _routes(config, seal),
        "aliases": aliases,
        "plant": {"plant": _plant(config, seal)},
        **{
            name: {name: _fields(section, seal)}
            for name in type(config).model_fields
            if name != "plant" and isinstance(section := getattr(config, name), BaseModel)
        },
    }  # fmt: skip
    scrubbed: Picture = Scrubber.of(config).data(drawn)
    return scrubbed


def fingerprint(drawn: Picture) -> str:
    """Tells one configuration from another, under one salt."""
    return _digest(drawn)


def _system(system: System, digests: Mapping[str, str], seal: Seal) -> dict[str, Any]:
    fields = _fields(system, seal, ("name", "config")) | _fields(system.config, seal)
    files = {
        f"{name} (content)": f"sealed {seal(digests[value])}"
        for name, value in fields.items() if isinstance(value, str) and value in digests
    }  # fmt: skip
    return {"connector": system.kind, WRITTEN_TO: _is_written_to(system.kind)} | fields | files


def _is_written_to(kind: str) -> bool:
    """True if connectors of that kind are written to or asked, so that there is a consumer for what is for them."""
    try:
        made = load_kind(kind)
    except KindError:
        return True
    return hasattr(made, "write") or hasattr(made, "answer")


def _routes(config: Config, seal: Seal) -> dict[str, dict[str, Any]]:
    """One entry for each target of a route: adding a target to a list is one more route. Several rules are numbered."""
    found: dict[str, dict[str, Any]] = {}
    for route in config.routes:
        for target in route.to:
            name, number = f"{route.object}{ARROW}{target}", 1
            while (f"{name} #{number}" if number > 1 else name) in found:
                number += 1
            found[f"{name} #{number}" if number > 1 else name] = _fields(route, seal, ("object", "to"))
    return found


def _plant(config: Config, seal: Seal) -> dict[str, Any]:
    plant = config.plant
    told = _fields(plant, seal, ("equipment", "calendar"))
    told |= {"equipment": len(plant.equipment)} if plant.equipment else {}
    ids = [one.model_dump(mode="json", exclude_defaults=True) for one in plant.equipment]
    told |= {"equipment (content)": _digest(ids)} if ids else {}
    calendar = plant.calendar
    return told | ({"calendar": _digest(calendar.model_dump(mode="json"))} if calendar is not None else {})


def _fields(model: BaseModel, seal: Seal, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """What differs from the defaults, flat."""
    return {
        name: value
        for field in type(model).model_fields if field not in without
        if not _is_default(model, field)
        for name, value in _flat(field, getattr(model, field), seal)
    }  # fmt: skip


def _is_default(model: BaseModel, field: str) -> bool:
    default = type(model).model_fields[field].get_default(call_default_factory=True, validated_data={})
    return default is not PydanticUndefined and bool(getattr(model, field) == default)


def _flat(name: str, value: Any, seal: Seal) -> Iterator[tuple[str, Any]]:
    match value:
        case BaseModel():
            for inner, told in _fields(value, seal).items():
                yield f"{name}.{inner}", told
        case Mapping():
            for key, inner in value.items():
                yield from _flat(f"{name}.{key}", inner, seal)
        case set() | frozenset():
            yield name, sorted(map(str, value))
        case list() | tuple() if any(isinstance(one, BaseModel | Mapping | SecretStr) for one in value):
            for number, one in enumerate(value):
                yield from _flat(f"{name}[{number}]", one, seal)
        case list() | tuple():
            yield name, [_plain(one, seal) for one in value]
        case _:
            yield name, _plain(value, seal)


def _plain(value: Any, seal: Seal) -> Any:
    match value:
        case SecretStr() | SecretBytes():
            secret = value.get_secret_value()
            return f"secret {seal(secret if isinstance(secret, str) else secret.decode('latin-1'))}"
        case bool() | int() | float() | None:
            return value
        case timedelta():
            return f"{value.total_seconds():g} s"
        case Window() | Period():
            return value.text
        case datetime() | date():
            return value.isoformat()
        case _:
            return _without_password(str(value), seal)


def _without_password(text: str, seal: Seal) -> str:
    """A URL's password is a secret as any other."""
    if "://" not in text or "@" not in text:
        return text
    try:
        password = urlsplit(text).password
    except ValueError:
        return text
    return f"{text.replace(f':{password}@', f':{HIDDEN}@')} (secret {seal(password)})" if password else text


def _digest(data: Any) -> str:
    return sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()[:16]
