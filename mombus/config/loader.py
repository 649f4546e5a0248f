"""The one loader: `mombus check` shows its findings, `mombus run` starts with its result."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import SecretStr

from mombus.config.document import Node, Scalar, Table, read
from mombus.config.draft import Draft
from mombus.config.finding import Finding, Findings, Mark, did_you_mean
from mombus.config.model import Bus, Config, Http, Traces
from mombus.config.needs import EVERY_SECRET, Needs
from mombus.config.oidc import Oidc
from mombus.config.reading import Reading
from mombus.config.rules import check
from mombus.config.scrubbing import Scrubber, secrets_of
from mombus.config.sections import REQUIRED, SECTIONS
from mombus.config.substitution import Substitution

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


Anchored = TypeVar("Anchored", Bus, Http, Traces, Oidc)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read: `config` is None if one of the findings is an error. `files` are all that were looked at."""

    config: Config | None
    findings: tuple[Finding, ...]
    files: tuple[str, ...]


def load(
    paths: Sequence[Path], environ: Mapping[str, str] | None = None, needs: Needs = EVERY_SECRET
) -> Loaded:  # fmt: skip
    """Read a configuration: the first file is the base, the others are laid over it in their order.

    Tables of an overlay merge into those below, lists and values replace them, null removes a key. Secrets that `needs`
    doesn't name aren't looked up. Never raises for what the files hold: everything that is wrong is a finding, all of
    them at once.
    """
    findings = Findings()
    root, files = _merged(paths, findings)
    if root is None:
        return Loaded(None, findings.sorted(), tuple(files))
    folder = paths[0].parent
    draft = Draft(root, folder, needs)
    _check_sections(root, findings)
    secrets_folder = _secrets_folder(root, folder, findings)
    substitution = Substitution(folder, secrets_folder, os.environ if environ is None else environ)
    reading = Reading(draft, findings, substitution, needs)
    reading.read()
    check(draft, findings)
    secrets = frozenset(map(SecretStr, substitution.resolved))
    config = None if findings.failed else _config(draft, secrets)
    told = findings.sorted(Scrubber({*substitution.resolved, *_secrets_of(draft)}))
    return Loaded(config, told, tuple(files + reading.files))


def _merged(paths: Sequence[Path], findings: Findings) -> tuple[Table | None, list[str]]:
    tables = [_table(path, findings) for path in paths]
    files = [str(path) for path in paths]
    read_all = [table for table in tables if table is not None]
    if len(read_all) < len(tables) or not read_all:
        return None, files
    root = read_all[0]
    for over in read_all[1:]:
        root = root.merged(over)
    return root, files


def _table(path: Path, findings: Findings) -> Table | None:
    try:
        data = path.read_bytes()
    except OSError as error:
        hint = "name the file, or begin with `mombus new plant DIR`" if isinstance(error, FileNotFoundError) else ""
        findings.error(Mark(str(path)), "", f"the file can't be read: {error.strerror}", hint)
        return None
    return read(data, str(path), findings)


def _check_sections(root: Table, findings: Findings) -> None:
    for key, mark in root.keys.items():
        if key not in SECTIONS and key in root.nodes:
            hint = "YAML is indented by blanks, never by tabs" if key.startswith("\t") else did_you_mean(key, SECTIONS)
            findings.error(mark, "", f"there is no section '{key}'", hint)
    for name in REQUIRED:
        if name not in root.nodes:
            findings.error(root.mark, "", f"section '{name}' is missing", "docs/routes.md describes it")
    version = root.nodes.get("version")
    if version is not None and not (isinstance(version, Scalar) and version.value == 1 and version.text == "1"):
        findings.error(version.mark, "version", "this release reads version 1", "write `version: 1`")


def _secrets_folder(root: Table, folder: Path, findings: Findings) -> Path | None:
    node: Node = root.nodes.get("secrets", Scalar(root.mark, "secrets"))
    if isinstance(node, Scalar) and isinstance(node.value, str) and not (folder / node.text).is_file():
        return Path(node.text)
    findings.error(node.mark, "secrets", "expected the name of a folder with one file per secret")
    return None


def _secrets_of(draft: Draft) -> Iterator[str]:
    """Also those that stand in the file or come from the environment."""
    for part in (draft.bus, draft.http, draft.traces, *(system.config for system in draft.systems.values())):
        yield from secrets_of(part)


def _config(draft: Draft, secrets: frozenset[SecretStr]) -> Config | None:
    """The checked draft as a configuration; every part is there when no finding is an error."""
    if draft.plant is None or draft.bus is None or draft.http is None or draft.traces is None:
        return None
    folder = draft.folder.resolve()
    return Config(
        plant=draft.plant, bus=_anchored(draft.bus, folder, "credentials", "ca"),
        http=_with_oidc(_anchored(draft.http, folder, "certificate", "private_key", "client_ca"), folder),
        traces=_anchored(draft.traces, folder, "ca"),
        systems=draft.systems, aliases=draft.aliases,
        objects=tuple(ownership for ownership, _ in draft.objects),
        routes=tuple(route for route, _ in draft.routes), folder=folder, secrets=secrets,
    )  # fmt: skip


def _anchored(section: Anchored, folder: Path, *names: str) -> Anchored:
    """Its paths, which start at the configuration file's folder, made absolute."""
    paths = {name: folder / path for name in names if (path := getattr(section, name)) is not None}
    return section.model_copy(update=paths)


def _with_oidc(http: Http, folder: Path) -> Http:
    if http.oidc is None:
        return http
    return http.model_copy(update={"oidc": _anchored(http.oidc, folder, "ca")})
