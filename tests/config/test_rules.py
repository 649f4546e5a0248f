"""Every rule of `mombus check`: a configuration that breaks it, and what is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from config_folder import Folder

from mombus.config.finding import Severity

PlaceOf = Callable[[str], str]

BROKEN = [
    pytest.param(
        "  line1: {connector: plc.acme,", "  line1: {connector: plc.acme, closed: 2020-12-24 to 2020-12-27,",
        "closed: >2020", "warning: systems.line1.closed: '2020-12-24 to 2020-12-27' is over; take it out",
        id="closed once",
    ),
    pytest.param(
        "  line1: {connector: plc.acme,", "  line1: {connector: plc.acme, closed: Sun 02:00-02:00,", "closed: >Sun",
        "error: systems.line1.closed: 'Sun 02:00-02:00' ends when it begins; write 00:00-24:00 for the whole day",
        id="closed for no time",
    ),
    pytest.param(
        "  line1: {connector: plc.acme,", "  line1: {connector: plc.acme, serialise_by: gap,", "serialise_by: >gap",
        "error: systems.line1.serialise_by: there is no data object 'gap'", id="serialised by gaps",
    ),
    pytest.param(
        "  line1: {", '  line1: {closed: ["Mon-Fri 00:00-24:00", "Sat,Sun 00:00-24:00"], ', 'closed: >["Mon-Fri',
        "error: systems.line1.closed: 'line1' is closed all week: nothing would ever be written to it", id="never open",
    ),
    pytest.param(
        "  line1: {connector: plc.acme,", "  line1: {connector: plc.acme, closed: Sun 2-4,", "closed: >Sun 2-4",
        "error: systems.line1.closed: 'Sun 2-4' is no closed window; write 'Sun 02:00-04:00'", id="no window",
    ),
    pytest.param(
        "  line1: {connector: plc.acme,", "  line1: {connector: plc.acme, rate: 10 per s,", "rate: >10 per s",
        "error: systems.line1.rate: '10 per s' is no rate; write 10/s, 600/min or 5000/h", id="no rate",
    ),
    pytest.param(
        "  line1: {connector: plc.acme,", "  line1: {connector: plc.acme, serialise_by: [materiel],", "[>materiel]",
        "error: systems.line1.serialise_by: there is no data object 'materiel'; did you mean 'material'?",
        id="a lock key that is no object",
    ),
    pytest.param(
        "  mes: {connector: mes.acme,", "  mes: {connector: mes.acme, shards: 16,", "shards: >16",
        "error: systems.mes.shards: shards are shared out among hubs, and this journal is one hub's",
        id="shards of one hub",
    ),
    pytest.param(
        "  mes: {connector: mes.acme,", "  mes: {connector: mes.acme, shards: 16,", "shards: >16",
        "error: systems.mes.shards: connector 'mes.acme' can't be connected to 'mes' from several hubs at once",
        id="shards of one session",
    ),
    pytest.param(
        "  mes: {connector: mes.acme,", "  mes: {connector: mes.acme, shards: 16, rate: 5/s,", "shards: >16",
        "error: systems.mes.shards: a rate can't be kept by shards that write apart", id="a rate of shards",
    ),
    pytest.param(
        "  mes: {connector: mes.acme,", "  mes: {connector: mes.acme, shards: 16, serialise_by: material,",
        "shards: >16", "error: systems.mes.shards: lock keys (serialise_by) can't be kept by shards that write apart",
        id="lock keys of shards",
    ),
    pytest.param(
        "  mes: {connector: mes.acme,", "  mes: {connector: mes.acme, shards: 4,", "shards: >4",
        "error: systems.mes.shards: ", id="no number of shards",
    ),
    pytest.param(
        "to: mes}", "to: mes, after: production_response}", "after: >production_response",
        "error: routes[0]: `after`: no route brings production_response to 'mes'", id="after what never comes",
    ),
    pytest.param(
        "version: 1", 'version: 1\nbus: {store: "nosuch://db.acme.example/mombus"}', 'store: >"nosuch',
        "error: bus.store: 'nosuch://db.acme.example/mombus' is no database URL", id="no database",
    ),
    pytest.param(
        "production_order: {owner: erp}", "production_order: {owner: erpp}", "{owner: >erpp",
        "error: objects.production_order: the owner 'erpp' is no declared system; did you mean 'erp'?",
        id="owner is no system",
    ),
    pytest.param(
        "  count: {owner: line1}", "  count: {owner: line1, scope: LINE9}", "scope: >LINE9",
        "error: objects.count: the scope 'LINE9' is not in the equipment file; did you mean 'LINE2'?",
        id="unknown scope",
    ),
    pytest.param(
        "  count: {owner: line1}", "  count: [{owner: line1}, {owner: mes}]", ">{owner: mes}]",
        "error: objects.count: mes and line1 would both own it; the other one is in line 12; one owner per object",
        id="two owners",
    ),
    pytest.param(
        "  count: {owner: line1}", "  count: [{owner: line1, scope: LINE1}, {owner: mes, scope: FILLER1}]",
        ">{owner: mes, scope", "error: objects.count: mes and line1 would both own it in FILLER1",
        id="overlapping scopes",
    ),
    pytest.param(
        "  count: {owner: line1}", "  count: {owner: line1}\n  cuont: {owner: line1}", ">cuont",
        "error: objects: there is no data object 'cuont'; did you mean 'count'?", id="unknown object",
    ),
    pytest.param(
        "  count: {owner: line1}", "  count: {owner: line1}\n  gap: {owner: line1}", ">gap",
        "error: objects: 'gap' is every system's own; leave it out", id="gap has no owner",
    ),
    pytest.param(
        "production_order: {owner: erp}", "production_order: {owner: line1}", "{owner: >line1}\n  production_response",
        "warning: objects.production_order: 'line1' is a plc: production_order is usually erp's to decide",
        id="a job that isn't its own",
    ),
    pytest.param(
        "production_order: {owner: erp}", "production_order: {owner: line1}", "{owner: >line1}\n  production_response",
        "warning: objects.production_order: 'line1' (plc.acme) neither states production_order nor takes requests",
        id="an owner that can't say it",
    ),
    pytest.param(
        "production_order: {owner: erp}", "production_order: {owner: line1}", "  >erp: {connector",
        "warning: systems.erp: it states production_order, which is line1's: what differs becomes a disagreement",
        id="states what is another's",
    ),
    pytest.param(
        'url: "opc.tcp://line", says: [count]', 'url: "opc.tcp://line", says: [count, alarm], takes: [kpi]',
        None, None, id="nobody could take the alarm",
    ),
    pytest.param(
        'url: "http://cmms", takes: [downtime]', 'url: "http://cmms", takes: [downtime], says: [quality_result]',
        None, None, id="nobody could take the result",
    ),
    pytest.param(
        'url: "http://cmms", takes: [downtime]', 'url: "http://cmms", takes: [downtime, kpi], says: [production_order]',
        "  >cmms:", "warning: systems.cmms: it states production_order, which is erp's", id="states the ERP's orders",
    ),
    pytest.param(
        'takes: [downtime]}', 'takes: [downtime]}\n  eam: {connector: cmms.acme, url: "http://e", says: [labour]}\n'
        '  lab: {connector: qms.acme, url: "http://l", takes: [labour]}', "  >eam",
        "warning: systems.eam: it offers labour and lab could take it, but nobody owns it: it will be refused; "
        "add `labour: {owner: …}` to objects", id="a forgotten owner",
    ),
    pytest.param(
        "  - {object: downtime, to: cmms, when: \"body.reason.category = 'mechanical'\"}\n", "", ">downtime: {owner",
        "warning: objects.downtime: nobody gets it: no route has it; add a route, or say with `kept_for`",
        id="nobody consumes it",
    ),
    pytest.param(
        "object: production_order,", "object: productionorder,", "object: >productionorder",
        "error: routes[0]: there is no data object 'productionorder'; did you mean 'production_order'?",
        id="route of an unknown object",
    ),
    pytest.param(
        "  downtime: {owner: mes}\n", "", "object: >downtime",
        "error: routes[2]: no system owns downtime, so nothing will come; add `downtime: {owner: …}` to objects",
        id="route without an owner",
    ),
    pytest.param(
        "to: mes}", "to: [mes, mess]}", "[mes, >mess", "error: routes[0]: the target 'mess' is no declared system; "
        "did you mean 'mes'?", id="unknown target",
    ),
    pytest.param(
        "to: mes}", "to: [mes, erp]}", "[mes, >erp", "error: routes[0]: 'erp' owns production_order: it would get back",
        id="route to the owner",
    ),
    pytest.param(
        "to: mes}", "to: [mes, cmms]}", "[mes, >cmms",
        "error: routes[0]: 'cmms' (cmms.acme) can't take production_order; it takes downtime",
        id="target can't take it",
    ),
    pytest.param(
        "takes: [production_response]}", "takes: [production_response], reaches: accepted}", "effect: >posted",
        "warning: routes[1]: 'erp' never tells more than 'accepted': the route would wait for ever; write "
        "`effect: accepted`", id="effect out of reach",
    ),
    pytest.param(
        "to: mes}", "to: mes}\n  - {object: count, to: mes}", "{object: count, to: >mes",
        "error: routes[1]: count is a level 2 signal, 'mes' a business system; route what is made of signals",
        id="signals to a business system",
    ),
    pytest.param(
        "takes: [downtime]}", 'takes: [downtime]}\n  bi: {connector: bi.acme, url: "http://b", takes: [count]}', None,
        None, id="a BI system is fine",
    ),
    pytest.param(
        "to: mes}", "to: mes}\n  - {object: production_order, to: [mes]}", "to: [>mes]}",
        "error: routes[1]: production_order goes to 'mes' a second time; the first is in line 14; keep one of them",
        id="duplicate route",
    ),
    pytest.param(
        "= 'mechanical'", "= 'mechanical", "category = >'mechanical",
        "error: routes[2].when: a text isn't closed by its quotation mark",
        id="an open text in JSONata",
    ),
    pytest.param(
        "body.reason.category =", "body.reason.categry =", 'when: ">body',
        "error: routes[2].when: Reason has no 'categry'; did you mean 'category'?", id="unknown field in JSONata",
    ),
    pytest.param(
        "body.reason.category =", "reason.category =", 'when: ">reason',
        "error: routes[2].when: an expression knows no 'reason'; did you mean 'body.reason'?", id="body is missing",
    ),
    pytest.param(
        "to: mes}", "to: mes, map: '{\"id\": boddy.id}'}", ": >boddy",
        "error: routes[0].map: an expression knows no 'boddy'; did you mean 'body'?", id="misspelt body",
    ),
    pytest.param(
        "systems:\n", "http: {host: 0.0.0.0}\nsystems:\n", "host: >0.0.0.0",
        "error: http.host: host '0.0.0.0' can be reached from other machines; set http.token, http.accounts or "
        "http.oidc, http.certificate, http.private_key, or listen on 127.0.0.1", id="an open door",
    ),
    pytest.param(
        "systems:\n", "http: {certificate: a.pem}\nsystems:\n", "http: >{", "error: http: TLS needs both",
        id="half of TLS",
    ),
    pytest.param(
        "systems:\n", "http: {certificate: a.pem, private_key: equipment.csv}\nsystems:\n", "certificate: >a.pem",
        "error: http.certificate: there is no file a.pem", id="a certificate that isn't there",
    ),
    pytest.param(
        "to: mes}", "to: []}", "to: >[]", "error: routes[0].to: expected at least 1; The target system", id="no target",
    ),
    pytest.param(
        "routes:\n", "aliases: {cmm: {equipment: {1: FILLER1}}}\nroutes:\n", ">cmm:",
        "error: aliases: 'cmm' is no declared system; did you mean 'cmms'?", id="aliases of an unknown system",
    ),
    pytest.param(
        "routes:\n", "aliases: {cmms: {equipmnt: {1: FILLER1}}}\nroutes:\n", ">equipmnt:",
        "error: aliases.cmms: there is no data object 'equipmnt'; did you mean 'equipment'?",
        id="aliases of an unknown object",
    ),
    pytest.param(
        "routes:\n", "aliases: {cmms: {equipment: {1: FILLER9}}}\nroutes:\n", "1: >FILLER9",
        "warning: aliases.cmms.equipment: 'FILLER9' is not in the equipment file; did you mean 'FILLER1'?",
        id="alias of unknown equipment",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "at", "message"), BROKEN)
def test_rule(folder: Folder, place_of: PlaceOf, old: str, new: str, at: str | None, message: str | None) -> None:
    assert folder.findings() == []
    folder.change(old, new)
    found = folder.findings()
    if message is None or at is None:
        assert found == []
        return
    told = [line for line in found if message in line]
    assert [line for line in told if line.startswith(f"{place_of(at)}: ")], (place_of(at), found)


def test_warnings_let_the_hub_start(folder: Folder) -> None:
    folder.change("production_order: {owner: erp}", "production_order: {owner: mes}")
    folder.change("to: mes}", "to: erp}")
    folder.change("takes: [production_response]}", "takes: [production_response, production_order]}")
    loaded = folder.load()
    assert {finding.severity for finding in loaded.findings} == {Severity.WARNING}
    assert loaded.config is not None


def test_what_goes_across_lanes_goes_to_no_shards(folder: Folder) -> None:
    folder.change("takes: [downtime]}", "takes: [downtime, job_order, lot_transformation], shards: 16}")
    folder.change("production_response, downtime]", "production_response, downtime, job_order, lot_transformation]")
    folder.change("  downtime: {owner: mes}", "  downtime: {owner: mes}\n  job_order: {owner: mes}\n"
                  "  lot_transformation: {owner: mes}")  # fmt: skip
    folder.change("routes:\n", "routes:\n  - {object: job_order, to: cmms}\n"
                  "  - {object: lot_transformation, to: cmms}\n")  # fmt: skip
    found = "\n".join(folder.findings())
    assert "job_order can't go to a target in shards: a newer revision may be in another lane" in found
    assert "lot_transformation can't go to a target in shards: a message may be in several lanes" in found
    assert "downtime can't" not in found


def test_disjoint_scopes_are_fine(folder: Folder) -> None:
    folder.change("  count: {owner: line1}", "  count: [{owner: line1, scope: LINE1}, {owner: mes, scope: LINE2}]")
    folder.change("says: [production_response, downtime]", "says: [production_response, downtime, count]")
    assert [line for line in folder.findings() if "error" in line] == []


def test_a_reason_is_an_exemption(folder: Folder) -> None:
    folder.change("downtime: {owner: mes}", "downtime: {owner: mes, kept_for: the journal of the line}")
    folder.change("  - {object: downtime, to: cmms, when: \"body.reason.category = 'mechanical'\"}\n", "")
    assert folder.findings() == []


def test_expression_positions_in_block_text(folder: Folder) -> None:
    folder.change(
        "  - {object: downtime, to: cmms, when: \"body.reason.category = 'mechanical'\"}\n",
        "  - object: downtime\n    to: cmms\n    when: |\n      body.state = 'closed'\n      and body.stat\n",
    )
    (found,) = folder.findings()
    assert found.startswith("routes.yaml:20:")
    assert "Downtime has no 'stat'; did you mean 'state'?" in found


@pytest.mark.parametrize(
    "expression",
    [
        "body.reason.category in ['mechanical', 'material']",
        "(body.state = 'closed' and $exists(body.end_time)) or action = 'Delete'",
        "body.reason[category = 'mechanical' and description]",
        "$count(body.reason) > 0 and source = 'mes' and $not(by = 'x')",
        '/* note: reason */ body.state = "it\'s" ? true : false',
        "body.reason.(category & description) != ''",
        "$map(body.reason, function($one) { $one.category })[0] = 'x'",
        "body.`state` = 'open'",
        "$string(posting) & site & verb & key & occurred & object = ''",
        "body.foreign[0].xml = 'x'",
    ],
)
def test_good_expressions(folder: Folder, expression: str) -> None:
    old = "  - {object: downtime, to: cmms, when: \"body.reason.category = 'mechanical'\"}\n"
    folder.change(old, f"  - object: downtime\n    to: cmms\n    when: |\n      {expression}\n")
    assert folder.findings() == []


def test_a_request_about_what_another_site_owns_is_told(folder: Folder, place_of: Callable[[str], str]) -> None:
    folder.change("  cmms:", '  hq: {connector: site, url: "nats://hq", site: hq, objects: [material]}\n  cmms:')
    folder.change("takes: [production_order]}", "takes: [production_order], asks: [material]}")
    folder.change("objects:\n", "objects:\n  material: {owner: hq}\n")
    (finding,) = [line for line in folder.findings() if "between sites" in line]
    assert finding.startswith(
        f"{place_of('>mes: {connector')}: warning: systems.mes: it may ask for material, which site 'hq'"
    )
