"""Signing in with an identity provider: who it vouches for comes in, and nobody by a token that isn't its own."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from housed import Housed, housed
from identity_provider import CLIENT, identity_provider, key

from mombus.config.oidc import Oidc
from mombus.desk.question import Role
from mombus.hub.desk import passwords
from mombus.web.app import make_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from identity_provider import IdentityProvider


@pytest.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    async with identity_provider() as made:
        yield made


@pytest.fixture
async def house(provider: IdentityProvider, tmp_path: Path) -> AsyncIterator[Housed]:
    async with housed(tmp_path, oidc=provider.oidc()) as made:
        yield made


async def to_the_provider_and_back(browser: httpx.AsyncClient, next: str = "/people") -> str:
    """The address by which it comes back."""
    gone = await browser.get("/sign-in/oidc", params={"next": next})
    assert gone.status_code == 303, gone.text
    async with httpx.AsyncClient(trust_env=False) as elsewhere:
        back = await elsewhere.get(gone.headers["location"])
    return str(back.headers["location"])


async def nobody(browser: httpx.AsyncClient, why: str, back: str = "") -> None:
    """Come back, and nobody is signed in."""
    answer = await browser.get(back or await to_the_provider_and_back(browser))
    assert (answer.status_code, why in answer.text.replace("&#39;", "'")) == (403, True), answer.text
    assert (await browser.get("/api/me")).status_code == 401


@pytest.mark.parametrize(("kind", "algorithm"), [("RSA", "RS256"), ("RSA", "PS256"), ("EC", "ES256")])
async def test_whom_it_vouches_for_comes_in_with_the_roles_of_their_groups(provider, house, kind, algorithm):
    provider.key, provider.algorithm, provider.published = key(kind), algorithm, [key("RSA"), key("EC")]
    async with house.browser() as http:
        assert "/sign-in/oidc?next=" in (await http.get("/sign-in")).text
        back = await to_the_provider_and_back(http, "/journey?number=1")
        before = http.cookies["mombus"]
        answer = await http.get(back)
        assert (answer.status_code, answer.headers["location"]) == (303, "/journey?number=1")
        assert http.cookies["mombus"] != before
        assert (await http.get("/api/me")).json() == {"name": "ann.b", "roles": ["engineer"]}
    newest = (await house.deeds())[0]
    assert (newest.who, newest.action, newest.why) == ("ann.b", "sign_in", f"by {provider.issuer}")


async def test_its_endpoints_and_keys_are_asked_for_once(provider, house):
    for _ in range(2):
        async with house.browser() as http:
            assert (await http.get(await to_the_provider_and_back(http))).status_code == 303
    assert provider.asked == ["discovery", "token", "keys", "token"]


async def test_a_new_key_of_the_provider_is_found(provider, house):
    async with house.browser() as http:
        assert (await http.get(await to_the_provider_and_back(http))).status_code == 303
    provider.key = key("RSA2")
    provider.published = [key("RSA2")]
    way = house.app.state.sign_on.provider
    async with house.browser() as http:
        await nobody(http, "isn't good")
        real = way._clock
        way._clock = lambda: real() + 31
        assert (await http.get(await to_the_provider_and_back(http))).status_code == 303


SAYS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"nonce": "another"}, "isn't good"), ({"nonce": None}, "isn't good"), ({"aud": "somebody"}, "isn't good"),
    ({"aud": [CLIENT, "somebody"]}, "for another client"), ({"azp": "somebody"}, "for another client"),
    ({"iss": "http://127.0.0.1:1/realm"}, "isn't good"), ({"exp": 1}, "isn't good"), ({"exp": None}, "isn't good"),
    ({"iat": 99999999999}, "isn't good"), ({"sub": None}, "isn't good"), ({"groups": ["football"]}, "has no role here"),
    ({"groups": None}, "has no role here"), ({"groups": {"a": 1}}, "has no role here"),
    ({"groups": 7}, "has no role here"), ({"groups": [["plant-engineers"]]}, "has no role here"),
    ({"preferred_username": "a\x1b[2J"}, "is no name"), ({"preferred_username": "token"}, "hub's own"),
    ({"preferred_username": " Local"}, "hub's own"),
)  # fmt: skip


async def test_a_token_that_says_something_else_lets_nobody_in(provider, house):
    async with house.browser() as http:
        for claims, why in SAYS:
            provider.claims = claims
            await nobody(http, why)
    deeds = await house.deeds()
    assert {(one.who, one.action, one.why) for one in deeds} == {("nobody", "sign_in", f"by {provider.issuer}")}
    assert len(deeds) == len(SAYS)
    assert all(one.result.startswith("not done: ") and one.result.endswith(", from 127.0.0.1") for one in deeds)
    assert "has no role here" in str(deeds)


async def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(provider, house):
    def part(said: dict[str, Any]) -> str:
        return urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()

    def by_secret(said: str) -> str:
        made = hmac.digest(provider.key.as_pem(private=False), said.encode(), "sha256")
        return f"{said}.{urlsafe_b64encode(made).rstrip(b'=').decode()}"

    shared = {"alg": "HS256", "kid": provider.key.kid}
    forged = {
        "no signature": lambda said: f"{part({'alg': 'none'})}.{part(said)}.",
        "none, spelt otherwise": lambda said: f"{part({'alg': 'nOnE'})}.{part(said)}.",
        "the public key as a secret": lambda said: by_secret(f"{part(shared)}.{part(said)}"),
        "no token": lambda _said: "a.b.c",
        "nothing": lambda _said: "",
    }
    async with house.browser() as http:
        for forge in forged.values():
            provider.forge = forge
            await nobody(http, "isn't good")
        provider.forge = None
        provider.key = type(key("RSA3")).import_key({**key("RSA3").as_dict(private=True), "kid": provider.key.kid})
        await nobody(http, "isn't good")
        provider.headers = {"jwk": provider.key.as_dict(private=False), "kid": None}
        await nobody(http, "isn't good")


async def test_a_sign_in_ends_once_and_in_its_own_browser(provider, house):
    async with house.browser() as http, house.browser() as other, house.browser() as third:
        back = await to_the_provider_and_back(http)
        await other.get("/sign-in")
        await nobody(other, "begun in another browser", back)
        await nobody(third, "begun in another browser", back)
        assert provider.asked.count("token") == 0
        cookie = {"cookie": f"mombus={http.cookies['mombus']}"}
        assert (await http.get(back)).status_code == 303
        again = await third.get(back, headers=cookie)
        assert (again.status_code, "has ended already" in again.text) == (403, True)
        assert provider.asked.count("token") == 1


async def test_another_process_of_the_hub_takes_the_end_and_the_provider_gives_a_code_once(provider, house):
    another, third = (
        Housed(make_app(house.desk, {}, accounts=True, oidc=provider.oidc()), house.desk) for _ in range(2)
    )
    async with house.browser() as http, another.browser() as there, third.browser() as late:
        back = await to_the_provider_and_back(http)
        cookie = {"cookie": f"mombus={http.cookies['mombus']}"}
        assert (await there.get(back, headers=cookie)).headers["location"] == "/people"
        assert (await there.get("/api/me")).json()["name"] == "ann.b"
        again = await late.get(back, headers=cookie)
        assert (again.status_code, "invalid_grant" in again.text) == (403, True)


async def test_a_state_that_was_changed_or_is_old_is_refused(provider, house):
    async with house.browser() as http:
        back = await to_the_provider_and_back(http)
        state = parse_qs(urlsplit(back).query)["state"][0]
        said, _, seal = state.partition(".")
        for wrong in ("", "x", said, f"{said}.", f"{said}x.{seal}", f"{said}.{seal[:-1]}", f".{seal}", "ü.ü"):
            answer = await http.get("/sign-in/back", params={"code": "code-0", "state": wrong})
            assert (answer.status_code, provider.asked.count("token")) == (403, 0), wrong
        real = house.app.state.sign_on._clock
        house.app.state.sign_on._clock = lambda: real() + 601
        await nobody(http, "too long ago", back)


async def test_a_code_of_somebody_else_s_sign_in_is_refused(provider, house):
    """The attacker's own code put into the victim's way back: it belongs to another verifier."""
    async with house.browser() as victim, house.browser() as attacker:
        theirs = parse_qs(urlsplit(await to_the_provider_and_back(attacker)).query)["code"][0]
        state = parse_qs(urlsplit(await to_the_provider_and_back(victim)).query)["state"][0]
        await nobody(victim, "refused (400, invalid_grant)", f"/sign-in/back?code={theirs}&state={state}")


async def test_it_leads_nowhere_else(house):
    async with house.browser() as http:
        back = await to_the_provider_and_back(http, "//evil.example")
        assert (await http.get(back)).headers["location"] == "/"


async def test_endpoints_elsewhere_are_not_followed(provider, house):
    async with house.browser() as http:
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            for there in ("http://169.254.169.254/latest", "http://localhost:1/x", "file:///etc/passwd", None, 7):
                provider.discovery = {name: there}
                answer = await http.get("/sign-in/oidc")
                said = answer.text.replace("&#39;", "'")
                assert (answer.status_code, "isn't within http.oidc.issuer" in said) == (502, True), (name, there)


async def test_another_issuer_a_redirect_and_too_much_text_are_refused(provider, house):
    async with house.browser() as http:
        for discovery, why in (
            ({"issuer": "https://id.acme.example"}, "calls itself"), ({"x": "y" * 1024 * 1024}, "too large"),
        ):  # fmt: skip
            provider.discovery = discovery
            answer = await http.get("/sign-in/oidc")
            assert (answer.status_code, why in answer.text) == (502, True)
        provider.discovery = {"jwks_uri": f"{provider.url}/moved"}
        await nobody(http, "refused (302)")
    assert "elsewhere" not in provider.asked


async def test_what_the_provider_says_no_to_is_told(house):
    async with house.browser() as http:
        await http.get("/sign-in")
        await nobody(http, "refused: access_denied", "/sign-in/back?error=access_denied&state=x")
        shown = await http.get("/sign-in/back?error=<script>alert(1)</script>&state=x")
        assert "<script>alert" not in shown.text
        await nobody(http, "wrong issuer", "/sign-in/back?iss=https://evil.example&code=a&state=x")


async def test_a_provider_that_is_away_is_said(provider, tmp_path):
    gone = provider.oidc(issuer="http://127.0.0.1:9/realm")
    async with housed(tmp_path, oidc=gone) as house, house.browser() as http:
        answer = await http.get("/sign-in/oidc")
        assert (answer.status_code, "doesn't answer" in answer.text.replace("&#39;", "'")) == (502, True)


async def test_an_account_of_the_same_name_is_another_person(provider, house, monkeypatch):
    monkeypatch.setattr(passwords, "LOG_N", 4)
    await house.add("ann.b", Role.ENGINEER)
    async with house.browser() as http:
        for name in ("ann.b", "Ann.B"):
            provider.claims = {"preferred_username": name}
            await nobody(http, "the name of an account of the hub's own")


async def test_a_public_client_and_roles_deep_in_a_claim(provider, tmp_path):
    provider.claims = {"groups": None, "realm_access": {"roles": ["shift-leads"]}}
    oidc = provider.oidc(client_secret=None, roles_claim="realm_access.roles")
    async with housed(tmp_path, oidc=oidc) as house, house.browser() as http:
        assert (await http.get(await to_the_provider_and_back(http))).status_code == 303
        assert (await http.get("/api/me")).json()["roles"] == ["operator", "process_owner"]


@pytest.mark.parametrize("issuer", ["http://id.acme.example", "ftp://127.0.0.1", "id.acme.example", "https://", ""])
def test_an_issuer_that_others_could_answer_for_is_refused(issuer):
    with pytest.raises(ValueError, match="is no https address"):
        Oidc.model_validate({"issuer": issuer, "client_id": "x", "roles": {"a": "viewer"}})
