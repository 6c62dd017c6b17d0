"""Requests in: JSON, and a picture in each of the forms it may come in."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any, NoReturn, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from config import Settings
from domain import Malformed, Unacceptable
from scraper.fetch import fetch
from web.errors import UnsupportedMedia
from web.multipart import Part, parts
from web.payloads.verdicts import PictureRequest

JSON_BYTES = 1_000_000
"""Largest JSON body, save one that carries a picture."""
ENVELOPE_BYTES = 64 * 1024
"""What may surround a picture: part headers, JSON keys."""
MOST_FIELDS = 16
"""Parts accepted beside the pictures."""
LONGEST_URL = 8192
MOST_JSON_ITEMS = 50_000
"""Of a body: each costs some 20 times its text in memory, so they are counted before reading."""
DEEPEST = 32
"""Levels of JSON that are read; ours has three, and deeper ones overflow stacks further in."""

Body = TypeVar("Body", bound=BaseModel)
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_DATA_URL = re.compile(r"data:[\w.+/-]*(?:;[\w.+=-]+)*;base64,", re.ASCII)


def read_body(size: int = -1) -> bytes:
    """Read on in this request's body, to its end when no size is named.

    Raises
    ------
    RequestEntityTooLarge
        It is longer than this request may be.
    Malformed
        The client broke off, or what it sends is not chunked as it says.
    """
    try:
        data = request.stream.read(size)
    except RequestEntityTooLarge:
        raise
    except Exception as error:  # every server has errors of its own for a broken body
        raise Malformed("The body cannot be read to its end.") from error
    if size < 0 and len(data) >= (request.max_content_length or JSON_BYTES):
        raise RequestEntityTooLarge  # a chunked body stops there without a word
    return data


def read_json() -> Any:
    """Read a JSON body.

    Raises
    ------
    UnsupportedMedia
        The content type is another.
    Malformed
        It is not JSON in UTF-8, or nested too deeply to read.
    """
    if not request.is_json:
        raise UnsupportedMedia(
            f"Content-Type: got {request.mimetype or 'none'!r}, allowed: application/json"
        )
    try:
        text = read_body().decode("utf-8-sig")
        if sum(text.count(mark) for mark in "[{,") > MOST_JSON_ITEMS:
            raise Malformed(f"The JSON body has more than {MOST_JSON_ITEMS} items.")
        document = json.loads(text, parse_constant=_no_constant)
        _check_depth(document)
        if _ESCAPED_SURROGATE.search(text):
            json.dumps(document, ensure_ascii=False).encode()
    except RecursionError:
        raise Malformed("The JSON body is nested too deeply.") from None
    except ValueError as error:  # also what is not UTF-8, and half a surrogate pair
        raise Malformed(f"The body is not JSON: {_brief(error)}") from None
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _check_depth(document: Any) -> None:
    level = [document]
    for _ in range(DEEPEST):
        nested = [item for item in level if isinstance(item, dict | list)]
        level = [x for item in nested for x in (item.values() if isinstance(item, dict) else item)]
    if level:
        raise RecursionError


def _brief(error: ValueError) -> str:
    if isinstance(error, UnicodeError):
        return f"not UTF-8 ({error.reason})" if hasattr(error, "reason") else "not UTF-8"
    return str(error)


def checked(model: type[Body], document: Any) -> Body:
    """The document as its payload model.

    Raises
    ------
    Unacceptable
        Naming the first bad field, what was got and what is allowed.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(str(step) for step in first["loc"]) or "body"
        got = None if first["type"] == "missing" else first["input"]
        raise Unacceptable(field, got, _allowed(first["msg"])) from None


def _allowed(message: str) -> str:
    for opening in ("Value error, ", "Input should be ", "allowed: "):
        message = message.removeprefix(opening)
    return message[:1].lower() + message[1:]


def read_picture(settings: Settings) -> bytes:
    """The one picture of this request, whichever of the four forms it came in.

    Raises
    ------
    Malformed, UnsupportedMedia, Unacceptable, FetchRefused
        The request holds no picture, or not in a form that is read.
    """
    request.max_content_length = settings.max_image_bytes * 4 // 3 + ENVELOPE_BYTES
    if request.mimetype == "multipart/form-data":
        with parts(read_body, most=MOST_FIELDS) as found:
            return _only_image(found)
    if request.is_json:
        return _from_json(settings)
    if request.mimetype.startswith("image/") or request.mimetype == "application/octet-stream":
        return read_body()
    raise UnsupportedMedia(
        f"Content-Type: got {request.mimetype or 'none'!r}, allowed: multipart/form-data "
        "with a part `image`, image/*, or application/json with `url` or `image`"
    )


def _only_image(found: list[Part]) -> bytes:
    images = [part for part in found if part.name == "image"]
    if not images:
        names = ", ".join(sorted({repr(part.name) for part in found})) or "none"
        raise Malformed(f"There is no part named `image`. Parts: {names}.")
    if len(images) > 1:
        raise Malformed("There are several parts named `image`; /batch_classify takes several.")
    return content_of(images[0])


def content_of(part: Part) -> bytes:
    """The bytes of a picture's part.

    Raises
    ------
    Malformed
        It was sent as text, which spoils pictures.
    """
    data = part.read()
    if part.filename is None and data:
        raise Malformed(f"The part `{part.name}` is text; send it as a file, with a filename.")
    return data


def _from_json(settings: Settings) -> bytes:
    asked = checked(PictureRequest, read_json())
    if (asked.url is None) == (asked.image is None):
        raise Malformed("The JSON body needs either `url` or `image` (a data URL).")
    if asked.url is not None:
        return fetch_picture(asked.url, settings)
    return from_data_url(str(asked.image))


def from_data_url(text: str) -> bytes:
    """The bytes inside a base64 data URL.

    Raises
    ------
    Unacceptable
        It is no data URL, or its base64 is broken.
    """
    head = _DATA_URL.match(text[:256])
    if not head:
        raise Unacceptable("image", text[:40], "data:image/...;base64,...")
    try:
        return base64.b64decode("".join(text[head.end() :].split()), validate=True)
    except (binascii.Error, ValueError):
        raise Unacceptable("image", text[:40] + "...", "base64 after the comma") from None


def fetch_picture(url: str, settings: Settings) -> bytes:
    """What stands at a URL, fetched with care.

    Raises
    ------
    Unacceptable, FetchRefused
        The URL is too long, or may not or cannot be fetched.
    """
    if len(url) > LONGEST_URL:
        raise Unacceptable("url", url[:40] + "...", f"at most {LONGEST_URL} characters")
    return fetch(url, settings, max_bytes=settings.max_image_bytes).data
