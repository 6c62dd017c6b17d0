from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from domain import (
    Answer,
    ModelVersion,
    NewCorrection,
    NewSample,
    Person,
    PictureFacts,
    Split,
    Task,
    TaskKind,
    VerdictSource,
)
from models import Head
from models.current import Current
from models.fallen import Fallen, fallen_back
from models.learned import Learned
from models.registry import Registry
from models.shelf import Shelf
from storage import Store
from tests.models.answering import LABELS, sha

TASK, EMBEDDER = "judged", "builtin-photo:2"


class Says:
    """A head that gives one label to vectors that point one way, the other to all others."""

    def __init__(self, positive: str, negative: str) -> None:
        self.classes = LABELS
        self._places = LABELS.index(positive), LABELS.index(negative)

    def predict_proba(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        places = np.where(vectors[:, 0] > 0, *self._places)
        return np.asarray(np.eye(len(self.classes))[places])


class Given(Registry):
    """Versions whose heads are simply given."""

    def __init__(self, heads: Mapping[str, Head]) -> None:
        self._heads = heads

    def load(self, version: ModelVersion) -> Head:
        return self._heads[version.id]


@pytest.fixture
def task(store: Store) -> Task:
    return store.tasks.create(TASK, TaskKind.PHOTO, LABELS, open=False)


def version(name: str, golden: Mapping[str, str] | None = None) -> ModelVersion:
    """A version that is held to nothing but these golden pictures."""
    card = {"support": {"anchors": {}, "golden": dict(golden or {})}, "labels": list(LABELS)}
    return ModelVersion(name, TASK, EMBEDDER, "svm", "", False, datetime.now(UTC), card)


def judged(store: Store, task: Task, now: Head, then: Head, **more: object) -> Fallen | None:
    """With one head answering, and another one as the candidate's."""
    current, candidate = version("now"), version("then", **more)  # type: ignore[arg-type]
    store.versions.add(current)
    store.versions.promote(TASK, current.id, "first")
    registry = Given({"now": now, "then": then})
    shelf = Shelf(store, EMBEDDER, "likeness:1", _no_copies)
    learned = Learned(store, Current(store, registry), dict.fromkeys(TaskKind, shelf))
    return fallen_back(store, learned, task, candidate, then)


def _no_copies(pictures: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
    return {}


def correct(
    store: Store, name: str, *, sign: float, said: str, right: str, trusted: bool = True
) -> None:
    """Somebody says that the answer to a picture was another one."""
    store.vectors.put(EMBEDDER, [sha(name)], np.asarray([[sign, 0.0]], np.float32))
    store.corrections.teach(
        TASK,
        NewCorrection(
            sha(name),
            right,
            Person("somebody", trusted),
            before=Answer(said, 0.9, VerdictSource.MODEL),
        ),
        PictureFacts(sha(name), 64, 64, "PNG", 100, 0),
        NewSample(right, "corrections", sha(name), Split.TRAIN),
    )


def test_where_nobody_corrected_anything_there_is_nothing_to_look_at(
    store: Store, task: Task
) -> None:
    right = Says("ai", "real")

    assert judged(store, task, right, right) is None


def test_a_head_that_gives_the_wrong_answer_again_is_told(store: Store, task: Task) -> None:
    correct(store, "a", sign=+1, said="real", right="ai")

    fallen = judged(store, task, Says("ai", "real"), Says("real", "real"))

    assert fallen is not None
    assert (fallen.by_head, fallen.served) == ((sha("a"),), ())
    assert "1 of 1 corrected pictures would fall back" in fallen.message
    assert sha("a")[:12] in fallen.message


def test_a_head_that_never_had_it_right_does_not_fall_back(store: Store, task: Task) -> None:
    correct(store, "a", sign=+1, said="real", right="ai")

    fallen = judged(store, task, Says("real", "real"), Says("real", "real"))

    assert fallen == Fallen(1, (), (), 0)
    assert fallen.message == ""


def test_pictures_that_the_candidates_head_gets_right_at_last_are_counted(
    store: Store, task: Task
) -> None:
    correct(store, "a", sign=+1, said="real", right="ai")

    fallen = judged(store, task, Says("real", "real"), Says("ai", "real"))

    assert fallen == Fallen(1, (), (), 1)


def test_an_answer_that_somebody_confirmed_is_no_correction(store: Store, task: Task) -> None:
    correct(store, "a", sign=+1, said="ai", right="ai")

    assert judged(store, task, Says("ai", "real"), Says("real", "real")) is None


def test_a_correction_that_would_no_longer_count_is_served_wrongly(
    store: Store, task: Task
) -> None:
    correct(store, "a", sign=+1, said="real", right="ai", trusted=False)
    head = Says("ai", "real")

    fallen = judged(store, task, head, head, golden={sha("a"): "real"})

    assert fallen is not None
    assert fallen.served == (sha("a"),)


def test_what_a_stranger_says_against_a_picture_that_was_brought_waits(
    store: Store, task: Task
) -> None:
    facts = PictureFacts(sha("a"), 64, 64, "PNG", 100, 0)
    store.samples.add(TASK, facts, NewSample("real", "web", sha("a"), Split.TEST))
    correct(store, "a", sign=+1, said="real", right="ai", trusted=False)
    head = Says("ai", "real")

    assert judged(store, task, head, head, golden={sha("a"): "real"}) is None
