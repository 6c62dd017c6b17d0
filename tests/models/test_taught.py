"""Teaching is exact: what is taken back leaves no trace, and the order never matters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from domain import NotEnoughData
from models.exact import STEP, quantised
from models.leave_one_out import Examined, unseen
from models.taught import Shown, Statistics, TaughtHead
from tests.models.made import clusters

DIM = 24


def lessons(
    per_label: int | Sequence[int] = 5,
    labels: Sequence[str] = ("ಅ", "b", "c"),
    *,
    copies: int = 3,
    seed: int = 0,
    dim: int = DIM,
    apart: float = 4.0,
) -> list[Shown]:
    """Examples with copies near them; of each label one cluster."""
    made = clusters(per_label, labels, dim=dim, apart=apart, seed=seed)
    random = np.random.default_rng(seed + 1)
    shown = []
    for i, (vector, label) in enumerate(zip(made.vectors, made.labels, strict=True)):
        rows = vector + 0.05 * random.standard_normal((1 + copies, dim)).astype(np.float32)
        rows[0] = vector
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        shown.append(Shown(f"{seed}-{i}", str(label), 1 + i % 3, quantised(rows)))
    return shown


def learned(shown: Iterable[Shown]) -> Statistics:
    statistics = Statistics()
    for one in shown:
        statistics.add(one)
    return statistics


def assert_same(one: TaughtHead, other: TaughtHead) -> None:
    assert one.classes == other.classes
    assert one.weights.tobytes() == other.weights.tobytes()
    assert one.offsets.tobytes() == other.offsets.tobytes()
    assert one.temperature == other.temperature


def between() -> Shown:
    """A picture that is half of one cluster and half of another, of the latter's label."""
    first, second = lessons(1)[:2]
    middle = first.vectors[:1] + second.vectors[:1]
    return Shown("between", second.label, 1, quantised(middle / np.linalg.norm(middle)))


def right(head: TaughtHead, shown: Sequence[Shown]) -> float:
    said = np.asarray(head.classes)[head.predict_proba(firsts(shown)).argmax(1)]
    return float((said == np.asarray([one.label for one in shown])).mean())


def firsts(shown: Sequence[Shown]) -> np.ndarray:
    return np.stack([one.vectors[0] for one in shown])


@pytest.mark.parametrize("per_label", [1, 2, 5, 40, (1, 30, 4)])
@pytest.mark.parametrize("copies", [0, 3])
def test_it_learns_what_is_easy_from_however_many(per_label: int, copies: int) -> None:
    head = learned(lessons(per_label, copies=copies)).solve()

    again = clusters(60, ("ಅ", "b", "c"), dim=DIM, apart=4.0)
    said = np.asarray(head.classes)[head.predict_proba(again.vectors).argmax(1)]
    assert (said == again.labels).mean() > 0.85


def test_its_classes_are_sorted_and_its_rows_probabilities() -> None:
    head = learned(lessons()).solve()

    random = np.random.default_rng(0).standard_normal((50, DIM)).astype(np.float32)
    chances = head.predict_proba(random / np.linalg.norm(random, axis=1, keepdims=True))
    assert head.classes == ("b", "c", "ಅ")
    assert chances.dtype == np.float64
    assert chances.min() >= 0
    np.testing.assert_allclose(chances.sum(1), 1, atol=1e-12)
    assert head.predict_proba(np.empty((0, DIM), np.float32)).shape == (0, 3)


def test_a_vector_gets_the_same_answer_alone_and_in_a_batch() -> None:
    shown = lessons()
    head = learned(shown).solve()

    together = head.predict_proba(firsts(shown))
    alone = np.concatenate([head.predict_proba(one.vectors[:1]) for one in shown])

    np.testing.assert_allclose(alone, together, atol=1e-9)


def test_threads_may_share_a_head() -> None:
    shown = lessons()
    head = learned(shown).solve()
    expected = head.predict_proba(firsts(shown))

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: head.predict_proba(firsts(shown)), range(8)))

    for answer in answers:
        np.testing.assert_array_equal(answer, expected)


