"""What the shell completes, what `mombus --help` groups, and what is said when nobody is there to answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mombus.cli.main import COMMANDS
from mombus.cli.panels import ELSE, panels

if TYPE_CHECKING:
    from conftest import Mombus


def completed(folder: Path, words: str) -> list[str]:
    """What bash is offered for the last of the words."""
    environ = {
        **os.environ, "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1),
        "_MOMBUS_COMPLETE": "complete_bash",
    }  # fmt: skip
    command = [sys.executable, "-c", "from mombus.cli.main import run; run()"]
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=240, check=False
    )  # fmt: skip
    return done.stdout.split()


def test_commands_and_names_are_completed(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text("systems: {erp: {}, mes: {}}\n", encoding="utf-8")
    assert completed(tmp_path, "mombus jo") == ["journey", "journal"]
    assert completed(tmp_path, "mombus new route downtime m") == ["mes"]


def test_every_command_stands_in_one_panel() -> None:
    shown = [name for names in panels([*COMMANDS, "unheard-of"]).values() for name in names]
    assert sorted(shown) == sorted([*COMMANDS, "unheard-of"])
    assert "unheard-of" in panels([*COMMANDS, "unheard-of"])[ELSE]


def test_without_a_terminal_it_says_how_to_say_why(mombus: Mombus) -> None:
    done = mombus("resume", "erp", stdin=subprocess.DEVNULL)
    assert done.returncode == 64
    assert "--why" in done.stderr
