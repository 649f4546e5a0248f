"""Route tests: what a case proves, and that it fails when it should. Each is played on a hub with a real broker."""

from __future__ import annotations

from pathlib import Path

from trial_plant import ORDER, failures, played

CASE = f"name: order\ngiven: {{{ORDER}}}\n"


async def test_what_is_as_expected_passes(tmp_path: Path) -> None:
    assert not await failures(tmp_path, CASE + """
        expect:
          erp: {state: stored, key: PO-1}
          mes:
            body: {id: PO-1, description: for erp}
            request: {method: PUT, path: /orders/PO-1?site=lyon, headers: {X-Step: 10}, body: {no: PO-1, text: ...}}
          ledger: {document: LEDGER-1, request: {method: POST, path: /entries, body: {id: PO-1}}, exactly: true}
        nobody_else: true
    """.replace("\n        ", "\n"))  # fmt: skip


async def test_what_is_not_says_where_and_what(tmp_path: Path) -> None:
    found = await failures(tmp_path, CASE + """
        expect:
          mes: {body: {description: for mes}, request: {path: /order/PO-1}}
          ledger: []
          wms: {object: production_order}
    """.replace("\n        ", "\n"))  # fmt: skip
    assert found == [
        'routes.test.yaml:6:20: mes[0].body.description: expected "for mes", got "for erp"',
        'routes.test.yaml:6:53: mes[0].request.path: expected "/order/PO-1", got "/orders/PO-1?site=lyon"',
        "routes.test.yaml:7:7: ledger: expected nothing, got delivered production_order PO-1",
        "routes.test.yaml:8:7: wms[0]: expected delivered object production_order, got nothing at wms",
    ]


async def test_what_comes_besides_fails_where_all_is_asked_for(tmp_path: Path) -> None:
    found = await failures(
        tmp_path,
        CASE + "expect: {mes: []}",
        CASE + "expect: {mes: {}}\nnobody_else: true",
        CASE + "expect: {ledger: {request: {body: {}}, exactly: true}}",
    )
    assert [line.partition(": ")[2] for line in found] == [
        "mes: expected nothing, got delivered production_order PO-1",
        "ledger: expected that nobody else gets anything, got delivered production_order PO-1",
        'ledger[0].request.body.id: expected nothing, got "PO-1"',
    ]


async def test_a_case_whose_given_thing_is_refused_fails_though_it_expects_nothing(tmp_path: Path) -> None:
    """A route that filters everything would pass otherwise."""
    said = "given: {from: wms, object: production_order, body: {id: PO-9, segment_requirement: [{id: '1'}]}}\n"
    found = await failures(
        tmp_path,
        f"name: silent\n{said}expect: {{mes: []}}",
        f"name: told\n{said}expect: {{mes: [], wms: {{state: disagrees, reason: owned by erp}}}}",
    )
    assert len(found) == 1
    assert "expected that what is given is taken, got disagrees production_order PO-9" in found[0]


async def test_a_document_is_read_by_the_connectors_own_mapping(tmp_path: Path) -> None:
    read = '{orders: [{no: PO-5, at: "2026-03-02T06:00:00Z"}, {at: "2026-03-02T06:00:00Z"}]}'
    assert not await failures(
        tmp_path,
        f"""
        name: two orders, one of them without its number
        given: {{from: erp, channel: orders, json: {read}}}
        expect:
          erp: {{state: fault, reason: "orders[2]"}}
          mes: {{key: PO-5}}
          ledger: {{state: filtered, reason: when is not met}}
    """,
    )


async def test_steps_follow_each_other_at_the_same_hub(tmp_path: Path) -> None:
    """Revisions are counted; who has entered by a `when` gets what follows; what is said again is an echo."""
    again = ORDER.replace('priority: "1"', 'priority: "2"')
    assert not await failures(
        tmp_path,
        f"""
        name: revisions
        steps:
          - given: {{{ORDER}}}
            expect: {{erp: {{state: stored, revision: 1}}, ledger: {{}}}}
          - given: {{{again}}}
            expect: {{erp: {{state: stored, revision: 2}}, mes: {{}}, ledger: {{}}}}
          - given: {{{again}}}
            expect: {{erp: {{state: dropped}}}}
            nobody_else: true
    """,
    )


