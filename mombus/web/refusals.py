"""What isn't answered, as HTTP says it: to programs as JSON, to people as a page."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from mombus.bus.commands import UnknownNameError
from mombus.desk.question import NoAnswerError, QuestionError
from mombus.web.access.refusing import refuse, wants_page
from mombus.web.asking import NotAllowedError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

CODES: dict[type[Exception], int] = {
    UnknownNameError: 404, QuestionError: 422, NotAllowedError: 403, NoAnswerError: 503,
}  # fmt: skip


def add_refusals(app: FastAPI) -> None:
    """Answer each kind with its code and `{"detail": text}`, a browser that looks at a page with a page."""
    for kind in CODES:
        app.add_exception_handler(kind, _refused)
    app.add_exception_handler(HTTPException, _not_served)
    app.add_exception_handler(RequestValidationError, _not_read)


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


async def _not_read(request: Request, error: Exception) -> Response:
    """The place and reason of each wrong value; what was sent isn't said again: it may be what no JSON can say."""
    if not isinstance(error, RequestValidationError):
        raise error
    wrong = [{name: one[name] for name in ("loc", "msg", "type")} for one in error.errors()]
    if wants_page(request):
        return refuse(request.scope, 422, "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in wrong))
    return Response(json.dumps({"detail": wrong}), 422, media_type="application/json")
