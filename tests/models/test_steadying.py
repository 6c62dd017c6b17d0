"""Training against re-deliveries: answers that hold, where that costs nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from config import Augment
from domain import HANDED_ON, REDELIVERED, NotEnoughData, TaskKind
from models.batch import Search, fit, search
from models.examples import Examples
from models.steadied import LEAST_PICTURES, Steadied, steadied
from models.steadying import Copies, Wavering, read_copies
from storage import Store
from tests.models.made import clusters
from tests.trained import EMBEDDER, TASK, teach

DIM = 12


def lesson(seed: int = 0) -> Examples:
    """Labels told apart by the first places, and a little by the last one."""
    random, labels = np.random.default_rng(seed), np.repeat(["ai", "real"], 150)
    signs = np.where(labels == "ai", 1.0, -1.0)
    rows = random.normal(0, 0.3, (300, DIM))
    rows[:, :6] += 0.2 * signs[:, None]
    rows[:, -1] += 0.1 * signs
    names = np.asarray([f"family-{i}" for i in range(300)])
    return Examples(rows.astype(np.float32), labels, np.full(300, "one"), names)


def handed_on(examples: Examples, moved: float = 0.8, *, seed: int = 1, each: int = 4) -> Copies:
    """Saving anew moves the last place, whatever the label, and little else."""
    random = np.random.default_rng(seed)
    anew = np.repeat(examples.vectors[:, None], each, axis=1)
    anew[..., -1] += random.normal(0, moved, anew.shape[:2])
    anew += random.normal(0, 0.01, anew.shape)
    rows = np.arange(len(examples), dtype=np.intp)
    return Copies(rows, examples.vectors, anew.astype(np.float32))


def plain(examples: Examples) -> Search:
    return search(examples, classifier="svm", kinds={"ridge"})


def trained(how: Augment = Augment.AUTO, moved: float = 0.8) -> Steadied:
    examples = lesson()
    return steadied(plain(examples), handed_on(examples, moved), how, budget=60.0)


def test_flips_halve_on_pictures_not_trained_on_at_equal_accuracy() -> None:
    seen = trained()
    without = fit(plain(lesson()))
    steady = fit(seen.found, seen.steadying and seen.steadying.step())
    fresh = lesson(seed=5)
    copies = handed_on(fresh, seed=7)

    def measured(head: object) -> tuple[float, float]:
        sent = head.predict_proba(copies.own).argmax(1)  # type: ignore[attr-defined]
        anew = head.predict_proba(copies.anew.reshape(-1, DIM))  # type: ignore[attr-defined]
        other = anew.argmax(1).reshape(len(copies), -1) != sent[:, None]
        return float(other.mean()), float((sent == fresh.codes).mean())

    (before, right), (after, still_right) = measured(without), measured(steady)
    assert seen.card["used"]
    assert after <= before / 2
    assert still_right >= right - 0.03


def test_the_card_says_what_was_tried_and_why() -> None:
    card = trained().card

    assert card["used"]
    assert card["setting"] == "auto"
    assert card["pictures"] == 300
    strengths = [tried["strength"] for tried in card["tried"]]
    assert strengths[0] == 0
    assert card["strength"] in strengths[1:]
    assert card["flips"] < card["tried"][0]["flips"]
    assert "flips out of fold" in card["why"]


def test_where_nothing_flips_nothing_is_done() -> None:
    seen = trained(moved=0.0)

    assert not seen.card["used"]
    assert seen.steadying is None


def test_what_tells_labels_apart_by_itself_is_not_given_up() -> None:
    """The labels are told apart by nothing but what saving anew moves."""
    examples = lesson()
    rows = np.random.default_rng(3).normal(0, 0.2, examples.vectors.shape)
    rows[:, -1] = np.where(examples.labels == "ai", 0.5, -0.5)
    rows[:, -1] += np.random.default_rng(4).normal(0, 0.2, len(rows))
    only = replace(examples, vectors=rows.astype(np.float32))

    before = plain(only)
    seen = steadied(before, handed_on(only, 2.0), Augment.AUTO, budget=60.0)

    right = seen.found.out_of_fold().argmax(1) == only.codes
    assert right.mean() >= (before.out_of_fold().argmax(1) == only.codes).mean() - 0.03


def test_switched_off_it_is_not_tried() -> None:
    seen = trained(Augment.OFF)

    assert not seen.card["used"]
    assert "tried" not in seen.card
    assert seen.steadying is None


def test_switched_on_without_re_deliveries_it_says_what_to_do() -> None:
    with pytest.raises(NotEnoughData, match="python -m embeddings"):
        steadied(plain(lesson()), None, Augment.ON, budget=60.0)


def test_switched_on_it_is_done_without_a_gain() -> None:
    assert trained(Augment.ON, moved=0.0).card["used"]


def test_of_few_pictures_nothing_is_learned() -> None:
    examples = lesson()
    whole = handed_on(examples)
    few = slice(0, LEAST_PICTURES - 1)
    copies = Copies(whole.rows[few], whole.own[few], whole.anew[few])

    seen = steadied(plain(examples), copies, Augment.AUTO, budget=60.0)

    assert not seen.card["used"]
    assert str(LEAST_PICTURES) in seen.card["why"]


def test_without_time_nothing_is_tried() -> None:
    seen = steadied(plain(lesson()), handed_on(lesson()), Augment.AUTO, budget=0.0)

    assert not seen.card["used"]
    assert "time budget" in seen.card["why"]


def test_the_step_of_a_head_does_what_was_done_in_training() -> None:
    examples = lesson()
    steadying = Wavering.of(examples.vectors, handed_on(examples)).steadying(10.0)

    step = steadying.step()

    np.testing.assert_allclose(
        step.transform(examples.vectors), steadying(examples.vectors), atol=1e-5
    )
    assert np.square(steadying(examples.vectors)).sum(1).mean() == pytest.approx(1, abs=0.05)


def test_the_more_it_wavers_the_less_a_direction_counts() -> None:
    examples = lesson()
    wavering = Wavering.of(examples.vectors, handed_on(examples))

    def kept(strength: float) -> NDArray[np.float64]:
        turned = wavering.steadying(strength)(examples.vectors)
        by_last = np.abs(np.corrcoef(turned[:, -1], examples.vectors[:, -1])[0, 1])
        return np.asarray([turned[:, -1].std() / turned.std(), by_last])

    weak, strong = kept(1.0), kept(100.0)
    assert strong[0] < weak[0] < 1


def test_stand_ins_count_for_nothing() -> None:
    examples = lesson()
    copies = handed_on(examples, each=2)
    copies.anew[:, 1] = copies.own
    alone = Copies(copies.rows, copies.own, copies.anew[:, :1])

    both, one = (
        steadied(plain(examples), these, Augment.OFF, budget=60.0).card["flips"]
        for these in (copies, alone)
    )

    assert both == one
    steadying = Wavering.of(examples.vectors, copies).steadying(3.0)
    assert not copies.turned(steadying).made[:, 1].any()


def test_a_version_of_three_labels_is_measured_too() -> None:
    examples = clusters(60, ("a", "b", "c"), dim=DIM)

    seen = steadied(plain(examples), handed_on(examples), Augment.ON, budget=60.0)

    assert seen.card["used"]
    assert 0 <= seen.card["flips"] <= 1


def test_copies_are_read_of_training_pictures_that_have_them(store: Store) -> None:
    store.tasks.create(TASK, TaskKind.PHOTO, ("no_smile", "smile"), open=False)
    teach(store)
    names = [one.sha256 for one in store.samples.all(TASK)]
    own = store.vectors.get(EMBEDDER, names)[1]
    anew = np.concatenate([own * 0.5, own], axis=1)
    store.vectors.put(EMBEDDER + REDELIVERED, names[:30], anew[:30])
    pictures = np.asarray(names[10:], np.bytes_)

    copies = read_copies(store, EMBEDDER, pictures)

    assert copies is not None
    assert len(copies) == 20
    assert copies.made.tolist() == [[True, False]] * 20
    for row, sent in zip(copies.rows, copies.own, strict=True):
        np.testing.assert_array_equal(sent, own[10 + row])
    assert read_copies(store, EMBEDDER, np.asarray(names[30:], np.bytes_)) is None
    assert HANDED_ON >= LEAST_PICTURES


def test_nothing_is_held_for_more_pictures_than_are_wanted(store: Store) -> None:
    store.tasks.create(TASK, TaskKind.PHOTO, ("no_smile", "smile"), open=False)
    teach(store)
    names = [one.sha256 for one in store.samples.all(TASK)]
    own = store.vectors.get(EMBEDDER, names)[1]
    store.vectors.put(EMBEDDER + REDELIVERED, names, own * 0.5)

    copies = read_copies(store, EMBEDDER, np.asarray(names, np.bytes_), most=7)

    assert copies is not None
    assert [names[row] for row in copies.rows] == sorted(names)[:7]
