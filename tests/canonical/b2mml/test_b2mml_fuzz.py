"""Documents damaged at random: read or refused by name, never a crash; what was read is written as it came."""

from __future__ import annotations

import copy
import random

import pytest
from b2mml_documents import taken
from lxml import etree
from test_b2mml_lossless import ACTUALS, CHILD, EVENT, PERSON, RECORD, RICH, SCOPE, infoset

from canonical.b2mml import Document, DocumentError, acknowledge, write_document

from b2mml_documents import document, performance, schedule  # isort: skip
from b2mml_objects import NOW  # isort: skip

TEXTS = [
    "",
    " ",
    "x",
    "PO-1",
    "1",
    "-0",
    "1e3",
    "NaN",
    "true",
    "2026-03-02T06:00:00Z",
    "2026-03-02T06:00:00",
    "P1Y",
    "é\n",
]
SEEDS = {
    "schedule": schedule(RICH),
    "performance": performance(
        f"<SegmentResponse><ID>R-1</ID>{PERSON}{ACTUALS}{CHILD}</SegmentResponse>",
        response="<ID>R</ID><OperationsRequestID>PO-1</OperationsRequestID>",
    ),
    "event": document("Notify", "OperationsEvent", EVENT.format(scope=SCOPE, record=RECORD)),
    "lot": document(
        "Sync",
        "MaterialLot",
        "<MaterialLot><ID>L</ID><MaterialDefinitionID>M</MaterialDefinitionID><Disposition>Closed</Disposition>"
        "<MaterialLotProperty><ID>ReleaseDecision</ID><Value><ValueString>D</ValueString></Value></MaterialLotProperty>"
        "<MaterialLotProperty><ID>Decided</ID><Value><ValueString>2026-03-02T06:00:00Z</ValueString></Value>"
        "</MaterialLotProperty></MaterialLot>",
    ),
}


def damaged(root: etree._Element, chance: random.Random) -> etree._Element:
    """A copy with one to three things changed: a text, an element gone, doubled, moved, renamed, an attribute more."""
    root = copy.deepcopy(root)
    for _ in range(chance.randint(1, 3)):
        element = chance.choice(list(root.iter())[1:] or [root])
        parent = element.getparent()
        if parent is None:
            continue
        kind = chance.randrange(6)
        if kind == 0:
            element.text = chance.choice(TEXTS)
        elif kind == 1:
            parent.remove(element)
        elif kind == 2:
            element.addnext(copy.deepcopy(element))
        elif kind == 3:
            parent.append(element)
        elif kind == 4:
            element.tag = chance.choice([*(str(each.tag) for each in root.iter()), "{urn:x}y", "z"])
        else:
            element.set(chance.choice(["a", "{urn:x}b", "OtherValue"]), chance.choice(TEXTS))
    return root


@pytest.mark.parametrize("seed", SEEDS)
def test_damage_is_told_or_kept(seed: str) -> None:
    chance, root, whole = random.Random(7), etree.fromstring(SEEDS[seed]), 0  # noqa: S311 - no secret
    for _ in range(400):
        xml = etree.tostring(damaged(root, chance))
        try:
            read = taken(xml)
        except DocumentError:
            continue
        again = write_document(Document.from_json(read.to_json()))
        acknowledge(read, [], created=NOW, sender="HUB", bod_id="A")
        assert _sorted(infoset(again)) == _sorted(infoset(xml)), xml.decode()
        whole += 1
    assert whole > 100


def _sorted(lines: bytes) -> list[bytes]:
    """Elements with declared IDs may move among their siblings."""
    return sorted(lines.splitlines())
