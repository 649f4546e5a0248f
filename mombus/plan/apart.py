"""What a change is for the processes that run parts of a hub: which take it before the hub does, which afterwards."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

from mombus.plan.picture import picture
from mombus.plan.plan import Apart

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from mombus.config.model import Config

_OF_PAGES = {"http", "plant"}


def settings(config: Config) -> dict[str, str]:
    """A digest for each system of what its process goes by: its settings and what it owns. No secret counts."""
    drawn = picture(config, {}, lambda _secret: "")
    owned = {name: sorted(one.object for one in config.objects if one.owner == name) for name in config.systems}
    return {
        name: sha256(json.dumps([fields, owned[name], drawn["plant"]], sort_keys=True).encode()).hexdigest()[:16]
        for name, fields in drawn["systems"].items()
    }


def at_connectors(
    before: Mapping[str, str], after: Mapping[str, str], told: Mapping[str, str | None], far: Collection[str]
) -> Iterator[Apart]:
    """How it is for the connectors of the systems `far`, by what their processes have `told` of their settings.

    One whose settings differ from those before, too, has some of its own, from a file laid over.
    """
    for name in far:
        part, has = f"connectors:{name}", told.get(name)
        if name not in after:
            text = f"once it is done, stop it, or start it without {name}"
            yield Apart(part=part, how="afterwards", text=text)
        elif name not in before:
            text = f"nobody may run it yet: start `mombus run --part {part}`; what is for it waits until then"
            yield Apart(part=part, how="start", text=text)
        elif before[name] == after[name] or (has is not None and has not in (before[name], after[name])):
            continue
        elif has is None:
            yield Apart(part=part, how="start", text="it doesn't run, and takes the new settings when it starts")
        elif has == after[name]:
            yield Apart(part=part, how="has it", text="it goes by the new settings already")
        else:
            text = (
                "it goes by the settings before: give it the new files and have it read them again "
                "(`systemctl reload`, SIGHUP), then apply"
            )
            yield Apart(part=part, how="first", text=text)


def at_pages(sections: Collection[str]) -> Iterator[Apart]:
    """How it is for the process of the pages."""
    if _OF_PAGES & {*sections}:
        text = "have it read its files again (`systemctl reload`, SIGHUP) once it is done"
        yield Apart(part="web", how="afterwards", text=text)
