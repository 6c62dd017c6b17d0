"""Parts together answer only where that is better on sources that nobody had seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from domain import VectorPart
from models.adjusted import Adjusted
from models.batch import BatchHead, Search, fit
from models.ensemble import BOTH, Fused, PartedHead, compare, fuse, log_odds, parts_of, search_parts
from models.examples import Examples
from models.registry import Registry, new_version_id
from models.unseen import leave_sources_out
from tests.models.made import unit

PARTS = (VectorPart("clip", "clip:test", 0, 6), VectorPart("builtin", "builtin:test", 6, 16))


def world(
    apart: Sequence[float],
    *,
    n: int = 120,
    sources: int = 4,
    moved: Sequence[float] = (0.0, 0.0),
    seed: int = 0,
) -> Examples:
    """Two labels; each part tells them apart so far, and each source so far in its own way."""
    random = np.random.default_rng(seed)
    codes, source = np.arange(n) % 2, (np.arange(n) // 2) % sources
    rows = []
    for part, far, shift in zip(PARTS, apart, moved, strict=True):
        dim = part.stop - part.start
        part_rows = random.standard_normal((n, dim)) / np.sqrt(dim)
        part_rows[:, 0] += (2 * codes - 1) * far / np.sqrt(dim)
        part_rows[np.arange(n), 1 + source] += (2 * codes - 1) * shift / np.sqrt(dim)
        rows.append(unit(part_rows) / np.sqrt(2))
    return Examples(
        np.concatenate(rows, axis=1).astype(np.float32),
        np.asarray(["ai", "real"])[codes],
        np.asarray([f"source {i}" for i in source]),
        np.asarray([f"family {i}" for i in range(n)]),
    )


def searched(examples: Examples) -> tuple[Search, dict[str, Any]]:
    found, card, _ = search_parts(examples, PARTS, classifier="logistic_regression", budget=30)
    return found, card


@pytest.fixture(scope="module")
def both() -> tuple[Search, dict[str, Any]]:
    """Two parts that each know something."""
    return searched(world((1.2, 1.2)))


def test_parts_that_each_know_something_answer_together(
    both: tuple[Search, dict[str, Any]],
) -> None:
    _, card = both
    assert card["answers"] == BOTH
    assert card["measured_on"] == "sources left out"
    losses = {name: one["log_loss"] for name, one in card["compared"].items()}
    assert losses[BOTH] < min(losses["clip"], losses["builtin"])
    assert card["gain"] > card["standard_error"] > 0
    assert all(part["weight"] > 0.2 for part in card["parts"])


def test_a_part_that_knows_nothing_leaves_the_other_to_answer_alone() -> None:
    found, card = searched(world((2.0, 0.0)))
    assert card["answers"] == "clip"
    assert [part["weight"] for part in card["parts"]] == [1.0, 0.0]
    assert "clip answers alone" in card["why"]
    assert found.winner.candidate.name.startswith("clip: ")


def test_a_part_that_fails_on_unseen_sources_is_not_believed_for_its_folds() -> None:
    """What it knows of each source says nothing of the next one."""
    found, card = searched(world((1.0, 0.0), moved=(0.0, 3.0)))
    candidate = found.winner.candidate
    assert isinstance(candidate, Fused)
    within = [one.winner.log_loss for one in candidate.searches]
    assert within[1] < within[0]
    assert card["answers"] == "clip"


def test_one_source_alone_is_judged_out_of_fold() -> None:
    _, card = searched(world((1.2, 1.2), sources=1, n=200))
    assert card["measured_on"] == "out of fold"
    assert card["answers"] == BOTH


def test_what_is_left_out_weighs_nothing(both: tuple[Search, dict[str, Any]]) -> None:
    """Raw scores of a source turned around change nothing in what is said of that source."""
    found = both[0]
    candidate, examples = found.winner.candidate, found.examples
    assert isinstance(candidate, Fused)
    first = examples.sources == "source 0"
    fold = np.flatnonzero(~first), np.flatnonzero(first)
    before = candidate.left_out({}, examples, fold)
    turned = [
        replace(
            one,
            winner=replace(
                one.winner, scores=np.where(first[:, None], -one.winner.scores, one.winner.scores)
            ),
        )
        for one in candidate.searches
    ]
    after = replace(candidate, searches=tuple(turned), left={}).left_out({}, examples, fold)
    assert after == pytest.approx(before)


def wins_of_equals(sources: int, *, draws: int = 300) -> float:
    """How often the fusion wins that gains in some sources what it loses in others."""
    wins = 0
    for seed in range(draws):
        random = np.random.default_rng(seed)
        of, codes = np.repeat(np.arange(sources), 160), np.tile([0, 1], sources * 80)
        part = 0.6 + 0.2 * random.standard_normal(len(codes))
        fused = part - random.normal(0, 0.05, sources)[of]
        wins += compare(np.stack([part, part + 1, fused]), codes, of.astype(str)).wins
    return wins / draws


@pytest.mark.parametrize("sources", [2, 3, 5, 8])
def test_of_fusions_that_gain_nothing_on_further_sources_few_win(sources: int) -> None:
    assert wins_of_equals(sources) <= 0.1


def test_of_few_sources_the_fusion_wins_in_every_one() -> None:
    of, codes = np.repeat(["a", "b", "c", "d"], 40), np.tile([0, 1], 80)
    part = np.full(160, 0.7)
    nearly = part - np.repeat([0.2, 0.2, 0.2, -0.001], 40)
    each = part - np.repeat([0.2, 0.2, 0.2, 0.1], 40)

    assert not compare(np.stack([part, nearly]), codes, of).wins
    assert compare(np.stack([part, each]), codes, of).wins


def test_how_it_does_on_sources_left_out_is_handed_on() -> None:
    examples = world((1.2, 1.2))
    found, _, unseen = search_parts(examples, PARTS, classifier="logistic_regression", budget=30)

    again = leave_sources_out(found, seconds=60)

    assert unseen.figures == again.figures
    assert unseen.rows.tolist() == again.rows.tolist()


def test_without_time_to_leave_sources_out_parts_are_compared_out_of_fold() -> None:
    """Time stands still until the last part is searched, and then nothing is left."""
    finished: list[int] = []

    def heard(done: int, candidates: int, _: str) -> None:
        if done == candidates:
            finished.append(done)

    _, card, unseen = search_parts(
        world((1.2, 1.2)),
        PARTS,
        classifier="logistic_regression",
        budget=30,
        progress=heard,
        clock=lambda: 1_000.0 if len(finished) == len(PARTS) else 0.0,
    )

    assert card["measured_on"] == "out of fold"
    assert unseen.figures["cause"] == "time"


def test_no_part_is_turned_around() -> None:
    random = np.random.default_rng(0)
    codes = np.arange(200) % 2
    good = (2 * codes - 1) + random.standard_normal(200)
    echo = -good + 0.1 * random.standard_normal(200)
    fusion = fuse(np.column_stack([good, echo]), codes)
    assert (fusion.weights >= 0).all()


def test_the_line_through_raw_scores_is_the_sum_of_log_odds() -> None:
    random = np.random.default_rng(1)
    codes = np.arange(100) % 2
    scores = random.standard_normal((100, 2)) + codes[:, None]
    fusion = fuse(scores, codes)
    coefficients, intercept = fusion.linear()
    assert scores @ coefficients + intercept == pytest.approx(fusion(scores))
    alone = fuse(scores, codes, only=1)
    assert alone(scores)[:, 0] == pytest.approx(log_odds(scores, alone.lines)[:, 1])


def test_the_fitted_head_says_what_was_searched(both: tuple[Search, dict[str, Any]]) -> None:
    found, _ = both
    head = fit(found)
    fresh = world((1.2, 1.2), seed=9)
    said = np.asarray(head.classes)[head.predict_proba(fresh.vectors).argmax(axis=1)]
    assert (said == fresh.labels).mean() > 0.8
    assert leave_sources_out(found, seconds=60).figures["balanced_accuracy"] > 0.8


def saved(found: Search, card: dict[str, Any], root: Path) -> PartedHead:
    created = datetime.now(UTC)
    registry = Registry(root)
    document = {
        "task": "authenticity",
        "embedder": "clip:test+builtin:test",
        "classifier": {"family": "ensemble"},
        "ensemble": card,
    }
    version = registry.save(
        fit(found), document, version_id=new_version_id(created), created_at=created
    )
    head = registry.load(version)
    assert isinstance(head, PartedHead)
    return head


@pytest.mark.parametrize("apart", [(1.2, 1.2), (2.0, 0.0)])
def test_a_saved_version_tells_what_each_part_says(
    apart: tuple[float, float], tmp_path: Path
) -> None:
    examples = world(apart)
    found, card = searched(examples)
    head = saved(found, card, tmp_path)
    fresh = world(apart, seed=5)
    assert head.predict_proba(fresh.vectors).tobytes() == (
        fit(found).predict_proba(fresh.vectors).tobytes()
    )
    parts = head.parts(fresh.vectors)
    assert set(parts) == {"clip", "builtin"}
    accuracy = {
        name: float((np.asarray(head.classes)[said.argmax(axis=1)] == fresh.labels).mean())
        for name, said in parts.items()
    }
    assert accuracy["clip"] > 0.7
    assert all(said.sum(axis=1) == pytest.approx(1) for said in parts.values())
    told = parts_of(Adjusted(head, head.classes, None), fresh.vectors[:2])
    assert told[1]["clip"]["ai"] == pytest.approx(parts["clip"][1, 0])


def test_a_head_without_parts_tells_none() -> None:
    class Plain:
        classes = ("ai", "real")

        def predict_proba(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
            return np.full((len(vectors), 2), 0.5)

    assert parts_of(Plain(), np.zeros((2, 4), np.float32)) == [{}, {}]
    assert parts_of(None, np.zeros((1, 4), np.float32)) == [{}]
    assert isinstance(fit(searched(world((1.2, 1.2), n=80))[0]), BatchHead)
