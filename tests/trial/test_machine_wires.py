"""A machine that is played over OPC UA: a real server's nodes say something, and its methods and nodes answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trial_plant import case_file, played

from mombus.trial.happened import Ran
from mombus.trial.junit import junit_xml
from mombus.trial.reading import read

if TYPE_CHECKING:
    from pathlib import Path

ROUTES = """
version: 1
plant: {enterprise: acme, site: lyon, timezone: Europe/Paris}
systems:
  mes: {connector: rest, url: "http://127.0.0.1:9"}
  line: {connector: plc.opcua, url: "opc.tcp://line.acme.example", signals: line.yaml, security_policy: Basic256Sha256,
         certificate: none.pem, private_key: none.pem, trust_store: none}
objects:
  job_order: {owner: mes, process_owner: operations@acme.example}
  work_master: {owner: mes, process_owner: operations@acme.example}
  equipment_state: {owner: line, process_owner: automation@acme.example}
  count: {owner: line, process_owner: automation@acme.example}
  process_value: {owner: line, process_owner: automation@acme.example}
routes:
  - {object: job_order, to: line}
  - {object: work_master, to: line}
"""
SIGNALS = """
namespace: urn:acme:line
equipment:
  FILLER:
    path: /Objects/Line/Filler
    signals:
      - {signal: state, node: State, object: equipment_state}
      - {signal: made, node: "nsu=urn:acme:counters;s=Made", object: count}
      - {signal: speed, node: Speed, object: process_value, deadband: 1}
  PACKER:
    path: /Objects/Line/Packer
    signals: [{signal: state, node: State, object: equipment_state}]
commands:
  job_order:
    call: {object: /Objects/Line, method: Start, arguments: [{type: String, value: body.id}]}
    accepted: outputs[0] = 0
    later: outputs[0] = 16
    find:
      call: {object: /Objects/Line, method: Find, arguments: [{type: String, value: body.id}]}
      found: outputs[0]
  work_master:
    write:
      - {node: /Objects/Line/Recipe, type: String, value: body.id}
      - {node: /Objects/Line/Load, type: Boolean, value: "true"}
    find: {read: [/Objects/Line/Recipe, /Objects/Line/Loaded], found: "outputs[0] = body.id and outputs[1]"}
