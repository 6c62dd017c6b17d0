from __future__ import annotations

import numpy as np
import pytest

from models.paired import differences


def made(n: int, *, seed: int = 0, a_family: int = 1) -> tuple[np.ndarray, ...]:
    """Labels, families, and two versions that differ on a tenth."""
    random = np.random.default_rng(seed)
    labels = np.where(random.random(n) < 0.5, "ai", "real")
    before = random.random(n) < 0.9
    moved = random.random(n) < 0.1
    return labels, (np.arange(n) // a_family).astype(np.uint64), before, before ^ moved


def test_the_interval_is_that_of_drawing_families_one_by_one() -> None:
    labels, families, before, after = made(400, a_family=3)
    moved = after.astype(int) - before.astype(int)
    random = np.random.default_rng(1)
    drawn = []
    for _ in range(2_000):
        means = []
        for label in ("ai", "real"):
            rows = labels == label
            names = np.unique(families[rows])
            sums = np.asarray([moved[rows & (families == name)].sum() for name in names])
            sizes = np.asarray([(rows & (families == name)).sum() for name in names])
            picked = random.integers(len(names), size=len(names))
            means.append(sums[picked].sum() / sizes[picked].sum())
        drawn.append(np.mean(means))

    overall, _ = differences(labels, families, before, after)

    assert overall is not None
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert overall.low == pytest.approx(low, abs=0.006)
    assert overall.high == pytest.approx(high, abs=0.006)


def test_a_few_pictures_on_which_both_agree_are_no_certainty() -> None:
    labels, families, before, _ = made(40)

    overall, _ = differences(labels, families, before, before)

    assert overall is not None
    assert overall.change == 0
    assert overall.low < -0.03
    assert overall.high > 0.03


def test_more_pictures_make_the_interval_narrow() -> None:
    narrow, _ = differences(*made(20_000))
    wide, _ = differences(*made(200))

    assert narrow is not None
    assert wide is not None
    assert narrow.high - narrow.low < 0.2 * (wide.high - wide.low)


def test_the_order_of_the_pictures_is_no_matter() -> None:
    columns = made(300)
    order = np.random.default_rng(2).permutation(300)

    assert differences(*columns) == differences(*(column[order] for column in columns))


def test_without_pictures_there_is_no_difference() -> None:
    none = np.zeros(0, np.bool_)

    assert differences(np.zeros(0, np.str_), np.zeros(0, np.uint64), none, none) == (None, {})
