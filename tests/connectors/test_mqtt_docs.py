"""The how-to's notes are read as the MES's words, and its table has all that each of them may say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from connectors.mes.reports import READERS

DOCS = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text("utf-8")
ROWS = dict(re.findall(r"^\| `(\w+/\w+)` \| (.*)$", DOCS, re.MULTILINE))


@pytest.mark.parametrize(("topic", "note"), re.findall(r"`mes/out/(\S+)`\n\n```json\n(.*?)```", DOCS, re.DOTALL))
def test_its_notes_are_read(topic: str, note: str) -> None:
    reader = next(one for (name, verb), one in READERS.items() if f"{name}/{verb}" == topic)
    assert reader.meaning(reader.model.model_validate(json.loads(note)))


@pytest.mark.parametrize("topic", [f"{name}/{verb}" for name, verb in READERS])
def test_its_table_has_every_key(topic: str) -> None:
    reader = next(one for (name, verb), one in READERS.items() if f"{name}/{verb}" == topic)
    keys = {info.alias for name, info in reader.model.model_fields.items() if name not in {"msg_id", "ts"}}
    said = set(re.findall(r"`(\w+)`", ROWS[topic]))
    assert keys <= said, f"{keys - said} of {topic} are missing in docs/mqtt.md"
    required = ROWS[topic].split("|")[1]
    assert {info.alias for name, info in reader.model.model_fields.items() if info.is_required()} - {
        "msgId",
        "ts",
    } <= set(re.findall(r"`(\w+)`", required))
