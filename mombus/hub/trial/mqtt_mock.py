"""A system that is played over MQTT: a client of a real broker that answers what its script says."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mombus.bus.embedded import EmbeddedBroker
from mombus.trial.mocks import NO_ANSWER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    import aiomqtt

    from mombus.hub.trial.script import Script
    from mombus.trial.mocks import Line

_LISTENS = re.compile(r"Listening for MQTT clients on mqtt://[^\s:]+:(\d+)")
_QOS = 1


class MqttBroker(EmbeddedBroker):
    """A broker for MQTT clients as well."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, observe=lambda _text: None)
        self._log = folder / "broker.log"

    @property
    def mqtt_url(self) -> str:
        """Where MQTT clients connect, with user and password."""
        port = _LISTENS.findall(self._log.read_text(encoding="utf-8"))[-1]
        return f"mqtt://{self.url.removeprefix('nats://').rpartition(':')[0]}:{port}"

    def _configuration(self) -> str:
        return f'{super()._configuration()}mqtt {{ host: "127.0.0.1", port: -1 }}\n'


class MqttMock:
    """Answers a note with a `replyTo` there, under the note's `msgId` unless the answer has one of its own."""

    def __init__(self, script: Script, url: str) -> None:
        self.script = script
        self.url = url

    async def play(self, lines: Sequence[Line]) -> None:
        """From here on it answers so."""
        self.script.play(lines)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """It hears what is told from here on, and answers."""
        import aiomqtt  # noqa: PLC0415 - only where somebody is played over MQTT

        from connectors.protocols.mqtt.settings import MqttConfig  # noqa: PLC0415

        at = MqttConfig(connector="mqtt", url="mqtt://127.0.0.1").moved(self.url)
        password = at.password.get_secret_value() if at.password else None
        async with aiomqtt.Client(at.host, at.port, username=at.username, password=password) as client:
            await client.subscribe("#", qos=_QOS)
            answering = asyncio.create_task(self._answer_all(client))
            try:
                yield
            finally:
                answering.cancel()
                await asyncio.gather(answering, return_exceptions=True)

    async def _answer_all(self, client: aiomqtt.Client) -> None:
        async for letter in client.messages:
            note = _note(letter.payload)
            if (to := note.get("replyTo")) and (answer := self._answer(str(letter.topic), note)) is not None:
                await client.publish(str(to), answer, qos=_QOS)

    def _answer(self, topic: str, note: dict[str, Any]) -> bytes | None:
        line = self.script.due("PUBLISH", topic)
        if line is None:
            return f"no mock answers PUBLISH {topic}".encode()
        if line.mock.trouble == NO_ANSWER:
            return None
        answer = _note(line.content)
        return json.dumps({"msgId": note.get("msgId"), **answer}).encode() if answer else line.content


def _note(content: Any) -> dict[str, Any]:
    """A JSON object; nothing else is one."""
    try:
        note = json.loads(content)
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}
