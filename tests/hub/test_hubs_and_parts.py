"""Two hubs, a connector and the pages in processes or parts of their own: one change over all, a kill in the middle."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, suppress
from itertools import cycle
from typing import TYPE_CHECKING, Any

import httpx
from own_broker import broker
from patience import PATIENCE_S, until
from ports import free_port
from small_documents import decision
from test_changing_killed import HASH, PAUSE_S, SAYS, TOKEN, Targets, hub

from mombus.config.loader import load
from mombus.hub.changing.here import Origin
from mombus.hub.hub import open_hub
from mombus.hub.parts import parse_parts

if TYPE_CHECKING:
    from pathlib import Path

HUB = ["delivery", "web", "connectors:lab,b"]
PARTS = {"one": HUB, "two": HUB, "pages": ["web"]}
PART_A = "--part connectors:a"
LOT = "L-0815"


class Plant:
    """A laboratory that posts to two hubs in turn; `a` is written to by a process of its own, `b` by the hubs."""

    def __init__(self, folder: Path, stack: AsyncExitStack, bus: dict[str, str], targets: Targets) -> None:
        self._folder, self._stack, self._bus, self._targets = folder, stack, bus, targets
        self._ports = {name: free_port() for name in (*PARTS, "a")}
        self.at = {name: stack_client(stack, port) for name, port in self._ports.items()}
        self.said: list[str] = []
        self.going = True

    def write(self, *routes: str) -> None:
        """Change the files of all."""
        for name, port in self._ports.items():
            (self._folder / name).mkdir(exist_ok=True)
            (self._folder / name / "routes.yaml").write_text(self._config(port, routes))

    def _config(self, port: int, routes: tuple[str, ...]) -> str:
        writes = {name: {"object": "release_decision", "url": f"/{name}", "body": '{"id": body.id}',
                         "idempotency_header": "idempotency-key"} for name in "ab"}  # fmt: skip
        url = self._targets.server.url
        return json.dumps({
            "version": 1,
            "plant": {"enterprise": "acme", "site": "lyon", "timezone": "Europe/Paris"},
            "bus": {"folder": "hub", **self._bus}, "http": {"port": port},
            "systems": {
                "lab": {"connector": "rest", "url": url, "listen": "/in/lab", "door": {"tokens": [HASH]}, "spool": 0,
                        "pushed": {"items": "docs", "says": [SAYS]}},
                **{name: {"connector": "rest", "url": url, "timeout_s": 29.5, "writes": [writes[name]]}
                   for name in "ab"},
            },
            "objects": {"release_decision": {"owner": "lab"}},
            "routes": [{"object": "release_decision", "to": name, "start": "now"} for name in routes],
        })  # fmt: skip

    async def open(self, name: str) -> None:
        """A hub, or the pages, here."""
        file, parts = self._folder / name / "routes.yaml", parse_parts(PARTS[name])
        origin = Origin((file,), (), lambda: load([file], needs=parts.needs))
        config = origin.load().config
        assert config is not None
        await self._stack.enter_async_context(open_hub(config, parts=parts, origin=origin))

    async def open_a(self) -> asyncio.subprocess.Process:
        """The connector of `a`, in a process of its own."""
        return await self._stack.enter_async_context(hub(self._folder / "a", self.at["a"], *PART_A.split()))

    async def say(self) -> None:
        """One decision after the other about the same lot, to the hubs in turn, each until it is taken."""
        doors = cycle((self.at["one"], self.at["two"]))
        headers = {"Authorization": f"Bearer {TOKEN}"}
        while self.going:
            id = f"UD-{len(self.said):05}"
            document = {"docs": [decision(id, lot=LOT)]}

            async def taken(document: Any = document) -> bool:
                with suppress(httpx.TransportError):
                    answer = await next(doors).post("/in/lab", json=document, headers=headers)
                    return answer.status_code == httpx.codes.ACCEPTED and len(answer.json()["accepted"]) == 1
                return False

            await until(taken)
            self.said.append(id)
            await asyncio.sleep(PAUSE_S)

    async def more(self) -> None:
        """Return when some more has been said."""
        count = len(self.said)
        await until(lambda: len(self.said) > count + 5)

    def got(self, name: str) -> list[str]:
        return list(self._targets.got[name].values())

    async def everywhere(self, path: str) -> list[Any]:
        """What either hub and the pages in a process of their own answer; nothing while one of them can't."""
        answers = [await self.at[name].get(path) for name in ("one", "two", "pages")]
        return [answer.json() for answer in answers] if all(answer.is_success for answer in answers) else []

    async def systems(self) -> list[dict[str, tuple[Any, ...]]]:
        """How each is, why, and how much is behind for it or waits: what was broken off waits to be tried again."""
        told = await self.everywhere("/api/status")
        return [
            {
                row["name"]: (row["health"], row["reason"], row["lag"] + sum(row["waiting"].values()))
                for row in one["systems"]
            }
            for one in told
        ]

    async def agreed(self) -> bool:
        """True once nobody tells of a hub that runs something else, or doesn't answer."""
        lines = [" ".join(one["trouble"]) for one in await self.everywhere("/api/status")]
        return bool(lines) and not any(word in line for line in lines for word in ("agree", "another", "answer"))


