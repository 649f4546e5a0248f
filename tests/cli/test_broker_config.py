"""`mombus broker-config` writes what nats-server takes; with it the account connects, over TLS, and nobody else."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from nats_server import nats_server

from mombus.bus.connection import connect
from mombus.bus.errors import NotReachable

ROOT = Path(__file__).parents[2]


def written(out: Path, *more: str, over: Path | None = None) -> subprocess.CompletedProcess[str]:
    files = ["routes.yaml", *([str(over)] if over else [])]
    command = [sys.executable, "-m", "mombus", "broker-config", *files, "--out", str(out), *more]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


async def test_an_account_connects_over_tls_with_its_password_and_nobody_without(tmp_path):
    out = tmp_path / "broker"
    done = written(out, "--tls", "--listen", "127.0.0.1:-1")
    assert done.returncode == 0, done.stderr
    assert {stat.S_IMODE(path.stat().st_mode) for path in (*(out / "keys").iterdir(), out / "passwords.conf")} == {
        0o600
    }
    assert stat.S_IMODE((out / "broker.key").stat().st_mode) == 0o600
    async with nats_server(out / "nats.conf") as address:
        url = address.replace("nats://", "tls://")
        async with connect(url, credentials=out / "keys" / "hub.login", ca=out / "ca.pem") as bus:
            assert (await bus.js.account_info()).streams == 0
        for credentials, ca in ((None, out / "ca.pem"), (out / "keys" / "hub.login", None)):
            with pytest.raises(NotReachable):
                async with connect(url, credentials=credentials, ca=ca, timeout_s=2):
                    pass


def test_written_again_the_keys_stay(tmp_path):
    assert written(tmp_path / "b", "--nkeys").returncode == 0
    before = {path.name: path.read_text() for path in (tmp_path / "b" / "keys").iterdir()}
    assert written(tmp_path / "b", "--nkeys").returncode == 0
    assert {path.name: path.read_text() for path in (tmp_path / "b" / "keys").iterdir()} == before
    assert len(set(before.values())) == len(before) == 8


def test_it_is_written_also_when_the_configuration_names_already_what_it_makes(tmp_path):
    """A plant's files on a new machine: the keys aren't there yet."""
    over = tmp_path / "own.yaml"
    over.write_text("bus: {broker: tls://127.0.0.1:4222, credentials: broker/keys/hub.nk, ca: broker/ca.pem}\n")
    command = [sys.executable, "-m", "mombus", "broker-config", "routes.yaml", str(over), "--out", str(tmp_path / "b")]
    done = subprocess.run([*command, "--nkeys"], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, (tmp_path / "b" / "keys" / "hub.nk").exists()) == (0, True), done.stdout + done.stderr


def test_the_certificate_is_for_where_the_broker_listens_unless_said_otherwise(tmp_path):
    for options, names in (
        (("--listen", "10.0.0.5:4222"), ["localhost", "127.0.0.1", "10.0.0.5"]),
        (("--listen", "0.0.0.0:4222"), ["localhost", "127.0.0.1"]),
        (("--listen", "0.0.0.0:4222", "--host", "nats.acme"), ["nats.acme"]),
    ):
        assert written(tmp_path / "b", "--tls", *options).returncode == 0
        certificate = x509.load_pem_x509_certificate((tmp_path / "b" / "broker.pem").read_bytes())
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert [str(name.value) for name in found] == names


@pytest.mark.parametrize(("options", "words"), [
    (("--listen", "0.0.0.0:4222"), "add --tls, or listen on loopback"), (("--nkeys", "--jwt"), "not both"),
])  # fmt: skip
def test_what_would_be_open_or_has_no_meaning_is_not_written(tmp_path, options, words):
    done = written(tmp_path / "b", *options)
    assert (done.returncode, words in done.stderr, (tmp_path / "b").exists()) == (64, True, False), done.stderr


def test_a_system_that_speaks_nats_gets_an_account_of_its_own_beside_its_connectors(tmp_path):
    (tmp_path / "over.yaml").write_text(
        'systems: {board: {connector: nats, url: "nats://127.0.0.1:4222", credentials: b/keys/board.nk}}\n'
    )
    done = written(tmp_path / "b", "--nkeys", over=tmp_path / "over.yaml")
    assert done.returncode == 0, done.stderr
    assert {"board.nk", "board-native.nk"} <= {path.name for path in (tmp_path / "b" / "keys").iterdir()}
    assert "board connects with" in done.stdout


def test_subjects_that_hold_one_another_are_not_written(tmp_path):
    board = "{connector: nats, url: 'nats://127.0.0.1:4222'"
    (tmp_path / "over.yaml").write_text(f"systems: {{board: {board}}}, wall: {board}, subject: board.wall}}}}\n")
    done = written(tmp_path / "b", over=tmp_path / "over.yaml")
    assert (done.returncode, "wall would hear what is for board" in done.stderr) == (64, True), done.stderr