def test_the_order_of_teaching_does_not_matter() -> None:
    shown = lessons(12)
    shuffled = [shown[i] for i in np.random.default_rng(3).permutation(len(shown))]

    assert_same(learned(shown).solve(), learned(shuffled).solve())


def test_what_is_taken_back_leaves_no_trace() -> None:
    shown, passing = lessons(6), lessons(9, ("b", "new"), seed=7)
    statistics = learned(shown)
    before = statistics.solve()

    for one in passing:
        statistics.add(one)
    assert statistics.solve().classes == ("b", "c", "new", "ಅ")
    for one in reversed(passing):
        statistics.remove(one)

    assert_same(statistics.solve(), before)
    assert statistics.counts == {"b": 6, "c": 6, "ಅ": 6}


def test_everything_can_be_taken_back_and_taught_anew() -> None:
    shown = lessons()
    statistics = learned(shown)
    for one in shown:
        statistics.remove(one)

    assert len(statistics) == 0
    assert statistics.counts == {}
    with pytest.raises(NotEnoughData):
        statistics.solve()
    for one in lessons(dim=7):
        statistics.add(one)
    assert_same(statistics.solve(), learned(lessons(dim=7)).solve())


def test_one_correction_changes_the_head() -> None:
    statistics = learned(lessons(5, apart=1.0))
    before = statistics.solve()
    wrong = between()

    statistics.add(wrong)

    after = statistics.solve()
    chance = [
        h.predict_proba(wrong.vectors[:1])[0, h.classes.index(wrong.label)] for h in (before, after)
    ]
    assert chance[1] > chance[0]


def test_what_counts_more_moves_it_more() -> None:
    new = between()

    def chance(weight: int) -> float:
        statistics = learned(lessons(5, apart=1.0))
        statistics.add(replace(new, weight=weight))
        head = statistics.solve()
        return float(head.predict_proba(new.vectors[:1])[0, head.classes.index(new.label)])

    assert chance(1) < chance(2) < chance(3)


def test_a_new_label_answers_at_once_and_leaves_the_others_right() -> None:
    shown = lessons(8, ("a", "b", "c", "z"))
    old, new = [s for s in shown if s.label != "z"], [s for s in shown if s.label == "z"]
    statistics = learned(old)
    before = right(statistics.solve(), old)

    statistics.add(new[0])

    head = statistics.solve()
    assert head.classes == ("a", "b", "c", "z")
    assert right(head, new) > 0.8
    assert right(head, old) >= before - 0.05


def test_how_many_copies_an_example_has_is_not_how_much_it_counts() -> None:
    few, many = lessons(6, copies=1), lessons(6, copies=30)
    mixed = [a if i % 2 else b for i, (a, b) in enumerate(zip(few, many, strict=True))]

    assert right(learned(mixed).solve(), few) > 0.9


def test_one_label_is_certain() -> None:
    head = learned(lessons(3, ("only",))).solve()

    np.testing.assert_array_equal(head.predict_proba(firsts(lessons(3))), 1)


def test_the_same_picture_for_two_labels_is_a_tie() -> None:
    one = lessons(1)[0]
    head = learned([one, replace(one, id="other", label="d")]).solve()

    np.testing.assert_allclose(head.predict_proba(one.vectors[:1]), 0.5)


def test_a_thousand_labels_can_be_taught() -> None:
    labels = [f"label {i:04}" for i in range(1000)]
    shown = lessons(1, labels, copies=1, dim=64)

    head = learned(shown).solve()

    assert head.classes == tuple(labels)
    assert right(head, shown) > 0.95


