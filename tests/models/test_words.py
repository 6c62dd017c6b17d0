"""Words answer where nobody taught anything, and give way to examples as these are worth more."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from domain import DEFAULT_TASK, Task, TaskKind
from models.taught import Shown, Statistics, TaughtHead
from models.words import MOST_TEXTS, Mixed, TextHead, mixed, share_of_words, texts_of
from tests.models.made import unit

DIM = 64
LABELS = ("a", "b", "c")


def task(
    *labels: str, kind: TaskKind = TaskKind.PHOTO, prompts: dict[str, str] | None = None
) -> Task:
    return Task(1, "t", kind, labels, True, datetime.now(UTC), prompts or {})


class World:
    """Pictures about a middle for each label, and texts that point there more or less."""

    def __init__(self, *, noise: float = 0.0, apart: float = 1.0, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.middles = self.random.standard_normal((len(LABELS), DIM)) * apart
        self.texts = self.middles + noise * self.random.standard_normal((len(LABELS), DIM))

    def pictures(self, n: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        codes = np.arange(n) % len(LABELS)
        rows = self.middles[codes] + 2 * self.random.standard_normal((n, DIM))
        return unit(rows), codes

    def words(self, scale: float = 10.0) -> TextHead:
        return TextHead.of(LABELS, [row[None] for row in unit(self.texts)], scale)

    def taught(self, n: int) -> TaughtHead:
        rows, codes = self.pictures(n)
        statistics = Statistics()
        for i, (row, code) in enumerate(zip(rows, codes, strict=True)):
            vector = np.rint(row * 2048)[None] / np.float32(2048)
            statistics.add(Shown(str(i), LABELS[code], 1, vector.astype(np.float32)))
        return statistics.solve()


def right(head: TextHead | TaughtHead | Mixed, world: World) -> float:
    rows, codes = world.pictures(600)
    said = np.asarray(head.classes)[head.predict_proba(rows).argmax(axis=1)]
    return float((said == np.asarray(LABELS)[codes]).mean())


def test_a_head_of_texts_answers_the_label_whose_texts_point_at_the_picture() -> None:
    world = World()
    assert right(world.words(), world) > 0.9


def test_chances_sum_to_one_also_at_a_scale_of_thousands() -> None:
    world = World()
    rows, _ = world.pictures(10)
    for scale in (0.0, 100.0, 1e4):
        chances = world.words(scale).predict_proba(rows)
        assert chances.sum(axis=1) == pytest.approx(1)
        assert np.isfinite(chances).all()


def test_several_texts_of_a_label_count_by_their_mean_direction() -> None:
    one, other = np.eye(DIM, dtype=np.float32)[:2]
    head = TextHead.of(("x", "y"), [np.stack([one, other]), -one[None]], 1.0)
    assert head.weights[:2, 0] == pytest.approx(np.sqrt([0.5, 0.5]))
    assert np.linalg.norm(head.weights, axis=0) == pytest.approx([1, 1])


def test_what_people_wrote_stands_in_the_place_of_templates() -> None:
    texts = texts_of(task("yes", "no", prompts={"yes": "a smiling face | a laugh"}))
    assert texts["yes"] == ("a smiling face", "a laugh")
    assert "a photo of no." in texts["no"]


def test_each_kind_of_task_has_templates_of_its_own() -> None:
    assert texts_of(task("cat", "dog", kind=TaskKind.DRAWING))["cat"][0] == "a drawing of cat."
    assert texts_of(task("thumbs_up", "b"))["thumbs_up"][0] == "a photo of thumbs up."


def test_the_labels_of_the_default_task_are_said_in_words_that_mean_them() -> None:
    known = task("ai", "real", kind=TaskKind.AUTHENTICITY)
    assert any("AI-generated" in text for text in texts_of(known)["ai"])
    assert DEFAULT_TASK not in str(texts_of(known))


def test_a_label_with_braces_is_a_label() -> None:
    assert texts_of(task("{0}", "{x!r}"))["{0}"][0] == "a photo of {0}."


def test_many_labels_get_fewer_templates_but_each_has_one() -> None:
    labels = [f"label {i}" for i in range(3 * MOST_TEXTS)]
    assert {len(texts) for texts in texts_of(task(*labels)).values()} == {1}


def test_words_weigh_less_the_more_was_shown() -> None:
    world = World(noise=1.0)
    words = world.words()
    shares = [share_of_words(words, world.taught(n)) for n in (3, 30, 300)]
    assert shares[0] > shares[1] > shares[2]
    assert shares[2] < 0.2


def test_words_that_mean_nothing_are_soon_heard_no_more() -> None:
    good, bad = World(noise=0.0), World(noise=50.0)
    assert share_of_words(bad.words(100.0), bad.taught(12)) < 0.3
    assert share_of_words(good.words(), good.taught(12)) > 0.7


def test_a_single_example_of_each_label_already_speaks_against_words_that_mean_nothing() -> None:
    world = World(noise=50.0, seed=3)
    twisted = TextHead.of(LABELS, [row[None] for row in unit(np.roll(world.middles, 1, 0))], 100.0)
    assert share_of_words(twisted, world.taught(3)) < share_of_words(
        TextHead.of(LABELS, [row[None] for row in unit(world.middles)], 100.0), world.taught(3)
    )


@pytest.mark.parametrize("noise", [0.5, 2.0, 50.0])
@pytest.mark.parametrize("n", [15, 60])
def test_the_two_together_are_about_as_good_as_the_better_one(noise: float, n: int) -> None:
    assert lost(noise, n) < 0.06


def test_good_words_are_not_given_up_for_a_handful_of_examples() -> None:
    assert lost(0.5, 3) < 0.03
    assert lost(0.5, 6) < 0.03


def lost(noise: float, n: int) -> float:
    """By how much the two together are right less often than the better one."""
    losses = []
    for seed in range(4):
        world = World(noise=noise, apart=0.6, seed=seed)
        words, taught = world.words(), world.taught(n)
        best = max(right(words, world), right(taught, world))
        losses.append(best - right(mixed(words, taught), world))
    return float(np.mean(losses))


def test_a_label_nobody_showed_keeps_what_words_give_it() -> None:
    world = World()
    rows, codes = world.pictures(30)
    statistics = Statistics()
    for i in np.flatnonzero(codes < 2)[:4]:
        statistics.add(Shown(str(i), LABELS[codes[i]], 1, rows[i][None]))
    head = mixed(world.words(), statistics.solve())
    assert head.classes == LABELS
    assert head.predict_proba(rows).sum(axis=1) == pytest.approx(1)
    unknown = head.predict_proba(rows)[codes == 2, 2]
    assert (unknown > 0.3).mean() > 0.8


def test_a_label_that_words_do_not_know_can_be_taught() -> None:
    world = World()
    words = TextHead.of(LABELS[:2], [row[None] for row in unit(world.texts[:2])], 10.0)
    head = mixed(words, world.taught(30))
    assert head.classes == LABELS
    rows, codes = world.pictures(60)
    assert (head.predict_proba(rows).argmax(axis=1) == codes).mean() > 0.8


def test_the_same_examples_leave_the_same_share_whatever_came_in_between() -> None:
    world = World(noise=1.0)
    rows, codes = world.pictures(8)
    shown = [
        Shown(str(i), LABELS[c], 1, r[None])
        for i, (r, c) in enumerate(zip(rows, codes, strict=True))
    ]
    one, other = Statistics(), Statistics()
    for each in shown:
        one.add(each)
    for each in reversed(shown):
        other.add(each)
    gone = Shown("gone", "a", 3, rows[:1])
    other.add(gone)
    other.remove(gone)
    heads = [mixed(world.words(), statistics.solve()) for statistics in (one, other)]
    assert heads[0].share == heads[1].share
    chances = [head.predict_proba(rows) for head in heads]
    assert chances[0].tobytes() == chances[1].tobytes()
