from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV

from models import calibration
from models.calibration import (
    ISOTONIC,
    SIGMOID,
    TEMPERATURE,
    assemble,
    balanced_log_loss,
    calibrate,
    choose_method,
    cross_fitted,
    said,
)
from models.candidates import Forest, Logistic, Ridge, raw_scores
from models.folds import family_folds
from tests.models.made import clusters


@pytest.mark.parametrize(
    ("candidate", "labels"),
    [
        (Ridge(({"alpha": 1.0},), "standard"), ("ai", "real")),
        (Forest(({"trees": 20, "leaf": 3, "share": None},)), ("ai", "real")),
        (Ridge(({"alpha": 1.0},)), ("a", "b", "c")),
        (Forest(({"trees": 20, "leaf": 3, "share": None},)), ("a", "b", "c")),
    ],
    ids=["ridge 2", "forest 2", "ridge 3", "forest 3"],
)
def test_assembling_gives_what_scikit_learn_gives_by_fitting_every_fold_again(
    candidate: Ridge | Forest, labels: tuple[str, ...]
) -> None:
    examples = clusters(50, labels)
    folds = family_folds(examples)
    setting = candidate.settings[0]
    scores = np.empty((len(examples), 1 if len(labels) == 2 else 3))
    for train, test in folds:
        fold = candidate.pipeline(setting, len(train)).fit(
            examples.vectors[train], examples.labels[train]
        )
        scores[test] = raw_scores(fold, examples.vectors[test])
    honest = CalibratedClassifierCV(
        candidate.pipeline(setting, len(examples)), method=SIGMOID, cv=folds, ensemble=False
    ).fit(examples.vectors, examples.labels)

    fitted = candidate.pipeline(setting, len(examples)).fit(examples.vectors, examples.labels)
    calibrated = calibrate(scores, examples.codes, examples.classes, SIGMOID)
    ours = assemble(fitted, calibrated, examples.vectors.shape[1])

    unseen = clusters(30, labels, seed=0, apart=1.0).vectors
    # scikit-learn calibrates in float32 where scores are float32
    np.testing.assert_allclose(ours.predict_proba(unseen), honest.predict_proba(unseen), atol=5e-4)


@pytest.mark.parametrize(
    ("method", "labels"),
    [(SIGMOID, ("ai", "real")), (ISOTONIC, ("ai", "real")), (TEMPERATURE, ("a", "b", "c"))],
)
@pytest.mark.parametrize("rows", [10, 300])
def test_a_classifier_that_never_erred_is_not_certain_and_the_surer_the_more_it_has_seen(
    rows: int, method: str, labels: tuple[str, ...]
) -> None:
    codes = np.repeat(np.arange(len(labels)), rows)
    noise = np.random.default_rng(0).normal(0, 0.1, (len(codes), len(labels)))
    scores = np.eye(len(labels))[codes] * 3 + noise
    scores = scores[:, 1:] - scores[:, :1] if len(labels) == 2 else scores

    confidence = calibrate(scores, codes, labels, method).predict_proba(scores).max(axis=1)

    mistakes = 1 - confidence.mean()
    assert 0.1 / rows < mistakes < 2 / rows


def test_probabilities_do_not_follow_how_many_pictures_of_each_label_were_collected() -> None:
    examples = clusters((400, 40), apart=0.6)
    scores = next(
        Logistic(({"C": 1.0},)).scores(examples.vectors, examples.codes, examples.vectors)
    )

    chances = calibrate(scores, examples.codes, examples.classes, SIGMOID).predict_proba(scores)

    said_ai = chances[:, 0] > 0.5
    is_ai = examples.labels == "ai"
    assert said_ai[is_ai].mean() == pytest.approx(1 - said_ai[~is_ai].mean(), abs=0.12)


def test_cross_fitted_probabilities_come_from_the_other_folds_alone() -> None:
    codes = np.tile([0, 1], 50)
    folds = family_folds(clusters(50))
    scores = np.where(codes, 1.0, -1.0)[:, None] + np.random.default_rng(0).normal(0, 1, (100, 1))
    inverted = scores.copy()
    inverted[folds[0][1]] *= -1

    plain = cross_fitted(scores, codes, ("ai", "real"), folds, SIGMOID)
    turned = cross_fitted(inverted, codes, ("ai", "real"), folds, SIGMOID)

    # the fold's own scores are turned around, its calibration is not: it never saw them
    rows = folds[0][1]
    calibrated = calibrate(scores[folds[0][0]], codes[folds[0][0]], ("ai", "real"), SIGMOID)
    np.testing.assert_allclose(turned[rows], calibrated.predict_proba(-scores[rows]))
    np.testing.assert_allclose(plain[rows], calibrated.predict_proba(scores[rows]))


def test_few_rows_never_get_isotonic_regression() -> None:
    examples = clusters(50)
    scores = np.random.default_rng(0).normal(size=(100, 1))

    method = choose_method(scores, examples.codes, examples.classes, family_folds(examples))

    assert method == SIGMOID


def test_many_rows_get_isotonic_regression_where_a_sigmoid_does_not_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calibration, "ISOTONIC_ROWS", 300)
    examples = clusters(400)
    random = np.random.default_rng(0)
    chance = random.choice([0.02, 0.5, 0.6], 800)
    codes = (random.random(800) < chance).astype(np.intp)
    stepped = np.select([chance == 0.02, chance == 0.5], [0.0, 1.0], 50.0)[:, None]
    folds = family_folds(examples)

    assert choose_method(stepped, codes, ("ai", "real"), folds) == ISOTONIC
    straight = np.where(codes, 1.0, -1.0)[:, None] + random.normal(0, 1, (800, 1))
    assert choose_method(straight, codes, ("ai", "real"), folds) == SIGMOID


def test_more_than_two_labels_share_one_temperature() -> None:
    examples = clusters(50, ("a", "b", "c"))

    method = choose_method(
        np.eye(3)[examples.codes], examples.codes, examples.classes, family_folds(examples)
    )

    assert method == TEMPERATURE


def test_log_loss_weighs_labels_alike_and_survives_a_certain_mistake() -> None:
    codes = np.repeat([0, 1], [99, 1])
    chances = np.tile([0.9, 0.1], (100, 1))

    loss = balanced_log_loss(chances, codes)

    assert loss == pytest.approx((-np.log(0.9) - np.log(0.1)) / 2)
    assert np.isfinite(balanced_log_loss(np.tile([1.0, 0.0], (100, 1)), codes))


@pytest.mark.parametrize("method", [SIGMOID, ISOTONIC])
@pytest.mark.parametrize("shape", ["apart", "mixed", "constant", "huge", "chances"])
def test_what_is_said_in_passing_is_what_the_calibration_that_is_kept_says(
    method: str, shape: str
) -> None:
    random = np.random.default_rng(0)
    codes = (np.arange(300) % 4 == 0).astype(np.intp)
    scores = {
        "apart": codes * 4.0 + random.normal(0, 0.2, 300),
        "mixed": codes + random.normal(0, 1, 300),
        "constant": np.zeros(300),
        "huge": 1e4 * (codes + random.normal(0, 1, 300)) - 5e5,
        "chances": np.clip(codes * 0.4 + random.choice([0.0, 0.2, 0.6], 300), 0, 1),
    }[shape][:, None]
    asked = np.concatenate([scores[:50], scores[:50] * 1.1 - 0.1])

    quick = said(scores, codes, ("ai", "real"), method, asked)

    kept = calibrate(scores, codes, ("ai", "real"), method).predict_proba(asked)
    np.testing.assert_allclose(quick, kept, atol=1e-4)
