"""From picture files to a version that was trained against re-deliveries, and answers by it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from config import Augment, Settings
from domain import HANDED_ON, NewSample, NotEnoughData, Split, Task, TaskKind
from embeddings.images import decode
from embeddings.job import embed_missing, embed_redeliveries, missing_redelivered
from embeddings.redelivery import DELIVERIES, embed_redelivered, redelivered_id
from engine import Engine, open_engine
from models.lesson import Lesson, read_lesson
from models.recipe import Recipe
from models.summary import redelivered
from tests.pictures import encode, photo
from train import candidate

TASK = "things"
PER_LABEL = 18


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    opened = open_engine(settings)
    opened.store.tasks.create(TASK, TaskKind.PHOTO, ("bright", "dark"), open=False)
    bring(opened)
    yield opened
    opened.close()


def bring(engine: Engine) -> None:
    """Pictures of two labels, every fourth held out, with their files and vectors."""
    new = []
    for seed in range(2 * PER_LABEL):
        label = ("bright", "dark")[seed % 2]
        pixels = photo(seed, 96, 72)
        if label == "dark":
            pixels = np.asarray(pixels // 2 + 20, np.uint8)[:, ::-1]
        data = encode(np.ascontiguousarray(pixels), "PNG")
        facts = decode(data).facts
        engine.store.blobs.put(data, durable=False)
        split = Split.TEST if seed // 2 % 4 == 0 else Split.TRAIN
        new.append((facts, NewSample(label, "made", facts.sha256, split)))
    engine.store.samples.add_many(TASK, new)
    embedder = engine.embedders[TaskKind.PHOTO]
    embed_missing(engine.store, embedder, TASK, settings=engine.settings)


def deliver(engine: Engine) -> int:
    """Embed re-deliveries; how many pictures."""
    embedder = engine.embedders[TaskKind.PHOTO]
    done = embed_redeliveries(engine.store, embedder, TASK, settings=engine.settings)
    assert not done.quarantined
    return done.embedded


def augmented(engine: Engine, how: Augment) -> Settings:
    return engine.settings.model_copy(update={"augment": how, "min_images_per_class": 5})


def test_training_pictures_are_embedded_as_they_would_arrive_and_held_out_ones_are_not(
    engine: Engine,
) -> None:
    store, embedder = engine.store, engine.embedders[TaskKind.PHOTO]
    samples = store.samples.all(TASK)
    training = [one.sha256 for one in samples if one.split is Split.TRAIN]

    assert set(missing_redelivered(store, embedder, TASK)) == set(training)
    assert deliver(engine) == len(training)
    assert missing_redelivered(store, embedder, TASK) == []
    assert deliver(engine) == 0

    names, kept = store.vectors.get(redelivered_id(embedder), [one.sha256 for one in samples])
    assert set(names) == set(training)
    assert kept.shape[1] == len(DELIVERIES) * embedder.dim
    picture = decode(store.blobs.get(names[0]))
    made = dict(zip(*embed_redelivered(picture, embedder), strict=True))
    own = store.vectors.get(embedder.id, names[:1])[1][0]
    for delivery, row in zip(DELIVERIES, kept[0].reshape(-1, embedder.dim), strict=True):
        np.testing.assert_allclose(row, made.get(delivery.name, own), atol=1e-5)
    assert "thumbnail" not in made  # the picture is smaller, so its own vector stands in
    assert len(training) < HANDED_ON


def test_a_version_trained_against_re_deliveries_answers_as_it_was_measured(
    engine: Engine,
) -> None:
    deliver(engine)

    version = candidate(engine, TASK, classifier="svm", settings=augmented(engine, Augment.ON))

    found = version.card["redelivery"]
    assert (found["setting"], found["used"]) == ("on", True)
    assert 0 <= found["flips"] <= 1
    assert "trained against that" in redelivered(version.card)
    head = engine.registry.load(version)
    task = engine.store.tasks.get(TASK)
    lesson = lesson_of(engine, task)
    chances = head.predict_proba(lesson.test.vectors)
    right = np.asarray(head.classes)[chances.argmax(1)] == lesson.test.labels
    assert right.mean() == pytest.approx(version.card["metrics"]["held_out"]["accuracy"])


def lesson_of(engine: Engine, task: Task) -> Lesson:
    embedder = engine.embedders[task.kind].id
    return read_lesson(engine.store, task, embedder, needed=5, demo=False)


def test_without_re_deliveries_training_goes_on_as_ever(engine: Engine) -> None:
    version = candidate(engine, TASK, classifier="svm", settings=augmented(engine, Augment.AUTO))

    found = version.card["redelivery"]
    assert not found["used"]
    assert "0 training pictures" in found["why"]
    assert redelivered(version.card) == ""


def test_asked_for_without_re_deliveries_training_says_what_to_run(engine: Engine) -> None:
    with pytest.raises(NotEnoughData, match="python -m embeddings"):
        candidate(engine, TASK, settings=augmented(engine, Augment.ON))


def test_switched_off_the_flips_are_measured_all_the_same(engine: Engine) -> None:
    deliver(engine)

    version = candidate(engine, TASK, classifier="svm", settings=augmented(engine, Augment.OFF))

    found = version.card["redelivery"]
    assert not found["used"]
    assert "flips" in found
    assert "not trained against that: AUGMENT=off" in redelivered(version.card)


def test_how_it_is_trained_is_part_of_what_a_version_is_made_of(engine: Engine) -> None:
    task = engine.store.tasks.get(TASK)
    prints = {
        Recipe(task, "e:1", "auto", False, augmented(engine, how)).fingerprint("same pictures")
        for how in Augment
    }

    assert len(prints) == len(Augment)
