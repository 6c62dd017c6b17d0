from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from domain import NotEnoughData
from models.batch import fit, search, solving
from models.metrics import measure
from tests.models.made import clusters, rings


def test_what_no_plane_parts_is_learned_through_a_kernel() -> None:
    found = search(rings(), classifier="svm", jobs=2)
    unseen = rings(seed=1)

    figures = measure(unseen.labels, fit(found).predict_proba(unseen.vectors), ("far", "near"))

    assert "RBF" in found.winner.candidate.name
    assert figures["accuracy"] > 0.95


def test_the_winner_has_the_least_loss_of_all_that_ran_on_every_fold() -> None:
    found = search(clusters(60, apart=1.0), jobs=2)

    complete = [tried.log_loss for tried in found.tried if tried.folds == len(found.folds)]
    assert found.winner.log_loss == min(complete)
    families = {tried.family for tried in found.tried}
    assert families == {"logistic_regression", "svm", "random_forest"}


def test_out_of_fold_probabilities_come_from_heads_that_had_not_seen_the_picture() -> None:
    random = np.random.default_rng(0)
    examples = clusters(100)
    shuffled = dataclasses.replace(examples, labels=random.permutation(examples.labels))

    found = search(shuffled, classifier="svm", jobs=2)
    figures = measure(shuffled.labels, found.out_of_fold(), found.examples.classes)
    own = measure(shuffled.labels, fit(found).predict_proba(shuffled.vectors), ("ai", "real"))

    # nothing can be learned from labels at random, however well the head fits its own pictures
    assert 0.3 < figures["roc_auc"] < 0.7
    assert own["roc_auc"] > figures["roc_auc"]


def test_near_duplicates_do_not_flatter_the_out_of_fold_figure() -> None:
    random = np.random.default_rng(0)
    one = clusters(40)
    labels = random.permutation(one.labels)
    copies = np.repeat(np.arange(80), 6)
    examples = dataclasses.replace(one, labels=labels).take(copies)

    found = search(examples, classifier="svm", jobs=2)

    figures = measure(examples.labels, found.out_of_fold(), examples.classes)
    assert figures["roc_auc"] < 0.7


def test_probabilities_out_of_fold_are_calibrated() -> None:
    found = search(clusters(400, apart=0.5), classifier="logistic_regression", jobs=2)

    figures = measure(found.examples.labels, found.out_of_fold(), found.examples.classes)

    assert 0.6 < figures["accuracy"] < 0.9
    assert figures["expected_calibration_error"] < 0.05


def test_many_labels_with_few_pictures_each_are_told_apart() -> None:
    labels = [f"letter {i:02}" for i in range(30)]
    found = search(clusters(12, labels, dim=60, apart=3.0), classifier="svm", jobs=2)

    figures = measure(found.examples.labels, found.out_of_fold(), found.examples.classes)

    assert found.method == "temperature"
    assert figures["accuracy"] > 0.9


def test_a_rare_label_is_not_sacrificed_to_a_common_one() -> None:
    found = search(clusters((600, 60), apart=0.9), classifier="logistic_regression", jobs=2)

    figures = measure(found.examples.labels, found.out_of_fold(), found.examples.classes)

    recalls = [figures["per_class"][label]["recall"] for label in ("ai", "real")]
    assert abs(recalls[0] - recalls[1]) < 0.15


def test_a_budget_of_almost_nothing_still_ends_in_a_head() -> None:
    ticks = iter(np.arange(0, 1e6, 10.0))

    found = search(clusters(60), budget=1.0, clock=lambda: float(next(ticks)), jobs=1)

    assert len({tried.name for tried in found.tried}) == 1
    assert all("budget" in reason for reason in found.skipped.values())
    assert len(found.skipped) == 10
    assert fit(found).predict_proba(clusters(5).vectors).shape == (10, 2)


def test_progress_is_told_before_each_candidate_and_at_the_end() -> None:
    told: list[tuple[int, int, str]] = []

    search(
        clusters(20),
        classifier="logistic_regression",
        progress=lambda *step: told.append(step),
        jobs=1,
    )

    assert told == [
        (0, 2, "logistic regression"),
        (1, 2, "logistic regression, standard scaling"),
        (2, 2, ""),
    ]


def test_one_label_alone_is_refused() -> None:
    with pytest.raises(NotEnoughData, match="two labels"):
        search(clusters(20, ("ai",)))


def test_constant_vectors_give_even_chances_and_no_warning() -> None:
    examples = clusters(30)
    flat = dataclasses.replace(examples, vectors=np.full_like(examples.vectors, 12**-0.5))

    chances = fit(search(flat, classifier="logistic_regression", jobs=1)).predict_proba(
        flat.vectors
    )

    np.testing.assert_allclose(chances, 0.5, atol=0.05)


def test_solving_leaves_threads_and_warnings_as_they_were() -> None:
    with solving():
        assert all(library["num_threads"] == 1 for library in threadpool_info())
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", UserWarning, stacklevel=1)


def test_the_search_over_shared_folds_serves_what_it_scored() -> None:
    examples = clusters((700, 500), apart=1.0)

    found = search(examples, classifier="logistic_regression", jobs=2)

    assert found.dealt is not None
    assert found.winner.candidate.shares(found.dealt)
    unseen = clusters(400, apart=1.0)  # seed and centres are the same
    figures = measure(unseen.labels, fit(found).predict_proba(unseen.vectors), ("ai", "real"))
    ahead = measure(examples.labels, found.out_of_fold(), ("ai", "real"))
    assert figures["roc_auc"] == pytest.approx(ahead["roc_auc"], abs=0.03)
    assert figures["expected_calibration_error"] < 0.05


def test_a_search_run_twice_finds_the_same_to_the_last_bit() -> None:
    examples = clusters((700, 500), apart=1.0)

    one = search(examples, classifier="svm", kinds=("ridge", "RBF least-squares SVM"), jobs=1)
    two = search(examples, classifier="svm", kinds=("ridge", "RBF least-squares SVM"), jobs=2)

    assert one.winner.setting == two.winner.setting
    np.testing.assert_array_equal(one.winner.scores, two.winner.scores)
    np.testing.assert_array_equal(
        fit(one).predict_proba(examples.vectors), fit(two).predict_proba(examples.vectors)
    )
    assert {tried.name.partition(",")[0] for tried in one.tried} <= {
        "ridge",
        "RBF least-squares SVM",
    }
