"""What is stated of sources left out is what the rule does on sources it had not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from config import PromiseFor
from models.answered import Answered
from models.promise import make_promise

CLASSES = ("ai", "real")
RATES = {"ai": 0.01, "real": 0.01}


def of_sources(
    count: int, *, each: int = 150, spread: float = 1.2, seed: int = 0, name: str = "source"
) -> Answered:
    """Log-odds of ai, around 2 and -2, and every source moved by its own."""
    random = np.random.default_rng(seed)
    moved = np.repeat(random.normal(0, spread, count), 2 * each)
    labels = np.tile(np.repeat(CLASSES, each), count)
    logits = moved + random.normal(np.where(labels == "ai", 2.0, -2.0))
    chances = 1 / (1 + np.exp(-logits))
    return Answered(
        labels,
        np.asarray([f"{name}-{i}" for i in range(len(labels))]),
        np.repeat([f"{name}-{i}" for i in range(count)], 2 * each),
        np.column_stack([chances, 1 - chances]),
    )


def promised(known: Answered, left_out: Answered, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = make_promise(CLASSES, known, RATES, left_out=left_out, **more)["labels"]
    return made


def test_what_is_stated_of_sources_left_out_is_what_further_sources_show() -> None:
    known = of_sources(1, each=600, spread=0.0, name="known")
    stated, shown = [], []
    for seed in range(60):
        limit = promised(known, of_sources(4, seed=seed))["ai"]
        further = of_sources(30, seed=1_000 + seed).others("ai", 0)
        stated.append(limit["unseen_sources"]["share"])
        shown.append(float((further >= limit["from"]).mean()))

    assert np.mean(stated) == pytest.approx(np.mean(shown), rel=0.3)


@pytest.mark.parametrize("promise_for", list(PromiseFor))
def test_a_source_is_measured_by_a_score_that_it_has_no_part_in(promise_for: PromiseFor) -> None:
    """However bad one source is, it moves only the score that others are measured at."""
    before = of_sources(3, seed=1)
    worse = before.chances.copy()
    bad = before.sources == "source-0"
    worse[bad] = np.where((before.labels[bad] == "real")[:, None], (0.999, 0.001), worse[bad])
    after = Answered(before.labels, before.families, before.sources, worse)

    plain, turned = (
        promised(told, told, promise_for=promise_for)["ai"]["unseen_sources"]["per_source"]
        for told in (before, after)
    )

    assert turned["source-0"]["from"] == plain["source-0"]["from"]
    assert turned["source-0"]["wrongly"] == turned["source-0"]["n_others"] == 150


def test_pictures_of_all_sources_add_up_and_no_bound_is_claimed() -> None:
    left_out = of_sources(4, seed=2)

    there = promised(left_out, left_out)["ai"]["unseen_sources"]

    each = there["per_source"].values()
    assert there["sources"] == len(each) == 4
    assert there["n_others"] == 600
    assert there["wrongly"] == sum(one["wrongly"] for one in each)
    assert there["recall"] == sum(one["found"] for one in each) / 600
    assert "upper_95" not in there


def test_of_one_source_left_out_the_score_by_known_ones_is_measured() -> None:
    known, one = of_sources(2, spread=0.0, name="known"), of_sources(1, seed=3)

    limit = promised(known, one)["ai"]

    assert limit["unseen_sources"]["per_source"]["source-0"]["from"] == limit["from_known"]


def test_a_handful_of_another_source_is_measured_and_moves_no_score() -> None:
    known = of_sources(1, each=600, spread=0.0, name="known")
    few, more = (of_sources(1, each=each, spread=9.0, seed=3) for each in (9, 10))

    held_by_few, held_by_more = (promised(known, left_out)["ai"] for left_out in (few, more))

    assert held_by_few["from"] == held_by_few["from_known"]
    assert held_by_few["unseen_sources"]["wrongly"] == 9
    assert held_by_more["from"] > held_by_more["from_known"]
