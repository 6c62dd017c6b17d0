"""What a version is held to does not move while it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from domain import ModelVersion, NewCorrection, Person, Split, TaskKind
from models.adjusted import golden_right
from models.support import Support, choose_support, read_support
from storage import Store
from tests.contracts.stores import facts, new, sha, teach
from tests.models.correcting import Centres

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


# --- frozen in the card ---


def frozen(store: Store, labels: tuple[str, ...] = ("a", "b"), **more: int) -> ModelVersion:
    """A version as training makes it now."""
    support = choose_support(store.samples.all(TASK), **more)
    return replace(version(), card={"labels": list(labels), "support": support})


def test_the_card_names_what_a_version_is_held_to(lettered: Store) -> None:
    add(lettered, ["t1", "t2"], "a", Split.TRAIN)
    add(lettered, ["h1"], "b", Split.TEST)

    made = frozen(lettered)

    assert made.card["support"] == {
        "anchors": {sha("t1"): "a", sha("t2"): "a"},
        "golden": {sha("h1"): "b"},
    }
    assert same(read_support(lettered, made), read_support(lettered, version()))


def test_no_more_are_named_than_asked_for(lettered: Store) -> None:
    add(lettered, [f"t{i}" for i in range(9)], "a", Split.TRAIN)
    add(lettered, [f"h{i}" for i in range(9)], "b", Split.TEST)

    support = frozen(lettered, most=4, golden=3).card["support"]

    assert (len(support["anchors"]), len(support["golden"])) == (4, 3)


def test_corrections_after_a_version_do_not_flip_what_it_is_held_to(lettered: Store) -> None:
    for i in range(8):
        name, label = f"taught {i}", "ab"[i % 2]
        picture = new(label, split=Split.TEST if i < 4 else Split.TRAIN)
        said = NewCorrection(sha(name), label, Person("ann", trusted=False))
        lettered.corrections.teach(TASK, said, facts(name), picture)
        lettered.vectors.put(EMBEDDER, [sha(name)], vector(name)[None])
    made = frozen(lettered)
    before = read_support(lettered, made)

    for i in range(8):
        teach(lettered, f"taught {i}", "ba"[i % 2], "eve", task=TASK, trusted=False)
    own = [row.id for row in lettered.corrections.of_person(TASK, "ann")]
    lettered.corrections.undo(TASK, own[:4], "ann", False)

    assert before.golden_pictures == {sha(f"taught {i}"): "ab"[i % 2] for i in range(4)}
    assert same(read_support(lettered, made), before)


def test_an_erased_picture_is_held_to_no_more(lettered: Store) -> None:
    add(lettered, ["t1", "t2"], "a", Split.TRAIN)
    add(lettered, ["h1", "h2"], "b", Split.TEST)
    made = frozen(lettered)

    lettered.erase(sha("t1"))
    lettered.erase(sha("h2"))

    support = read_support(lettered, made)
    np.testing.assert_array_equal(support.vectors, [vector("t2")])
    np.testing.assert_array_equal(support.golden, [vector("h1")])
    assert support.golden_pictures == {sha("h1"): "b"}


@pytest.mark.parametrize("named", [True, False])
def test_a_label_linked_after_training_loses_no_golden_picture(
    lettered: Store, named: bool
) -> None:
    for label in "ab":
        add(lettered, [f"t{label}"], label, Split.TRAIN)
        add(lettered, [f"h{label}"], label, Split.TEST)
    made = frozen(lettered)
    if not named:  # as a version made before cards named their support
        made = replace(made, card={"labels": made.card["labels"]})
    head = Centres(np.stack([vector("ha"), vector("hb")]), ("a", "b"))
    assert golden_right(head, read_support(lettered, made)) == (2, 2)

    lettered.tasks.link(TASK, "a", "b")

    assert golden_right(head, read_support(lettered, made)) == (2, 2)
