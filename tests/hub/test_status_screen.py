"""`mombus status --watch` on a terminal of its own, through a hub that goes away and comes back."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import struct
import sys
import termios
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from history_plant import ROOT, board, loaded, post, write_config
from patience import PATIENCE_S, until

from mombus.hub.hub import open_hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ROUTES = [{"object": "release_decision", "to": "board"}]
OTHER_SCREEN, BACK = "\x1b[?1049h", "\x1b[?1049l"
CURSOR_AWAY, CURSOR_BACK = "\x1b[?25l", "\x1b[?25h"
HOME = "\x1b[H"
_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A terminal with the command at it: what it showed, and who types."""

    def __init__(self, process: asyncio.subprocess.Process, end: int, outer: int) -> None:
        self._process, self._end, self._outer = process, end, outer
        self.showed = ""
        self.kept: list[object] = []

    def hear(self) -> None:
        self.showed += os.read(self._end, 65536).decode("utf-8", "replace")

    @property
    def frame(self) -> str:
        """What the screen shows, without colours."""
        return _CODE.sub("", self.showed.rpartition(HOME)[2]).replace("\r", "")

    async def shows(self, *words: str) -> str:
        """The screen, once it shows all of this."""
        return str(await until(lambda: self.frame, good=lambda frame: all(word in frame for word in words)))

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def settings(self) -> list[object]:
        return termios.tcgetattr(self._outer)

    async def types(self, keys: bytes) -> int:
        """Its exit code after that."""
        os.write(self._end, keys)
        async with asyncio.timeout(PATIENCE_S):
            return await self._process.wait()


@asynccontextmanager
async def terminal(folder: Path) -> AsyncIterator[Terminal]:
    """`mombus status --watch` at a terminal with 30 rows of 120 columns."""
    end, outer = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    settings = {"PYTHONPATH": str(ROOT), "MOMBUS_FOLDER": str(folder / "hub"), "TERM": "xterm-256color"}
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mombus", "status", "--watch", cwd=folder, stdin=outer, stdout=outer, stderr=outer,
        env={**environment, **settings}, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    shown = Terminal(process, end, outer)
    loop = asyncio.get_running_loop()
    loop.add_reader(end, shown.hear)
    try:
        yield shown
    finally:
        shown.kept = shown.settings()
        if process.returncode is None:
            process.kill()
            await process.wait()
        loop.remove_reader(end)
        os.close(end)
        os.close(outer)


async def test_it_goes_on_through_an_outage_and_leaves_the_terminal_clean(tmp_path: Path) -> None:
    async with board() as one, AsyncExitStack() as stack:
        config = loaded(write_config(tmp_path, one, ROUTES))
        async with open_hub(config) as hub:
            left = await stack.enter_async_context(terminal(tmp_path))
            before = left.settings()
            await interrupted(tmp_path)
            await left.shows("nothing yet", "q leaves")
            await post(hub.url, ["UD-1"])
            await left.shows("Everything flows.", "delivered")
            left.resize(7, 50)
            frame = await left.shows("and 1 more by object")
            assert len(frame.splitlines()) <= 7
            assert max(map(len, frame.splitlines())) <= 50
            left.resize(30, 120)
        away = await left.shows("no hub runs in", "The hub is away since", "this goes on by itself", "delivered")
        assert "Everything flows." not in away
        async with open_hub(config):
            await left.shows("Everything flows.", "release_decision")
            assert await left.types(b"q") == 0
    assert OTHER_SCREEN in left.showed
    assert left.showed.rindex(BACK) > left.showed.rindex(OTHER_SCREEN)
    assert left.showed.rindex(CURSOR_BACK) > left.showed.rindex(CURSOR_AWAY)
    assert left.kept == before


async def interrupted(folder: Path) -> None:
    """Ctrl-C leaves as well, and as clean."""
    async with terminal(folder) as shown:
        before = shown.settings()
        await shown.shows("q leaves", "release_decision")
        assert await shown.types(b"\x03") == 0
        await until(lambda: BACK in shown.showed and CURSOR_BACK in shown.showed.rpartition(CURSOR_AWAY)[2])
        assert shown.settings() == before
        assert "Traceback" not in shown.showed
