"""What isn't answered, as HTTP says it: to programs as JSON, to people as a page."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from mombus.bus.commands import UnknownNameError
from mombus.desk.question import NoAnswerError, QuestionError
from mombus.web.access.refusing import refuse
from mombus.web.asking import NotAllowedError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

CODES: dict[type[Exception], int] = {
    UnknownNameError: 404, QuestionError: 422, NotAllowedError: 403, NoAnswerError: 503,
}  # fmt: skip


def add_refusals(app: FastAPI) -> None:
    """Answer each kind with its code and `{"detail": text}`, a browser that looks at a page with a page."""
    for kind in CODES:
        app.add_exception_handler(kind, _refused)
    app.add_exception_handler(HTTPException, _not_served)


async def _refused(request: Request, error: Exception) -> Response:
    code = next(code for kind, code in CODES.items() if isinstance(error, kind))
    return refuse(request.scope, code, str(error))


async def _not_served(request: Request, error: Exception) -> Response:
    """No such path, or not asked like that."""
    if not isinstance(error, HTTPException):
        raise error
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            said = f"There is nothing at {request.url.path}."
        case HTTPStatus.METHOD_NOT_ALLOWED:
            said = f"{request.url.path} doesn't take {request.method}: it is where something else is sent to."
        case _:
            said = error.detail
    return refuse(request.scope, error.status_code, said, error.headers)
