"""Answers for saved searches."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from mombus.bus.commands import UnknownNameError
from mombus.desk.question import QuestionError
from mombus.desk.searches import SEARCHES_DELETE, SEARCHES_LIST, SEARCHES_SAVE, SearchDelete, SearchesList, SearchSave
from mombus.journal import searches
from mombus.journal.searches import Saved

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mombus.desk.question import Question
    from mombus.hub.desk.topic import Answer
    from mombus.journal.journal import Journal


class SearchesTopic:
    """Keeps people's searches in the journal, so that every hub has them."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def answers(self) -> Mapping[Question, Answer]:
        """Each question and its answer."""
        return {SEARCHES_LIST: self.list, SEARCHES_SAVE: self.save, SEARCHES_DELETE: self.delete}

    async def list(self, asked: SearchesList) -> list[Mapping[str, Any]]:
        """As `mombus.desk.searches.SavedSearch`, one's own first."""
        rows = await self._journal.survey(partial(searches.searches, owner=_who(asked.who)))
        return [_row(row, asked.who) for row in rows]

    async def save(self, asked: SearchSave) -> Mapping[str, Any]:
        """The search as it is kept. Raises QuestionError."""
        said = asked.search.model_dump_json(exclude_defaults=True)
        saved = Saved(
            owner=_who(asked.who), name=asked.name, search=said, shared=asked.shared, changed=datetime.now(UTC)
        )  # fmt: skip
        await self._journal.write(partial(searches.save, saved=saved))
        return _row(saved, asked.who)

    async def delete(self, asked: SearchDelete) -> Mapping[str, Any]:
        """Its name. Raises UnknownNameError."""
        if not await self._journal.write(partial(searches.drop, owner=_who(asked.who), name=asked.name)):
            mine = await self._journal.survey(partial(searches.searches, owner=asked.who))
            names = [row.name for row in mine if row.owner == asked.who]
            raise UnknownNameError("search of yours called", asked.name, names)
        return {"name": asked.name}


def _who(who: str) -> str:
    if not who.strip():
        raise QuestionError("say who asks: everybody has searches of their own")
    return who


def _row(saved: Saved, who: str) -> dict[str, Any]:
    return {
        "name": saved.name, "owner": saved.owner, "mine": saved.owner == who, "shared": saved.shared,
        "changed": saved.changed.isoformat(), "search": json.loads(saved.search),
    }  # fmt: skip
