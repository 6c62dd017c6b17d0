"""Corrections change what they are about, and nothing else."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from models import Head
from models.adjusted import Adjusted, adjust, golden_right
from models.products import MOST, Products
from models.support import Support
from models.taught import Shown
from tests.models.correcting import Centres, Rows, World, said, shown

LETTERS = tuple("abcdef")


def alike(one: Adjusted, other: Adjusted) -> bool:
    """Whether two heads are the same, byte for byte."""
    if one.classes != other.classes or one.correcting is None or other.correcting is None:
        return one.classes == other.classes and one.correcting is other.correcting
    mine, theirs = dataclasses.asdict(one.correcting), dataclasses.asdict(other.correcting)
    for parts in (mine, theirs):
        del parts["scaling"], parts["kernels"]
    return all(np.array_equal(mine[key], theirs[key]) for key in mine)


def right(head: Head, world: World) -> float:
    """Accuracy on pictures like those the head was made for, which nothing else has seen."""
    vectors, labels = world.pictures(200)
    return float((said(head, vectors) == labels).mean())


# --- as every head ---


@pytest.fixture(scope="module", params=["known labels", "a new label", "nothing shown"])
def adjusted(request: pytest.FixtureRequest) -> Adjusted:
    world = World(LETTERS)
    new = {"known labels": "b", "a new label": "ಅ"}
    label = new.get(request.param)
    examples = shown(world.near(world.somewhere(1), 20), [label] * 20) if label else []
    return adjust(world.head, world.support, examples)


def test_its_classes_are_sorted_plain_strings(adjusted: Adjusted) -> None:
    assert adjusted.classes == tuple(sorted(set(adjusted.classes)))
    assert set(adjusted.classes) - {"ಅ"} == set(LETTERS)
    assert all(type(label) is str for label in adjusted.classes)


def test_its_rows_are_probabilities(adjusted: Adjusted) -> None:
    for vectors in (World(seed=5).somewhere(200), np.zeros((3, 48), np.float32)):
        chances = adjusted.predict_proba(vectors)
        assert chances.shape == (len(vectors), len(adjusted.classes))
        assert chances.dtype == np.float64
        assert chances.min() >= 0
        assert chances.max() <= 1
        np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-12)


def test_it_answers_no_vectors_with_no_rows(adjusted: Adjusted) -> None:
    chances = adjusted.predict_proba(np.empty((0, 48), np.float32))
    assert chances.shape == (0, len(adjusted.classes))


def test_a_vector_gets_the_same_answer_alone_and_in_a_batch(adjusted: Adjusted) -> None:
    vectors = World(seed=5).somewhere(50)

    together = adjusted.predict_proba(vectors)
    alone = np.concatenate([adjusted.predict_proba(row[None]) for row in vectors])

    np.testing.assert_allclose(alone, together, atol=1e-12)


def test_threads_may_share_it(adjusted: Adjusted) -> None:
    vectors = World(seed=5).somewhere(50)
    expected = adjusted.predict_proba(vectors)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: adjusted.predict_proba(vectors), range(12)))

    for answer in answers:
        np.testing.assert_array_equal(answer, expected)


# --- what a correction does ---


def test_without_corrections_the_head_answers_as_it_did() -> None:
    world = World()
    vectors = world.somewhere(50)

    head = adjust(world.head, world.support, [])

    np.testing.assert_array_equal(head.predict_proba(vectors), world.head.predict_proba(vectors))


@pytest.mark.parametrize("weight", [1, 3])
def test_one_correction_turns_its_picture_and_its_near_copies(weight: int) -> None:
    for seed in range(10):
        world = World(LETTERS, seed)
        picture = world.near(world.places[0], 1)  # the head is sure, and is told it is wrong
        copies = world.near(picture, 10, spread=0.1)

        head = adjust(world.head, world.support, shown(picture, ["c"], weight=weight))

        assert set(said(head, np.concatenate([picture, copies]))) == {"c"}


def test_one_correction_leaves_unrelated_pictures_alone() -> None:
    changed = []
    for seed in range(10):
        world = World(LETTERS, seed)
        others = world.pictures(100)[0]
        head = adjust(world.head, world.support, shown(world.somewhere(1), ["c"]))
        changed.append((said(head, others) != said(world.head, others)).mean())

    assert np.mean(changed) <= 0.01


def test_corrections_from_a_new_place_are_learned_for_all_of_it() -> None:
    for seed in range(5):
        world = World(seed=seed)
        fresh, same = world.places[0] + world.somewhere(1) * 2, world.pictures(200)
        strange = world.near(fresh, 120, spread=0.7)
        before = (said(world.head, strange[20:]) == "real").mean()

        head = adjust(world.head, world.support, shown(strange[:20], ["real"] * 20))

        assert before < 0.5
        assert (said(head, strange[20:]) == "real").mean() > 0.8
        lost = (said(world.head, same[0]) == same[1]).mean() - (said(head, same[0]) == same[1])
        assert lost.mean() <= 0.02


def test_a_confident_mistake_weighs_more() -> None:
    world = World()
    picture = world.near(world.places[0], 1)
    beside = world.near(picture, 20, spread=0.5)

    free = dataclasses.replace(
        world.support,
        golden=world.support.golden[:0],
        golden_labels=world.support.golden_labels[:0],
    )

    light, heavy = (
        adjust(world.head, free, shown(picture, ["real"], weight=weight)) for weight in (1, 3)
    )

    assert (heavy.predict_proba(beside)[:, 1] > light.predict_proba(beside)[:, 1]).all()


def test_new_labels_are_told_from_the_known_ones_by_a_few_examples() -> None:
    world = World(LETTERS)
    new = world.somewhere(4)
    names = ["w", "x", "y", "z"]
    examples = [
        one
        for place, name in zip(new, names, strict=True)
        for one in shown(world.near(place, 5), [name] * 5, name=name)
    ]

    head = adjust(world.head, world.support, examples)

    assert head.classes == (*LETTERS, *names)
    for place, name in zip(new, names, strict=True):
        assert (said(head, world.near(place, 100)) == name).mean() > 0.9
    assert right(world.head, world) - right(head, world) <= 0.02


# --- what it must not do ---


@pytest.mark.parametrize("flood", ["all of one label", "random", "all wrong", "a new label"])
@pytest.mark.parametrize("n", [100, 500])
def test_a_flood_of_wrong_labels_keeps_what_was_known(flood: str, n: int) -> None:
    lost, lost_golden = [], []
    for seed in range(5):
        world = World(LETTERS, seed)
        vectors, labels = world.pictures(100)
        rows = world.random.permutation(len(vectors))[:n]
        wrong = {
            "all of one label": np.full(n, "a"),
            "random": world.random.choice(LETTERS, n),
            "all wrong": np.asarray([LETTERS[(LETTERS.index(x) + 1) % 6] for x in labels[rows]]),
            "a new label": np.full(n, "z"),
        }[flood]

        head = adjust(world.head, world.support, shown(vectors[rows], wrong, weight=3))

        before, of = golden_right(world.head, world.support)
        kept = golden_right(head, world.support)[0]
        uncounted = dataclasses.replace(head, golden_right=None)
        assert kept == golden_right(uncounted, world.support)[0]
        lost_golden.append((before - kept) / of)
        lost.append(right(world.head, world) - right(head, world))

    assert max(lost_golden) <= 0.02
    assert np.mean(lost) <= 0.02


def test_even_in_a_flood_each_picture_gets_the_label_it_was_given() -> None:
    world = World(LETTERS)
    vectors, labels = world.pictures(50)
    wrong = [LETTERS[(LETTERS.index(x) + 1) % 6] for x in labels]

    head = adjust(world.head, world.support, shown(vectors, wrong))

    assert (said(head, vectors) == np.asarray(wrong)).mean() > 0.95


# --- the same for the same ---


@pytest.mark.parametrize("new_label", [False, True])
def test_what_happened_in_between_changes_no_byte(new_label: bool) -> None:
    """Taught and taken back in any order, with products kept or not."""
    world = World(LETTERS)
    labels = world.random.choice((*LETTERS, "z") if new_label else LETTERS, 150)
    every = shown(world.somewhere(150), labels)
    products = Products(world.head, world.support)
    for _ in range(20):
        some = [every[i] for i in world.random.permutation(150)[: world.random.integers(1, 150)]]
        kept = adjust(world.head, world.support, some, products)
        anew = adjust(world.head, world.support, list(reversed(some)))

        assert alike(kept, anew)


def test_products_forget_what_is_no_longer_shown() -> None:
    world = World()
    products = Products(world.head, world.support)
    rows = world.somewhere(900)
    sizes = []
    for start in range(0, 900, 100):
        part = shown(rows[start : start + 100], ["ai"] * 100, name=f"part-{start}")
        adjust(world.head, world.support, part, products)
        sizes.append(products.nbytes)

    assert sizes[-1] == sizes[1]


def test_an_id_may_stand_for_another_picture_the_next_time() -> None:
    """As that of a correction which is only tried."""
    world = World()
    products = Products(world.head, world.support)
    rows = world.somewhere(2)
    for row in rows:
        tried = shown(row[None], ["ai"])
        kept = adjust(world.head, world.support, tried, products)

        assert alike(kept, adjust(world.head, world.support, tried))


def test_only_the_latest_are_used() -> None:
    world = World()
    examples = shown(world.somewhere(MOST + 50), world.random.choice(("ai", "real"), MOST + 50))

    assert alike(
        adjust(world.head, world.support, examples),
        adjust(world.head, world.support, examples[-MOST:]),
    )


class Trembling(Centres):
    """Answers a little otherwise in a batch, as float32 products do."""

    def predict_proba(self, vectors: Rows) -> NDArray[np.float64]:
        chances = super().predict_proba(vectors)
        tremor = 4e-6 * (len(vectors) % 3 - 1)
        return np.asarray(chances + tremor * np.asarray([1, -1]))


def test_a_batch_does_not_move_what_is_learned_from_a_head() -> None:
    world = World()
    head = Trembling(world.places, world.labels)
    every = shown(world.somewhere(900), ["ai"] * 900)
    kept = Products(head, world.support)
    for n in range(100, 900, 100):
        kept.compare(every[:n])

    np.testing.assert_array_equal(
        kept.compare(every).chances, Products(head, world.support).compare(every).chances
    )


# --- many labels ---


class Compared(str):
    """A label that counts how often one is held against another."""

    __slots__ = ()
    __hash__ = str.__hash__
    times = 0

    def __eq__(self, other: object) -> bool:
        Compared.times += 1
        return str.__eq__(self, other)


def test_an_answer_holds_each_label_against_few_others() -> None:
    labels = [Compared(f"label {i:03d}") for i in range(200)]
    world = World()
    head = Centres(world.somewhere(200), labels)
    adjusted = adjust(head, world.support, shown(world.somewhere(3), ["x", "y", "z"]))

    Compared.times = 0
    adjusted.predict_proba(world.somewhere(1))

    assert Compared.times <= 3 * len(labels)


# --- little to hold to ---


@pytest.mark.parametrize("m", [0, 1, 2])
@pytest.mark.parametrize("g", [0, 1])
def test_a_version_with_hardly_any_support_can_be_corrected(m: int, g: int) -> None:
    world = World()
    whole = world.support
    support = Support(
        whole.vectors[:m], whole.labels[:m], whole.golden[:g], whole.golden_labels[:g], {}
    )
    picture = world.near(world.places[0], 1)

    head = adjust(world.head, support, shown(picture, ["real"]))

    assert said(head, picture)[0] == "real"
    assert golden_right(head, support)[1] == g


def test_the_same_picture_with_two_labels_stays_a_number() -> None:
    world = World()
    row = world.somewhere(1)
    examples = [Shown(f"c{i}", ("ai", "real")[i % 2], 3, row) for i in range(200)]

    chances = adjust(world.head, world.support, examples).predict_proba(row)

    np.testing.assert_allclose(chances, 0.5, atol=0.05)
