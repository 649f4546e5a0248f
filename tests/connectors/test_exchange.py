"""What goes over a wire is noted for who listens, with no credentials in it."""

from __future__ import annotations

import asyncio

import pytest

from connectors.exchange import MOST_BYTES, Noted, about, address, calling, hidden, hiding, listening


async def test_where_nobody_listens_nothing_is_noted() -> None:
    with calling("POST http://erp/orders", b"{}") as call:
        call.answered(b"done")


async def test_a_call_is_told_with_what_came_back() -> None:
    noted: list[Noted] = []
    with listening(noted.append, ("m1",)), calling("POST http://erp/orders", b"x" * 100_000) as call:
        call.answered(b"y" * 70_000, status="201", media_type="text/plain")
    ((messages, exchange, _),) = noted
    assert messages == ("m1",)
    assert (len(exchange.request), exchange.request_size) == (MOST_BYTES, 100_000)
    assert (len(exchange.response or b""), exchange.response_size) == (MOST_BYTES, 70_000)
    assert (exchange.status, exchange.response_type, exchange.trouble) == ("201", "text/plain", None)
    assert exchange.took_s >= 0


async def test_a_call_that_fails_is_told_with_the_reason() -> None:
    noted: list[Noted] = []
    with pytest.raises(OSError, match="gone"), listening(noted.append, ("m1",)), calling("publish orders", b"{}"):
        raise ConnectionError("gone")
    assert (noted[0].exchange.response, noted[0].exchange.trouble) == (None, "ConnectionError: gone")


async def test_a_call_that_is_broken_off_is_told() -> None:
    noted: list[Noted] = []
    with pytest.raises(TimeoutError), listening(noted.append, ("m1",)):
        async with asyncio.timeout(0):
            with calling("publish orders", b"{}"):
                await asyncio.Event().wait()
    assert noted[0].exchange.trouble == "broken off before it was answered"


async def test_calls_side_by_side_are_told_apart() -> None:
    noted: list[Noted] = []

    async def one(id: str) -> None:
        with about(id):
            await asyncio.sleep(0)
            with calling(id, b""):
                await asyncio.sleep(0)

    with listening(noted.append, ("m1", "m2")):
        await asyncio.gather(one("m1"), one("m2"))
        with calling("both", b""):
            pass
    assert [(each.messages, each.exchange.how) for each in noted] == [
        (("m1",), "m1"), (("m2",), "m2"), (("m1", "m2"), "both"),
    ]  # fmt: skip


async def test_what_hides_secrets_comes_with_what_is_noted() -> None:
    noted: list[Noted] = []
    with (
        listening(noted.append, ("m1",)),
        hiding(lambda exchange: hidden(exchange, lambda text: text.replace("s3cret", "***"))),
        calling("POST http://erp/s3cret", b'{"password": "s3cret", "raw": "\xff"}') as call,
    ):
        call.answered(b"s3cret is wrong", status="401 s3cret")
    told = noted[0].hide(noted[0].exchange)
    assert "s3cret" not in repr(told)
    assert told.request == b'{"password": "***", "raw": "\xff"}'


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://ann:pw@erp:80/orders?site=lyon", "http://erp:80/orders?site=lyon"),
        ("http://erp/o?api_key=abc&x=1&Access-Token=d%20e#f", "http://erp/o?api_key=***&x=1&Access-Token=***"),
        ("http://erp/o?sig=&flag", "http://erp/o?sig=&flag"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert address(url) == shown
