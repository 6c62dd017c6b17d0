"""What a process holds of labelled pictures follows the store and the log of corrections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from config import Settings
from domain import NewCorrection, Person, PictureFacts, Task, TaskKind
from engine import Engine, open_engine
from models.neighbours import BLOCK, Neighbours
from tests.trained import EMBEDDER, TASK, quickly, teach

ANNA = Person("anna", trusted=True)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    opened = open_engine(settings)
    opened.store.tasks.create(TASK, TaskKind.PHOTO, ["no_smile", "smile"], open=True)
    yield opened
    opened.close()


def neighbours(engine: Engine, **limits: int) -> Neighbours:
    shelves = {kind: engine.learned.shelf(kind) for kind in TaskKind}
    return Neighbours(engine.store, shelves, **limits)


def task(engine: Engine) -> Task:
    return engine.store.tasks.get(TASK)


def labels_of(engine: Engine, held: Neighbours, sha256: str) -> list[str]:
    """The label under which a picture is held; none where it does not count."""
    labelled = held.of(task(engine), engine.learned.knowledge(task(engine)))
    (vector,) = engine.store.vectors.get(EMBEDDER, [sha256])[1]
    sample = engine.store.samples.get(TASK, sha256)
    found = labelled.nearest(vector, 1000)
    return [one.label for one in found if sample is not None and one.sample_id == sample.id]


def say(engine: Engine, sha256: str, label: str, person: Person = ANNA) -> str:
    facts = engine.store.samples.facts([sha256])[sha256]
    new = NewCorrection(sha256=sha256, label=label, person=person)
    return engine.store.corrections.teach(TASK, new, facts, None).correction.id


def first(engine: Engine, label: str) -> str:
    return next(s.sha256 for s in engine.store.samples.all(TASK) if s.label == label)


def test_every_sample_with_a_vector_is_held(engine: Engine) -> None:
    teach(engine.store, 6)
    teach(engine.store, 3, name="bare", with_vectors=False)

    labelled = neighbours(engine).of(task(engine), engine.learned.knowledge(task(engine)))

    assert len(labelled) == 12
    assert set(labelled.classes) == {"smile", "no_smile"}


def test_new_samples_are_held_at_the_next_look(engine: Engine) -> None:
    held = neighbours(engine)
    teach(engine.store, 4)
    before = held.of(task(engine), engine.learned.knowledge(task(engine)))
    teach(engine.store, 5, name="later")

    after = held.of(task(engine), engine.learned.knowledge(task(engine)))

    assert (len(before), len(after)) == (8, 18)


def test_vectors_that_came_later_are_held(engine: Engine) -> None:
    held = neighbours(engine)
    teach(engine.store, 4, with_vectors=False)
    assert len(held.of(task(engine), engine.learned.knowledge(task(engine)))) == 0
    sha256s = [sample.sha256 for sample in engine.store.samples.all(TASK)]
    engine.store.vectors.put(EMBEDDER, sha256s, np.eye(len(sha256s), dtype=np.float32))

    engine.store.tasks.renew(TASK)

    assert len(held.of(task(engine), engine.learned.knowledge(task(engine)))) == 8


def test_a_correction_wins_over_the_label_it_came_with(engine: Engine) -> None:
    held = neighbours(engine)
    teach(engine.store, 4)
    sha256 = first(engine, "smile")
    assert labels_of(engine, held, sha256) == ["smile"]

    said = say(engine, sha256, "no_smile")
    corrected = labels_of(engine, held, sha256)
    engine.store.corrections.undo(TASK, [said], ANNA.name, ANNA.trusted)

    assert corrected == ["no_smile"]
    assert labels_of(engine, held, sha256) == ["smile"]


def test_a_picture_that_people_are_at_odds_about_does_not_count(engine: Engine) -> None:
    held = neighbours(engine)
    teach(engine.store, 4)
    sha256 = first(engine, "smile")
    for name, label in (("anna", "smile"), ("ben", "no_smile")):
        say(engine, sha256, label, Person(name, trusted=False))

    assert labels_of(engine, held, sha256) == []


def test_a_variant_counts_as_the_label_it_stands_for(engine: Engine) -> None:
    held = neighbours(engine)
    teach(engine.store, 4)
    sha256 = first(engine, "smile")
    say(engine, sha256, "grin")
    assert labels_of(engine, held, sha256) == ["grin"]

    engine.store.tasks.link(TASK, "smile", "grin")

    assert labels_of(engine, held, sha256) == ["smile"]


def test_an_erased_picture_is_gone(engine: Engine) -> None:
    held = neighbours(engine)
    teach(engine.store, 4)
    held.of(task(engine), engine.learned.knowledge(task(engine)))
    sha256 = first(engine, "smile")
    number = engine.store.samples.get(TASK, sha256)
    assert number is not None

    engine.store.erase(sha256)

    labelled = held.of(task(engine), engine.learned.knowledge(task(engine)))
    assert number.id not in labelled.ids.tolist()
    assert len(labelled) == 7


def test_what_was_read_before_a_reset_is_forgotten(engine: Engine) -> None:
    held = neighbours(engine)
    teach(engine.store, 4)
    held.of(task(engine), engine.learned.knowledge(task(engine)))

    engine.store.tasks.reset(TASK)
    teach(engine.store, 1, name="anew")

    assert len(held.of(task(engine), engine.learned.knowledge(task(engine)))) == 2


def test_the_demonstration_is_held_only_where_it_answers(engine: Engine) -> None:
    held = neighbours(engine)
    teach(engine.store, 30, name="demo", demo=True)
    without = held.of(task(engine), engine.learned.knowledge(task(engine)))
    quickly(engine, demo=True)

    known = engine.learned.knowledge(task(engine))

    assert known.version is not None and known.version.demo
    assert (len(without), len(held.of(task(engine), known))) == (0, 60)


def test_of_too_many_examples_the_same_are_held_everywhere(engine: Engine) -> None:
    teach(engine.store, 30)
    known = engine.learned.knowledge(task(engine))

    one = neighbours(engine, most=20).of(task(engine), known)
    other = neighbours(engine, most=20).of(task(engine), known)

    assert (len(one), one.left_out) == (20, 40)
    assert one.ids.tolist() == other.ids.tolist()
    assert set(one.classes) == {"smile", "no_smile"}


def test_the_task_asked_longest_ago_makes_room(engine: Engine) -> None:
    teach(engine.store, 4)
    for name in ("second", "third"):
        engine.store.tasks.create(name, TaskKind.PHOTO, ["no_smile", "smile"], open=True)
        teach(engine.store, 4, task=name, name=name)
    one_task = BLOCK * 12 * 4
    held = neighbours(engine, most_bytes=2 * one_task)

    for name in (TASK, "second", "third", "second"):
        asked = engine.store.tasks.get(name)
        assert len(held.of(asked, engine.learned.knowledge(asked))) == 8

    assert held.nbytes == 2 * one_task


def test_a_moment_given_out_stays_as_it_was(engine: Engine) -> None:
    held = neighbours(engine)
    teach(engine.store, 4)
    before = held.of(task(engine), engine.learned.knowledge(task(engine)))
    teach(engine.store, 4, name="later")
    held.of(task(engine), engine.learned.knowledge(task(engine)))
    newest = engine.store.samples.all(TASK)[-1].sha256
    (vector,) = engine.store.vectors.get(EMBEDDER, [newest])[1]

    familiarity = before.familiarity(vector, newest)

    assert len(before) == 8
    assert familiarity is not None


def test_vectors_that_are_no_numbers_are_left_out(engine: Engine) -> None:
    teach(engine.store, 4, with_vectors=False)
    sha256s = [sample.sha256 for sample in engine.store.samples.all(TASK)]
    rows = np.eye(len(sha256s), dtype=np.float32)
    rows[0, 0] = np.nan
    engine.store.vectors.put(EMBEDDER, sha256s, rows)

    labelled = neighbours(engine).of(task(engine), engine.learned.knowledge(task(engine)))

    assert len(labelled) == len(sha256s) - 1


def test_facts_of_pictures_that_are_only_corrected_bring_no_example(engine: Engine) -> None:
    """A correction of a picture that is no sample has nothing to point at."""
    teach(engine.store, 4)
    facts = PictureFacts("f" * 64, 8, 8, "PNG", 1, 1)
    new = NewCorrection(sha256=facts.sha256, label="smile", person=ANNA)
    engine.store.corrections.teach(TASK, new, facts, None)

    labelled = neighbours(engine).of(task(engine), engine.learned.knowledge(task(engine)))

    assert len(labelled) == 8


def test_only_open_tasks_ask_how_familiar_a_picture_is(engine: Engine) -> None:
    engine.store.tasks.create("closed", TaskKind.PHOTO, ["no_smile", "smile"], open=False)
    held = neighbours(engine)
    far = np.full(12, -(12**-0.5), np.float32)
    for name in (TASK, "closed"):
        teach(engine.store, 20, task=name)
        quickly(engine, name)
        asked = engine.store.tasks.get(name)
        known = engine.learned.knowledge(asked)

        (near, unseen) = held.familiarities(asked, known, [("0" * 64, far), ("1" * 64, None)])

        assert (near is not None) is asked.open
        assert unseen is None
        by_words = replace(known, words=0.2)
        assert held.familiarities(asked, by_words, [("0" * 64, far)]) == [None]
