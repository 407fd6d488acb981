"""How the lab's registry answers: content, pages, errors of the distribution specification. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.lab.registry.content import Blob

_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")


class OciError(Exception):
    """An answer that is no success, with a code of the distribution specification."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def content_answer(blob: Blob) -> Response:
    """Answer with stored bytes."""
    headers = {"docker-content-digest": blob.digest, "etag": f'"{blob.digest}"'}
    return Response(blob.content, media_type=blob.media_type, headers=headers)


def next_link(request: Request, **query: str) -> dict[str, str]:
    """Return the header that leads to the next page: the same list, with other parameters."""
    return {"link": f'<{request.url.path}?{urlencode(query)}>; rel="next"'}


def asked_number(request: Request, *, most: int) -> int:
    """Read `n`, the length of a page, which is never longer than `most`."""
    given = request.query_params.get("n", str(most))
    if not given.isascii() or not given.isdigit():
        raise OciError(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested")
    return min(int(given[:9]), most)


def require_digest(text: str) -> None:
    """Raise unless the text is a digest."""
    if not _DIGEST.fullmatch(text):
        raise OciError(400, "DIGEST_INVALID", f"invalid digest: {text}")


def error_body(code: str, message: str) -> dict[str, object]:
    """Return an error as the specification writes it."""
    return {"errors": [{"code": code, "message": message, "detail": None}]}


def tell_error(_request: Request, error: Exception) -> Response:
    """Answer with an error of the specification."""
    if not isinstance(error, OciError):
        raise error
    return JSONResponse(error_body(error.code, error.message), error.status, headers=error.headers)


def tell_unknown_route(_request: Request, error: Exception) -> Response:
    """Answer to an address or a method that is not known."""
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse(error_body("UNSUPPORTED", "the operation is unsupported"), error.status_code)