async def test_targets_answer_as_declared(tmp_path: Path) -> None:
    def answered(answer: str, expected: str) -> str:
        return f"{CASE}answers: {{ledger: {answer}}}\nexpect: {{ledger: {expected}}}"

    assert not await failures(
        tmp_path,
        answered("{number: D-7}", "{document: D-7}"),
        answered("{takes: true}", "{state: awaiting posting, reason: accepted}"),
        answered("{refuses: the period is closed}", "{state: parked, reason: THE PERIOD}"),
        answered("{busy: later}", "{state: retrying, reason: later}"),
        answered("{silent: did not take}", "{state: retrying, reason: outcome unknown}"),
        answered("{down: no route to host}", "{state: not sent, reason: no route}"),
        answered("{halted: the password expired}", "{state: not sent, reason: password}"),
    )


async def test_a_person_lets_go_on_what_waits(tmp_path: Path) -> None:
    assert not await failures(
        tmp_path,
        f"""
        name: once it was away, then its answer was lost, then it took it
        answers: {{ledger: [{{down: gone, times: 1}}, {{silent: took, times: 1}}]}}
        steps:
          - given: {{{ORDER}}}
            expect: {{ledger: {{state: not sent}}}}
          - retry: ledger
            expect: {{ledger: {{state: retrying, reason: outcome unknown, request: {{body: {{id: PO-1}}}}}}}}
          - retry: ledger
            expect: {{ledger: {{state: delivered, document: LEDGER-1, request: []}}}}
    """,
    )


async def test_what_is_said_to_be_nothing_or_to_be_sent_in_another_step_is_compared(tmp_path: Path) -> None:
    found = await failures(
        tmp_path,
        CASE + "expect: {mes: {body: null, request: {body: null}}, ledger: {document: null, revision: null}}",
        f"""
        name: found again
        answers: {{ledger: [{{silent: took, times: 1}}]}}
        steps:
          - given: {{{ORDER}}}
            expect: {{ledger: {{state: retrying, reason: null, request: {{body: {{id: PO-1}}}}}}}}
          - retry: ledger
            expect: {{ledger: {{request: {{body: {{id: PO-1}}}}}}}}
    """,
        CASE + "answers: {ledger: {refuses: closed}}\nexpect: {ledger: {state: parked, request: {body: {id: PO-1}}}}",
    )
    assert [line.partition(": ")[2].partition(", got")[0] for line in found] == [
        "mes[0].body: expected nothing", "mes[0].request.body: expected nothing",
        "ledger[0].revision: expected nothing", "ledger[0].document: expected nothing",
        "ledger[0].reason: expected nothing", "ledger[0].request: expected 1 requests",
    ]  # fmt: skip


async def test_the_time_of_the_case_decides_about_closed_windows(tmp_path: Path) -> None:
    def at(now: str, expected: str) -> str:
        return f'{CASE}now: "{now}"\nexpect: {{mes: {expected}}}'

    assert not await failures(
        tmp_path,
        at("2026-03-01T03:00:00+01:00", "{state: not sent, reason: closed until}"),
        at("2026-03-01T05:00:00+01:00", "{}"),
    )


async def test_routes_that_a_case_used_are_known(tmp_path: Path) -> None:
    results = await played(
        tmp_path,
        CASE + "expect: {mes: {}}",
        'name: low\ngiven: {production_order: {id: PO-2, segment_requirement: [{id: "1"}]}}\nexpect: {mes: {}}',
    )
    assert [result.routes for result in results] == [{0, 1}, {0}]


async def test_a_case_that_cannot_be_played_says_so(tmp_path: Path) -> None:
    (result,) = await played(
        tmp_path,
        "name: key\ngiven: {object: downtime, "
        'body: {id: D, equipment_id: E, state: open, start_time: "2026-03-02T06:00:00Z"}}\nexpect: {mes: []}',
    )
    assert not result.passed
    assert result.error == "nobody owns downtime: say who says it, with `from`"
