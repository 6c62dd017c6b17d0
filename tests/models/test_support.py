"""What a version is held to does not move while it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from domain import ModelVersion, Split, TaskKind
from models.support import Support, read_support
from storage import Store
from tests.contracts.stores import facts, new, sha, teach

TASK = "letters"
EMBEDDER = "e:1"


@pytest.fixture
def lettered(store: Store) -> Store:
    store.tasks.create(TASK, TaskKind.DRAWING, ("a", "b"), open=True)
    return store


def add(
    store: Store, names: Sequence[str], label: str, split: Split, *, demo: bool = False
) -> None:
    for name in names:
        store.samples.add(TASK, facts(name), new(label, split=split, demo=demo))
    vectors = np.stack([vector(name) for name in names])
    store.vectors.put(EMBEDDER, [sha(name) for name in names], vectors)


def vector(name: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    row = np.random.default_rng(int(sha(name)[:8], 16)).standard_normal(6).astype(np.float32)
    return np.asarray(row / np.linalg.norm(row), np.float32)


def version(*, demo: bool = False, at: datetime | None = None) -> ModelVersion:
    at = at or datetime.now(UTC) + timedelta(seconds=1)
    return ModelVersion("v", TASK, EMBEDDER, "svm", "0" * 64, demo, at, {})


def same(one: Support, other: Support) -> bool:
    return (
        np.array_equal(one.vectors, other.vectors)
        and np.array_equal(one.golden, other.golden)
        and list(one.labels) == list(other.labels)
        and list(one.golden_labels) == list(other.golden_labels)
        and one.golden_pictures == other.golden_pictures
    )


def test_anchors_are_trained_on_and_golden_pictures_held_out(lettered: Store) -> None:
    add(lettered, ["t1", "t2"], "a", Split.TRAIN)
    add(lettered, ["h1"], "b", Split.TEST)

    support = read_support(lettered, version())

    assert sorted(map(tuple, support.vectors)) == sorted([tuple(vector("t1")), tuple(vector("t2"))])
    assert list(support.labels) == ["a", "a"]
    np.testing.assert_array_equal(support.golden, [vector("h1")])
    assert support.golden_pictures == {sha("h1"): "b"}


def test_what_came_after_the_version_changes_nothing(lettered: Store) -> None:
    add(lettered, [f"t{i}" for i in range(20)], "a", Split.TRAIN)
    add(lettered, [f"h{i}" for i in range(20)], "b", Split.TEST)
    made = replace(version(), created_at=datetime.now(UTC))
    before = read_support(lettered, made)

    add(lettered, [f"late{i}" for i in range(20)], "a", Split.TRAIN)
    add(lettered, [f"late-held{i}" for i in range(20)], "b", Split.TEST)

    assert same(read_support(lettered, made), before)


def test_which_are_taken_does_not_depend_on_the_order_they_came_in(
    lettered: Store, settings: object
) -> None:
    names = [f"t{i}" for i in range(30)]
    add(lettered, names, "a", Split.TRAIN)
    first = read_support(lettered, version(), most=10)
    lettered.tasks.create("other", TaskKind.DRAWING, ("a", "b"), open=True)
    for name in reversed(names):
        lettered.samples.add("other", facts(name), new("a"))

    second = read_support(lettered, replace(version(), task="other"), most=10)

    assert len(first.vectors) == 10
    np.testing.assert_array_equal(first.vectors, second.vectors)


def test_rare_labels_get_their_share(lettered: Store) -> None:
    add(lettered, [f"a{i}" for i in range(60)], "a", Split.TRAIN)
    add(lettered, [f"b{i}" for i in range(8)], "b", Split.TRAIN)

    labels = list(read_support(lettered, version(), most=20).labels)

    assert labels.count("b") == 8
    assert labels.count("a") == 12


def test_what_corrections_brought_stands_back_behind_other_pictures(lettered: Store) -> None:
    add(lettered, ["t1"], "a", Split.TRAIN)
    for name, label in (("taught a", "a"), ("taught b", "b")):
        teach(lettered, name, label, task=TASK)
        lettered.vectors.put(EMBEDDER, [sha(name)], vector(name)[None])

    support = read_support(lettered, version())

    found = {tuple(row) for row in support.vectors}
    assert found == {tuple(vector("t1")), tuple(vector("taught b"))}  # b has no others


def test_a_version_is_held_to_pictures_of_its_kind(lettered: Store) -> None:
    add(lettered, ["mine"], "a", Split.TRAIN)
    add(lettered, ["shipped"], "a", Split.TRAIN, demo=True)

    np.testing.assert_array_equal(
        read_support(lettered, version(demo=True)).vectors, [vector("shipped")]
    )
    np.testing.assert_array_equal(read_support(lettered, version()).vectors, [vector("mine")])


def test_pictures_without_a_vector_are_left_out(lettered: Store) -> None:
    add(lettered, ["t1", "t2"], "a", Split.TRAIN)
    lettered.samples.add(TASK, facts("not embedded"), new("a", split=Split.TRAIN))

    assert len(read_support(lettered, version()).vectors) == 2


def test_a_task_without_vectors_has_empty_support(lettered: Store) -> None:
    support = read_support(lettered, version())

    assert len(support.vectors) == len(support.labels) == len(support.golden) == 0
    assert support.golden_pictures == {}
