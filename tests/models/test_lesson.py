"""What is trained on: whose word counts, and which labels have enough."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from domain import NotEnoughData, Sample, Split, Task, TaskKind
from models.admission import FREE_VOTES
from models.lesson import Lesson, corrected, read_lesson
from storage import Store
from tests.contracts.stores import facts, new, sha
from tests.contracts.stores import teach as taught

TASK, EMBEDDER, NEEDED = "letters", "e:1", 4


@pytest.fixture
def task(store: Store) -> Task:
    return store.tasks.create(TASK, TaskKind.DRAWING, ("a", "b"), open=True)


def add(
    store: Store, label: str, n: int, *, split: Split = Split.TRAIN, family: str | None = None
) -> list[str]:
    """Bring pictures with their label; a fifth of them, or all, are held out."""
    names = [f"{label}{split}{family}{i}" for i in range(n)]
    for i, name in enumerate(names):
        side = Split.TEST if i % 5 == 4 else split
        picture = new(label, split=side, family=family or name)
        store.samples.add(TASK, facts(name), picture)
    look_at(store, names)
    return names


def look_at(store: Store, names: list[str]) -> None:
    store.vectors.put(EMBEDDER, [sha(name) for name in names], np.eye(len(names), 8, dtype="f4"))


def teach(store: Store, name: str, label: str, person: str, *, trusted: bool = False) -> None:
    taught(store, name, label, person, task=TASK, trusted=trusted)


def heard(store: Store, task: Task) -> dict[str, str]:
    samples: list[Sample] = corrected(store, task, store.samples.all(TASK))
    return {sample.sha256: sample.label for sample in samples}


def read(store: Store) -> Lesson:
    return read_lesson(store, store.tasks.get(TASK), EMBEDDER, needed=NEEDED, demo=False)


def known(lesson: Lesson) -> set[str]:
    return {*lesson.train.classes, *lesson.test.classes}


# --- whose word counts ---


@pytest.mark.parametrize("split", list(Split))
def test_somebody_untrusted_relabels_no_picture_that_was_brought(
    store: Store, task: Task, split: Split
) -> None:
    (name,) = add(store, "a", 1, split=split)

    for person in ("eve", "mallory"):
        teach(store, name, "b", person)

    assert heard(store, task) == {sha(name): "a"}


@pytest.mark.parametrize("split", list(Split))
def test_somebody_trusted_relabels_what_was_brought(store: Store, task: Task, split: Split) -> None:
    (name,) = add(store, "a", 1, split=split)

    teach(store, name, "b", "admin", trusted=True)
    teach(store, name, "a", "eve")

    assert heard(store, task) == {sha(name): "b"}


def test_who_agrees_with_what_was_brought_takes_nothing_away(store: Store, task: Task) -> None:
    names = add(store, "a", 2 * FREE_VOTES)
    teach(store, "other", "b", "admin", trusted=True)

    for name in names:
        teach(store, name, "a", "eve")

    assert heard(store, task) == {sha("other"): "b"} | {sha(name): "a" for name in names}


def test_a_flood_of_one_untrusted_person_is_trained_on_up_to_a_share(
    store: Store, task: Task
) -> None:
    for i in range(30):
        teach(store, f"honest {i}", "a", "admin", trusted=True)
    for i in range(2 * FREE_VOTES):
        teach(store, f"flood {i}", "b", "eve")

    assert Counter(heard(store, task).values()) == {"a": 30, "b": FREE_VOTES}


def test_taught_pictures_that_people_are_at_odds_about_are_not_trained_on(
    store: Store, task: Task
) -> None:
    for name in ("x", "y"):
        teach(store, name, "a", "ann")
        teach(store, name, "b", "bob")
    teach(store, "y", "b", "admin", trusted=True)

    assert heard(store, task) == {sha("y"): "b"}


def test_what_is_trained_on_is_held_to_under_the_same_labels(store: Store, task: Task) -> None:
    names = add(store, "a", 10) + add(store, "b", 10)
    teach(store, names[0], "b", "admin", trusted=True)
    teach(store, names[1], "b", "eve")

    lesson = read(store)

    anchors, golden = lesson.support["anchors"], lesson.support["golden"]
    assert (len(anchors), len(golden)) == (len(lesson.train), len(lesson.test)) == (16, 4)
    assert (anchors[sha(names[0])], anchors[sha(names[1])]) == ("b", "a")


# --- which labels have enough ---


def test_labels_of_an_open_task_with_too_few_pictures_are_left_out_and_named(
    store: Store, task: Task
) -> None:
    add(store, "a", 10)
    add(store, "b", 10)
    teach(store, "one", "new", "eve")
    look_at(store, ["one"])

    lesson = read(store)

    assert known(lesson) == {"a", "b"}
    assert lesson.left_out == {"new": 1}
    assert sha("one") not in {**lesson.support["anchors"], **lesson.support["golden"]}


def test_near_duplicates_of_one_picture_do_not_make_a_label(store: Store, task: Task) -> None:
    add(store, "a", 10)
    add(store, "b", 10)
    for i in range(NEEDED):
        teach(store, f"copy {i}", "new", "eve")  # all of one family
    look_at(store, [f"copy {i}" for i in range(NEEDED)])

    lesson = read(store)

    assert known(lesson) == {"a", "b"}
    assert lesson.left_out == {"new": NEEDED}


def test_an_open_task_needs_two_labels_with_enough_pictures(store: Store, task: Task) -> None:
    add(store, "a", 10)
    add(store, "b", NEEDED - 1)

    with pytest.raises(NotEnoughData, match=f"a 10, b {NEEDED - 1}"):
        read(store)


def test_an_open_task_whose_pictures_are_all_alike_is_told_so(store: Store, task: Task) -> None:
    add(store, "a", 10)
    add(store, "b", 10, split=Split.TEST, family="burst")

    with pytest.raises(NotEnoughData, match="b are near-duplicates"):
        read(store)


def test_a_closed_task_needs_every_label(store: Store) -> None:
    store.tasks.create(TASK, TaskKind.DRAWING, ("a", "b", "c"), open=False)
    add(store, "a", 10)
    add(store, "b", 10)
    add(store, "c", NEEDED - 1)

    with pytest.raises(NotEnoughData, match=f"c {NEEDED - 1}"):
        read(store)
