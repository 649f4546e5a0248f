"""`mombus secret`: what it makes opens a door, and the secret part is all that goes to stdout."""

from __future__ import annotations

import json
import re

from typer.testing import CliRunner

from connectors.door import DoorConfig
from mombus.cli.secret import app
from mombus.web.credentials import Lock, Signatures


def made(*args: str) -> tuple[str, str]:
    done = CliRunner().invoke(app, list(args), standalone_mode=False)
    assert done.return_value == 0
    return done.stdout, done.stderr


def test_a_token_is_shown_once_and_its_hash_opens_the_door() -> None:
    token, told = made("token", "erp")
    (hashed,) = re.findall(r"sha256:[0-9a-f:]+", told)
    assert token.strip() not in told
    lock = Lock(DoorConfig(tokens=(hashed,)))
    assert lock.surely_opened_by({"authorization": f"Bearer {token.strip()}"}, None)
    assert not lock.surely_opened_by({"authorization": f"Bearer {made('token')[0].strip()}"}, None)
    both = json.loads(made("token", "--json")[0])
    assert Lock(DoorConfig(tokens=(both["hash"],))).surely_opened_by({"authorization": f"Bearer {both['token']}"}, None)


def test_a_webhook_secret_can_be_used_as_it_is() -> None:
    secret = made("webhook", "qms")[0].strip()
    assert Signatures(DoorConfig.model_validate({"signatures": [secret]}))
    assert secret != made("webhook", "qms")[0].strip()
