"""What isn't answered, as HTTP says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi.responses import JSONResponse

from mombus.bus.commands import UnknownNameError
from mombus.desk.question import NoAnswerError, QuestionError
from mombus.web.asking import NotAllowedError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

CODES: dict[type[Exception], int] = {
    UnknownNameError: 404, QuestionError: 422, NotAllowedError: 403, NoAnswerError: 503,
}  # fmt: skip


def add_refusals(app: FastAPI) -> None:
    """Answer each kind with its code and `{"detail": text}`."""
    for kind in CODES:
        app.add_exception_handler(kind, _refused)


async def _refused(_request: Request, error: Exception) -> Response:
    code = next(code for kind, code in CODES.items() if isinstance(error, kind))
    return JSONResponse({"detail": str(error)}, code)
