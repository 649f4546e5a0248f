"""Where a demo's simulated systems are: what it makes of any configuration, at its start and for a plan."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mombus.config.loader import Loaded, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import BaseModel

MARK = "demo"
"""The file in a demo's folder by which it is known, and which holds where its systems are."""
LOOPBACK = frozenset({"127.0.0.1", "localhost"})


@dataclass(frozen=True, slots=True)
class Simulated:
    """A demo: its folder and port; `urls`, by the port that routes.yaml has for them, where its systems really are."""

    folder: str
    port: int
    poll_s: float
    urls: Mapping[str, str]

    def load(self, paths: Sequence[Path]) -> Loaded:
        """The configuration in `paths`, with the simulated systems where they are, and polled more often.

        A system counts as simulated by its address, whatever its name; any other stays as it is written.
        """
        written = load(paths)
        if written.config is None:
            return written
        systems = {name: dict(self._moved(system.config)) for name, system in written.config.systems.items()}
        over = {"bus": {"folder": self.folder}, "http": {"port": self.port}, "systems": systems}
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
            json.dump(over, file)
            file.flush()
            return replace(load([*paths, Path(file.name)]), files=written.files)

    def _moved(self, config: BaseModel) -> Iterator[tuple[str, Any]]:
        address = urlsplit(str(getattr(config, "url", None)))
        url = self.urls.get(str(address.port)) if address.hostname in LOOPBACK else None
        if url is not None:
            yield "url", url
            if "poll_s" in type(config).model_fields and "poll_s" not in config.model_fields_set:
                yield "poll_s", self.poll_s

    def leave(self) -> None:
        """Note it in the demo's folder."""
        (Path(self.folder) / MARK).write_text(json.dumps(asdict(self)), "utf-8")


def simulated_in(folder: Path) -> Simulated | None:
    """The demo whose folder that is, if it is one's."""
    try:
        return Simulated(**json.loads((folder / MARK).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
