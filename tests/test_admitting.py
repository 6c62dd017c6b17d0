"""What the gate lets in, end to end: new labels, first versions, vectors that are no numbers."""

from __future__ import annotations

import hashlib
from types import MappingProxyType

import numpy as np
import pytest

from config import Settings
from domain import NewSample, NotEnoughData, PictureFacts, TaskKind
from embeddings.builtin import Builtin
from engine import Engine, wired
from models.examples import Examples
from models.families import split_of
from storage import Store
from tests.models.made import clusters
from train import TrainResult, train

TASK = "seasons"
LABELS = ("autumn", "spring", "summer")


@pytest.fixture
def engine(settings: Settings, store: Store) -> Engine:
    """A real engine; of three labels the task knows two at first."""
    store.tasks.create(TASK, TaskKind.PHOTO, LABELS[:2], open=True)
    return wired(settings, store, MappingProxyType({kind: Builtin(kind) for kind in TaskKind}))


def bring(engine: Engine, examples: Examples, *labels: str, name: str = "") -> None:
    """Those of some labels, or all of them, as if they had been collected and embedded."""
    rows = np.flatnonzero(np.isin(examples.labels, labels or examples.classes))
    names = [hashlib.sha256(f"{name}{row}".encode()).hexdigest() for row in rows]
    engine.store.samples.add_many(
        TASK,
        [
            (
                PictureFacts(sha256, 64, 64, "PNG", 100, 0),
                NewSample(str(examples.labels[row]), "web", sha256, split_of(sha256)),
            )
            for sha256, row in zip(names, rows, strict=True)
        ],
    )
    embedder = engine.embedders[TaskKind.PHOTO].id
    engine.store.vectors.put(embedder, names, examples.vectors[rows])


def trained(engine: Engine) -> TrainResult:
    return train(engine, TASK, classifier="logistic_regression", time_budget=20.0)


def test_a_label_taught_later_enters_the_next_version(engine: Engine) -> None:
    examples = clusters(80, LABELS, apart=4.0)
    bring(engine, examples, *LABELS[:2])
    assert trained(engine).promoted
    engine.store.tasks.add_label(TASK, LABELS[2])
    bring(engine, examples, LABELS[2])

    result = trained(engine)

    assert result.promoted
    assert "New: summer" in result.reason
    assert result.version.card["labels"] == list(LABELS)


def test_old_pictures_under_a_new_label_are_kept_out(engine: Engine) -> None:
    examples = clusters(80, LABELS[:2], apart=4.0)
    bring(engine, examples)
    assert trained(engine).promoted
    engine.store.tasks.add_label(TASK, LABELS[2])
    more = clusters(120, LABELS[:2], apart=4.0)
    some = more.take(np.arange(len(more)) % 120 >= 80)
    renamed = Examples(some.vectors, np.full(len(some), LABELS[2]), some.sources, some.families)
    bring(engine, renamed, name="renamed")

    result = trained(engine)

    assert not result.promoted
    assert "The new label summer is not shown to bring more than it takes" in result.reason


def test_a_variant_made_a_label_again_enters_the_next_version(engine: Engine) -> None:
    examples = clusters(80, LABELS, apart=4.0)
    engine.store.tasks.add_label(TASK, LABELS[2])
    bring(engine, examples)
    engine.store.tasks.link(TASK, LABELS[0], LABELS[2])
    assert trained(engine).version.card["labels"] == list(LABELS[:2])
    engine.store.tasks.unlink(TASK, LABELS[2])

    result = trained(engine)

    assert result.promoted
    assert result.run.detail["gate"]["pictures"]["relabelled"] == 0


def test_a_first_version_that_only_guesses_answers_nobody(engine: Engine) -> None:
    noise = clusters(60, LABELS[:2], apart=0.0)
    bring(engine, noise)

    result = trained(engine)

    assert not result.promoted
    assert "not shown to be better than guessing" in result.reason
    assert engine.store.versions.current(TASK) is None


def test_vectors_that_are_no_numbers_end_a_training_with_their_number(engine: Engine) -> None:
    examples = clusters(40, LABELS[:2])
    examples.vectors[[3, 50]] = np.nan
    bring(engine, examples)

    with pytest.raises(NotEnoughData, match="vectors of 2 of 80 pictures are no numbers"):
        trained(engine)
