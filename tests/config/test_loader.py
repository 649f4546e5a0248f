"""One loader for check and run: all findings at once, each at its place, with what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from authority import Authority
from config_folder import BASE, Folder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from canonical.message import Verb
from connectors.connector import Level, Offer
from mombus.config.equipment import every

PlaceOf = Callable[[str], str]
QUOTE = '"'


def test_a_good_configuration_is_loaded(folder: Folder) -> None:
    loaded = folder.load()
    assert loaded.findings == ()
    config = loaded.config
    assert config is not None
    assert config.plant.timezone.key == "Europe/Paris"
    assert [one.id for one in every(config.plant.equipment)] == ["LYON", "LINE1", "FILLER1", "LINE2", "WH1"]
    assert config.systems["erp"].kind == "erp.acme"
    assert [(route.object, route.to, route.effect, route.within) for route in config.routes][:2] == [
        ("production_order", ("mes",), Level.ACCEPTED, None),
        ("production_response", ("erp",), Level.POSTED, timedelta(minutes=15)),
    ]
    assert config.folder == folder.path
    assert loaded.files == (str(folder.path / "routes.yaml"), str(folder.path / "equipment.csv"))


def test_every_finding_is_told_in_one_go(folder: Folder, place_of: PlaceOf) -> None:
    folder.change("site: lyon", "site: Lyon!, sitee: x")
    folder.change("connector: mes.acme", "connector: mes.acm")
    folder.change("{owner: mes}\n  count", "{ownr: mes}\n  count")
    folder.change("to: cmms", "to: cms")
    folder.change("within: 15m", "within: soon")
    folder.change("version: 1", "version: 2\nobject: {}")
    found = folder.findings()
    for place, words in (
        (place_of("2\nobject"), "this release reads version 1; write `version: 1`"),
        (place_of("object: {}"), "there is no section 'object'; did you mean 'objects'?"),
        (place_of("Lyon!"), "plant.site: "),
        (place_of("sitee"), "plant: there is no key 'sitee'; did you mean 'site'?"),
        (place_of("mes.acm,"), "systems.mes.connector: there is no connector 'mes.acm'; did you mean 'mes.acme'?"),
        (place_of("{ownr"), "objects.downtime: 'owner' is missing; The system of record"),
        (place_of("ownr"), "objects.downtime: there is no key 'ownr'; did you mean 'owner'?"),
        (place_of("cms"), "routes[2]: the target 'cms' is no declared system; did you mean 'cmms'?"),
        (place_of("soon"), "routes[1].within: 'soon' is no span of time; write 30s, 15m, 1h30m or 2d"),
    ):
        assert any(line.startswith(f"{place}: error: ") and words in line for line in found), (place, words, found)
    assert folder.load().config is None


def test_findings_are_sorted_and_never_doubled(folder: Folder) -> None:
    folder.change("site: lyon", "site: lyon, a: 1, b: 2")
    findings = folder.load().findings
    assert len(set(findings)) == len(findings) == 2
    assert list(findings) == sorted(findings, key=lambda finding: (finding.line, finding.column))


@pytest.mark.parametrize(
    ("value", "field", "expected"),
    [
        ("verify: no", "verify", "expected true or false, not the text 'no'; write true or false"),
        ("verify: 1", "verify", None),
        ("retries: 010", "retries", "expected a number, not the text '010'"),
        ("retries: '3'", "retries", "expected a number, not the text '3'"),
        ("retries: 1.5", "retries", "fractional part"),
        ("retries: -1", "retries", "greater than or equal to 0"),
        ("timeout_s: .nan", "timeout_s", "expected a number, not the text '.nan'"),
        ("says: production_order", "says", "expected a list"),
        ("url: [1]", "url", "expected text"),
        ("url: ~", "url", "a value is missing"),
        ("reaches: posted!", "reaches", "should be"),
    ],
)
def test_values_are_taken_as_they_stand(folder: Folder, value: str, field: str, expected: str | None) -> None:
    folder.change('url: "http://cmms"', f'url: "http://cmms", {value}' if not value.startswith("url") else value)
    found = folder.findings()
    if expected is None:
        assert found == []
    else:
        assert [line for line in found if f"systems.cmms.{field}: " in line and expected in line], found


def test_text_stays_text_where_text_is_meant(folder: Folder) -> None:
    folder.change('url: "http://cmms"', 'url: "http://cmms", version: 1.10, options: {a: 1.10, b: "1.10", c: no, d: 2}')
    config = folder.load().config
    assert config is not None
    acme = cast("Any", config.systems["cmms"].config)
    assert acme.version == "1.10"
    assert acme.options == {"a": 1.1, "b": "1.10", "c": "no", "d": 2}


def test_paths_start_at_the_files_folder(folder: Folder) -> None:
    certificate, key = Authority(folder.path).sign("hub")
    folder.change("systems:\n", "http: {certificate: hub.pem, private_key: hub.key}\nsystems:\n")
    config = folder.load().config
    assert config is not None
    assert (config.http.certificate, config.http.private_key) == (certificate, key)


def test_overlays_are_laid_on_top_and_keep_their_places(folder: Folder) -> None:
    folder.write("prod.yaml", 'systems:\n  erp: {url: "http://prod"}\n  line1: null\nobjects: {count: null}\n')
    config = folder.load("prod.yaml").config
    assert config is not None
    assert cast("Any", config.systems["erp"].config).url == "http://prod"
    assert "line1" not in config.systems
    folder.write("prod.yaml", "systems:\n  erp: {urll: x}\n")
    assert folder.findings("prod.yaml") == [
        "prod.yaml:2:9: error: systems.erp: there is no key 'urll'; did you mean 'url'?"
    ]


def test_a_missing_file_is_a_finding(folder: Folder) -> None:
    loaded = folder.load("nowhere.yaml")
    assert loaded.config is None
    assert "nowhere.yaml:1:1: error: the file can't be read: No such file or directory" in str(loaded.findings[0])


def test_sections_of_the_wrong_shape(folder: Folder) -> None:
    folder.write(
        "routes.yaml", "version: 1\nplant: x\nsystems: []\nobjects: 3\nroutes: {a: 1}\naliases: [1]\nhttp: 1\n"
    )
    found = folder.findings()
    for line, section in ((2, "plant"), (3, "systems"), (4, "objects"), (6, "aliases"), (7, "http")):
        assert [one for one in found if one.startswith(f"routes.yaml:{line}:") and f"{section}: expected keys" in one]
    assert [one for one in found if "routes: expected a list" in one]


def test_an_empty_file_says_what_is_missing(folder: Folder) -> None:
    folder.write("routes.yaml", "")
    assert [line.split("'")[1] for line in folder.findings()] == ["version", "plant", "systems", "objects"]


def test_secrets_come_from_elsewhere_and_are_never_printed(folder: Folder, place_of: PlaceOf) -> None:
    folder.change('url: "http://cmms"', 'url: "http://cmms", token: "${secret:CMMS_TOKEN}"')
    assert folder.findings() == [
        f"{place_of(QUOTE + '${secret')}: error: systems.cmms.token: secret 'CMMS_TOKEN' is not set; "
        "put it into the file secrets/CMMS_TOKEN or into $CMMS_TOKEN"
    ]
    folder.write("secrets/CMMS_TOKEN", "from-the-file\n")
    assert _token(folder) == "from-the-file"
    folder.environ["CMMS_TOKEN"] = "from-the-environment"
    assert _token(folder) == "from-the-environment"
    loaded = folder.load()
    assert "from-the-environment" not in repr(loaded)
    assert "from-the-environment" not in str(loaded.config and loaded.config.model_dump_json())


def _token(folder: Folder) -> str:
    loaded = folder.load()
    assert loaded.config is not None, loaded.findings
    token = cast("Any", loaded.config.systems["cmms"].config).token
    assert isinstance(token, SecretStr)
    return token.get_secret_value()


def test_a_connectors_words_hold_no_secret(folder: Folder) -> None:
    folder.environ["TOKEN"] = "refused-by-the-connector"
    folder.change('url: "http://cmms"', 'url: "http://cmms", token: "${secret:TOKEN}"')
    assert folder.findings() == ["routes.yaml:6:9: error: systems.cmms: the token *** is no good"]


@pytest.mark.parametrize(
    ("start", "message"),
    [("yesterday", "should be"), ("2026-03-02T06:00:00", "timezone"), ("5", "should be"), ("2026-03-02", "should be")],
)
def test_a_route_starts_at_a_time_with_its_offset(folder: Folder, start: str, message: str) -> None:
    folder.change("to: mes}", f"to: mes, start: {start}" + "}")
    (found,) = folder.findings()
    assert "routes[0].start: " in found
    assert message in found
    folder.change(f"start: {start}", 'start: "2026-03-02T06:00:00+01:00"')
    assert folder.findings() == []


def test_the_secrets_folder_can_be_named(folder: Folder) -> None:
    folder.change("version: 1", "version: 1\nsecrets: safe/place")
    folder.change('url: "http://cmms"', 'url: "http://cmms", token: "${secret:TOKEN}"')
    folder.write("safe/place/TOKEN", "t")
    assert _token(folder) == "t"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            'token: "tops3cret"',
            "warning: systems.cmms.token: a secret stands here for all to read; write ${secret:TOKEN}",
        ),
        ('version: "${secret:S}"', "error: systems.cmms.version: a secret would be shown wherever this value is"),
        ('version: "${env:NOT_SET}"', "error: systems.cmms.version: environment variable NOT_SET is not set"),
        ('version: "${file:nowhere.txt}"', "error: systems.cmms.version: file"),
        ('version: "${command:false}"', "error: systems.cmms.version: command `false` failed with exit code 1"),
        ('version: "${command:}"', "names nothing"),
        ('version: "${secrt:S}"', "there are no '${secrt:…}' references; did you mean 'secret'?"),
        ('version: "${S}"', "'${S}' doesn't say where from; write ${env:S}"),
        ('token: "${secret:../../etc/passwd}"', "is no name of a secret"),
    ],
)
def test_bad_references(folder: Folder, value: str, message: str) -> None:
    folder.environ["S"] = "hidden-value"
    folder.change('url: "http://cmms"', f'url: "http://cmms", {value}')
    found = folder.findings()
    assert len(found) == 1, found
    assert message in found[0]
    assert "hidden-value" not in found[0]
    assert "tops3cret" not in found[0]


def test_good_references(folder: Folder) -> None:
    folder.environ |= {"HOST": "cmms.local", "RETRIES": "7"}
    folder.write("release.txt", "2.0\n")
    folder.change(
        'url: "http://cmms"',
        'url: "http://${env:HOST}/api", retries: "${env:RETRIES}", version: "${file:release.txt}", '
        'options: {said: "${command:echo a b}", plain: "$${env:HOST}", jsonata: "${id: $sum(x)}"}',
    )
    loaded = folder.load()
    assert loaded.config is not None, loaded.findings
    acme = cast("Any", loaded.config.systems["cmms"].config)
    assert (acme.url, acme.retries, acme.version) == ("http://cmms.local/api", 7, "2.0")
    assert acme.options == {"said": "a b", "plain": "${env:HOST}", "jsonata": "${id: $sum(x)}"}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://hub:pa55@erp/x", "the URL holds credentials"),
        ("http://hub@erp/x", "the URL holds credentials"),
        ("http://169.254.169.254/latest", "link-local or metadata address"),
        ("http://2852039166/latest", "link-local or metadata address"),
        ("http://0xA9FEA9FE/latest", "link-local or metadata address"),
        ("http://[fe80::1]/", "link-local or metadata address"),
        ("http://[fe80::1%25eth0]/", "link-local or metadata address"),
        ("http://[::ffff:169.254.1.1]/", "link-local or metadata address"),
        ("http://metadata.google.internal/", "link-local or metadata address"),
        ("http://[fd00:0ec2:0:0::254]/", "link-local or metadata address"),
        ("http://0.0.0.0:8080/", "nobody's address"),
        ("http://0/", "nobody's address"),
        ("http://[::]/", "nobody's address"),
        ("http://[::ffff:0.0.0.0]/", "nobody's address"),
        ("mqtt://239.1.1.1", "nobody's address"),
        ("nats://n:4222,nats://hub:pa55@m:4222", "the URL holds credentials"),
        ("http://erp/x?user=hub&Password=pa55", "the URL holds credentials"),
        ("http://erp:99999/", "this is no URL"),
    ],
)
def test_addresses_that_are_refused(folder: Folder, url: str, message: str) -> None:
    folder.change('"http://cmms"', f'"{url}"')
    found = folder.findings()
    assert len(found) == 1, found
    assert "error: systems.cmms.url: " in found[0]
    assert message in found[0]
    assert "pa55" not in found[0]


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("http://169.254.7.7/", True), ("opc.tcp://[fe80::1]:4840", True), ("http://169.254.169.254/", False),
        ("http://[fd00:ec2::254]/", False), ("http://0.0.0.0/", False),
    ],
)  # fmt: skip
def test_a_machine_may_be_said_to_be_at_a_link_local_address(folder: Folder, url: str, good: bool) -> None:
    folder.change('"http://cmms"', f'"{url}", allow_link_local: true')
    assert (folder.findings() == []) is good


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/x",
        "opc.tcp://10.0.0.1:4840",
        "mqtt://broker",
        "http://[::1]:80/",
        "nats://n:4222,nats://m:4222",
        "http://x/?a=1,2",
    ],
)
def test_addresses_that_are_taken(folder: Folder, url: str) -> None:
    folder.change('"http://cmms"', f'"{url}"')
    assert folder.findings() == []


def test_a_connector_refuses_its_configuration_at_the_field(folder: Folder, place_of: PlaceOf) -> None:
    folder.change('"http://cmms"', '"impossible://"')
    assert folder.findings() == [f"{place_of(QUOTE + 'impossible')}: error: systems.cmms.url: this address can't work"]
    folder.change("impossible", "broken")
    assert "systems.cmms: connector 'cmms.acme' can't be made: KeyError: 'oops'" in folder.findings()[0]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("bad.gone", "can't be loaded"),
        ("bad.naked", "has no Config class derived from ConnectorConfig"),
        ("bad.missing", "names module_that_is_not_there:Connector, which isn't installed"),
        ("bad.needs", "needs the package 'a_library_that_is_not_there', which isn't installed; pip install"),
    ],
)
def test_connectors_that_cannot_be_loaded(folder: Folder, kind: str, message: str) -> None:
    folder.change("cmms.acme", kind)
    found = folder.findings()
    assert len(found) == 1, found
    assert "systems.cmms.connector: connector" in found[0]
    assert message in found[0]


def test_a_connector_learns_its_surroundings(folder: Folder) -> None:
    from mombus.config.kinds import load_kind  # noqa: PLC0415 - after the fixture has installed them

    seen: list[Any] = []
    kind = cast("Any", load_kind("mes.acme"))
    make = kind.__init__

    def noting(self: Any, config: Any, surroundings: Any) -> None:
        seen.append(surroundings)
        make(self, config, surroundings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "__init__", noting)
        folder.load()
    mes = next(one for one in seen if one.system == "mes")
    assert (mes.site, mes.timezone.key, mes.folder) == ("lyon", "Europe/Paris", str(folder.path))
    assert mes.owns == {"production_response", "downtime"}
    assert Offer("downtime", Verb.SYNC)


def test_system_names_are_safe_on_the_bus(folder: Folder) -> None:
    folder.change("  line1: {connector", "  Line.1: {connector")
    assert any("'Line.1' is no name for a system" in line for line in folder.findings())


def test_aliases_inline_and_from_a_file(folder: Folder) -> None:
    folder.write("articles.csv", "native,canonical\n30001,BOTTLE-05\n30002,CAP-28\n")
    folder.change("routes:\n", "aliases:\n  cmms: {equipment: {103: FILLER1}, material: articles.csv}\nroutes:\n")
    loaded = folder.load()
    assert loaded.config is not None, loaded.findings
    assert loaded.config.aliases == {
        "cmms": {"equipment": {"103": "FILLER1"}, "material": {"30001": "BOTTLE-05", "30002": "CAP-28"}}
    }
    folder.write("articles.csv", "native,canonical\n30001,A\n30001,B\n30002,A\n,\nx\n")
    assert [line.split(": ", 1)[1].split(";")[0] for line in folder.findings()] == [
        "error: aliases.cmms.material: '30001' is here a second time",
        "error: aliases.cmms.material: 'A' has two native ids, 30001 and 30002",
        "error: expected two cells: native,canonical",
    ]


def test_the_calendar_is_written_out_in_local_time(folder: Folder) -> None:
    folder.write(
        "shifts.yaml",
        "id: L\nvalid_from: 2026-10-23\nvalid_until: 2026-10-27\nclosed: [2026-10-26]\n"
        'shifts:\n- {id: night, start: "22:00", end: "06:00", days: [fri, sat, mon, tue]}\n',
    )
    folder.change("equipment: equipment.csv", "equipment: equipment.csv, calendar: shifts.yaml")
    loaded = folder.load()
    assert loaded.config is not None, loaded.findings
    calendar = loaded.config.plant.calendar
    assert calendar is not None
    assert [(one.id, one.start_time.isoformat(), one.end_time.isoformat()) for one in calendar.work_calendar_entry] == [
        ("2026-10-23/night", "2026-10-23T22:00:00+02:00", "2026-10-24T06:00:00+02:00"),
        ("2026-10-24/night", "2026-10-24T22:00:00+02:00", "2026-10-25T06:00:00+01:00"),
        ("2026-10-27/night", "2026-10-27T22:00:00+01:00", "2026-10-28T06:00:00+01:00"),
    ]
    folder.write("shifts.yaml", "id: L\nvalid_from: 2026-10-23\nvalid_until: 2036-10-27\nshifts: [{id: a}]\n")
    assert {line.split(":")[0] for line in folder.findings()} == {"shifts.yaml"}


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        ("id,parent,level\nA,,Site\nA,,Area\n", "equipment.csv:3:1: error: 'A' is here a second time"),
        ("id,parent,level\nA,B,Site\n", "equipment.csv:2:1: error: parent 'B' of A is not in the file"),
        ("id,parent,level\nA,B,Site\nB,A,Area\n", "equipment.csv:2:1: error: A is its own ancestor"),
        (
            "id,parent,level\nA,,Sites\n",
            "equipment.csv:2:1: error: 'Sites' is no level of ISA-95; did you mean 'Site'?",
        ),
        ("id,parent,levl\nA,,Site\n", "equipment.csv:1:1: error: there is no column 'levl'; did you mean 'level'?"),
        ("id,parent,level\n,,Site\n", "equipment.csv:2:1: error: the id is missing"),
        ("id,parent,level\nA,,Site,x\n", "equipment.csv:2:1: error: 4 cells, but the header has 3 columns"),
        ('id,parent,level\n"A,,Site\n', "equipment.csv:1:1: error: this is no CSV"),
    ],
)
def test_equipment_findings(folder: Folder, csv: str, message: str) -> None:
    folder.write("equipment.csv", csv)
    assert any(line.startswith(message) for line in folder.findings()), folder.findings()


def test_findings_can_be_read_by_machines(folder: Folder) -> None:
    folder.change("version: 1", "version: 3")
    finding = folder.load().findings[0]
    assert json.loads(json.dumps([finding.severity, finding.line, finding.path])) == ["error", 1, "version"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, len(BASE)),
    st.integers(0, 40),
    st.sampled_from(["", " ", "\n", "x", "1", "null", "[1]", "{a: b}", "'", "- ", ": ", "&a ", "*a", "\x00", "é"]),
)
def test_a_damaged_file_is_findings_never_an_exception(folder: Folder, at: int, drop: int, put: str) -> None:
    folder.write("routes.yaml", BASE[:at] + put + BASE[at + drop :])
    loaded = folder.load()
    assert loaded.config is not None or loaded.findings
    for finding in loaded.findings:
        assert 1 <= finding.line <= BASE.count("\n") + 3
        assert finding.column >= 1
        assert finding.message
