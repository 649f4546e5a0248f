"""Saved searches of the message browser."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from mombus.desk.messages import MessageFilter
from mombus.desk.question import Personal, Question

SearchName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f/]+$")
]


class SearchesList(Personal):
    """The person's own searches, and those that others share."""


class SearchSave(Personal):
    """Keep a search, in place of one's own of that name."""

    name: SearchName
    search: MessageFilter
    shared: bool = Field(default=False, description="Everybody sees it.")


class SearchDelete(Personal):
    """Forget one of one's own."""

    name: SearchName


class SavedSearch(BaseModel):
    """One saved search. Times in it such as `4h` are meant from when it is used."""

    name: str
    owner: str
    mine: bool
    shared: bool
    changed: datetime
    search: MessageFilter


SEARCHES_LIST = Question("searches_list", SearchesList)
SEARCHES_SAVE = Question("searches_save", SearchSave)
SEARCHES_DELETE = Question("searches_delete", SearchDelete)
