"""A system that speaks NATS is played on a real broker: it says things on its subject, and answers on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trial_plant import case_file, played

from mombus.trial.reading import read

if TYPE_CHECKING:
    from pathlib import Path

ROUTES = """
version: 1
plant: {enterprise: acme, site: lyon, timezone: Europe/Paris}
systems:
  erp:
    connector: nats
    url: tls://erp.acme.example
    credentials: nowhere.creds
    says: [production_order, equipment/get]
  mes:
    connector: nats
    url: nats://mes.acme.example
    token: "${secret:NOBODY_HAS_IT}"
    subject: plant.mes
    takes: [production_order]
    answers: [equipment]
objects:
  production_order: {owner: erp, process_owner: planning@acme.example}
  equipment: {owner: mes, process_owner: operations@acme.example}
routes:
  - {object: production_order, to: mes, effect: posted}
"""
ORDER = """given:
  from: erp
  channel: erp.say.production_order.sync
  headers: {ce-revision: "7", ce-time: "2026-03-02T06:00:00Z"}
  json: {id: PO-1, segment_requirement: [{id: "1"}]}
"""


def two(first: str, expected: str, then: str) -> str:
    """An order, how the MES answers it, and how it does when a person has it tried again."""
    order = ORDER.replace("\n", "\n      ").rstrip()
    return f"""name: twice
steps:
  - mocks: {{mes: {first}}}
    {order.replace(chr(10) + "      ", chr(10) + "    ")}
    expect: {{mes: {expected}}}
  - mocks: {{mes: {then}}}
    retry: mes
    expect: {{mes: {{document: N-8}}}}
"""


async def test_what_is_said_and_answered_over_nats_goes_through_the_connector(tmp_path: Path) -> None:
    taken = "plant.mes.take.production_order.sync"
    results = await played(
        tmp_path,
        f"""name: taken\n{ORDER}mocks: {{mes: {{path: {taken}, body: {{status: accepted, document: N-7}}}}}}
expect:
  erp: {{state: stored, revision: 7}}
  mes: {{document: N-7, request: {{method: REQUEST, path: {taken}, headers: {{ce-revision: 7}}, body: {{id: PO-1}}}}}}
""",
        two("{trouble: no answer}", "{state: retrying, reason: outcome unknown}",
            "{path: '*.find', body: {status: accepted, document: N-8}}"),
        two("{trouble: no connection}", "{state: not sent, reason: nobody answers}",
            "{path: '*.take.*', body: {status: accepted, document: N-8}}"),
        """name: what can't be read
given: {from: erp, channel: erp.say.production_order.sync, json: {id: PO-1}}
expect: {erp: {state: fault, reason: segment_requirement}}
""",
        """name: a question
mocks: {mes: {path: plant.mes.get.equipment, body: {id: E-1}}}
given: {from: erp, channel: erp.say.equipment.get, headers: {ce-subject: E-1}, text: ""}
expect: {mes: [{verb: get, request: {method: REQUEST}}, {state: stored, verb: show}]}
""",
        f"name: unanswered\n{ORDER}mocks: {{mes: {{path: '*.find', body: {{status: absent}}}}}}\nexpect: {{mes: {{}}}}",
        routes=ROUTES,
    )  # fmt: skip
    *good, unanswered = results
    assert [f"{one.name}: {one.error or [*map(str, one.failures)]}" for one in good if not one.passed] == []
    assert [one.got for one in unanswered.failures][1:] == [f"none for REQUEST {taken}"]


def test_a_subject_that_is_another_systems_is_an_error_at_its_place(tmp_path: Path) -> None:
    said = "name: x\nnobody_else: true\ngiven: {from: erp, channel: mes.say.production_order.sync, json: {}}"
    found = [str(one) for one in read(case_file(tmp_path, said, routes=ROUTES)).findings if "warn" not in str(one)]
    assert [one.removeprefix(f"{tmp_path}/") for one in found] == [
        "routes.test.yaml:4:24: error: tests[0].given[0].channel: it is said on no subject of its system; "
        "write erp.say.<object>.<verb>"
    ]
