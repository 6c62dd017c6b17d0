"""Variants of a label share its chance."""

from __future__ import annotations

import numpy as np
import pytest

from models.chances import chances_of


def test_what_variants_are_given_counts_for_their_label() -> None:
    chances = chances_of(("a", "á", "b"), np.asarray([0.2, 0.5, 0.3]), {"á": "a", "c": "b"})
    assert list(chances) == ["a", "b"]
    assert chances == pytest.approx({"a": 0.7, "b": 0.3})