"""
JOB = "given: {job_order: {id: J-1}}\n"
RECIPE = "given: {object: work_master, body: {id: R-1, version: '1'}}\n"


def told(answer: str, expected: str, given: str = JOB) -> str:
    return f"name: told\n{given}mocks: {{line: {answer}}}\nexpect: {{line: {expected}}}"


def lost(first: str, then: str, expected: str, given: str = JOB) -> str:
    return f"""
        name: its answer was lost
        steps:
          - {given.strip()}
            mocks: {{line: {first}}}
            expect: {{line: {{state: retrying, reason: outcome unknown}}}}
          - mocks: {{line: {then}}}
            retry: line
            expect: {{line: {expected}}}
    """


def plant(folder: Path) -> None:
    (folder / "line.yaml").write_text(SIGNALS, encoding="utf-8")


async def test_what_nodes_say_and_what_a_machine_answers_goes_through_its_connector(tmp_path: Path) -> None:
    plant(tmp_path)
    says = """
        name: says
        steps:
          - given:
              from: line
              nodes:
                /Objects/{urn:acme:line}Line/Filler/State:
                  [{value: 6, type: Int32, at: 2026-03-02T07:00:00+01:00}, {value: 11, type: Int32}]
                nsu=urn:acme:counters;s=Made: {value: 1200, type: UInt64}
                /Objects/Line/Filler/Speed: [100.5, 101, 103]
                /Objects/Line/Packer/State: Stopped
            expect:
              line:
                - {state: stored, body: {equipment_id: FILLER, reading: [
                    {state: Execute, source_time: "2026-03-02T06:00:00Z"}, {state: Held}]}}
                - {state: stored, object: count, body: {reading: [{count: 1200}]}}
                - {state: stored, object: process_value, body: {reading: [{value: 100.5}, {value: 103}]}}
                - {state: stored, body: {equipment_id: PACKER, reading: [{state: Stopped}]}}
            nobody_else: true
          - given:
              - {from: line, nodes: {/Objects/Line/Filler/Speed: {status: BadSensorFailure}}}
              - {from: line, nodes: {/Objects/Line/Filler/Speed: {value: [1, 2]}}}
            expect:
              line:
                - {state: stored, body: {reading: [{quality: bad, status: BadSensorFailure}]}}
                - {state: stored, body: {reading: [{text: "[1, 2]"}]}}
    """
    results = await played(
        tmp_path,
        says,
        told("{method: CALL, path: /Objects/Line/Start, body: [0]}", "{request: {method: CALL, body: [J-1]}}"),
        told("{body: [7]}", "{state: parked, reason: 'answered [7]'}"),
        told("{status: BadUserAccessDenied}", "{state: not sent, reason: give this user the right}"),
        told("{trouble: no connection}", "{state: not sent}"),
        lost("{trouble: breaks off}", "{path: '*/Find', body: [true]}", "{state: delivered}"),
        lost("{trouble: no answer}", "{path: '*/Find', body: [false]}", "{state: retrying, reason: not there yet}"),
        lost("[{path: '*/Recipe', status: Good}, {path: '*/Load', status: BadWaitingForInitialData}]",
             "[{method: READ, path: '*/Recipe', body: R-1}, {path: '*/Loaded', body: true}]", "{}", RECIPE),
        told("{method: CALL, path: '*/Find', body: [0]}", "{}"),
        routes=ROUTES,
    )  # fmt: skip
    *good, unanswered = results
    assert [f"{one.name}: {one.error or [*map(str, one.failures)]}" for one in good if not one.passed] == []
    line = unanswered.mark.line
    assert [str(one).removeprefix(f"{tmp_path}/") for one in unanswered.failures] == [
        f"routes.test.yaml:{line + 3}:14: line[0]: expected delivered, got retrying job_order J-1: outcome unknown: "
        "Start for J-1: BadUnexpectedError (An unexpected error occurred.); look whether it took effect",
        f"routes.test.yaml:{line + 2}:13: mocks.line: expected an answer for every request, got none for CALL "
        "/Objects/Line/Start",
    ]
    assert b"CALL /Objects/Line/Start -&gt;" in junit_xml([Ran("routes.test.yaml", (unanswered,))])


def test_what_no_machine_says_or_is_asked_is_an_error_at_its_place(tmp_path: Path) -> None:
    plant(tmp_path)

    def wrong(case: str) -> str:
        file = case_file(tmp_path, f"name: x\nnobody_else: true\n{case}", routes=ROUTES)
        found = [str(one).removeprefix(f"{tmp_path}/routes.test.yaml:") for one in read(file).findings]
        return "; ".join(text for text in found if "warning" not in text)

    def says(nodes: str, system: str = "line") -> str:
        return wrong(f"given: {{from: {system}, nodes: {nodes}}}")

    assert says("{/Objects/Line/Filler/Stat: 6}") == (
        "4:33: error: tests[0].given[0].nodes./Objects/Line/Filler/Stat: no signal is read from "
        "/Objects/Line/Filler/Stat; did you mean '/Objects/Line/Filler/State'?"
    )
    assert "'Filler/State' is no path from the Root folder" in says("{Filler/State: 6}")
    assert "there is no key 'vlaue'; did you mean 'value'?" in says("{/Objects/Line/Filler/State: {vlaue: 6}}")
    assert "'six' is no number" in says("{/Objects/Line/Filler/State: {value: six, type: Int32}}")
    assert "'BadLuck' is no status code of OPC UA" in says("{/Objects/Line/Filler/State: {status: BadLuck}}")
    assert "mes is no OPC UA server: it has no nodes; give a document: json, text" in says("{/Objects/X: 1}", "mes")
    assert "no command calls, writes or reads /Objects/Line/Stop; did you mean '/Objects/Line/Start'?" in wrong(
        f"{JOB}mocks: {{line: {{path: /Objects/Line/Stop, body: [0]}}}}"
    )
    assert "'BadLuck' is no status code of OPC UA" in wrong(f"{JOB}mocks: {{line: {{status: BadLuck}}}}")
    assert "over OPC UA it is a code such as BadOutOfRange" in wrong(f"{JOB}mocks: {{line: {{status: 200}}}}")
    assert "a machine is never asked to PUT, only CALL" in wrong(f"{JOB}mocks: {{line: {{method: PUT, body: 1}}}}")
    assert "what line says has no headers" in wrong("given: {from: line, json: {}, headers: {a: b}}")
