"""A system that is played over its wire: its real connector reads what a case says that the system answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from trial_plant import ORDER, case_file, failures, played

from mombus.trial.happened import Ran
from mombus.trial.junit import junit_xml
from mombus.trial.reading import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mombus.trial.happened import Result

LEDGER = 'name: order\ngiven: {production_order: {id: PO-1, priority: "1", segment_requirement: [{id: "10"}]}}\n'
FACTORY = """
version: 1
plant: {enterprise: acme, site: lyon, timezone: Europe/Paris}
systems:
  erp: {connector: erp.b2mml, url: "https://erp.acme.example/erp?wsdl", ca_file: nowhere.pem}
  mes: {connector: mes.mqtt, url: "mqtts://broker.acme.example", username: hub, password: "${secret:NOBODY_HAS_IT}"}
  shop:
    connector: rest
    url: https://shop.acme.example/api
    writes: [{object: production_order, verb: show, url: /shown, body: '{"no": key}'}]
    answers: [{url: "/units/{key}", says: {object: equipment, occurred: at, body: '{"id": id}'}}]
  bordeaux: {connector: site, url: "nats://bordeaux.acme.example", site: bordeaux, objects: [material]}
objects:
  production_order: {owner: erp, process_owner: planning@acme.example}
  equipment: {owner: shop, process_owner: logistics@acme.example}
  production_response: {owner: mes, process_owner: operations@acme.example}
routes:
  - {object: production_order, to: mes}
  - {object: production_response, to: erp, effect: posted}