def test_it_is_surer_of_what_it_often_had_right() -> None:
    """Examples it was right about before it saw them make it sure, mistakes unsure."""
    easy = learned(lessons(30)).solve()
    random = np.random.default_rng(0)
    names = random.permutation([one.label for one in lessons(30)])
    guessed = [replace(s, label=str(n)) for s, n in zip(lessons(30), names, strict=True)]

    unsure = learned(guessed).solve()

    fresh = firsts(lessons(30))
    assert easy.predict_proba(fresh).max(1).mean() > 0.8
    assert unsure.predict_proba(fresh).max(1).mean() < 0.6


def test_it_refuses_what_would_spoil_its_sums() -> None:
    shown = lessons()
    statistics = learned(shown)

    with pytest.raises(ValueError, match="added before"):
        statistics.add(shown[0])
    with pytest.raises(ValueError, match="5 numbers"):
        statistics.add(lessons(dim=5, seed=9)[0])
    with pytest.raises(KeyError):
        statistics.remove(replace(shown[0], id="unknown"))
    assert_same(statistics.solve(), learned(shown).solve())


def test_rounding_moves_a_vector_by_little_and_twice_by_nothing() -> None:
    vectors = clusters(20).vectors

    rounded = quantised(vectors)

    assert np.abs(rounded - vectors).max() <= STEP / 2
    np.testing.assert_array_equal(quantised(rounded), rounded)


def test_products_of_rounded_unit_vectors_are_exact_in_single_precision() -> None:
    rows = quantised(clusters(30, dim=1200).vectors)

    exact = rows.astype(np.float64) @ rows.astype(np.float64).T

    np.testing.assert_array_equal(rows @ rows.T, exact)


@pytest.mark.parametrize("per_label", [2, 5, 20])
def test_how_sure_it_is_comes_from_examples_as_if_they_had_not_been_shown(per_label: int) -> None:
    """The closed form says what teaching all but one and asking that one would."""
    shown = lessons(per_label, apart=2.0, copies=0)
    labels = sorted({one.label for one in shown})
    totals = np.array([sum(s.weight for s in shown if s.label == name) for name in labels], float)
    rows = firsts(shown).astype(np.float64)
    codes = np.array([labels.index(one.label) for one in shown])
    weights = np.array([one.weight for one in shown], float)

    def fitted(keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        means = np.stack(
            [
                np.average(rows[keep & (codes == c)], 0, weights[keep & (codes == c)])
                for c in range(3)
            ]
        )
        about = (rows - means[codes])[keep]
        return means, (about * weights[keep, None]).T @ about / totals.sum() + sphere

    sphere, everyone = 0.05 * np.eye(DIM), np.ones(len(rows), bool)
    means, covariance = fitted(everyone)
    factor = np.linalg.cholesky(covariance)
    white, seen = (np.linalg.solve(factor, part.T).T for part in (rows, means))
    counts = np.full(3, 1e9)  # so many that chance has no part in their means
    found = unseen(seen, totals, counts, Examined(codes, weights, white, white)).scores

    for i in range(len(rows)):
        others, without = fitted(np.arange(len(rows)) != i)
        solved = np.linalg.solve(without, others.T)
        expected = rows[i] @ solved - 0.5 * np.einsum("ij,ji->i", others, solved)
        np.testing.assert_allclose(found[i], expected, rtol=1e-6, atol=1e-6)


def test_a_label_with_few_examples_is_not_drowned_by_one_with_many() -> None:
    random = np.random.default_rng(0)
    names = np.repeat(["few", "many", "few", "many"], [4, 100, 200, 200])
    rows = random.standard_normal((len(names), 300)) * 0.05
    rows[:, 0] += 1
    rows[:, 1] += np.where(names == "few", 0.15, -0.15)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors = quantised(rows.astype(np.float32))
    shown = [Shown(str(i), str(names[i]), 1, vectors[i : i + 1]) for i in range(104)]

    head = learned(shown).solve()

    said = np.asarray(head.classes)[head.predict_proba(vectors[104:]).argmax(1)]
    for label in ("few", "many"):
        assert (said == label)[names[104:] == label].mean() > 0.7
