"""The command as people call it: a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Result = subprocess.CompletedProcess[str]
Mombus = Callable[..., Result]


@pytest.fixture
def mombus(tmp_path: Path) -> Mombus:
    """Runs `mombus ARGS` in an empty folder, or in `cwd`."""

    def run(*args: str, cwd: Path | None = None, stdin: int | None = None) -> Result:
        command = [sys.executable, "-c", "from mombus.cli.main import run; run()", *args]
        return subprocess.run(
            command, cwd=cwd or tmp_path, stdin=stdin, capture_output=True, text=True, timeout=60, check=False
        )  # fmt: skip

    return run
