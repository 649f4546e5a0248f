"""`${secret:NAME}`, `${env:NAME}`, `${file:path}` and `${command:…}` in string values.

A secret is looked for in the environment and then as a file of that name: in the secrets folder of the configuration,
in $MOMBUS_SECRETS, in /run/secrets. A command is run without a shell and gives its output. `$${` is a plain `${`.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mombus.config.finding import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COMMAND_TIMEOUT_S = 10
MAX_VALUE = 1_000_000
SOURCES = ("secret", "env", "file", "command")

_REFERENCE = re.compile(
    r"(?P<escape>\$)?\$\{(?:(?P<source>secret|env|file|command):(?P<name>[^}]*)|(?P<word>[A-Za-z_]\w*)(?P<rest>:[^}{]*)?)\}"
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,100}")


class SubstitutionError(ValueError):
    """A reference that leads nowhere: `hint` says what to do. The text never holds a value."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


@dataclass
class Substitution:
    """Replaces references in texts. `resolved` are the secrets' values, to be kept out of every output."""

    folder: Path
    """Where relative paths start."""
    secrets: Path | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    resolved: set[str] = field(default_factory=set)

    def __call__(self, text: str) -> str:
        """The text with every reference replaced. Raises SubstitutionError."""
        return _REFERENCE.sub(self._replaced, text) if "${" in text else text

    def _replaced(self, found: re.Match[str]) -> str:
        if found["escape"]:
            return found[0][1:]
        if found["source"] is None:
            return self._unknown(found)
        sources: dict[str, Callable[[str], str]] = {
            "secret": self._secret, "env": self._env, "file": self._file, "command": self._command,
        }  # fmt: skip
        name = found["name"].strip()
        if not name:
            raise SubstitutionError(f"'{found[0]}' names nothing")
        value = sources[found["source"]](name)
        if found["source"] in ("secret", "command") and not value:
            raise SubstitutionError(f"'{found[0]}' is empty", "an empty secret protects nothing: give it a value")
        if found["source"] in ("secret", "command") and value:
            self.resolved.add(value)
        return value

    def _unknown(self, found: re.Match[str]) -> str:
        """Text that only looks like a reference stays (JSONata has braces too), a likely mistake doesn't."""
        hint = did_you_mean(found["word"], SOURCES)
        if found["rest"] is None:
            raise SubstitutionError(f"'{found[0]}' doesn't say where from", f"write ${{env:{found['word']}}}")
        if hint.startswith("did you mean"):
            raise SubstitutionError(f"there are no '${{{found['word']}:…}}' references", hint)
        return found[0]

    def _secret(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise SubstitutionError(f"'{name}' is no name of a secret", "letters, digits, '_', '-' and '.'")
        if name in self.environ:
            return self.environ[name]
        for folder in self._secret_folders():
            file = folder / name
            if file.is_file():
                return self._text(file)
        shown = self.secrets or Path("secrets")
        raise SubstitutionError(f"secret '{name}' is not set", f"put it into the file {shown / name} or into ${name}")

    def _secret_folders(self) -> list[Path]:
        named = self.environ.get("MOMBUS_SECRETS")
        folders = [self.secrets, Path(named) if named else None, Path("/run/secrets")]
        return [self.folder / folder for folder in folders if folder is not None]

    def _env(self, name: str) -> str:
        if name not in self.environ:
            raise SubstitutionError(f"environment variable {name} is not set", f"export {name}=…")
        return self.environ[name]

    def _file(self, name: str) -> str:
        return self._text(self.folder / name)

    def _text(self, file: Path) -> str:
        try:
            if file.stat().st_size > MAX_VALUE:
                raise SubstitutionError(f"file {file} is larger than {MAX_VALUE} bytes")
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "not UTF-8"
            raise SubstitutionError(f"file {file} can't be read: {reason}") from None

    def _command(self, line: str) -> str:
        try:
            done = subprocess.run(  # noqa: S603 - the configuration's author wrote it; no shell
                shlex.split(line),
                cwd=self.folder,
                capture_output=True,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
                text=True,
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            reason = (
                f"no answer in {COMMAND_TIMEOUT_S} s" if isinstance(error, subprocess.TimeoutExpired) else str(error)
            )
            raise SubstitutionError(f"command `{line}` failed: {reason}") from None
        if done.returncode:
            raise SubstitutionError(f"command `{line}` failed with exit code {done.returncode}")
        return done.stdout.rstrip("\r\n")


def refers(text: str) -> bool:
    """True if the text takes its value from elsewhere."""
    return any(found["source"] and not found["escape"] for found in _REFERENCE.finditer(text))


def refers_to_secret(text: str) -> bool:
    """True if the text holds a `${secret:…}`."""
    return any(found["source"] == "secret" and not found["escape"] for found in _REFERENCE.finditer(text))
