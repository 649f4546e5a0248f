"""A handover is one trace, from what a system said to what became of it at its target, in a real collector."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hub_plant import Asker, config, get, order, wire
from patience import until
from ports import free_port
from pydantic import SecretStr
from trace_collector import collector

from mombus.config.model import Route, Traces
from mombus.hub.hub import Hub, open_hub
from mombus.tracing.context import SAMPLED, hop_id, place_of, stored_id

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TO_MES = (Route(object="production_order", to=("mes",)),)


async def test_a_handover_is_one_trace_that_goes_on_from_what_came(tmp_path, monkeypatch) -> None:
    erp, mes = Asker(), Asker()
    mes.document = "4711"
    wire(monkeypatch, {"erp": erp, "mes": mes})
    declared = config(tmp_path, "erp", "mes", owns={"production_order": "erp"}, routes=TO_MES)
    with collector() as there:
        traces = Traces(endpoint=there.url, authorization=SecretStr("Bearer t"))
        async with open_hub(declared.model_copy(update={"traces": traces})) as hub:
            assert (await erp.say(order("PO-1"))).accepted
            assert (await erp.say(replace(order("PO-2"), traceparent=GIVEN))).accepted
            await until(lambda: _arrivals(hub), good=lambda seen: seen == [{"mes": "delivered"}] * 2)
    received = {_of(span, "mombus.key"): span for span in there.named("receive production_order")}
    sent = {_of(span, "mombus.key"): span for span in there.named("send production_order to mes")}
    assert len(received) == len(sent) == 2
    for key, span in sent.items():
        assert span.trace_id == received[key].trace_id
        assert span.parent_span_id == received[key].span_id
        assert _of(span, "mombus.state") == "delivered"
        assert _of(span, "mombus.document") == "4711"
        assert span.start_time_unix_nano <= span.end_time_unix_nano
    (went_on,) = [span for span in received.values() if span.parent_span_id]
    assert went_on.trace_id.hex() == GIVEN.split("-")[1]
    assert went_on.parent_span_id.hex() == GIVEN.split("-")[2]
    assert there.authorization == {"Bearer t"}


async def _arrivals(hub: Hub) -> list[dict[str, str]]:
    return [message["arrivals"] for message in (await hub.desk.status())["messages"]]


def _of(span, name: str) -> str:
    return next((a.value.string_value for a in span.attributes if a.key == name), "")


async def test_a_collector_that_is_away_keeps_nobody_from_anything(tmp_path, monkeypatch) -> None:
    erp, mes = Asker(), Asker()
    wire(monkeypatch, {"erp": erp, "mes": mes})
    declared = config(tmp_path, "erp", "mes", owns={"production_order": "erp"}, routes=TO_MES)
    traces = Traces(endpoint=f"http://127.0.0.1:{free_port()}/v1/traces")
    async with open_hub(declared.model_copy(update={"traces": traces})):
        assert (await erp.say(order("PO-1"))).accepted
        await until(lambda: mes.got)


def test_what_answers_is_in_the_trace_of_what_it_answers() -> None:
    asked = place_of("Q", None, None, 1.0)
    answer = place_of("A", None, "Q", 1.0)
    assert answer.trace_id == asked.trace_id
    assert answer.parent_id == stored_id("Q")
    assert asked.parent_id is None
    assert get().correlation is None


@pytest.mark.parametrize("broken", [
    "", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-" + "0" * 32 + "-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01", "00-0AF7-1-01", GIVEN + "-00",
])  # fmt: skip
def test_an_unreadable_context_is_as_good_as_none(broken: str) -> None:
    assert place_of("M", broken, None, 1.0) == place_of("M", None, None, 1.0)


def test_a_share_of_the_traces_is_recorded_and_who_began_one_decides() -> None:
    found = sum(place_of(f"M-{number}", None, None, 0.25).is_sampled for number in range(2000))
    assert 400 < found < 600
    assert not place_of("M", None, None, 0.0).is_sampled
    assert place_of("M", GIVEN, None, 0.0).is_sampled
    assert not place_of("M", GIVEN[:-2] + f"{SAMPLED - 1:02x}", None, 1.0).is_sampled


def test_ids_differ() -> None:
    at = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * 10**9
    hops = {hop_id("M", *hop, at) for hop in (("erp", "delivered"), ("mes", "delivered"), ("erp", "retrying"))}
    ids = {stored_id("M"), *hops}
    assert len(ids) == 4
    assert all(0 < id < 2**64 for id in ids)
