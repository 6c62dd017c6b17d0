"""One spelling for each JSON document, so that it can be hashed and signed.

References
----------
RFC 8785, JSON Canonicalization Scheme: sorted keys, no spaces, numbers as ECMAScript writes them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import rfc8785

MOST = 2**53 - 1
"""The largest whole number that every reader of JSON takes for itself and not for a neighbour."""


def canonical(document: Any) -> bytes:
    """A JSON document's canonical bytes: the same for every document that says the same.

    Raises
    ------
    ValueError
        There is something in it that JSON cannot tell; `plain` takes that out.
    """
    return rfc8785.dumps(document)


def digest(document: Any) -> str:
    """The sha256 of a document's canonical bytes, 64 hexadecimal digits; raises as `canonical`."""
    return hashlib.sha256(canonical(document)).hexdigest()


def plain(value: Any) -> Any:
    """A value in JSON's own types, with nothing in it that JSON cannot tell.

    NaN and infinity become null, whole numbers beyond 2^53 the nearest double, which is what
    readers of JSON make of them, and half characters `?`.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value).encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int):
        return int(value) if abs(value) <= MOST else _double(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [plain(item) for item in value]
    raise TypeError(f"JSON has no {type(value).__name__}")


def _double(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None
