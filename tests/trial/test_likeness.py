"""What is expected and what came are alike as numbers and moments, not as ids that only look like numbers."""

from __future__ import annotations

from typing import Any

import pytest

from mombus.trial.comparing import differences


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ("12.50", 12.5), (12.5, "12.50"), ("12.50", "12.5"), (0, "0.0"), ("-3", -3), (1e3, "1000"), (True, "true"),
        ("2026-03-02T07:00:00+01:00", "2026-03-02T06:00:00Z"), ("...", 0), ("0815", "0815"),
    ],
)  # fmt: skip
def test_the_same_in_other_words(expected: Any, got: Any) -> None:
    assert list(differences({"it": expected}, {"it": got})) == []


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ("4711", "000000004711"), (815, "0815"), ("1E5", "100000"), ("1_000", "1000"), ("12", " 12"), ("+5", "5"),
        ("2026-03-02", "2026-03-02T00:00:00Z"), ("...", None), (True, 1), (1, None),
    ],
)  # fmt: skip
def test_another_id(expected: Any, got: Any) -> None:
    (found,) = differences({"it": expected}, {"it": got})
    assert found.place == ("it",)
