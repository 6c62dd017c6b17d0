from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from models.thresholds import accusation


def test_the_threshold_is_the_smallest_that_keeps_the_budget() -> None:
    real = np.linspace(0.0, 0.99, 100)  # 0.99, 0.98, ... as the highest
    ai = np.array([0.6, 0.975, 0.985, 1.0])
    chances, is_ai = np.concatenate([real, ai]), np.repeat([False, True], [100, 4])

    limits = accusation(chances, is_ai, 0.02)

    # two of a hundred may be accused: 0.99 and 0.98 are, 0.97 is not
    assert limits["false_accusations"] == 2
    assert 0.97 < limits["accuse"] <= 0.970002
    assert limits["recall"] == 0.75
    assert (limits["n_real"], limits["n_ai"], limits["budget"]) == (100, 4, 0.02)


def test_the_upper_bound_is_clopper_and_pearsons() -> None:
    chances, is_ai = np.linspace(0, 1, 200), np.zeros(200, bool)

    limits = accusation(chances, is_ai, 0.05)

    expected = binomtest(limits["false_accusations"], 200, alternative="less")
    assert limits["upper_95"] == pytest.approx(expected.proportion_ci(0.95, "exact").high)


def test_it_is_never_below_a_half() -> None:
    limits = accusation(np.array([0.1, 0.2, 0.9]), np.array([False, False, True]), 0.01)

    assert limits["accuse"] == 0.5
    assert limits["false_accusations"] == 0
    assert limits["upper_95"] == pytest.approx(1 - 0.05**0.5)


def test_no_score_keeps_the_budget_when_a_real_picture_is_certain_to_be_ai() -> None:
    limits = accusation(np.array([1.0, 0.2, 1.0]), np.array([False, False, True]), 0.01)

    assert limits["accuse"] is None
    assert limits["false_accusations"] == 0


def test_without_real_pictures_there_is_no_promise() -> None:
    limits = accusation(np.array([0.9]), np.array([True]), 0.01)

    assert limits["accuse"] is None
    assert limits["upper_95"] == 1.0


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=60),
    st.lists(st.floats(0, 1), max_size=20),
    st.floats(0.001, 0.49),
)
@settings(max_examples=60, deadline=None)
def test_the_budget_is_kept_on_the_pictures_it_was_set_on(
    real: list[float], ai: list[float], budget: float
) -> None:
    chances = np.asarray(real + ai)
    is_ai = np.repeat([False, True], [len(real), len(ai)])

    limits = accusation(chances, is_ai, budget)

    if limits["accuse"] is not None:
        assert 0.5 <= limits["accuse"] <= 1
        accused = (np.asarray(real) >= limits["accuse"]).sum()
        assert accused <= budget * len(real)
        assert accused == limits["false_accusations"]
