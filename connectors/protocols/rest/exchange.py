"""One call and its answer: capped in size and time, never to a strange host."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors import sending
from connectors.answer_body import ACCEPTED, read_answer
from connectors.connector import ConfigError, ConnectorError, MappingError, OutcomeUnknown, RetryableError
from connectors.exchange import address, calling
from connectors.protocols.rest.answers import ForeignHostError, Reply, translated
from connectors.protocols.rest.mapping import evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from connectors.protocols.rest.settings import Endpoint

MAX_REDIRECTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call.

    `repeatable`: nothing changes when it is made twice. `error`, if given, replaces the system's own. Without `judged`
    any answer will do, whatever it says: the system can be reached.
    """

    method: str = "GET"
    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    repeatable: bool = True
    error: str | None = None
    judged: bool = True
    timeout_s: float | None = None


class Exchange:
    """The connection to one system; several tasks may call at once.

    `error` is the expression that finds what is wrong in the body of an answer with a good status.
    """

    def __init__(self, endpoint: Endpoint, folder: str, error: str | None = None) -> None:
        self._endpoint = endpoint
        self._folder = Path(folder)
        self._error = error
        self._client: httpx.AsyncClient | None = None
        self._calls: Counter[httpx.AsyncClient] = Counter()
        self.answered_at: float | None = None
        """Monotonic time of the last answer."""
        self.trouble: str | None = None
        """Why the last call got no answer, None when it got one."""

    def open(self) -> None:
        """Make the client. Raises ConfigError for certificate files that can't be used."""
        if self._client is None:
            self._client = self._new_client()

    async def close(self) -> None:
        """Close every connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def send(self, call: Call) -> Reply:
        """Call, and return a good answer. Raises what `translated` makes of anything else."""
        reply = await self.attempt(call)
        if not reply.good:
            raise self.refused(call, reply)
        return reply

    async def attempt(self, call: Call) -> Reply:
        """Call, and return the answer, good or not; raises what `translated` makes of there being none."""
        try:
            async with asyncio.timeout(call.timeout_s or self._endpoint.timeout_s):
                reply = await self._called(call)
        except ConnectorError:
            raise
        except Exception as cause:
            raise self._failed(call, cause) from cause
        self.answered_at, self.trouble = time.monotonic(), None
        return self._judged(call, reply) if call.judged and reply.good else reply

    def _judged(self, call: Call, reply: Reply) -> Reply:
        """A page with a good status, often of a login or for maintenance, is no answer; other bodies may say more."""
        if "html" in reply.headers.get("content-type", ""):
            readable(call, reply)
        error = call.error or self._error
        return reply if error is None else _as_its_body_says(call, reply, error)

    def refused(self, call: Call, reply: Reply) -> ConnectorError:
        """The error that an answer is."""
        return self._scrubbed(translated(reply, repeatable=call.repeatable))

    def _failed(self, call: Call, cause: Exception) -> ConnectorError:
        error = self._scrubbed(translated(cause, repeatable=call.repeatable))
        self.trouble = str(error)
        return error

    async def _called(self, call: Call) -> Reply:
        self.open()
        client = self._client
        assert client is not None  # noqa: S101 - open() has made it
        self._calls[client] += 1
        try:
            return await self._answer(client, call)
        except asyncio.CancelledError:  # a cancelled call may keep its slot of the pool: that client takes no new ones
            if self._client is client:
                self._client = None
            raise
        finally:
            self._calls[client] -= 1
            if not self._calls[client]:
                del self._calls[client]
                if client is not self._client:
                    await client.aclose()

    async def _answer(self, client: httpx.AsyncClient, call: Call) -> Reply:
        import httpx  # noqa: PLC0415 - only a connector that runs needs its client

        base = f"{self._endpoint.url}/"
        target = httpx.URL(call.url if "://" in call.url else base + call.url.removeprefix("/"))
        if call.query:
            target = target.copy_merge_params(dict(call.query))
        for _ in range(MAX_REDIRECTS + 1):
            self._at_home(target)
            with calling(f"{call.method} {address(str(target))}", call.content or b"") as noted:
                async with client.stream(
                    call.method, target, content=call.content, headers=dict(call.headers),
                    extensions={"trace": _look_first} if sending.is_watched() else None,
                ) as response:  # fmt: skip
                    status, kind = str(response.status_code), response.headers.get("content-type")
                    noted.answered(None, status=status, media_type=kind)
                    content = await read_answer(response, self._endpoint.max_response_bytes)
                    noted.answered(content, status=status, media_type=kind)
            reply = Reply(response.status_code, response.headers, content, url=str(response.url))
            if call.method != "GET" or not response.has_redirect_location:
                break
            target = response.url.join(response.headers["location"])
        return reply

    def _at_home(self, target: httpx.URL) -> None:
        import httpx  # noqa: PLC0415 - see _answer

        home = httpx.URL(self._endpoint.url)
        if (target.scheme, target.host, target.port) != (home.scheme, home.host, home.port):
            raise ForeignHostError(f"{target.scheme}://{target.netloc.decode('ascii', 'replace')}")

    def _new_client(self) -> httpx.AsyncClient:
        import httpx  # noqa: PLC0415 - see _answer

        endpoint = self._endpoint
        headers = {"accept": "application/json", "accept-encoding": ACCEPTED, "user-agent": "mombus"}
        if endpoint.token is not None:
            token = endpoint.token.get_secret_value()
            headers[endpoint.token_header or "authorization"] = token if endpoint.token_header else f"Bearer {token}"
        password = endpoint.password.get_secret_value() if endpoint.password else ""
        return httpx.AsyncClient(
            headers=headers,
            auth=httpx.BasicAuth(endpoint.user, password) if endpoint.user else None,
            verify=self._tls(),
            timeout=httpx.Timeout(endpoint.timeout_s, connect=endpoint.connect_timeout_s),
            follow_redirects=False,
            trust_env=False,
        )

    def _tls(self) -> ssl.SSLContext:
        endpoint = self._endpoint
        if not endpoint.url.startswith("https"):
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody, and costs no loading of authorities
        try:
            context = ssl.create_default_context(cafile=self._file(endpoint.ca_file))
            if endpoint.client_cert:
                context.load_cert_chain(str(self._file(endpoint.client_cert)), self._file(endpoint.client_key))
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"the certificate files can't be used: {error}", "ca_file") from error
        return context

    def _file(self, name: str | None) -> str | None:
        return None if name is None else str(self._folder / name)

    def _scrubbed(self, error: ConnectorError) -> ConnectorError:
        """An error page may echo the request: no secret goes on in a reason."""
        for secret in (self._endpoint.token, self._endpoint.password):
            if secret is not None and len(value := secret.get_secret_value()) >= 4:
                error.args = tuple(str(argument).replace(value, "***") for argument in error.args)
        return error


async def _look_first(event: str, _info: Mapping[str, Any]) -> None:
    """Look once more when there is a connection, before anything is sent over it."""
    if event.endswith(".send_request_headers.started"):
        sending.look()


def readable(call: Call, reply: Reply) -> Any:
    """The JSON of a good answer. One that can't be read, often a login or maintenance page, is no answer.

    Raises RetryableError, and OutcomeUnknown when the call isn't repeatable.
    """
    try:
        return reply.json()
    except MappingError as error:
        raise (RetryableError if call.repeatable else OutcomeUnknown)(str(error)) from error


def _as_its_body_says(call: Call, reply: Reply, error: str) -> Reply:
    """The reply with the status and reason that its body gives; 422 where it gives a reason only.

    Raises as `readable` when that can't be told: with a good status the call may have been carried out.
    """
    document = readable(call, reply)
    try:
        said = evaluate(error, document)
    except MappingError as strange:
        raise (RetryableError if call.repeatable else OutcomeUnknown)(f"a strange answer: {strange}") from strange
    match said:
        case None | False | "":
            return reply
        case {"status": int(status), **rest}:
            return replace(
                reply,
                status=status,
                reason=str(rest.get("reason") or f"status {status} in the answer"),
                lacking=rest.get("lacking") is True,
            )
        case {"reason": reason} | reason:
            return replace(reply, status=422, reason=str(reason))
