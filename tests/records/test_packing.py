"""A signed verdict that was packed comes back as it was, whatever the row was made to hold."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.packing import FORM, RAW, WORDS, pack, unpack

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(
    st.characters(exclude_categories=["Cs"])
)  # fmt: skip
VALUES = st.recursive(
    LEAVES.filter(lambda leaf: leaf not in (float("inf"), float("-inf"))),
    lambda inside: st.lists(inside) | st.dictionaries(st.text("abc"), inside),
    max_leaves=8,
)


@given(st.dictionaries(st.text("prediction"), VALUES))
def test_what_was_packed_comes_back_in_its_order(document: dict[str, Any]) -> None:
    found = unpack(pack(document))
    assert found == document
    assert list(found) == list(document)


def test_words_that_records_were_packed_with_are_what_they_were() -> None:
    """Where this fails, records kept before can no longer be read: new words need a new form."""
    assert FORM == "1:"
    assert hashlib.sha256(WORDS).hexdigest() == (
        "82120f570f5522fa0a5445dd2e7f05d1b87865b457e6240b93b31b6470d5f3d1"
    )


def packed(data: bytes) -> str:
    packing = zlib.compressobj(9, zlib.DEFLATED, RAW, zdict=WORDS)
    return FORM + base64.b85encode(packing.compress(data) + packing.flush()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        FORM,
        FORM + "~~~~~",
        FORM + '"',
        "2:" + pack({"a": 1})[2:],
        pack({"a": 1})[:-3],
        packed(b"[1]"),
        packed(b"\xff"),
        packed(b"[" * 100_000),
        packed(json.dumps({"a": " " * 17_000_000}).encode()),
    ],
    ids=range(11),
)
def test_what_was_not_packed_is_one_clear_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"it |Expecting|utf-8|base85|b85"):
        unpack(text)
