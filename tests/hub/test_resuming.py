"""A system whose credentials are refused stands still until a person says that they are mended."""

from __future__ import annotations

import pytest
from hub_plant import Asker, Quiet, config, wire
from patience import until

from connectors.connector import Halted
from mombus.bus.commands import UnknownNameError
from mombus.desk.question import QuestionError
from mombus.desk.systems import RESUME, Resume
from mombus.hub.hub import open_hub
from mombus.journal import audit
from mombus.journal.journal import Journal


class Locked(Quiet):
    """Refuses its credentials until they are mended."""

    mended = False
    asked = 0

    async def connect(self) -> None:
        self.asked += 1
        if not self.mended:
            raise Halted("the password has expired")


async def test_a_halted_system_is_tried_again_when_a_person_says_so(tmp_path, monkeypatch):
    erp = Locked()
    wire(monkeypatch, {"erp": erp, "mes": Asker()})
    async with open_hub(config(tmp_path, "erp", "mes", owns={"production_order": "erp"})) as hub:

        async def health() -> str:
            systems = {row["name"]: row for row in (await hub.desk.status())["systems"]}
            return systems["erp"]["health"]

        async def is_halted() -> bool:
            return await health() == "halted"

        async def is_ok() -> bool:
            return await health() == "ok"

        await until(is_halted)
        assert erp.asked == 1
        with pytest.raises(UnknownNameError, match=r"there is no system 'epr'; did you mean 'erp'\?"):
            await hub.desk.systems.resume(Resume(system="epr", why="mended", who="ada"))
        with pytest.raises(QuestionError, match="say who decides"):
            await hub.desk.ask(RESUME, Resume(system="erp", why="mended"))
        erp.mended = True
        await hub.desk.systems.resume(Resume(system="erp", why="new password", who="ada"))
        await until(is_ok)
    journal = await Journal.open(f"sqlite:///{tmp_path / '.mombus' / 'journal.sqlite'}")
    deed, _nobody = await journal.read(audit.deeds)
    await journal.close()
    assert (deed.who, deed.action, deed.target, deed.why) == ("ada", "resume", "erp", "new password")
