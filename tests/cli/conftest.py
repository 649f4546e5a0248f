"""The command as people call it: in a process of its own, or here, where what it says doesn't depend on that."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mombus.cli.main import run as run_here

Result = subprocess.CompletedProcess[str]
Mombus = Callable[..., Result]


@pytest.fixture
def mombus(tmp_path: Path) -> Mombus:
    """Runs `mombus ARGS` in an empty folder, or in `cwd`, by a Python with `options`."""

    def run(*args: str, cwd: Path | None = None, stdin: int | None = None, options: Sequence[str] = ()) -> Result:
        command = [sys.executable, *options, "-c", "from mombus.cli.main import run; run()", *args]
        return subprocess.run(
            command, cwd=cwd or tmp_path, stdin=stdin, capture_output=True, text=True, timeout=240, check=False
        )  # fmt: skip

    return run


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Mombus:
    """As `mombus`, in this process: without the second that a process takes to start."""

    def run(*args: str, cwd: Path | None = None) -> Result:
        monkeypatch.chdir(cwd or tmp_path)
        with pytest.raises(SystemExit) as ended:
            run_here(args)
        said = capfd.readouterr()
        return Result(args, int(ended.value.code or 0), said.out, said.err)

    return run
