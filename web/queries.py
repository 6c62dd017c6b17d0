"""What stands in the query or in a text field: read, checked, named when it will not do."""

from __future__ import annotations

import re
from collections.abc import Collection

from flask import request

from domain import Unacceptable

YES = frozenset({"1", "true", "yes", "on"})
NO = frozenset({"", "0", "false", "no", "off"})
SHA256 = re.compile(r"[0-9a-f]{64}")
LONGEST_WHOLE = 18
"""Digits that fit in 64 bits."""


def flag(name: str, text: str) -> bool:
    """A yes or no.

    Raises
    ------
    Unacceptable
        It is neither.
    """
    if text.lower() in YES:
        return True
    if text.lower() in NO:
        return False
    raise Unacceptable(name, text, "1 or 0")


def whole(name: str, text: str, *, least: int = 0, most: int | None = None) -> int:
    """A whole number.

    Raises
    ------
    Unacceptable
        It is none, or beyond what is allowed.
    """
    allowed = f"a whole number from {least}" + ("" if most is None else f" to {most}")
    if not re.fullmatch(rf"[0-9]{{1,{LONGEST_WHOLE}}}", text):
        raise Unacceptable(name, text, allowed)
    value = int(text)
    if value < least or (most is not None and value > most):
        raise Unacceptable(name, text, allowed)
    return value


def asked_flag(name: str) -> bool:
    """A yes or no of the query; left out: no."""
    return flag(name, request.args.get(name, ""))


def asked_count(default: int, most: int) -> int:
    """How many things the query's `n` asks for, one at least."""
    text = request.args.get("n")
    return default if text is None else whole("n", text, least=1, most=most)


def asked_whole(name: str) -> int | None:
    """A whole number of the query, if it is there."""
    text = request.args.get(name)
    return None if text is None else whole(name, text)


def asked_sha256() -> str | None:
    """The query's `sha256`, if it is there."""
    text = request.args.get("sha256")
    if text is not None and not SHA256.fullmatch(text):
        raise Unacceptable("sha256", text, "64 hexadecimal digits, in small letters")
    return text


def asked_choice(name: str, choices: Collection[str], default: str) -> str:
    """One of a few words of the query."""
    return choice(name, request.args.get(name, default), choices)


def choice(name: str, text: str, choices: Collection[str]) -> str:
    """One of a few words.

    Raises
    ------
    Unacceptable
        It is another.
    """
    if text not in choices:
        raise Unacceptable(name, text, f"one of {', '.join(choices)}")
    return text
