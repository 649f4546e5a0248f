"""What `mombus check` says about the doors of systems that call the hub."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from authority import Authority

from connectors.door import new_signing_secret, token_hash

if TYPE_CHECKING:
    from config_folder import Folder

HASH = token_hash("t")
OUTSIDE = "http: {host: 0.0.0.0, token: '${secret:PAGES}', certificate: hub.pem, private_key: hub.key}\n"
LOCKED = f"listen: /in/sap, door: {{tokens: ['{HASH}']}}"


def with_door(folder: Folder, door: str, http: str = "") -> list[str]:
    Authority(folder.path).sign("hub")
    folder.environ["PAGES"] = "a token for the pages"
    folder.environ["WEBHOOK"] = new_signing_secret()
    sap = f'systems:\n  sap: {{connector: erp.b2mml, url: "http://sap?wsdl", {door}}}\n'
    folder.change("systems:\n", http + sap)
    return [finding for finding in folder.findings() if "systems.sap" in finding]


@pytest.mark.parametrize(
    ("door", "http", "words"),
    [
        ("listen: /in/sap", OUTSIDE, "anybody who can reach 0.0.0.0 could speak for 'sap' at /in/sap; give `door:`"),
        ("door: {certificates: [sap.acme]}", "", "no authority is named that signs them; set http.client_ca"),
        ("listen: /metrics/x", "", "/metrics/x is the hub's own; choose another path, such as /in/sap"),
        ("door: {tokens: [t0ken]}", "", "expected the hash that `mombus secret token` prints, not the token itself"),
        ("door: {users: {sap: 's3cretword'}}", "", "a secret stands here for all to read; write ${secret:SAP}"),
        ("door: {signatures: ['${secret:WEBHOOK}', whsec_x]}", "", "a signing secret is `whsec_` and 24 to 64 bytes"),
        ("door: {tokn: x}", "", "there is no key 'tokn'; did you mean 'tokens'?"),
    ],
)
def test_a_door_that_lets_in_anybody_or_nobody_is_found(folder: Folder, door: str, http: str, words: str) -> None:
    findings = with_door(folder, door, http)
    assert any(words in finding for finding in findings), findings
    assert "whsec_x" not in "".join(findings)


@pytest.mark.parametrize(
    ("door", "http"),
    [
        ("listen: /in/sap", ""), (LOCKED, ""), (LOCKED, OUTSIDE), (f"door: {{users: {{sap: '{HASH}'}}}}", OUTSIDE),
        ("door: {signatures: ['${secret:WEBHOOK}']}", OUTSIDE),
        ("door: {certificates: [sap.acme]}", OUTSIDE.replace("}\n", ", client_ca: authority.pem}\n")),
    ],
)  # fmt: skip
def test_a_door_with_a_lock_that_works_is_fine(folder: Folder, door: str, http: str) -> None:
    assert not [finding for finding in with_door(folder, door, http) if "door" in finding or "listen" in finding]


def test_two_systems_do_not_share_a_path(folder: Folder) -> None:
    folder.change(
        "systems:\n", 'systems:\n  one: {connector: erp.b2mml, url: "http://one?wsdl", listen: /in/erp}\n'
        '  two: {connector: erp.b2mml, url: "http://two?wsdl", listen: /in/erp/two}\n',
    )  # fmt: skip
    assert any("'one' listens at /in/erp already; give each a path" in finding for finding in folder.findings())


@pytest.mark.parametrize(
    ("days", "files", "words"),
    [
        (20.5, "certificate: hub.pem, private_key: hub.key", "(hub.pem) ends in 20 days, on "),
        (-1, "certificate: hub.pem, private_key: hub.key", "(hub.pem) has ended, on "),
        (365, "certificate: hub.pem, private_key: other.key", "are no certificate with its key: key values mismatch"),
        (365, "certificate: equipment.csv, private_key: hub.key", "are no certificate with its key: not pem"),
        (365, "certificate: hub.pem, private_key: hub.key, client_ca: equipment.csv", "holds no authorities"),
    ],
)
def test_a_certificate_that_will_not_do_is_found(folder: Folder, days: float, files: str, words: str) -> None:
    authority = Authority(folder.path)
    authority.sign("hub", days)
    authority.sign("other")
    folder.change("systems:\n", f"http: {{{files}}}\nsystems:\n")
    (finding,) = folder.findings()
    assert words in finding, finding
