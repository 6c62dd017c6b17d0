"""JSON out: UTF-8, never NaN, never half a character."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response
from pydantic import BaseModel

from web.withheld import nameless

Document = BaseModel | Mapping[str, Any] | Sequence[Any]


def answer(document: Document, status: int = 200, *, names: bool = True) -> Response:
    """A JSON response; without `names`, its sources do not say who taught them."""
    shown = document if names else nameless(_plain(document))
    return Response(to_json(shown), status, mimetype="application/json")


def to_json(document: Document) -> bytes:
    """Write JSON in UTF-8; numbers JSON has no word for become null."""
    plain = _plain(document)
    try:
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(plain), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace")


def _plain(document: Document) -> Any:
    if isinstance(document, BaseModel):
        return document.model_dump(mode="json", exclude_unset=True)
    if isinstance(document, list):
        return [_plain(item) for item in document]
    return document


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
