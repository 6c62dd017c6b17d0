"""What is trained on: whose word counts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from domain import Sample, Split, Task, TaskKind
from models.admission import FREE_VOTES
from models.lesson import corrected
from storage import Store
from tests.contracts.stores import facts, new, sha
from tests.contracts.stores import teach as taught

TASK, EMBEDDER = "letters", "e:1"


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
