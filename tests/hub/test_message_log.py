"""Whoever asks for it reads each message's way in the log, with what leads to its trace; nobody else pays for it."""

from __future__ import annotations

import logging

import pytest
import structlog
from hub_plant import Asker, config, order, wire
from patience import until
from structlog.testing import capture_logs

from mombus.config.model import Route
from mombus.hub import message_log
from mombus.hub.hub import open_hub
from mombus.tracing.context import place_of

TO_MES = (Route(object="production_order", to=("mes",)),)


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
async def test_each_message_is_logged_when_that_is_asked_for(tmp_path, monkeypatch, level: int) -> None:
    logger = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(level))
    monkeypatch.setattr(message_log, "log", logger)
    monkeypatch.setattr(structlog, "is_configured", lambda: True)
    erp, mes = Asker(), Asker()
    wire(monkeypatch, {"erp": erp, "mes": mes})
    said = order("PO-1")
    with capture_logs() as logs:
        async with open_hub(config(tmp_path, "erp", "mes", owns={"production_order": "erp"}, routes=TO_MES)) as hub:
            outcome = await erp.say(said)

            async def arrived() -> bool:
                messages = (await hub.desk.status())["messages"]
                return bool(messages) and messages[0]["arrivals"] == {"mes": "delivered"}

            await until(arrived)
    told = [entry for entry in logs if entry.get("id") == outcome.message_id]
    if level == logging.WARNING:
        assert told == []
        return
    assert {entry["event"] for entry in told} == {"stored", "delivered"}
    assert {entry["trace"] for entry in told} == {f"{place_of(outcome.message_id, None, None, 1.0).trace_id:032x}"}
    assert {entry.get("target") for entry in told} == {None, "mes"}