"""
ORDERED = 'name: order\ngiven: {production_order: {id: PO-1, segment_requirement: [{id: "1"}]}}\n'
MADE = {"id": "1", "material_definition_id": "FG", "material_use": "Produced",
        "quantity": {"value": "12", "unit_of_measure": "H87"}}  # fmt: skip
SHOWN = """<OperationsRequest><ID>PO-1</ID><SegmentRequirement><ID>1</ID><ProcessSegmentID/><OperationsDefinitionID/>
<OperationsSegmentID/></SegmentRequirement></OperationsRequest>"""
NAMESPACE = 'xmlns="http://www.mesa.org/xml/B2MML" releaseID="7.0.1"'
HEAD = "<ApplicationArea><CreationDateTime>2026-03-02T09:00:00Z</CreationDateTime></ApplicationArea>"


def bod(name: str, content: str) -> str:
    """A document of the ERP."""
    return f"<{name} {NAMESPACE}>{HEAD}<DataArea>{content}</DataArea></{name}>"


def acknowledged(action: str, status: str) -> str:
    criteria = f'<ResponseCriteria><ResponseExpression actionCode="{action}"/><ChangeStatus>{status}</ChangeStatus>'
    return bod("AcknowledgeOperationsPerformance", f"<Acknowledge>{criteria}</ResponseCriteria></Acknowledge>")


def case(name: str, mocks: Any, given: Any, expect: Any) -> str:
    return yaml.safe_dump({"name": name, "mocks": mocks, "given": given, "expect": expect}, width=10_000)


def answered(answer: str, expected: str, more: str = "") -> str:
    return f"{LEDGER}mocks: {{ledger: {answer}}}\nexpect: {{ledger: {expected}}}\n{more}"


async def test_what_a_rest_system_answers_is_read_by_its_connector(tmp_path: Path) -> None:
    assert not await failures(
        tmp_path,
        answered(
            "{path: /entries, status: 201, body: {number: D-7}}",
            "{document: D-7, request: {method: POST, path: /entries, body: {id: PO-1}}}",
            "aliases: {ledger: {production_order: {D-7: PO-1, D-8: null}}}",
        ),
        answered("{status: 201, body: {}}", "{state: awaiting posting, waits_for: number of ledger's document}"),
        answered("{status: 422, body: {detail: period closed}}", "{state: parked, reason: closed, waits_for: person}"),
        answered("{status: 503, headers: {retry-after: '60'}, body: busy}", "{state: retrying, waits_for: time}"),
        answered("{status: 401, body: who are you}", "{state: not sent, reason: check the credentials}"),
        answered("{status: 200, body: '<html>Log in</html>'}", "{state: retrying, reason: outcome unknown}"),
        answered("[{status: 409, body: {error: it is there}}, {status: 201, body: {number: D-9}}]", "{state: parked}"),
        answered("{trouble: breaks off}", "{state: retrying, reason: the connection broke}"),
        answered("{trouble: no answer}", "{state: retrying, reason: no answer in time}"),
    )  # fmt: skip


async def test_a_system_that_was_away_or_took_it_in_silence_is_told_once(tmp_path: Path) -> None:
    assert not await failures(
        tmp_path,
        f"""
        name: it was away
        steps:
          - mocks: {{ledger: {{trouble: no connection}}}}
            given: {{{ORDER}}}
            expect: {{ledger: {{state: not sent, reason: no connection}}}}
          - mocks: {{ledger: {{status: 201, body: {{number: D-1}}}}}}
            retry: ledger
            expect: {{ledger: {{document: D-1}}}}
    """,
        f"""
        name: its answer was lost
        steps:
          - mocks: {{ledger: [{{method: POST, trouble: breaks off}}]}}
            given: {{{ORDER}}}
            expect: {{ledger: {{state: retrying, reason: outcome unknown}}}}
          - mocks: {{ledger: {{method: GET, path: "/entries*", body: [{{number: D-1}}]}}}}
            retry: ledger
            expect: {{ledger: {{state: awaiting posting}}}}
    """,
    )


async def test_what_nobody_answers_fails_the_case_and_shows_what_went_over_the_wire(tmp_path: Path) -> None:
    (result,) = await played(tmp_path, answered("{path: /entry, status: 201}", "{document: D-7}"))
    assert [str(one).removeprefix(f"{tmp_path}/") for one in result.failures] == [
        "routes.test.yaml:5:14: ledger[0]: expected delivered, got retrying production_order PO-1: outcome unknown: "
        "HTTP 501: no mock answers POST /entries",
        "routes.test.yaml:4:13: mocks.ledger: expected an answer for every request, got none for POST /entries",
    ]
    told = "POST /entries -> 501 no mock answers POST /entries"
    assert told in result.failures[0].whole
    assert told.encode().replace(b">", b"&gt;") in junit_xml([Ran("routes.test.yaml", (result,))])


async def test_an_erp_over_soap_and_an_mes_over_mqtt_answer_in_their_own_words(tmp_path: Path) -> None:
    response = {"production_response": {"id": "C-1", "operations_request_id": "PO-1", "material_actual": [MADE]}}
    order = {"production_order": {"id": "PO-1", "segment_requirement": [{"id": "1", "material_requirement": [MADE]}]}}
    posted = acknowledged("Accepted", "<Code>5000000001</Code>")
    refused = acknowledged("Rejected", "<ReasonCode>M7</ReasonCode><Description>the period is closed</Description>")
    told = {"path": "mes/in/production_order/sync", "body": {"status": "ACCEPTED", "docNo": "N-7"}}
    request = {"method": "SOAP", "path": "ProcessOperationsPerformance"}
    results = await played(
        tmp_path,
        case("posted", {"erp": {"path": request["path"], "body": posted}}, response,
             {"erp": {"document": "5000000001", "request": request}}),
        case("refused", {"erp": {"body": refused}}, response,
             {"erp": {"state": "parked", "reason": "the period is closed", "waits_for": "a person"}}),
        case("fault", {"erp": {"fault": {"code": "Client", "text": "unknown element"}}}, response,
             {"erp": {"state": "parked", "reason": "unknown element"}}),
        case("told", {"mes": told}, order, {"mes": {"document": "N-7", "request": {"method": "PUBLISH"}}}),
        case("told in vain", {"mes": {"body": {"status": "REJECTED", "reason": "no such article"}}}, order,
             {"mes": {"state": "parked", "reason": "no such article"}}),
        routes=FACTORY,
    )  # fmt: skip
    assert trouble_of(results) == []


async def test_a_get_goes_to_the_owner_and_what_it_shows_to_who_asked(tmp_path: Path) -> None:
    shown = bod("ShowOperationsSchedule", f"<Show/><OperationsSchedule><ID>S</ID>{SHOWN}</OperationsSchedule>")
    get = {"from": "shop", "object": "production_order", "verb": "get", "key": "PO-1"}
    asked = {"verb": "get", "request": {"method": "SOAP", "path": "GetOperationsSchedule"}}
    results = await played(
        tmp_path,
        case("asked over SOAP", {"erp": {"path": asked["request"]["path"], "body": shown}}, get,
             {"erp": [asked, {"state": "stored", "verb": "show", "key": "PO-1"}],
              "shop": {"verb": "show", "body": {"id": "PO-1"}, "request": {"path": "/shown", "body": {"no": "PO-1"}}}}),
        case("it has none", {"erp": {"body": bod("ShowOperationsSchedule", "<Show/>")}}, get,
             {"erp": [asked, {"state": "stored", "verb": "acknowledge", "reason": "nothing matches"}]}),
        case("asked over HTTP",
             {"shop": {"path": "/units/*", "body": {"at": "2026-03-02T06:00:00Z", "id": "FILLER 1"}}},
             {"from": "mes", "object": "equipment", "verb": "get", "key": "FILLER 1"},
             {"shop": [{"verb": "get", "request": {"method": "GET", "path": "/units/FILLER%201"}},
                       {"state": "stored", "verb": "show", "body": {"id": "FILLER 1"}}]}),
        yaml.safe_dump({"name": "nobody said what it answers", "given": get, "expect": {"erp": {"verb": "get"}}}),
        routes=FACTORY,
    )  # fmt: skip
    *answered_, silent = results
    assert trouble_of(answered_) == []
    assert silent.error == "erp is asked for production_order: say in `mocks` what it answers over its wire"


def test_what_a_wire_cannot_say_is_an_error_at_its_place(tmp_path: Path) -> None:
    def wrong(mocks: str) -> str:
        file = case_file(tmp_path, f"{ORDERED}mocks: {mocks}\nexpect: {{mes: {{}}}}", routes=FACTORY)
        found = [str(finding).partition("error: ")[2] for finding in read(file).findings]
        return "; ".join(text for text in found if text)

    assert wrong("{erb: {status: 200}}") == (
        "tests[0].mocks.erb: there is no system 'erb' in routes.yaml; did you mean 'erp'?"
    )
    assert wrong("{erp: {sttaus: 200}}") == "tests[0].mocks.erp[0]: there is no key 'sttaus'; did you mean 'status'?"
    assert "mocks.mes[0].status: over mqtt an answer has no `status`, only body, file" in wrong("{mes: {status: 200}}")
    assert "mocks.shop[0].fault: over http an answer has no `fault`" in wrong("{shop: {fault: {text: no}}}")
    assert "only no answer is played; `answers` plays the others" in wrong("{mes: {trouble: no connection}}")
    assert "take another step" in wrong("{erp: [{trouble: no connection}, {status: 200}]}")
    assert "an answer (`status`) or `trouble`, not both" in wrong("{erp: {trouble: no answer, status: 200}}")
    assert "an answer with status 204 has no body" in wrong("{shop: {status: 204, body: {}}}")
    assert "say what is answered: status, headers, body, file, fault; or `trouble`" in wrong("{erp: {path: /x}}")
    assert "shop is played over its wire: leave out its `answers`" in wrong(
        "{shop: {status: 200}}\nanswers: {shop: {takes: true}}"
    )
    assert "file: " in wrong("{shop: {file: nowhere.json}}")
    assert "site can't be played over its wire; say what it answers in `answers`" in wrong("{bordeaux: {body: x}}")


def trouble_of(results: Sequence[Result]) -> list[str]:
    """What isn't as expected."""
    return [f"{one.name}: {one.error or one.failures}" for one in results if not one.passed]
