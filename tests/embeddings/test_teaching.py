"""Teaching copies: the same for the same file, computed once, and never those of another id."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from domain import TaskKind
from embeddings.builtin import Builtin, augment
from embeddings.images import Picture, decode
from embeddings.teaching import RECIPE, copies_id, copies_of, load_copies, store_teaching
from storage import Store
from tests.pictures import encode, photo

COPIED = (TaskKind.PHOTO, TaskKind.DRAWING)


class Counting:
    """An embedder that remembers the size of each batch; a row tells the mean of its picture."""

    dim, device, runtime, reason = 3, "cpu", "numpy", "for tests"

    def __init__(self, name: str = "counting:1") -> None:
        self.id = name
        self.batches: list[int] = []

    def embed(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        self.batches.append(len(pictures))
        means = [picture.pixels.mean((0, 1)) + 1 for picture in pictures]
        return np.stack([mean / np.linalg.norm(mean) for mean in means]).astype(np.float32)


def picture(seed: int) -> Picture:
    return decode(encode(photo(seed, 120, 90), "PNG"))


@pytest.mark.parametrize("kind", COPIED)
def test_the_same_file_gives_the_same_copies(kind: TaskKind) -> None:
    one, again = (copies_of(picture(1), kind, Builtin(kind)) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert 6 <= len(one) <= 8
    assert np.linalg.norm(one, axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", COPIED)
def test_copies_are_near_the_picture_and_differ(kind: TaskKind) -> None:
    embedder = Builtin(kind)
    copies = copies_of(picture(2), kind, embedder)
    likeness = copies @ embedder.embed([picture(2)])[0]
    assert 0.5 < likeness.min()
    assert likeness.max() < 0.9999
    assert len(np.unique(copies.round(3), axis=0)) == len(copies)


@pytest.mark.parametrize("kind", COPIED)
def test_all_copies_are_embedded_as_one_batch(store: Store, kind: TaskKind) -> None:
    embedder = Counting()
    copies = store_teaching(store, embedder, picture(3), kind)
    assert embedder.batches == [len(copies)]


def test_what_is_stored_is_loaded_and_not_made_again(store: Store) -> None:
    embedder = Counting()
    stored = {
        p.facts.sha256: store_teaching(store, embedder, p, TaskKind.PHOTO)
        for p in map(picture, range(5))
    }
    unknown = picture(9).facts.sha256

    loaded = load_copies(store, embedder, TaskKind.PHOTO, [*stored, unknown])

    assert list(loaded) == list(stored)
    for name, copies in stored.items():
        np.testing.assert_array_equal(loaded[name], copies)
    np.testing.assert_array_equal(
        store_teaching(store, embedder, picture(4), TaskKind.PHOTO),
        stored[picture(4).facts.sha256],
    )
    assert len(embedder.batches) == 5


def test_copies_of_two_embedders_or_kinds_never_mix(store: Store) -> None:
    one, two = Counting("one:1"), Counting("two:1")
    name = picture(1).facts.sha256
    store_teaching(store, one, picture(1), TaskKind.PHOTO)

    assert load_copies(store, two, TaskKind.PHOTO, [name]) == {}
    assert load_copies(store, one, TaskKind.DRAWING, [name]) == {}
    assert load_copies(store, one, TaskKind.PHOTO, [name]) != {}
    assert len({copies_id(e, kind) for e in (one, two) for kind in COPIED}) == 4


def test_a_pictures_own_vector_is_left_alone(store: Store) -> None:
    embedder = Counting()
    store_teaching(store, embedder, picture(1), TaskKind.PHOTO)
    assert store.vectors.count(embedder.id) == 0


def test_authenticity_has_no_copies(store: Store) -> None:
    embedder = Counting()
    copies = store_teaching(store, embedder, picture(1), TaskKind.AUTHENTICITY)
    assert copies.shape == (0, embedder.dim)
    assert embedder.batches == []
    name = picture(1).facts.sha256
    assert load_copies(store, embedder, TaskKind.AUTHENTICITY, [name]) == {}


def test_many_pictures_are_asked_for_in_few_queries() -> None:
    asked: list[int] = []

    class Vectors:
        def put(self, *_: object) -> None:
            raise AssertionError("loading stores nothing")

        def get(self, _: str, sha256s: Sequence[str]) -> tuple[list[str], NDArray[np.float32]]:
            asked.append(len(sha256s))
            return list(sha256s), np.ones((len(sha256s), 24), np.float32)

    class Shelves:
        vectors = Vectors()

    loaded = load_copies(Shelves(), Counting(), TaskKind.PHOTO, [f"{n:064x}" for n in range(700)])

    assert len(loaded) == 700
    assert loaded[f"{3:064x}"].shape == (8, 3)
    assert len(asked) <= 3


@pytest.mark.parametrize(
    ("kind", "recipe", "expected"),
    [
        (TaskKind.PHOTO, 1, [120.5, 121.9, 120.8]),
        (TaskKind.DRAWING, 1, [122.6, 121.5, 121.3]),
    ],
)
def test_copies_made_otherwise_need_another_recipe(
    kind: TaskKind, recipe: int, expected: list[float]
) -> None:
    """Whoever changes this test for other copies changes RECIPE too: stored ones would mix."""
    copies = augment(photo(5, 200, 150), kind, 7)
    assert recipe == RECIPE
    assert [float(copy[:40].mean()) for copy in copies[:3]] == pytest.approx(expected, abs=0.3)
