from __future__ import annotations

import numpy as np
import pytest

from domain import NotEnoughData
from models.finite import check_finite
from tests.models.answering import sha


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_no_numbers_are_counted_and_named(number: float) -> None:
    vectors = np.ones((9, 4), np.float32)
    vectors[2:9, 1] = number
    pictures = np.asarray([sha(str(i)) for i in range(9)], "S64")

    with pytest.raises(
        NotEnoughData, match=r"The vectors of 7 of 9 pictures .* and 2 more"
    ) as told:
        check_finite(vectors, pictures, "builtin-photo:2")

    assert sha("2")[:12] in told.value.message
    assert told.value.detail["pictures"] == [sha(str(i)) for i in range(2, 9)]


def test_numbers_are_let_through() -> None:
    check_finite(np.ones((3, 4), np.float32), np.asarray([b"a", b"b", b"c"]), "builtin-photo:2")
    check_finite(np.empty((0, 4), np.float32), np.empty(0, "S64"), "builtin-photo:2")
