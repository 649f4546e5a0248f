"""Puts a new configuration where the hub was started from, so that its next start finds what it runs."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mombus.cli.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Place:
    """A file that was replaced, or none."""

    def __init__(self, path: Path | None = None, before: bytes = b"", now: bytes = b"") -> None:
        self._path, self._before, self._now = path, before, now

    def take_back(self) -> None:
        """What was there before is there again, unless somebody has changed it since."""
        if self._path is not None and self._path.read_bytes() == self._now:
            _replace(self._path, self._before)


@contextmanager
def placed(files: Sequence[Path], own: Sequence[str]) -> Iterator[Place]:
    """The one of `files` that isn't the hub's own stands where its own one is. Exits with 64 where that isn't possible.

    Whoever looks finds the old file or the new one. What goes wrong inside leaves the new one there.
    """
    if not files:
        yield Place()
        return
    others = [(new, Path(old)) for new, old in zip(files, own, strict=False) if new.absolute() != Path(old)]
    if len(files) != len(own) or len(others) != 1 or others[0][0].absolute().parent != others[0][1].parent:
        typer.echo(_elsewhere(own), err=True)
        raise typer.Exit(Exit.USAGE)
    new, here = others[0]
    before, now = here.read_bytes(), new.read_bytes()
    try:
        _replace(here, now)
    except OSError as error:
        typer.echo(f"{here} can't be replaced: {error.strerror}", err=True)
        raise typer.Exit(Exit.FINDINGS) from None
    yield Place(here, before, now)


def _elsewhere(own: Sequence[str]) -> str:
    if not own:
        return "this hub wasn't started from a file: start it with `mombus run`"
    return (
        f"the hub was started from {' '.join(own)}: change that, then `mombus apply`. One file is put in the place of "
        "another only in the same folder, because its paths begin there; name those that are laid over as well"
    )


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            os.fchmod(file.fileno(), path.stat().st_mode & 0o777)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise
