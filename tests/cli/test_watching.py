"""Watching what the hub does: Ctrl-C ends the watching only, and says so."""

from __future__ import annotations

import asyncio

import pytest
import typer

from mombus.cli.asking import going_on


def test_ctrl_c_while_watching_says_that_the_hub_goes_on_and_how_to_see_it(capsys: pytest.CaptureFixture[str]) -> None:
    async def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as left, going_on("`mombus bulk 1a2b` shows how far it is."):
        asyncio.run(interrupted())
    assert left.value.exit_code == 130
    told = capsys.readouterr()
    assert (told.out, told.err) == (
        "", "\nNot watched any more; it goes on in the hub. `mombus bulk 1a2b` shows how far it is.\n",
    )  # fmt: skip
