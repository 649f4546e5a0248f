"""What a form of a page holds."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Depends, Request
from starlette.datastructures import ImmutableMultiDict

from mombus.web.access.forgery import fields

Fields: TypeAlias = ImmutableMultiDict[str, str]
"""A form's fields: `fields.get("why", "")` the last of that name, `fields.getlist("id")` all of them."""


async def _fields(request: Request) -> Fields:
    return ImmutableMultiDict([one for one in fields(await request.body()) if one[0] != "csrf"])


Form: TypeAlias = Annotated[Fields, Depends(_fields)]
"""What an endpoint takes to read a form, as `<form method="post">` sends it (application/x-www-form-urlencoded)."""
