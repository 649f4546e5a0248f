"""Commands to the running hub: JSON questions on `mombus.command.<site>.<name>`, answered to whoever asked.

An answer is `{"result": …}` or `{"error": text}`, with `"unknown": true` where a question names what isn't there, with
`"not_here": true` where another hub has it, and with `"away": true` where what it would come from doesn't answer.
It goes to inboxes only: a question whose reply subject is one of the bus's own is not answered, so that nobody makes
the hub publish there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from canonical.subjects import token
from connectors.protocols.nats.arrival import arrived
from connectors.strict_json import read_json
from mombus.bus.calls.framing import INBOXES
from mombus.config.finding import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from faststream.nats import NatsMessage

    from mombus.bus.connection import Bus

ROOT = "mombus.command"
MAX_BYTES = 64 * 1024
PASS_ON_S = 20.0
"""How long another hub may take for a command."""
AT_ONCE = 8
"""Commands that are worked on at the same time."""


class UnknownNameError(ValueError):
    """A question names something that isn't there; the text says what was probably meant."""

    def __init__(self, what: str, name: str, known: Iterable[str] = (), *, hint: str = "") -> None:
        hint = hint or did_you_mean(name, known)
        super().__init__(f"there is no {what} '{name}'{f'; {hint}' if hint else ''}")

    @classmethod
    def told(cls, text: str) -> UnknownNameError:
        """As another process said it."""
        error = cls.__new__(cls)
        ValueError.__init__(error, text)
        return error


class NotHereError(LookupError):
    """Another hub has what was asked about, or will have it in some seconds: nothing was done."""


class AwayError(RuntimeError):
    """What the answer would come from is away; the text says what and why. It may be asked again."""


class HubAwayError(ValueError):
    """The hub that was asked by its name doesn't answer."""


class NobodyThereError(HubAwayError):
    """It doesn't hear: nothing was done."""


def command_subject(site: str, name: str, hub: str | None = None) -> str:
    """Where a command is asked, of whichever hub or of one by its name; `*` for every command."""
    subject = f"{ROOT}.{token(site)}.{name if name == '*' else token(name)}"
    return f"{subject}.{hub}" if hub else subject


async def pass_on(
    bus: Bus, *, site: str, name: str, question: Mapping[str, Any], hub: str, within_s: float = PASS_ON_S
) -> Any:
    """Ask another hub and return its answer, numbers as it said them: what is compared, or told on, is as it was.

    Raises ValueError with its refusal, HubAwayError, NotHereError, AwayError.
    """
    from nats.errors import Error, NoRespondersError  # noqa: PLC0415 - heavy

    try:
        answer = await bus.client.request(
            command_subject(site, name, hub), json.dumps(question, default=float).encode(), timeout=within_s
        )
    except (Error, TimeoutError) as error:
        if isinstance(error, NoRespondersError):
            raise NobodyThereError("nobody is there any more, or not yet") from error
        raise HubAwayError(f"no answer within {within_s:g} s") from error
    said = json.loads(answer.data)
    if isinstance(said, dict) and said.get("away"):
        raise AwayError(str(said.get("error")))
    if not isinstance(said, dict) or "result" not in said:
        kind = NotHereError if isinstance(said, dict) and said.get("not_here") else ValueError
        raise kind(str(said.get("error") if isinstance(said, dict) else said))
    return said["result"]


async def listen(
    bus: Bus,
    *,
    site: str,
    answer: Callable[[str, Mapping[str, Any]], Awaitable[Any]],
    observe: Callable[[str], None] | None = None,
    hub: str | None = None,
) -> None:
    """Answer commands from now on, until the bus is closed: the broker knows it when this returns.

    A command is answered by one of the hubs that listen for a site; with `hub`, those are heard that are asked of that
    hub by its name.
    `answer` gets a command's name and its JSON object and returns what JSON can say (anything else as text). What it
    raises is told to the asker; errors that aren't AwayError, ValueError or LookupError are told to `observe` as well.
    """

    async def handle(message: NatsMessage) -> None:
        reply = _said(await _answered(message, answer, observe), bus.client.max_payload)
        if message.reply_to.startswith(INBOXES):
            await bus.client.publish(message.reply_to, reply)

    subscriber = bus.broker.subscriber(
        command_subject(site, "*", hub), queue="hubs", no_reply=True, decoder=_whole, max_workers=AT_ONCE
    )
    subscriber(handle)
    await subscriber.start()
    await arrived(bus.client)


async def _whole(message: NatsMessage) -> NatsMessage:
    """Handlers get the message itself: a body of digits must not become a number."""
    return message


async def _answered(
    message: NatsMessage,
    answer: Callable[[str, Mapping[str, Any]], Awaitable[Any]],
    observe: Callable[[str], None] | None,
) -> dict[str, Any]:
    name = message.raw_message.subject.split(".")[3]
    try:
        return {"result": await answer(name, _question(message.body))}
    except UnknownNameError as error:
        return {"error": str(error), "unknown": True}
    except NotHereError as error:
        return {"error": str(error), "not_here": True}
    except AwayError as error:
        return {"error": str(error), "away": True}
    except (ValueError, LookupError) as error:
        return {"error": str(error)}
    except Exception as error:  # noqa: BLE001 - a command that fails must not end the listening
        text = f"{type(error).__name__}: {error}"
        if observe is not None:
            observe(f"command {name} failed: {text}")
        return {"error": text}


def _said(reply: Mapping[str, Any], most_bytes: int) -> bytes:
    """The reply as JSON; one that the broker wouldn't carry says so instead of never arriving."""
    said = json.dumps(reply, default=str, ensure_ascii=False).encode("utf-8", "replace")
    if len(said) <= most_bytes:
        return said
    return json.dumps({"error": f"the answer has {len(said)} bytes, the broker carries {most_bytes}"}).encode()


def _question(body: bytes) -> Mapping[str, Any]:
    question = read_json(body or b"{}", MAX_BYTES)
    if not isinstance(question, dict):
        raise ValueError('a command is a JSON object, such as {"who": "ann", "why": "checked"}')
    return question
