"""The note a running hub leaves in its folder, so that commands find it: where its broker and its pages are."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

NAME = "hub.json"


class NoHub(LookupError):  # noqa: N818 - what it says
    """No hub left a note in that folder."""


@dataclass(frozen=True, slots=True)
class Note:
    """Where a hub is. `broker` and `token` are secrets: the file is for its owner's eyes only.

    `token` and `credentials` (a file's absolute path) are what an external broker asks for; `ca` is the file with the
    authority of its certificate. `hub` is its name among several that share a journal. `timezone` is the plant's, such
    as Europe/Paris.
    """

    site: str
    timezone: str
    broker: str
    pages: str
    pid: int
    token: str | None = field(default=None, repr=False)
    credentials: str | None = None
    ca: str | None = None
    hub: str | None = None


def leave(folder: Path, note: Note) -> None:
    """Write the note, readable for this user only; who looks meanwhile finds the old one or the whole of it."""
    path, part = folder / NAME, folder / f"{NAME}.part"
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(note), file)
    part.replace(path)


def take_away(folder: Path) -> None:
    """The hub stops."""
    (folder / NAME).unlink(missing_ok=True)


def find(folder: Path) -> Note:
    """The note of the hub that runs in `folder`. Raises NoHub."""
    try:
        note = Note(**json.loads((folder / NAME).read_text("utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        raise NoHub(f"no hub runs in {folder}: start one with `mombus run` or `mombus demo`") from None
    if not _lives(note.pid):
        raise NoHub(f"the hub in {folder} has ended without saying goodbye: start it again with `mombus run`")
    return note


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
