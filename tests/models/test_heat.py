"""Maps of what a score rests on are found, and told from chance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.heat import Cells, Heat, heat_by_covering, log_odds, try_heat
from tests.web.service import FixedHead

SHAPE = (8, 6)


def additive(weights: NDArray[np.float64], noise: float = 0.0) -> Callable[[Cells], Heat]:
    """A score that loses each covered cell's weight, and a little that follows from nothing."""

    def score(cells: Cells) -> NDArray[np.float64]:
        told = [int.from_bytes(one.tobytes()[:16], "little") % 2**32 for one in cells]
        jitter = np.array([np.random.default_rng(seed).normal() for seed in told])
        return np.asarray(5.0 - (cells * weights).sum(axis=(1, 2)) + noise * jitter)

    return score


def blob(row: int, column: int, shape: tuple[int, int] = SHAPE) -> Heat:
    """Weights around one cell, falling off on all sides."""
    rows, columns = np.indices(shape)
    return np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 3.0)


def test_covering_finds_what_a_score_rests_on() -> None:
    weights = blob(2, 4)

    heat = heat_by_covering(additive(weights), SHAPE)

    assert heat.shape == SHAPE
    hottest = np.asarray(np.unravel_index(heat.argmax(), SHAPE))
    assert np.abs(hottest - [2, 4]).max() <= 1
    assert np.corrcoef(heat.ravel(), weights.ravel())[0, 1] > 0.9


def test_what_speaks_against_a_label_is_cold() -> None:
    heat = heat_by_covering(additive(blob(1, 1) - blob(6, 4)), SHAPE)

    assert heat[6, 4] < 0 < heat[1, 1]


def test_the_smallest_grid_can_be_covered() -> None:
    assert heat_by_covering(additive(np.eye(2)), (2, 2)).shape == (2, 2)


def test_a_map_of_what_matters_holds() -> None:
    score = additive(blob(2, 4), noise=0.05)

    trial = try_heat(heat_by_covering(score, SHAPE), score, seed=1)

    assert trial.holds
    assert trial.drop > trial.permuted
    assert trial.drop > trial.shifted


def test_maps_drawn_by_chance_seldom_hold() -> None:
    random = np.random.default_rng(0)
    score = additive(blob(3, 3), noise=0.05)

    held = [
        try_heat(random.permutation(blob(3, 3).ravel()).reshape(SHAPE), score, seed=i).holds
        for i in range(200)
    ]

    assert np.mean(held) <= 0.05


def test_a_smooth_map_of_the_wrong_place_does_not_hold() -> None:
    score = additive(blob(1, 1))

    assert not try_heat(blob(6, 4), score, seed=3).holds


def test_no_map_holds_of_a_score_that_does_not_look_where() -> None:
    """Covering anything costs the same: there is nothing to draw."""
    random = np.random.default_rng(0)
    score = additive(np.ones(SHAPE))

    held = [try_heat(random.normal(size=SHAPE), score, seed=i).holds for i in range(50)]

    assert not any(held)


def test_lying_together_alone_does_not_make_a_map_hold() -> None:
    """Whoever looks at edges sees fewer of them where covered cells touch, wherever that is."""

    def edges(cells: Cells) -> NDArray[np.float64]:
        down = (cells[:, 1:] != cells[:, :-1]).sum(axis=(1, 2))
        along = (cells[:, :, 1:] != cells[:, :, :-1]).sum(axis=(1, 2))
        return np.asarray(5.0 + 0.1 * (down + along) - 0.5 * cells.sum(axis=(1, 2)))

    held = [try_heat(blob(row, 3), edges, seed=row).holds for row in range(2, 6)]

    assert not any(held)


def test_a_map_is_tried_the_same_way_each_time() -> None:
    score = additive(blob(2, 2), noise=0.3)
    heat = heat_by_covering(score, SHAPE)

    assert try_heat(heat, score, seed=7) == try_heat(heat, score, seed=7)


def test_chance_is_never_called_impossible() -> None:
    score = additive(blob(2, 2))

    assert try_heat(blob(2, 2), score, seed=0).chance > 0


def test_log_odds_add_up_what_counts_as_one_label_and_stay_finite() -> None:
    head = FixedHead(("a", "b", "c"), (0.25, 0.25, 0.5))
    rows = np.zeros((2, 3), np.float32)

    assert np.allclose(log_odds(head, [0, 1], rows), 0.0)
    assert np.isfinite(log_odds(FixedHead(("a", "b"), (1.0, 0.0)), [0], rows)).all()
