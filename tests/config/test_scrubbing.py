"""Secrets are kept out of texts, however they are spelt there."""

from __future__ import annotations

import base64
import json
import logging
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from connectors.door import DoorConfig
from connectors.protocols.rest import RestConfig
from mombus.config.model import Bus, Http
from mombus.config.scrubbing import Scrubber, secrets_of

SECRET = 'p@ss "wörd"/<1>&'
SCRUBBER = Scrubber([SECRET, "abc"])


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "spelt",
    [
        SECRET, json.dumps(SECRET), json.dumps(SECRET, ensure_ascii=False), repr(SECRET), quote(SECRET),
        quote(SECRET, ""),
        b64(SECRET), b64(f"erp:{SECRET}"), b64(f"an-ERP-user:{SECRET}"), b64(f"x{SECRET}y").rstrip("="),
        f"Basic%20{b64(f'erp:{SECRET}')}",
        base64.urlsafe_b64encode(f"??>>{SECRET}".encode()).decode(),
        SECRET.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
    ],
)  # fmt: skip
def test_a_known_secret_is_hidden_however_it_is_spelt(spelt: str) -> None:
    shown = SCRUBBER.text(f"the server said: {spelt}, twice: {spelt}.")
    assert spelt not in shown
    assert "wörd" not in shown
    assert shown.startswith("the server said: ")
    assert "***" in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nats://hub:s3cret@10.0.0.5:4222 is away", "nats://***@10.0.0.5:4222 is away"),
        ("postgresql+psycopg://m:p%40ss@db/x", "postgresql+psycopg://***@db/x"),
        ("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc", "Authorization: Bearer ***"),
        ("{'authorization': 'Basic c29tZWJvZHk6c29tZXRoaW5n'}", "{'authorization': 'Basic ***'}"),
        ("a bearer token is asked for, or basic authentication", None), ("http://erp/x?a=b@c", None),
        ("order PO-4711 of QUJDREVGR0hJSktM0123456789abcdef at 06:00", None), ("abc is too short to be one", None),
        ("mailto:ann@acme.example", None), ("http://a::b:c@x", "http://***@x"), ("http://:b@x", "http://***@x"),
        (f"://{':' * 65_536}", None),
    ],
)  # fmt: skip
def test_what_looks_like_credentials_is_hidden_and_nothing_else(text: str, shown: str | None) -> None:
    assert SCRUBBER.text(text) == (text if shown is None else shown)


def test_data_and_log_events_are_scrubbed_to_the_bottom() -> None:
    event = {"reason": SECRET, "deep": [{SECRET: (SECRET,)}], "error": ValueError(SECRET), "n": 1, "none": None}
    shown = SCRUBBER.log(None, "warning", event)
    assert shown == {"reason": "***", "deep": [{"***": ["***"]}], "error": "***", "n": 1, "none": None}
    assert str(SCRUBBER.error(ValueError(f"no: {SECRET}"))) == "no: ***"


def test_every_secret_of_a_model_is_found() -> None:
    door = DoorConfig(users={"erp": SecretStr("user-password")})
    rest = RestConfig(connector="rest", url="http://a", user="u", password=SecretStr("rest-password"))
    bus, http = Bus(token=SecretStr("bus-token")), Http(token=SecretStr("pages-token"))
    url = "nats://hub:in-the-url@broker"
    assert set(secrets_of([door, rest, bus, http, {"broker": url}])) == {
        "user-password", "rest-password", "bus-token", "pages-token", "in-the-url",
    }  # fmt: skip


def test_what_libraries_log_is_scrubbed_with_its_traceback() -> None:
    from mombus.cli.run import _Scrubbed  # noqa: PLC0415 - private: `run` installs it for the whole process

    try:
        raise RuntimeError(f"can't log in with {SECRET}")
    except RuntimeError as error:
        record = logging.LogRecord("lib", logging.ERROR, "f", 1, "failed: %s", (SECRET,), (type(error), error, None))
    shown = _Scrubbed(SCRUBBER).format(record)
    assert SECRET not in shown
    assert "RuntimeError: can't log in with ***" in shown
