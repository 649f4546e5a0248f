"""Templates made to files. Nothing that is there is ever written over."""

from __future__ import annotations

import re
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUFFIX = ".txt"
"""What templates end in, so that no tool takes them for what they become."""


class TakenError(Exception):
    """A file that would be written is there already."""


class _Template(Template):
    """`@@{name}`: JSONata, YAML and Python write `$` themselves."""

    delimiter = "@@"
    flags = re.NOFLAG


def filled(template: str, paths: Mapping[str, str], **values: str) -> dict[str, str]:
    """The files of a template's folder, by the path that each gets: `paths` says which file becomes which."""
    folder = files("mombus.scaffold") / "templates" / template
    return {
        path: _Template((folder / f"{name}{SUFFIX}").read_text("utf-8")).substitute(values)
        for name, path in paths.items()
    }


def write(folder: Path, made: Mapping[str, str]) -> None:
    """Write files into a folder. Raises TakenError, with nothing written, if one of them is there; OSError."""
    taken = [path for path in made if (folder / path).exists()]
    if taken:
        raise TakenError(f"{folder / taken[0]} is there already: nothing was written")
    for path, text in made.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
