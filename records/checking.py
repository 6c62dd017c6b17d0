"""Checking: whether a signed verdict is as it was signed, and by whose key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain import Unacceptable
from records.canonical import MOST
from records.keys import ALGORITHM, KEY_BYTES, SIGNATURE_BYTES, PublicKey, from_base64
from records.sealing import RECORD, SIGNATURE, signed_bytes

MOST_BYTES = 16_000_000
NAMES = frozenset({"alg", "key_id", "public_key", "value"})


class Result(StrEnum):
    """What is found of a signed verdict."""

    VALID = "valid"
    ALTERED = "altered"
    ANOTHER_KEY = "another_key"


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found. `key` is whose signature fits; None where none does."""

    result: Result
    reason: str
    key: PublicKey | None


def read_record(data: bytes) -> dict[str, Any]:
    """A signed verdict from its file.

    Raises
    ------
    Unacceptable
        It is no JSON object with a record and a signature, or says something twice.
    """
    if len(data) > MOST_BYTES:
        raise Unacceptable("file", f"{len(data)} bytes", f"at most {MOST_BYTES} bytes")
    try:
        document = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_once,
            parse_constant=_no_constant,
            parse_int=_number,
        )
    except (ValueError, RecursionError) as error:
        raise Unacceptable("file", "no record", f"a signed verdict in JSON ({error})") from None
    if not isinstance(document, dict) or not {RECORD, SIGNATURE} <= set(document):
        allowed = "a verdict as GET /verdicts/<id> gives it, with `record` and `signature`"
        raise Unacceptable("file", "no record", allowed)
    return document


def check(document: Mapping[str, Any], trusted: Iterable[PublicKey]) -> Checked:
    """Say whether a signed verdict is as it was signed, by one of the keys that are trusted."""
    signature = document[SIGNATURE]
    if not isinstance(signature, Mapping) or set(signature) != NAMES:
        return _altered(f"its signature has not exactly {', '.join(sorted(NAMES))}")
    raw = from_base64(signature["public_key"], KEY_BYTES)
    value = from_base64(signature["value"], SIGNATURE_BYTES)
    if signature["alg"] != ALGORITHM or raw is None or value is None:
        return _altered(f"its signature is no {ALGORITHM} signature")
    key = PublicKey(raw)
    if signature["key_id"] != key.id:
        return _altered("its signature names another key than the one it carries")
    try:
        said = signed_bytes(document)
    except ValueError:
        return _altered("it holds what no record of a verdict can hold")
    if not key.signed(said, value):
        return _altered("its signature does not fit what it says")
    known = next((one for one in trusted if one.raw == raw), None)
    if known is None:
        return Checked(Result.ANOTHER_KEY, "the key that signed it is not one of those given", key)
    return Checked(Result.VALID, "nothing in it was changed since it was signed", known)


def is_of(document: Mapping[str, Any], picture: bytes) -> bool:
    """Whether a record is about exactly this picture file."""
    told = document[RECORD]
    about = told.get("picture") if isinstance(told, Mapping) else None
    sha256 = hashlib.sha256(picture).hexdigest()
    return isinstance(about, Mapping) and about.get("sha256") == sha256


def _altered(why: str) -> Checked:
    return Checked(Result.ALTERED, why, None)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names stand once: of two, readers would see different ones."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _number(text: str) -> int | float:
    """A whole number; one that doubles cannot tell from its neighbours is a double everywhere."""
    value = int(text)
    return value if abs(value) <= MOST else float(text)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
