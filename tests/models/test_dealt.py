"""What folds share must come out as if each fold had been fitted by scikit-learn alone."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models import candidates as candidates_module
from models import closed_form as closed_form_module
from models import dealt as dealt_module
from models import kernel_candidates as kernel_candidates_module
from models.candidates import RAW, SEED, STANDARD, Candidate, Ridge, raw_scores
from models.closed_form import Landmarks
from models.dealt import Dealt
from models.examples import Examples
from models.folds import family_folds
from models.kernel_candidates import NystroemSvm
from tests.models.made import clusters

LABELS = {
    "two": (("ai", "real"), (300, 120)),
    "three": (("a", "b", "c"), (200, 90, 130)),
    "more than are kept apart": (tuple("abcdefg"), (90, 60, 70, 80, 50, 60, 40)),
}


@pytest.fixture(params=LABELS)
def examples(request: pytest.FixtureRequest) -> Examples:
    labels, sizes = LABELS[request.param]
    return clusters(sizes, labels, dim=20, apart=1.0)


@pytest.fixture(autouse=True)
def shared_from_few_rows_in_small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates_module, "SHARED_ROWS", 100)
    monkeypatch.setattr(kernel_candidates_module, "SHARED_ROWS", 100)
    monkeypatch.setattr(dealt_module, "BLOCK", 61)


def deal(examples: Examples, jobs: int = 2) -> Dealt:
    return Dealt.of(examples.vectors, examples.codes, family_folds(examples), jobs)


RIDGES = [
    Ridge(({"alpha": 3.0}, {"alpha": 0.01}), RAW),
    Ridge(({"alpha": 60.0}, {"alpha": 0.2}), STANDARD),
]


@pytest.mark.parametrize("ridge", RIDGES, ids=lambda kind: kind.name)
def test_the_ridge_path_is_that_of_ridge_classifiers_fitted_fold_by_fold(
    ridge: Ridge, examples: Examples
) -> None:
    dealt = deal(examples)

    assert ridge.shares(dealt)
    scored = list(ridge.across(dealt))

    assert len(scored) == len(ridge.settings)
    for setting, scores in zip(ridge.settings, scored, strict=True):
        for train, test in family_folds(examples):
            honest = ridge.pipeline(setting, len(train))
            honest.fit(examples.vectors[train], examples.labels[train])
            expected = raw_scores(honest, examples.vectors[test])
            np.testing.assert_allclose(scores[test], expected, atol=2e-5)


def test_scores_made_a_setting_at_a_time_are_the_same(
    examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = list(RIDGES[0].across(deal(examples)))
    monkeypatch.setattr(closed_form_module, "KEPT_BYTES", 1)

    np.testing.assert_allclose(list(RIDGES[0].across(deal(examples))), at_once, atol=1e-12)


WHOLE = [*RIDGES, NystroemSvm(({"gamma": 0.7, "alpha": 0.1, "landmarks": 50},), RAW),
         NystroemSvm(({"gamma": 0.03, "alpha": 0.1, "landmarks": 50},), STANDARD)]  # fmt: skip


@pytest.mark.parametrize("candidate", WHOLE, ids=lambda kind: kind.name)
def test_what_is_fitted_from_shared_sums_answers_as_scikit_learns_own_fit(
    candidate: Candidate, examples: Examples
) -> None:
    setting = candidate.settings[-1]

    ours = candidate.fitted(setting, deal(examples), examples.classes)

    honest = candidate.pipeline(setting, len(examples)).fit(examples.vectors, examples.labels)
    unseen = clusters(50, examples.classes, dim=20, apart=1.0, seed=1).vectors
    np.testing.assert_allclose(raw_scores(ours, unseen), raw_scores(honest, unseen), atol=1e-3)
    np.testing.assert_array_equal(ours.predict(unseen), honest.predict(unseen))
    alone = np.concatenate([raw_scores(ours, row[None]) for row in unseen])
    np.testing.assert_allclose(raw_scores(ours, unseen), alone, atol=1e-5)


@pytest.mark.parametrize("scaling", [RAW, STANDARD])
def test_landmarks_of_a_fold_never_help_to_score_it(examples: Examples, scaling: str) -> None:
    gamma, alpha = (0.7, 0.1) if scaling == RAW else (0.03, 0.1)
    dealt = deal(examples)
    rows = dealt.spread_over(np.random.default_rng(0).permutation(len(dealt)), 60)
    landmarks = Landmarks.among(dealt, rows, standard=scaling == STANDARD)

    (scores,) = landmarks.across(gamma, [alpha], landmarks.distances())

    assert len(rows) == 60
    scaled = StandardScaler().fit(examples.vectors) if scaling == STANDARD else None
    vectors = examples.vectors if scaled is None else scaled.transform(examples.vectors)
    for fold, (train, test) in enumerate(family_folds(examples)):
        chosen = vectors[rows[dealt.fold_of[rows] != fold]]
        mapping = Nystroem(gamma=gamma, n_components=len(chosen), random_state=SEED).fit(chosen)
        honest = make_pipeline(mapping, RidgeClassifier(alpha=alpha, class_weight="balanced"))
        honest[-1].fit(mapping.transform(vectors[train]), examples.labels[train])
        np.testing.assert_allclose(scores[test], raw_scores(honest, vectors[test]), atol=1e-3)


def test_sums_do_not_depend_on_the_number_of_threads(examples: Examples) -> None:
    ridge, kernel = RIDGES[1], WHOLE[-1]
    for candidate in (ridge, kernel):
        one = list(candidate.across(deal(examples, jobs=1)))
        three = list(candidate.across(deal(examples, jobs=3)))
        np.testing.assert_array_equal(one, three)


def test_columns_that_never_differ_and_rows_far_from_zero_do_no_harm() -> None:
    made = clusters((300, 200), dim=20)
    vectors = made.vectors * 0.01 + 1.0
    vectors[:, 3] = 0.25
    moved = Examples(vectors, made.labels, made.sources, made.families)
    ridge = RIDGES[1]

    scores = next(ridge.across(deal(moved)))

    for train, test in family_folds(moved):
        honest = ridge.pipeline(ridge.settings[0], len(train))
        honest.fit(vectors[train].astype(np.float64), moved.labels[train])
        np.testing.assert_allclose(scores[test], raw_scores(honest, vectors[test]), atol=1e-3)


def test_a_few_rows_are_of_every_fold_and_label(examples: Examples) -> None:
    few = deal(examples).few(70)

    assert len(few) == 70
    each = np.bincount(few.fold_of * few.labels + few.codes, minlength=few.folds * few.labels)
    assert each.min() >= 1
    assert each.max() - each.min() <= 1


def test_few_rows_of_many_columns_are_left_to_each_fold_alone() -> None:
    wide = clusters(200, dim=300)

    assert not RIDGES[0].shares(deal(wide))
