"""Names and times read as people say them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from mombus.web.words import lately, things

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "objects", "said"),
    [
        (1, ["production_order"], "1 production order"), (2, ["production_order"], "2 production orders"),
        (2, ["capability"], "2 capabilities"), (3, ["bill_of_material"], "3 bills of material"),
        (2, ["equipment"], "2 equipment"), (2, ["downtime", "material"], "2 messages"), (1, [], "1 message"),
    ],
)  # fmt: skip
def test_so_many_of_something(count: int, objects: list[str], said: str) -> None:
    assert things(count, objects) == said


def test_what_was_not_today_is_told_with_its_date() -> None:
    chicago = ZoneInfo("America/Chicago")
    assert lately("2026-03-02T05:59:00+00:00", NOW, ZoneInfo("Europe/Paris")) == "06:59:00"
    assert lately("2026-03-01T23:30:00+00:00", NOW, ZoneInfo("Europe/Paris")) == "00:30:00"
    assert lately("2026-03-02T05:59:00+00:00", NOW, chicago) == "2026-03-01 23:59:00"
    assert lately("2026-03-02T05:59:00+00:00", NOW.replace(hour=7), chicago) == "2026-03-01 23:59:00"
