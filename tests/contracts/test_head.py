"""What every head promises, whatever classifier is inside; before and after it was saved."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from models import Head
from models.batch import Search, fit
from models.calibration import ISOTONIC, SIGMOID, TEMPERATURE
from models.candidates import (
    RAW,
    STANDARD,
    Candidate,
    Forest,
    LinearSvm,
    Logistic,
    Ridge,
)
from models.closed_form import Scores
from models.examples import Examples
from models.folds import family_folds
from models.kernel_candidates import NystroemSvm, RbfSvm
from models.race import Leader
from models.registry import Registry, new_version_id
from tests.models.made import clusters

CANDIDATES: dict[str, Candidate] = {
    "logistic regression": Logistic(({"C": 10.0},), RAW),
    "logistic regression, standard": Logistic(({"C": 0.1},), STANDARD),
    "ridge": Ridge(({"alpha": 0.3},), STANDARD),
    "linear SVM": LinearSvm(({"C": 1.0},), RAW),
    "RBF SVM": RbfSvm(({"gamma": 1.0, "C": 3.0},), RAW),
    "RBF least squares": NystroemSvm(({"gamma": 1.0, "alpha": 0.1, "landmarks": 500},), RAW),
    "random forest": Forest(({"trees": 20, "leaf": 1, "share": None},)),
}
MANY = ("ಅ", "ಆ", "<b>&amp;", "$x_1$ of a rather long label", "\u202eabc")
# rows of each label: of many, the folds share their sums, and the fit is made from those
TASKS = {
    "two labels, sigmoid": (("ai", "real"), SIGMOID, 40),
    "two labels, isotonic": (("ai", "real"), ISOTONIC, 40),
    "two labels, many rows": (("ai", "real"), SIGMOID, 520),
    "many labels": (MANY, TEMPERATURE, 40),
    "many labels, many rows": (MANY, TEMPERATURE, 210),
}


def found_of(candidate: Candidate, examples: Examples, method: str) -> Search:
    """A search that came to this candidate."""
    folds = family_folds(examples)
    scores: Scores | None = None
    for train, test in folds:
        part = next(
            candidate.scores(examples.vectors[train], examples.codes[train], examples.vectors[test])
        )
        scores = np.empty((len(examples), part.shape[1])) if scores is None else scores
        scores[test] = part
    assert scores is not None
    leader = Leader(candidate, candidate.settings[0], scores, 0.0, 0.0)
    return Search(examples, folds, leader, method, [], {}, 0.0)


@pytest.fixture(scope="module", params=CANDIDATES)
def candidate(request: pytest.FixtureRequest) -> Candidate:
    return CANDIDATES[request.param]


@pytest.fixture(scope="module", params=TASKS)
def lesson(request: pytest.FixtureRequest) -> tuple[Examples, str]:
    labels, method, rows = TASKS[request.param]
    return clusters(rows, labels, dim=24), method


@pytest.fixture(scope="module", params=["fresh", "saved and loaded"])
def head(
    request: pytest.FixtureRequest,
    candidate: Candidate,
    lesson: tuple[Examples, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Head:
    examples, method = lesson
    fresh = fit(found_of(candidate, examples, method))
    if request.param == "fresh":
        return fresh
    registry = Registry(Path(tmp_path_factory.mktemp("models")))
    now = datetime.now(UTC)
    card = {"task": "t", "embedder": "e:1", "classifier": {"family": candidate.family}}
    version = registry.save(fresh, card, version_id=new_version_id(now), created_at=now)
    loaded = registry.load(version)
    np.testing.assert_array_equal(
        loaded.predict_proba(examples.vectors), fresh.predict_proba(examples.vectors)
    )
    return loaded


def test_its_classes_are_the_labels_sorted_and_plain_strings(
    head: Head, lesson: tuple[Examples, str]
) -> None:
    assert head.classes == tuple(sorted({str(label) for label in lesson[0].labels}))
    assert all(type(label) is str for label in head.classes)


def test_its_rows_are_probabilities(head: Head, lesson: tuple[Examples, str]) -> None:
    random = np.random.default_rng(0).standard_normal((200, 24)).astype(np.float32)
    random /= np.linalg.norm(random, axis=1, keepdims=True)

    for vectors in (lesson[0].vectors, random):
        chances = head.predict_proba(vectors)
        assert chances.shape == (len(vectors), len(head.classes))
        assert chances.dtype == np.float64
        assert chances.min() >= 0
        assert chances.max() <= 1
        np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-12)


def test_it_answers_no_vectors_with_no_rows(head: Head) -> None:
    assert head.predict_proba(np.empty((0, 24), np.float32)).shape == (0, len(head.classes))


def test_a_vector_gets_the_same_answer_alone_and_in_a_batch(
    head: Head, lesson: tuple[Examples, str]
) -> None:
    vectors = lesson[0].vectors[::10]

    together = head.predict_proba(vectors)
    alone = np.concatenate([head.predict_proba(row[None]) for row in vectors])

    np.testing.assert_allclose(alone, together, atol=1e-5)


def test_it_learned_what_is_easy(head: Head, lesson: tuple[Examples, str]) -> None:
    examples = lesson[0]

    said = np.asarray(head.classes)[head.predict_proba(examples.vectors).argmax(axis=1)]

    assert (said == examples.labels).mean() > 0.9


def test_threads_may_share_it(head: Head, lesson: tuple[Examples, str]) -> None:
    vectors = lesson[0].vectors
    expected = head.predict_proba(vectors)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: head.predict_proba(vectors), range(12)))

    for answer in answers:
        np.testing.assert_array_equal(answer, expected)
