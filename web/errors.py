"""Domain error to status, in one table; one JSON shape for all that goes wrong."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException

from domain import (
    BadImage,
    BadImageReason,
    Conflict,
    ExposrError,
    FetchRefused,
    Limited,
    Malformed,
    NotEnoughData,
    NotFound,
    Unacceptable,
    Unavailable,
)
from web.answers import answer
from wire import describe_error

log = logging.getLogger(__name__)

LONGEST = 300
"""Characters of what a client sent that are said back to it."""


class Refused(ExposrError):
    """What only HTTP knows of: keys, origins, sizes, content types."""

    status = 400


class Unauthorised(Refused):
    """No key, or none that is known."""

    code = "unauthorized"
    status = 401


class Forbidden(Refused):
    """A key that may not do this, or a page that may not ask."""

    code = "forbidden"
    status = 403


class TooLarge(Refused):
    """More bytes or more parts than are read."""

    code = "too_large"
    status = 413


class UnsupportedMedia(Refused):
    """A content type that this path does not read."""

    code = "unsupported_media_type"
    status = 415


STATUS: dict[type[ExposrError], int] = {
    Malformed: 400,
    NotFound: 404,
    Conflict: 409,
    Unacceptable: 422,
    NotEnoughData: 422,
    FetchRefused: 422,
    BadImage: 422,
    Limited: 429,
    Unavailable: 503,
}
STATUS_OF_REASON: dict[str, int] = {
    BadImageReason.TOO_LARGE: 413,
    BadImageReason.TOO_MANY_PIXELS: 413,
    BadImageReason.UNSUPPORTED_FORMAT: 415,
}
"""Reasons of `BadImage` and `FetchRefused` with a status of their own."""

HTTP_CODES = {
    400: "malformed",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    414: "too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    503: "unavailable",
}

HTTP_MESSAGES = {
    404: "There is nothing at this path; /docs lists what there is.",
    405: "This path does not take this method; the Allow header names those it takes.",
    413: "The body is larger than this path takes.",
}
"""Where ours say more than the framework's."""


def status_of(error: ExposrError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, Refused):
        return error.status
    if isinstance(error, BadImage | FetchRefused) and error.reason in STATUS_OF_REASON:
        return STATUS_OF_REASON[error.reason]
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def describe_briefly(error: ExposrError) -> dict[str, Any]:
    """The error's JSON, with what the client sent said back only so far as to recognise it."""
    described = describe_error(error)
    described["message"] = _shortened(described["message"])
    described["detail"] = {key: _shortened(item) for key, item in described["detail"].items()}
    return described


def _shortened(value: Any) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int) and abs(value) < 2**63:
        return value
    text = value if isinstance(value, str) else repr(value)
    if len(text) > LONGEST:
        return text[:LONGEST] + " ..."
    return value if isinstance(value, str | list | dict) else text


def failure(error: ExposrError) -> Response:
    """The response for an error."""
    response = answer({"error": describe_briefly(error)}, status_of(error))
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="exposr"'
    if isinstance(error, Limited):
        response.headers["Retry-After"] = str(error.retry_after)
    if response.status_code == 503:
        response.headers["Retry-After"] = "5"
    return response


def handle_errors(app: Flask) -> None:
    """Answer every failure in the one shape."""

    @app.errorhandler(ExposrError)
    def _known(error: ExposrError) -> Response:
        if status_of(error) >= 500:
            log.error("%s: %s", g.get("request_id", "-"), error.message)
        return failure(error)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        status = error.code or 500
        code = HTTP_CODES.get(status, "malformed" if status < 500 else "internal")
        message = HTTP_MESSAGES.get(status) or error.description or error.name
        document = {"code": code, "message": message, "detail": {}}
        response = answer({"error": document}, status)
        for name, value in error.get_headers():
            if name.lower() not in ("content-type", "content-length"):
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def _unknown(error: Exception) -> Response:
        request_id = g.get("request_id", "-")
        log.error("%s: unexpected failure", request_id, exc_info=error)
        document = {
            "code": "internal",
            "message": "Something went wrong here. The log tells more under this request id.",
            "detail": {"request_id": request_id},
        }
        return answer({"error": document}, 500)
