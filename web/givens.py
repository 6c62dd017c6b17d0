"""Corrections in: what a person says of a picture, in each of the forms it may come in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from flask import request
from pydantic import JsonValue

from domain import ExposrError, Malformed, NotFound, Unacceptable
from given import Given
from web.bodies import (
    ENVELOPE_BYTES,
    MOST_FIELDS,
    checked,
    content_of,
    fetch_picture,
    from_data_url,
    read_body,
    read_json,
)
from web.context import current_engine, current_person
from web.errors import UnsupportedMedia
from web.multipart import Part, parts, text_fields
from web.payloads.feedback import BulkItem, FeedbackRequest, Said, TrainRequest
from web.queries import asked_flag, flag, whole

ID = re.compile(r"[0-9a-f]{32}")
KEY = re.compile(r"[\x20-\x7e]{1,240}")
"""An Idempotency-Key; of many items each has it with a number."""
NEVER_EMPTY = ("label", "char")
"""Other fields of a form that were left empty are as if they were not there."""
NOTHING_NAMED = BulkItem.model_validate({})

Asked = TypeVar("Asked", FeedbackRequest, TrainRequest)


def read_feedback(task: str) -> tuple[Given, bool]:
    """What this request says of one picture, and whether it only asks what would change.

    Raises
    ------
    Malformed, UnsupportedMedia, Unacceptable, FetchRefused, NotFound
        The request does not say it in a form that is read.
    """
    asked, picture = _read(FeedbackRequest)
    return _given(task, asked, picture, _key()), asked.dry_run or asked_flag("dry_run")


def read_example(task: str) -> tuple[Given, bool]:
    """As `read_feedback`, of a picture that comes with its label.

    Raises
    ------
    Malformed, UnsupportedMedia, Unacceptable, FetchRefused
        The request does not say it in a form that is read.
    """
    asked, picture = _read(TrainRequest)
    if asked.char is not None:
        if asked.label not in (None, asked.char):
            raise Unacceptable("char", asked.char, "nothing beside `label`: it means the same")
        asked = asked.model_copy(update={"label": asked.char})
    if asked.label is None:
        raise Malformed("There is no `label`: say what the picture is.")
    if picture is None:
        raise Malformed("There is no picture: send a part `image`, or JSON with `image` or `url`.")
    return _given(task, asked, picture, _key()), asked.dry_run or asked_flag("dry_run")


def given_of_items(task: str, items: Sequence[JsonValue]) -> list[Given | ExposrError]:
    """What each item of a bulk request says, or why it says nothing, in order."""
    key = _key()
    return [
        _given_of_item(task, item, None if key is None else f"{key}#{place}")
        for place, item in enumerate(items)
    ]


def _given_of_item(task: str, item: JsonValue, key: str | None) -> Given | ExposrError:
    try:
        return _given(task, checked(BulkItem, item), None, key)
    except ExposrError as error:
        return error


def _read(model: type[Asked]) -> tuple[Asked, bytes | None]:
    settings = current_engine().settings
    request.max_content_length = settings.max_image_bytes * 4 // 3 + ENVELOPE_BYTES
    if request.mimetype == "multipart/form-data":
        with parts(read_body, most=MOST_FIELDS) as found:
            asked = checked(model, _fields(found))
            images = [content_of(part) for part in found if part.name == "image"]
        if images and asked.url is not None:
            raise Malformed("Send either `url` or `image`.")
        return asked, images[0] if images else _picture_of(asked)
    if request.is_json:
        asked = checked(model, read_json())
        return asked, _picture_of(asked)
    raise UnsupportedMedia(
        f"Content-Type: got {request.mimetype or 'none'!r}, allowed: application/json, or "
        "multipart/form-data with a part `image`"
    )


def _fields(found: list[Part]) -> dict[str, Any]:
    """The text fields of a form as the JSON they stand for."""
    if sum(part.name == "image" for part in found) > 1:
        raise Malformed("There are several parts named `image`; a correction is of one picture.")
    texts = text_fields(part for part in found if part.name != "image")
    fields: dict[str, Any] = {
        name: text for name, text in texts.items() if text or name in NEVER_EMPTY
    }
    for name in fields.keys() & {"correct", "dry_run"}:
        fields[name] = flag(name, fields[name])
    if "sample_id" in fields:
        fields["sample_id"] = whole("sample_id", fields["sample_id"])
    return fields


def _picture_of(asked: FeedbackRequest | TrainRequest) -> bytes | None:
    if asked.url is not None and asked.image is not None:
        raise Malformed("Send either `url` or `image` (a data URL).")
    if asked.url is not None:
        return fetch_picture(asked.url, current_engine().settings)
    return None if asked.image is None else from_data_url(asked.image)


def _given(task: str, asked: Said, picture: bytes | None, key: str | None) -> Given:
    named = asked if isinstance(asked, BulkItem) else NOTHING_NAMED
    if named.verdict_id is not None and not ID.fullmatch(named.verdict_id):
        raise NotFound("There is no verdict of that id.")
    return Given(
        task=task,
        person=current_person(),
        label=asked.label,
        correct=named.correct,
        verdict_id=named.verdict_id,
        sample_id=named.sample_id,
        picture=picture,
        variant_of=asked.variant_of,
        note=asked.note,
        idempotency_key=key,
    )


def _key() -> str | None:
    """The Idempotency-Key, which makes a repeated request do nothing more."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not KEY.fullmatch(key):
        raise Unacceptable("Idempotency-Key", key, "1 to 240 characters of printable ASCII")
    return key
