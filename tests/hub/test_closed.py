"""What routes.yaml says about when a system is written to reaches its target and the status."""

from __future__ import annotations

from hub_plant import Asker, Owner, config, wire
from patience import until

from mombus.config.closing import closing
from mombus.config.model import Route
from mombus.hub.hub import open_hub


async def test_a_closed_system_says_until_when_and_what_is_late(tmp_path, monkeypatch):
    wire(monkeypatch, {"mes": Asker(), "erp": Owner()})
    declared = config(
        tmp_path, "mes", "erp", owns={"production_order": "erp"}, routes=(Route(object="production_order", to="mes"),)
    )  # fmt: skip
    always = (closing("00:00-12:00"), closing("12:00-00:00"))
    systems = {**declared.systems, "mes": declared.systems["mes"].model_copy(update={"closed": always})}
    async with open_hub(declared.model_copy(update={"systems": systems})) as hub:

        async def closed() -> bool:
            rows = {row["name"]: row for row in (await hub.desk.status())["systems"]}
            return rows["mes"]["health"] == "ok" and rows["mes"]["reason"].startswith("closed until")

        await until(closed)
