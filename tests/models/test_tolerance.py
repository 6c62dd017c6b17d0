from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from models.tolerance import (
    AIM,
    NONE,
    Bound,
    bound,
    fewest,
    least_share,
    most_wronged,
    normal_limit,
    observed,
    upper_bound,
)


def test_one_percent_takes_299_others() -> None:
    assert fewest(0.01) == 299
    assert (most_wronged(298, 0.01), most_wronged(299, 0.01)) == (NONE, 0)
    assert least_share(299) <= 0.01 < least_share(298)


@pytest.mark.parametrize("budget", [0.001, 0.01, 0.05, 0.2, 0.49])
@pytest.mark.parametrize("times", [1, 1.5, 2, 5])
def test_as_many_may_be_wronged_as_the_upper_bound_allows(budget: float, times: float) -> None:
    n = int(fewest(budget) * times)
    allowed = most_wronged(n, budget)

    assert upper_bound(allowed, n) <= budget < upper_bound(allowed + 1, n)
    assert binom.cdf(allowed, n, budget) <= 0.05


def test_the_upper_bound_is_clopper_and_pearsons() -> None:
    expected = binomtest(3, 200, alternative="less").proportion_ci(0.95, "exact").high

    assert upper_bound(3, 200) == pytest.approx(expected)
    assert upper_bound(0, 0) == upper_bound(5, 5) == 1.0


def test_the_score_is_just_above_the_first_one_too_many() -> None:
    others = np.linspace(0.0, 0.99, 100)

    found = bound(others, 0.1)

    # four of a hundred prove a tenth: 0.99 to 0.96 reach the score, 0.95 does not
    assert found == Bound(0.950001, promised=True, wrongly=4, n=100)
    assert binom.cdf(4, 100, 0.1) <= 0.05 < binom.cdf(5, 100, 0.1)


def test_the_share_is_kept_in_95_of_100_draws() -> None:
    rng = np.random.default_rng(0)
    n, budget, draws = 320, 0.02, 4_000
    kept = 0
    for _ in range(draws):
        at = bound(rng.uniform(0, 1, n), budget).at
        kept += at is not None and 1 - at <= budget
    assert kept / draws >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / draws)
    assert kept / draws < 0.995  # and not by never saying anything


def test_with_enough_others_some_of_the_risk_is_kept_back() -> None:
    others = np.linspace(0.0, 0.999, 700)

    assert (most_wronged(700, 0.01), most_wronged(700, 0.01, AIM)) == (2, 1)
    assert bound(others, 0.01).wrongly == 1
    assert bound(others[:299], 0.01) == Bound(bound(others[:299], 0.01).at, True, 0, 299)


def test_of_too_few_the_score_is_beyond_them_all_and_nothing_is_promised() -> None:
    others = np.random.default_rng(0).beta(2, 6, 60)

    found = bound(others, 0.01)

    assert not found.promised
    assert found.at is not None and found.at > max(others.max(), normal_limit(others, 0.01) - 1e-6)
    assert found.wrongly == 0


@pytest.mark.parametrize(("n", "allowed"), [(60, 0), (100, 1), (399, 3)])
def test_what_was_observed_keeps_the_share_of_these_and_no_more(n: int, allowed: int) -> None:
    others = np.random.default_rng(0).beta(2, 6, n)

    at = observed(others, 0.01)

    assert at is not None
    assert (others >= at).sum() == allowed
    assert at - np.sort(others)[::-1][allowed] <= 2e-6


def test_where_a_score_of_one_is_too_common_nothing_was_observed_to_do() -> None:
    assert observed(np.ones(50), 0.01) is None
    assert observed(np.zeros(50), 0.01, least=0.5) == 0.5


def test_the_normal_limit_is_kept_in_95_of_100_draws_of_normal_log_odds() -> None:
    rng = np.random.default_rng(1)
    kept = 0
    for _ in range(2_000):
        logits = rng.normal(-1.0, 1.5, 30)
        limit = normal_limit(1 / (1 + np.exp(-logits)), 0.05)
        kept += np.log(limit / (1 - limit)) >= -1.0 + 1.5 * 1.6448536
    assert kept / 2_000 == pytest.approx(0.95, abs=0.02)


def test_one_picture_and_none_allow_nothing() -> None:
    assert bound(np.array([0.2]), 0.01).at is None
    assert bound(np.empty(0), 0.01).at is None
    assert not bound(np.empty(0), 0.01).promised


def test_a_certain_mistake_leaves_no_score() -> None:
    found = bound(np.concatenate([np.ones(40), np.zeros(400)]), 0.01)

    assert (found.at, found.promised, found.wrongly) == (None, True, 0)


def test_more_pictures_of_the_same_sort_never_ask_for_a_higher_score() -> None:
    rng = np.random.default_rng(2)
    others = rng.beta(2, 5, 300)

    few, many = bound(others, 0.01), bound(np.repeat(others, 10), 0.01)

    assert few.at is not None and many.at is not None
    assert many.at <= few.at


@given(st.lists(st.floats(0, 1), min_size=1, max_size=80), st.floats(0.03, 0.49))
@settings(max_examples=60, deadline=None)
def test_no_more_reach_the_score_than_are_allowed(others: list[float], budget: float) -> None:
    scores = np.asarray(others)

    found = bound(scores, budget, least=0.5)

    if found.at is not None:
        assert 0.5 <= found.at <= 1
        assert (
            (scores >= found.at).sum() == found.wrongly <= max(most_wronged(len(scores), budget), 0)
        )


def test_a_smaller_share_never_makes_a_score_laxer() -> None:
    others = 1 / (1 + np.exp(-np.random.default_rng(0).normal(-2, 1, 60)))

    scores = [normal_limit(others, 10.0**-power) for power in range(1, 19)]

    assert scores == sorted(scores)
