from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from domain import ModelVersion, NewCorrection, NewSample, Person, PictureFacts, Split, TaskKind
from models.answers import Answers
from models.evidence import Evidence, Side
from models.gathering import asked_now, gather_evidence
from storage import Store
from tests.models.answering import LABELS, answers, sha

TASK, EMBEDDER = "judged", "builtin-photo:2"


class Constant:
    """A head that always says the same, of vectors whose first number is positive; else other."""

    def __init__(self, classes: Sequence[str] = LABELS) -> None:
        self.classes = tuple(classes)

    def predict_proba(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        chances = np.full((len(vectors), len(self.classes)), 0.0)
        chances[:, 0] = vectors[:, 0] > 0
        chances[:, 1] = vectors[:, 0] <= 0
        return chances


@pytest.fixture
def task(store: Store) -> Store:
    store.tasks.create(TASK, TaskKind.PHOTO, LABELS, open=True)
    return store


def side(kept: Answers, card: Mapping[str, Any], classes: Sequence[str] | None = None) -> Side:
    version = ModelVersion("v", TASK, EMBEDDER, "svm", "", False, datetime.now(UTC), card)
    return Side(version, Constant(classes or kept.classes), kept, EMBEDDER)


def gathered(
    store: Store, candidate: Answers, current: Answers, card: Mapping[str, Any] | None = None
) -> Evidence:
    """With the card of the current version."""
    sides = side(candidate, {}), side(current, card or {})
    return gather_evidence(store, store.tasks.get(TASK), *sides)


def keep(store: Store, name: str, label: str) -> None:
    facts = PictureFacts(sha(name), 64, 64, "PNG", 100, 0)
    store.samples.add_many(TASK, [(facts, NewSample(label, "web", sha(name), Split.TRAIN))])


def correct(store: Store, name: str, label: str, *, trusted: bool) -> None:
    facts = PictureFacts(sha(name), 64, 64, "PNG", 100, 0)
    person = Person("somebody", trusted)
    sample = NewSample(label, "corrections", sha(name), Split.TRAIN)
    store.corrections.teach(TASK, NewCorrection(sha(name), label, person), facts, sample)


def put(store: Store, name: str, sign: float) -> None:
    store.vectors.put(EMBEDDER, [sha(name)], np.asarray([[sign, 0.0]], np.float32))


def test_pictures_are_paired_by_their_sha256_whatever_their_order(task: Store) -> None:
    current = answers(("a", "ai", "ai"), ("b", "real", "ai"), ("c", "real", "real"))
    candidate = answers(("c", "real", "ai"), ("a", "ai", "ai"), ("b", "real", "real"))

    shared = gathered(task, candidate, current).shared

    assert shared.before.tolist() == [True, False, True]
    assert shared.after.tolist() == [True, True, False]


def test_what_the_candidate_was_told_is_no_yardstick_for_it(task: Store) -> None:
    current = answers(("a", "ai", "ai"), ("b", "real", "real"))
    poisoned = answers(("a", "real", "real"), ("b", "real", "real"))

    evidence = gathered(task, poisoned, current)

    assert evidence.shared.labels.tolist() == ["ai", "real"]
    assert evidence.shared.after.tolist() == [False, True]
    assert evidence.relabelled == 1
    assert evidence.fresh.labels.tolist() == ["real"]


def test_what_somebody_trusted_said_since_is_the_truth(task: Store) -> None:
    correct(task, "a", "real", trusted=True)
    current, candidate = answers(("a", "ai", "ai")), answers(("a", "real", "real"))

    evidence = gathered(task, candidate, current)

    assert evidence.shared.labels.tolist() == ["real"]
    assert (evidence.shared.before.tolist(), evidence.shared.after.tolist()) == ([False], [True])
    assert evidence.relabelled == 0
    assert len(evidence.fresh) == 0


def test_what_somebody_not_trusted_said_moves_no_yardstick_and_raises_no_doubt(
    task: Store,
) -> None:
    correct(task, "a", "real", trusted=False)
    current, candidate = answers(("a", "ai", "ai")), answers(("a", "real", "real"))

    evidence = gathered(task, candidate, current)

    assert evidence.shared.labels.tolist() == ["ai"]
    assert evidence.relabelled == 0


def test_variants_linked_since_count_as_their_label(task: Store) -> None:
    task.tasks.link(TASK, "ai", "fake")
    current = answers(("a", "fake", "fake"), ("b", "real", "ai"), classes=("ai", "fake", "real"))
    candidate = answers(("a", "ai", "ai"), ("b", "real", "ai"))

    evidence = gathered(task, candidate, current)

    assert evidence.lost == ()
    assert evidence.relabelled == 0
    assert (evidence.shared.before.tolist(), evidence.shared.after.tolist()) == (
        [True, False], [True, False],
    )  # fmt: skip


def test_a_label_that_the_candidate_does_not_know_is_lost(task: Store) -> None:
    current = answers(("a", "hands", "hands"), classes=("ai", "hands", "real"))

    assert gathered(task, answers(("b", "ai", "ai")), current).lost == ("hands",)


def test_of_a_picture_taken_out_the_candidates_head_is_asked(task: Store) -> None:
    put(task, "gone", +1.0)
    current = answers(("a", "ai", "ai"), ("gone", "real", "real"), ("erased", "ai", "ai"))

    evidence = gathered(task, answers(("a", "ai", "ai")), current)

    assert evidence.removed == 2
    assert evidence.shared.labels.tolist() == ["ai", "real"]  # of the erased one nothing is left
    assert evidence.shared.after.tolist() == [True, False]


def test_of_new_pictures_both_versions_are_asked(task: Store) -> None:
    put(task, "new", +1.0)
    candidate = answers(("a", "ai", "ai"), ("new", "real", "real"), ("newer", "ai", "real"))

    fresh = gathered(task, candidate, answers(("a", "ai", "ai"))).fresh

    assert fresh.labels.tolist() == ["real", "ai"]
    assert fresh.odd.tolist() == [False, True]
    assert (fresh.asked.tolist(), fresh.odd_before.tolist()) == ([0], [True])


def test_pictures_that_people_corrected_are_not_held_against_new_ones(task: Store) -> None:
    correct(task, "new", "real", trusted=False)
    candidate = answers(("a", "ai", "ai"), ("new", "real", "ai"))

    assert len(gathered(task, candidate, answers(("a", "ai", "ai"))).fresh) == 0


def test_sources_left_out_are_compared_where_both_measured_them(task: Store) -> None:
    current = answers(("a", "ai", "ai"), ("b", "ai", "ai"), unseen=("real", "ai"))
    candidate = answers(("b", "ai", "ai"), ("c", "ai", "ai"), unseen=("real", "ai"))

    unseen = gathered(task, candidate, current).unseen

    assert (unseen.before.tolist(), unseen.after.tolist()) == ([True], [False])


def test_a_head_without_kept_answers_is_asked_about_what_is_held_out(task: Store) -> None:
    put(task, "a", -1.0)
    candidate = answers(("a", "ai", "ai"), ("b", "real", "real"))

    now = asked_now(task, candidate, Constant(("fake", "real")), embedder=EMBEDDER)

    assert now.pictures.tolist() == [sha("a").encode()]
    assert now.classes == ("ai", "fake", "real")
    assert np.asarray(now.classes)[now.said].tolist() == ["real"]
    assert now.label_names().tolist() == ["ai"]


WIDER = ("ai", "drawn", "real")


def widened_candidate() -> Answers:
    """`b` is called by the new label wrongly, `e` lacks it."""
    return answers(
        ("a", "ai", "ai"), ("b", "real", "drawn"), ("c", "drawn", "drawn"), ("d", "drawn", "drawn"),
        ("e", "drawn", "ai"), classes=WIDER,
        ranked=(WIDER, ("drawn", "real", "ai"), *(("drawn", "ai", "real"),) * 2, WIDER),
    )  # fmt: skip


def test_old_pictures_are_compared_on_the_labels_that_both_versions_know(task: Store) -> None:
    current = answers(("a", "ai", "ai"), ("b", "real", "real"))

    evidence = gathered(task, widened_candidate(), current)

    assert evidence.shared.labels.tolist() == ["ai", "real"]
    assert evidence.shared.after.tolist() == [True, True]  # `b` is `real` before it is `ai`
    assert len(evidence.fresh) == 0  # what the current version cannot say is not odd


def test_a_new_label_brings_its_pictures_and_costs_those_it_is_said_of(task: Store) -> None:
    current = answers(("a", "ai", "ai"), ("b", "real", "real"))

    (widened,) = gathered(task, widened_candidate(), current).widened

    assert widened.label == "drawn"
    assert widened.paired.labels.tolist() == ["ai", "real", "drawn", "drawn", "drawn"]
    assert widened.paired.before.tolist() == [True, True, False, False, False]
    assert widened.paired.after.tolist() == [True, False, True, True, False]


def test_old_pictures_that_were_put_under_a_new_label_are_no_gain_of_it(task: Store) -> None:
    current = answers(("a", "ai", "ai"), ("b", "real", "real"))
    candidate = answers(("a", "ai", "ai"), ("b", "drawn", "drawn"), classes=WIDER)

    evidence = gathered(task, candidate, current)

    assert evidence.relabelled == 1
    assert evidence.widened[0].paired.labels.tolist() == ["ai", "real"]
    assert evidence.widened[0].paired.after.tolist() == [True, False]


def test_a_variant_unlinked_since_is_the_truth_of_what_was_labelled_so(task: Store) -> None:
    task.tasks.add_label(TASK, "drawn")
    keep(task, "a", "ai")
    keep(task, "b", "drawn")
    keep(task, "c", "real")  # put there since: it was counted as `ai`
    current = answers(("a", "ai", "ai"), ("b", "ai", "ai"), ("c", "ai", "ai"))
    candidate = answers(
        ("a", "ai", "ai"), ("b", "drawn", "drawn"), ("c", "real", "real"), classes=WIDER
    )

    evidence = gathered(task, candidate, current, {"variants": {"drawn": "ai"}})

    assert evidence.relabelled == 1
    assert evidence.shared.labels.tolist() == ["ai", "ai"]
    assert evidence.shared.after.tolist() == [True, False]
    (widened,) = evidence.widened
    assert widened.paired.labels.tolist() == ["ai", "drawn", "ai"]
    assert widened.paired.after.tolist() == [True, True, True]


def test_a_variant_that_stands_for_another_label_now_does_so_for_old_pictures(task: Store) -> None:
    task.tasks.add_label(TASK, "drawn")
    keep(task, "a", "drawn")
    task.tasks.link(TASK, "real", "drawn")
    current, candidate = answers(("a", "ai", "ai")), answers(("a", "real", "real"))

    evidence = gathered(task, candidate, current, {"variants": {"drawn": "ai"}})

    assert evidence.shared.labels.tolist() == ["real"]
    assert evidence.relabelled == 0


def test_corrected_pictures_are_no_source_that_is_left_out(task: Store) -> None:
    correct(task, "b", "real", trusted=True)
    rows = [(f"picture {i}", "ai", "ai") for i in range(60)] + [("b", "real", "ai")]
    said = ["ai"] * 61
    current = candidate = answers(*rows, unseen=said)

    assert len(gathered(task, candidate, current).unseen) == 60


def test_after_many_corrections_no_sources_left_out_are_compared(task: Store) -> None:
    rows = [(f"picture {i}", "ai", "ai") for i in range(60)]
    new = [(f"corrected {i}", "real", "real") for i in range(4)]
    for name, label, _ in new:
        correct(task, name, label, trusted=True)
    current = answers(*rows, unseen=["ai"] * 60)
    candidate = answers(*rows, *new, unseen=["real"] * 64)

    assert len(gathered(task, candidate, current).unseen) == 0
    assert len(gathered(task, answers(*rows, unseen=["real"] * 60), current).unseen) == 60
