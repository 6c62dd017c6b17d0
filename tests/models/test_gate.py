from __future__ import annotations

import numpy as np

from models.card import Predictions
from models.gate import compare
from tests.models.made import clusters


def answers(wrong: int, *, n: int = 100, of: str = "ai") -> Predictions:
    """Certain answers on n pictures a label, of which the last `wrong` of one label are wrong."""
    examples = clusters(n)
    said = examples.labels.copy()
    rows = np.flatnonzero(examples.labels == of)[n - wrong :]
    said[rows] = "real" if of == "ai" else "ai"
    chances = np.column_stack([said == "ai", said == "real"]).astype(float)
    return Predictions(examples, chances, ("ai", "real"))


def test_an_equal_candidate_is_promoted() -> None:
    assert compare(answers(10), answers(10)).promoted


def test_a_better_candidate_is_promoted_and_both_figures_are_said() -> None:
    gate = compare(answers(4), answers(20))

    assert gate.promoted
    assert "200 held-out pictures is 98.0%" in gate.reason
    assert "90.0%" in gate.reason


def test_a_candidate_within_one_standard_error_is_promoted() -> None:
    candidate, current = answers(3, of="ai"), answers(3, of="real")
    worse_by_one = answers(4, of="ai")

    assert compare(candidate, current).promoted
    # one more mistake of 200, where seven answers differ
    assert compare(worse_by_one, current).promoted


def test_a_clearly_worse_candidate_is_kept() -> None:
    gate = compare(answers(20), answers(4))

    assert not gate.promoted
    assert gate.reason.startswith("Clearly worse")


def test_pictures_on_which_both_agree_do_not_hide_a_loss() -> None:
    # two more mistakes and no other difference: unpaired errors would swallow it
    assert not compare(answers(12), answers(10)).promoted


def test_labels_weigh_alike_however_many_pictures_they_have() -> None:
    examples = clusters((190, 10))
    truth = examples.labels == "ai"
    chances = np.column_stack([truth, ~truth]).astype(float)
    perfect = Predictions(examples, chances, ("ai", "real"))
    lost = chances.copy()
    lost[190:195] = [1.0, 0.0]

    gate = compare(Predictions(examples, lost, ("ai", "real")), perfect)

    assert not gate.promoted
    assert "75.0%" in gate.reason


def test_a_current_version_that_lacks_a_label_is_beaten_by_one_that_knows_it() -> None:
    candidate = answers(10)
    other = np.tile([1.0], (200, 1))

    assert compare(candidate, Predictions(candidate.examples, other, ("ai",))).promoted


def test_without_held_out_pictures_it_is_promoted_and_says_so() -> None:
    nothing = answers(0).examples.take(np.zeros(200, bool))
    empty = Predictions(nothing, np.empty((0, 2)), ("ai", "real"))

    gate = compare(empty, empty)

    assert gate.promoted
    assert "No pictures are held out" in gate.reason
