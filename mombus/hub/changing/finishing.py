"""What was stored before a change was asked for is delivered by the rules that hold until then."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mombus.hub.changing import left
from mombus.hub.changing.changing import NotTakenError

if TYPE_CHECKING:
    from collections.abc import Collection

    from mombus.hub.changing.work import Core
    from mombus.plan.plan import Plan

LOOK_S = 0.05


async def finish(core: Core, plan: Plan, *, within_s: float, decided: Collection[str]) -> None:
    """Wait until what changes has done what was stored before now. Raises NotTakenError.

    A target that goes, and about which nobody has `decided`, must be done with all of it; the others may be late:
    what they haven't done by then goes by the new rules.
    """
    must = plan.removed_systems - set(decided)
    concerned = {one.target for one in plan.consumers if one.how != "added"}
    concerned |= plan.changed_systems | plan.removed_systems
    behind = list(concerned)
    last = await core.delivery.stored()
    try:
        async with asyncio.timeout(within_s):
            while behind := [name for name in concerned if await _is_behind(core, name, last)]:
                if not must & set(behind) and not any(map(core.delivery.works, behind)):
                    return
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        stuck = sorted(must & set(behind))
        if stuck:
            raise NotTakenError(
                f"{', '.join(stuck)} would go, and hasn't done yet what was stored for it within {within_s:g} s: wait "
                "until it has, or decide about it with --skip or --keep"
            ) from None


async def _is_behind(core: Core, system: str, last: int) -> bool:
    if any(state.system == system and state.items for state in core.spooling.states()):
        return True
    if core.neighbours is not None and core.neighbours.disagree_about(system):
        return await left.unread(core, system)
    return not await core.delivery.has_done(system, last)
