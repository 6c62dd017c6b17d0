"""Whether drawing and judging are as the benchmark of promises says."""

from __future__ import annotations

import dataclasses

import numpy as np

from benchmarks import promise
from config import load_settings
from tests.models.made import clusters


def test_families_are_whole_and_fresh_ones_are_asked_once() -> None:
    examples = clusters(40, apart=1.0)
    pairs = np.asarray([f"{name[:2]}{row // 2}" for row, name in enumerate(examples.families)])
    examples = dataclasses.replace(examples, families=pairs)

    train, test, fresh = promise.parted(examples, 10, seed=1)

    sides = [set(part.families) for part in (train, test, fresh)]
    assert not sides[0] & sides[1] and not (sides[0] | sides[1]) & sides[2]
    assert [len(side) for side in sides] == [16, 4, 20]
    assert len(fresh) == 20 and len(train) == 32
    again = promise.parted(examples, 10, seed=1)[2]
    assert again.families.tolist() == fresh.families.tolist()


def test_a_draw_promises_by_what_was_learned_and_judges_what_was_not() -> None:
    arguments = promise.parse_arguments(["x", "--learn", "80", "--budget", "0.1"])

    draw = promise.drawn(clusters(120, apart=2.0), 0, arguments)

    assert len(draw.labels) == len(draw.chances) == 80
    assert draw.limits["ai"]["promised"] and draw.limits["ai"]["n_others"] == 80


def test_what_chance_alone_breaks_is_reckoned_with() -> None:
    limit = {"from": 0.9, "wrongly": 0, "n_others": 299}

    few, many = (promise._by_chance(limit, 0.01, fresh) for fresh in (100, 1_000_000))

    assert few < 0.95
    assert 0.949 < many < 0.952
    assert promise._by_chance({**limit, "from": None}, 0.01, 100) == 1.0


def test_what_is_served_by_default_is_what_is_drawn_by_default() -> None:
    assert promise.parse_arguments(["x"]).promise_for is load_settings().promise_for
