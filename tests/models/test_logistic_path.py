"""Fits side by side must be scikit-learn's, had it been asked to go all the way."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from models import candidates as candidates_module
from models import dealt as dealt_module
from models import logistic_path as path_module
from models.candidates import RAW, STANDARD, Logistic, raw_scores
from models.dealt import Dealt
from models.examples import Examples
from models.folds import family_folds
from tests.models.made import clusters

KINDS = [
    Logistic(({"C": 1.0}, {"C": 30.0}, {"C": 300.0}), RAW),
    Logistic(({"C": 1e-3}, {"C": 0.1}, {"C": 10.0}), STANDARD),
]
LABELS = {"two": (("ai", "real"), (300, 120)), "three": (("a", "b", "c"), (200, 90, 130))}


@pytest.fixture(params=LABELS)
def examples(request: pytest.FixtureRequest) -> Examples:
    labels, sizes = LABELS[request.param]
    return clusters(sizes, labels, dim=20, apart=1.0)


@pytest.fixture(autouse=True)
def shared_from_few_rows_in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates_module, "SHARED_ROWS", 100)
    monkeypatch.setattr(dealt_module, "BLOCK", 61)
    monkeypatch.setattr(path_module, "BLOCK", 61)


@pytest.fixture
def to_the_last_nat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_module, "GAIN", 1e-12)


def deal(examples: Examples, jobs: int = 2) -> Dealt:
    return Dealt.of(examples.vectors, examples.codes, family_folds(examples), jobs)


def to_the_end(c: float) -> LogisticRegression:
    return LogisticRegression(C=c, class_weight="balanced", max_iter=10_000, tol=1e-9)


@pytest.mark.usefixtures("to_the_last_nat")
@pytest.mark.parametrize("candidate", KINDS, ids=lambda kind: kind.name)
def test_the_path_is_that_of_logistic_regressions_fitted_fold_by_fold(
    candidate: Logistic, examples: Examples
) -> None:
    scored = list(candidate.across(deal(examples)))

    assert len(scored) == len(candidate.settings)
    for setting, scores in zip(candidate.settings, scored, strict=True):
        for train, test in family_folds(examples):
            honest = candidate.pipeline(setting, len(train))
            honest.steps[-1] = ("classify", to_the_end(setting["C"]))
            honest.fit(examples.vectors[train].astype(np.float64), examples.labels[train])
            expected = raw_scores(honest, examples.vectors[test])
            np.testing.assert_allclose(scores[test], expected, atol=1e-3 * expected.std())


@pytest.mark.usefixtures("to_the_last_nat")
@pytest.mark.parametrize("candidate", KINDS, ids=lambda kind: kind.name)
def test_what_is_fitted_side_by_side_answers_as_scikit_learns_own_fit(
    candidate: Logistic, examples: Examples
) -> None:
    setting = candidate.settings[1]

    ours = candidate.fitted(setting, deal(examples), examples.classes)

    honest = candidate.pipeline(setting, len(examples))
    honest.steps[-1] = ("classify", to_the_end(setting["C"]))
    honest.fit(examples.vectors.astype(np.float64), examples.labels)
    unseen = clusters(50, examples.classes, dim=20, apart=1.0, seed=1).vectors
    np.testing.assert_allclose(ours.predict_proba(unseen), honest.predict_proba(unseen), atol=1e-3)


def test_stopping_early_changes_no_answer_by_more_than_a_point(examples: Examples) -> None:
    for candidate in KINDS:
        setting = candidate.settings[1]
        ours = candidate.fitted(setting, deal(examples), examples.classes)
        honest = candidate.pipeline(setting, len(examples))
        honest.steps[-1] = ("classify", to_the_end(setting["C"]))
        chances = honest.fit(examples.vectors, examples.labels).predict_proba(examples.vectors)
        np.testing.assert_allclose(ours.predict_proba(examples.vectors), chances, atol=0.01)


def test_fits_do_not_depend_on_the_number_of_threads(examples: Examples) -> None:
    for candidate in KINDS:
        one = list(candidate.across(deal(examples, jobs=1)))
        three = list(candidate.across(deal(examples, jobs=3)))
        np.testing.assert_array_equal(one, three)


def test_labels_that_a_plane_parts_end_the_path_all_the_same() -> None:
    parted = clusters(200, dim=20, apart=8.0)

    for candidate in KINDS:
        for scores in candidate.across(deal(parted)):
            assert ((scores[:, 0] > 0) == (parted.labels == "real")).all()


def test_constant_vectors_leave_nothing_but_even_chances() -> None:
    made = clusters((300, 100), dim=20)
    flat = Examples(np.full_like(made.vectors, 20**-0.5), made.labels, made.sources, made.families)

    for candidate in KINDS:
        for scores in candidate.across(deal(flat)):
            np.testing.assert_allclose(scores, 0, atol=1e-3)


def test_labels_too_many_for_all_rows_are_left_to_each_fold_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dealt = deal(clusters(200, ("a", "b", "c"), dim=20))
    assert KINDS[0].shares(dealt)

    monkeypatch.setattr(path_module, "MOST_BYTES", 600 * 5 * 3 * 12 - 1)

    assert not KINDS[0].shares(dealt)
