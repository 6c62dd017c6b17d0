from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from models.metrics import measure, reliability

AI_REAL = ("ai", "real")


def chances_of(*ai: float) -> NDArray[np.float64]:
    return np.column_stack([np.asarray(ai), 1 - np.asarray(ai)])


def test_figures_of_a_small_case_are_those_worked_out_by_hand() -> None:
    labels = np.asarray(["ai", "ai", "ai", "real"])

    figures = measure(labels, chances_of(0.9, 0.8, 0.3, 0.4), AI_REAL)

    assert figures["n"] == 4
    assert figures["accuracy"] == 0.75
    assert figures["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert figures["roc_auc"] == pytest.approx(2 / 3)
    assert figures["per_class"]["ai"] == {
        "precision": 1.0, "recall": pytest.approx(2 / 3), "f1": pytest.approx(0.8), "support": 3,
    }  # fmt: skip
    assert figures["per_class"]["real"]["precision"] == 0.5
    assert figures["confusion"] == {"labels": ["ai", "real"], "matrix": [[2, 1], [0, 1]]}
    assert figures["undefined"] == {}


def test_calibration_error_is_the_mean_gap_between_confidence_and_being_right() -> None:
    labels = np.asarray(["ai"] * 10)

    figures = measure(labels, chances_of(*[0.95] * 5, *[0.65] * 4, 0.35), AI_REAL)

    # 5 at 0.95 all right; 5 at 0.65 of which 4 right
    assert figures["expected_calibration_error"] == pytest.approx((5 * 0.05 + 5 * 0.15) / 10)


def test_reliability_keeps_certain_answers_in_the_last_bin() -> None:
    bins = reliability(np.asarray(["ai", "real"]), chances_of(1.0, 0.0), AI_REAL)

    assert bins == [(1.0, 1.0, 2)]


def test_auc_of_many_labels_is_the_mean_of_each_against_the_rest() -> None:
    labels = np.asarray(["a", "b", "c", "a"])
    chances = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.5, 0.3, 0.2], [0.4, 0.2, 0.4]])

    figures = measure(labels, chances, ("a", "b", "c"))

    # a: 3 of 4 pairs in order; b: 3 of 3; c: 2 of 3, one lost to the last row
    assert figures["roc_auc"] == pytest.approx((3 / 4 + 1 + 2 / 3) / 3)


def test_what_has_no_value_is_null_with_a_reason_and_the_rest_is_there() -> None:
    figures = measure(np.asarray(["ai", "ai"]), chances_of(0.9, 0.7), AI_REAL)

    assert figures["roc_auc"] is None
    assert "fewer than two labels" in figures["undefined"]["roc_auc"]
    assert figures["per_class"]["real"] == {
        "precision": None, "recall": None, "f1": None, "support": 0,
    }  # fmt: skip
    assert "never predicted" in figures["undefined"]["precision of real"]
    assert figures["balanced_accuracy"] == 1.0
    json.dumps(figures, allow_nan=False)


def test_no_pictures_at_all_have_no_figures_but_reasons() -> None:
    figures = measure(np.empty(0, "<U4"), np.empty((0, 2)), AI_REAL, np.empty(0, "<U4"))

    assert figures["n"] == 0
    for name in ("accuracy", "balanced_accuracy", "roc_auc", "expected_calibration_error"):
        assert figures[name] is None
        assert figures["undefined"][name]
    assert figures["per_source"] == {}
    json.dumps(figures, allow_nan=False)


def test_a_label_the_head_does_not_know_counts_as_wrong() -> None:
    figures = measure(np.asarray(["ai", "new"]), chances_of(0.9, 0.9), AI_REAL)

    assert figures["accuracy"] == 0.5
    assert figures["per_class"]["new"]["recall"] == 0.0
    assert figures["confusion"]["labels"] == ["ai", "real", "new"]


def test_each_source_has_figures_and_counts_of_its_own() -> None:
    labels = np.asarray(["ai", "real", "ai", "ai"])
    sources = np.asarray(["web", "web", "stock", "stock"])

    figures = measure(labels, chances_of(0.9, 0.1, 0.9, 0.2), AI_REAL, sources)

    web, stock = figures["per_source"]["web"], figures["per_source"]["stock"]
    assert (web["n"], web["accuracy"], web["roc_auc"]) == (2, 1.0, 1.0)
    assert web["per_label"] == {"ai": 1, "real": 1}
    assert (stock["n"], stock["accuracy"], stock["roc_auc"]) == (2, 0.5, None)
    assert "roc_auc" in stock["undefined"]