def stack_client(stack: AsyncExitStack, port: int) -> httpx.AsyncClient:
    client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE_S)
    stack.push_async_callback(client.aclose)
    return client


async def test_hubs_and_parts_change_together_while_one_of_them_is_killed(tmp_path: Path, postgresql: str) -> None:
    targets = Targets()
    await targets.server.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(targets.server.stop)
        bus = {"store": postgresql.replace("postgres:@", ""), "store_user": "postgres"}
        bus["broker"] = await stack.enter_async_context(broker(tmp_path / "nats"))
        plant = Plant(tmp_path, stack, bus, targets)
        plant.write("a")
        for name in ("one", "two", "pages"):
            await plant.open(name)
        part = await plant.open_a()
        talking = asyncio.create_task(plant.say())
        await until(lambda: len(plant.got("a")) > 5)

        plant.write("a", "b")
        assert (await plant.at["one"].post("/api/plan/apply", json={"why": "b wants it"})).status_code == 202
        part.kill()

        async def ended() -> Any:
            answer = await plant.at["one"].get("/api/plan/apply")
            return answer.json() if answer.is_success and answer.json()["state"] != "changing" else None

        told = await until(ended)
        assert (told["state"], told["reason"], told["hubs"][0]["state"]) == ("applied", None, "runs it")
        await plant.more()
        plant.going = False
        await talking
        await until(lambda: plant.got("b")[-1:] == plant.said[-1:])
        assert plant.got("b") == plant.said[-len(plant.got("b")) :], "from one on each once, in their order"

        left = len(plant.said) - len(plant.got("a"))
        down = ("down", f"nobody runs a: start it with `mombus run {PART_A}`")

        def alike(found: list[dict[str, tuple[Any, ...]]]) -> bool:
            """What it was just being told is behind as well, until it can be asked for it."""
            return bool(found) and {one["a"] for one in found} in ({(*down, left)}, {(*down, left + 1)})

        await until(plant.systems, good=alike)

        await plant.open_a()
        await until(lambda: len(plant.got("a")) >= len(plant.said))
        assert plant.got("a") == plant.said, "each once, in their order"
        well = dict.fromkeys(("lab", "a", "b"), ("ok", "", 0))
        await until(plant.systems, good=lambda found: found == [well] * 3)
        await until(plant.agreed)
        await _any_tells_what_was_exchanged(plant)


async def _any_tells_what_was_exchanged(plant: Plant) -> None:
    """By whichever hub it was written, and in which process."""

    async def rows() -> list[list[Any]]:
        found = await plant.everywhere("/api/messages?limit=1")
        return [one["messages"] for one in found]

    def known(found: list[list[Any]]) -> bool:
        ends = [{hop["target"]: hop["state"] for row in one for hop in row["hops"]} for one in found]
        return ends == [dict.fromkeys("ab", "delivered")] * 3

    found = await until(rows, good=known)
    (id,) = {one[0]["id"] for one in found}

    async def calls() -> list[dict[str, list[str]]]:
        told = await plant.everywhere(f"/api/messages/{id}/stages")
        return [
            {one["target"]: [call["status"] for call in one["attempts"]] for one in each["targets"]} for each in told
        ]

    await until(calls, good=lambda found: found == [{"a": ["201"], "b": ["201"]}] * 3)
