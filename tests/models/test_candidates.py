"""Each shortcut must score as the scikit-learn pipeline does that is saved in the end."""

from __future__ import annotations

import numpy as np
import pytest

from models.candidates import (
    RAW,
    STANDARD,
    Candidate,
    Forest,
    LinearSvm,
    Logistic,
    Ridge,
    raw_scores,
)
from models.examples import balanced_weights
from models.grid import EXACT_RBF_LABELS, EXACT_RBF_ROWS, LINEAR_SVM_LABELS, candidates
from models.kernel_candidates import NystroemSvm, RbfSvm
from tests.models.made import clusters

THREE = ("a", "b", "c")
KINDS = [
    Ridge(({"alpha": 3.0}, {"alpha": 0.1}), RAW),
    Ridge(({"alpha": 30.0}, {"alpha": 1.0}), STANDARD),
    LinearSvm(({"C": 1.0}, {"C": 10.0}), RAW),
    LinearSvm(({"C": 0.01},), STANDARD),
    NystroemSvm(
        tuple({"gamma": g, "alpha": a, "landmarks": 40} for g in (0.5, 2.0) for a in (1.0, 0.01)),
        RAW,
    ),
    NystroemSvm(({"gamma": 0.05, "alpha": 0.1, "landmarks": 500},), STANDARD),
    RbfSvm(tuple({"gamma": g, "C": c} for g in (0.5, 2.0) for c in (1.0, 10.0)), RAW),
    RbfSvm(({"gamma": 0.05, "C": 3.0},), STANDARD),
    Forest(({"trees": 10, "leaf": 2, "share": None}, {"trees": 10, "leaf": 1, "share": 0.5})),
]


@pytest.mark.parametrize("labels", [("ai", "real"), THREE], ids=["two", "three"])
@pytest.mark.parametrize("wide", [False, True], ids=["tall", "wide"])
@pytest.mark.parametrize("candidate", KINDS, ids=lambda kind: kind.name)
def test_scores_are_those_of_the_pipeline_that_is_saved(
    candidate: Candidate, wide: bool, labels: tuple[str, ...]
) -> None:
    sizes = [50, 30, 40][: len(labels)]
    examples = clusters(sizes, labels, dim=200 if wide else 12)
    train = np.arange(len(examples)) % 4 != 0
    near, ahead = examples.vectors[train], examples.vectors[~train]
    codes = examples.codes[train]

    scored = list(candidate.scores(near, codes, ahead))

    assert len(scored) == len(candidate.settings)
    for setting, scores in zip(candidate.settings, scored, strict=True):
        honest = candidate.pipeline(setting, len(near)).fit(near, examples.labels[train])
        expected = raw_scores(honest, ahead)
        assert scores.shape == (len(ahead), 1 if len(labels) == 2 else 3) == expected.shape
        np.testing.assert_allclose(scores, expected, atol=2e-3)


def test_the_logistic_path_ends_where_each_fit_alone_would() -> None:
    examples = clusters(80)
    candidate = Logistic(tuple({"C": c} for c in (1.0, 10.0, 100.0)))

    scored = list(candidate.scores(examples.vectors, examples.codes, examples.vectors))

    for setting, scores in zip(candidate.settings, scored, strict=True):
        alone = candidate.pipeline(setting, len(examples)).fit(examples.vectors, examples.labels)
        agreement = np.corrcoef(scores[:, 0], raw_scores(alone, examples.vectors)[:, 0])[0, 1]
        assert agreement > 0.999


def test_weights_let_each_label_count_alike() -> None:
    codes = np.repeat([0, 1, 2], [90, 9, 1])

    weights = balanced_weights(codes)

    assert [weights[codes == code].sum() for code in range(3)] == pytest.approx([100 / 3] * 3)


@pytest.mark.parametrize("family", ["logistic_regression", "svm", "random_forest"])
def test_a_named_family_is_the_only_one_tried(family: str) -> None:
    found, _ = candidates(family, clusters(40).vectors, 2)

    assert found
    assert {candidate.family for candidate in found} == {family}


def test_auto_tries_every_family_with_both_scalings() -> None:
    found, left_out = candidates("auto", clusters(40).vectors, 2)

    assert {c.family for c in found} == {"logistic_regression", "svm", "random_forest"}
    for kind in (Ridge, Logistic, LinearSvm, NystroemSvm, RbfSvm):
        assert {c.scaling for c in found if isinstance(c, kind)} == {RAW, STANDARD}
    assert left_out == {}


def test_what_does_not_suit_is_left_out_with_a_reason() -> None:
    many_rows = np.zeros((EXACT_RBF_ROWS + 1, 4), np.float32)

    found, left_out = candidates("svm", many_rows[:100], LINEAR_SVM_LABELS + 1)
    assert not any(isinstance(candidate, LinearSvm) for candidate in found)
    assert "stands for it" in left_out["linear SVM"]
    for vectors, labels in ((many_rows, 2), (many_rows[:100], EXACT_RBF_LABELS + 1)):
        found, left_out = candidates("svm", vectors, labels)
        assert not any(isinstance(candidate, RbfSvm) for candidate in found)
        assert "stands for it" in left_out["RBF SVM"]
