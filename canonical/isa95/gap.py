"""What a wire lost: mombus' own word, ISA-95 has none."""

from __future__ import annotations

from pydantic import Field

from canonical.element import Element, EquipmentId, Identifier, Timestamp


class Gap(Element):
    """A stretch of time in which a source may have said things that nobody heard.

    `lost` is how many values are known to be missing, None when that can't be known.
    """

    system: Identifier
    what: Identifier
    since: Timestamp
    until: Timestamp | None = None
    reason: str
    equipment_id: EquipmentId | None = None
    lost: int | None = Field(default=None, ge=0)
