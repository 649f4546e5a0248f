"""The index is derived: deleted, it is made anew from the broker's stream and the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from history_plant import FACT, board, loaded, post, write_config
from patience import until

from mombus.desk.messages import MESSAGES_SEARCH, MessagesSearch
from mombus.hub.hub import open_hub

if TYPE_CHECKING:
    from pathlib import Path

    from mombus.hub.hub import Hub


async def found(hub: Hub, number: int, **wanted: Any) -> list[str]:
    """The keys of what fits, once there are so many."""

    async def looked() -> list[str]:
        answer = await hub.desk.ask(MESSAGES_SEARCH, MessagesSearch(**wanted))
        return [row["key"] for row in answer["messages"]]

    return await until(looked, good=lambda keys: len(keys) == number)


async def test_what_was_delivered_is_found_though_the_index_was_deleted(tmp_path: Path) -> None:
    delivered = {"target": ("board",), "state": ("delivered",)}
    async with board() as one:
        config = loaded(write_config(tmp_path, one, [FACT]))
        async with open_hub(config) as hub:
            await post(hub.url, [f"UD-{n}" for n in range(4)], lots=2)
            keys = await found(hub, 4, **delivered)
        for file in (tmp_path / "hub").glob("index.sqlite*"):
            file.unlink()
        async with open_hub(config) as hub:
            assert await found(hub, 4, **delivered) == keys
            assert await found(hub, 2, **delivered, lot=("L1",)) == [key for key in keys if int(key[-1]) % 2]
            assert await found(hub, 1, text="ud-3") == ["UD-3"]
