from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from domain import LOOKS
from models.answers import NOTHING, Answers
from models.shares import interval
from models.slicing import Slicing, confidence_bands, looks_of, measure_slices
from storage import Store
from tests.models.answering import sha

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def answers(right: np.ndarray, **changes: object) -> Answers:
    """Of two labels in turn; `right` (n,) says which were answered rightly."""
    n = len(right)
    labels = (np.arange(n) % 2).astype(np.int32)
    said = np.where(right, labels, 1 - labels).astype(np.int32)
    columns: dict[str, object] = {
        "classes": ("ai", "real"),
        "source_names": ("web",),
        "pictures": np.asarray([sha(str(i)) for i in range(n)], "S64"),
        "labels": labels,
        "said": said,
        "sure": np.full(n, 0.9, np.float16),
        "unseen": np.full(n, NOTHING, np.int32),
        "held_out": np.zeros(n, np.bool_),
        "families": np.arange(n).astype(np.uint64),
        "sources": np.zeros(n, np.int32),
        "ranked": np.stack([said, 1 - said], axis=1),
        **changes,
    }
    return Answers(**columns)  # type: ignore[arg-type]


def manners(*drawn: bool) -> dict[str, Slicing]:
    return {"manner": Slicing.of(["drawn" if one else "photo" for one in drawn])}


def sure(n: int, confidence: float = 0.9) -> np.ndarray:
    return np.full(n, confidence)


def test_each_slice_has_its_counts_and_exact_interval() -> None:
    right = np.asarray([True] * 80 + [True] * 14 + [False] * 9)
    drawn = [False] * 80 + [True] * 23

    found = measure_slices(answers(right), sure(103), manners(*drawn))["parts"]["manner"]["drawn"]

    assert (found["n"], found["right"], found["error"]) == (23, 14, 9 / 23)
    assert (found["low"], found["high"]) == interval(9, 23)
    assert found["rest"] == 0
    assert found["weak"]
    assert sum(one["n"] for one in found["labels"].values()) == 23
    json.dumps(found, allow_nan=False)


def test_near_duplicates_count_once_in_a_slice() -> None:
    right = np.asarray([True] * 40 + [False] * 30)
    families = np.asarray([*range(40), *[99] * 30]).astype(np.uint64)

    found = measure_slices(
        answers(right, families=families), sure(70), manners(*[False] * 40, *[True] * 30)
    )["parts"]["manner"]

    assert (found["drawn"]["n"], found["drawn"]["right"], found["drawn"]["p"]) == (1, 0, None)
    assert not found["drawn"]["weak"]


def test_few_pictures_are_not_judged() -> None:
    right = np.asarray([True] * 100 + [False] * 9)

    found = measure_slices(answers(right), sure(109), manners(*[False] * 100, *[True] * 9))

    assert not found["parts"]["manner"]["drawn"]["weak"]


def test_the_only_slice_has_nothing_to_be_worse_than() -> None:
    found = measure_slices(answers(np.zeros(50, np.bool_)), sure(50), manners(*[True] * 50))

    assert found["parts"]["manner"]["drawn"]["rest"] is None
    assert not found["parts"]["manner"]["drawn"]["weak"]


def test_a_small_difference_is_no_weakness_however_sure() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.random(200_000) < 0.5
    right = rng.random(200_000) > np.where(drawn, 0.22, 0.2)

    found = measure_slices(answers(right), sure(200_000), manners(*drawn))["parts"]["manner"]

    assert found["drawn"]["p"] < 1e-6
    assert not found["drawn"]["weak"]


def test_by_chance_hardly_any_version_has_a_weak_slice() -> None:
    raised = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        right = rng.random(300) > 0.2
        unseen = rng.choice([NOTHING, 0, 1], 300).astype(np.int32)
        slicings = {
            dimension: Slicing.of([str(word) for word in rng.integers(0, k, 300)])
            for dimension, k in (("size", 4), ("format", 5), ("manner", 3), ("camera", 2))
        }
        found = measure_slices(answers(right, unseen=unseen), sure(300, 0.8), slicings)
        rows = [row for part in found["parts"].values() for row in part.values()]
        raised += any(one["weak"] for row in rows for one in (row, *row["labels"].values()))

    assert raised <= 16  # 5 % of 200, and what chance adds to that in 97 of 100 cases


def test_unsure_answers_are_weak_only_if_they_claim_too_much() -> None:
    confidences = np.repeat([0.55, 0.95], 100)
    honest = np.asarray([*[True] * 55, *[False] * 45, *[True] * 95, *[False] * 5])
    boasting = np.asarray([*[True] * 55, *[False] * 45, *[True] * 75, *[False] * 25])
    bands = {"confidence": confidence_bands(confidences)}

    for right, weak in ((honest, set()), (boasting, {"90 to 97%"})):
        part = measure_slices(answers(right), confidences, bands)["parts"]["confidence"]
        assert {name for name, row in part.items() if row["weak"]} == weak
    assert set(part) == {"below 60%", "90 to 97%"}
    assert part["90 to 97%"]["rest"] == pytest.approx(0.05)


def test_sources_left_out_are_counted_apart() -> None:
    right = np.ones(40, np.bool_)
    unseen = np.full(40, NOTHING, np.int32)
    unseen[:20] = 0  # every second one is right: the labels take turns

    part = measure_slices(answers(right, unseen=unseen), sure(40), manners(*[True] * 40))["parts"]

    found = part["manner"]["drawn"]["unseen"]
    assert (found["n"], found["right"], found["rest"], found["weak"]) == (20, 10, None, False)


def test_opposite_errors_in_a_slice_are_found_by_label() -> None:
    right = np.ones(400, np.bool_)
    right[301:340:2] = False  # 20 of 50 real drawings; all 50 drawings by AI are right
    right[0:300:8] = False  # as many errors, by share, on photographs by AI
    right[4:12:8] = False
    drawn = [False] * 300 + [True] * 100

    part = measure_slices(answers(right), sure(400), manners(*drawn))["parts"]["manner"]

    found = part["drawn"]["labels"]
    assert not part["drawn"]["weak"], "as a whole it is no worse"
    assert (found["real"]["n"], found["real"]["right"], found["real"]["rest"]) == (50, 30, 0)
    assert found["real"]["taken_for"] == {"ai": 20}
    assert (found["real"]["weak"], found["ai"]["weak"]) == (True, False)
    assert (found["real"]["low"], found["real"]["high"]) == interval(20, 50)
    assert part["photo"]["labels"]["ai"]["weak"]
    json.dumps(part, allow_nan=False)


def test_few_pictures_of_a_label_are_not_judged() -> None:
    right = np.ones(318, np.bool_)
    right[301::2] = False  # nine real drawings, none right

    part = measure_slices(answers(right), sure(318), manners(*[False] * 300, *[True] * 18))[
        "parts"
    ]["manner"]

    real = part["drawn"]["labels"]["real"]
    assert (real["n"], real["right"], real["p"], real["weak"]) == (9, 0, None, False)


def test_labels_in_a_band_of_confidence_are_counted_and_not_judged() -> None:
    confidences = np.repeat([0.55, 0.95], 100)
    right = np.asarray([*[True] * 55, *[False] * 45, *[True] * 95, *[False] * 5])

    part = measure_slices(
        answers(right), confidences, {"confidence": confidence_bands(confidences)}
    )["parts"]["confidence"]

    for row in part.values():
        assert sum(one["n"] for one in row["labels"].values()) == 100
        assert not any(one["weak"] for one in row["labels"].values())


def test_many_labels_are_not_counted_apart() -> None:
    n = 120
    labels = (np.arange(n) % 12).astype(np.int32)
    classes = tuple(f"letter {i:02}" for i in range(12))
    many = answers(np.ones(n, np.bool_), classes=classes, labels=labels, said=labels)

    part = measure_slices(many, sure(n), manners(*[True] * 60, *[False] * 60))["parts"]["manner"]

    assert (part["drawn"]["n"], part["drawn"]["right"], part["drawn"]["labels"]) == (60, 60, {})


def test_a_slice_that_went_wrong_on_sources_left_out_is_weak() -> None:
    right = np.ones(200, np.bool_)
    unseen = (np.arange(200) % 2).astype(np.int32)
    unseen[101:140:2] = 0  # of 100 drawings 20 real ones, all rightly answered otherwise
    drawn = manners(*[False] * 100, *[True] * 100)

    row = measure_slices(answers(right, unseen=unseen), sure(200), drawn)["parts"]["manner"][
        "drawn"
    ]

    assert (row["n"], row["right"], row["error"]) == (100, 100, 0), "known sources stay apart"
    assert (row["unseen"]["n"], row["unseen"]["right"]) == (100, 80)
    assert (row["weak"], row["unseen"]["weak"]) == (True, True)
    real = row["labels"]["real"]
    assert (real["unseen"]["taken_for"], real["unseen"]["weak"]) == ({"ai": 20}, True)
    assert not row["labels"]["ai"]["weak"]


def test_few_pictures_of_sources_left_out_make_nothing_weak() -> None:
    unseen = np.full(200, NOTHING, np.int32)
    unseen[:60] = np.arange(60) % 2
    unseen[100:109] = 1 - np.arange(100, 109) % 2  # nine drawings, none right
    drawn = manners(*[False] * 100, *[True] * 100)

    row = measure_slices(answers(np.ones(200, np.bool_), unseen=unseen), sure(200), drawn)["parts"][
        "manner"
    ]["drawn"]

    assert (row["unseen"]["n"], row["unseen"]["right"], row["unseen"]["p"]) == (9, 0, None)
    assert not row["weak"]


def test_looks_come_from_the_store_and_some_may_be_missing(store: Store) -> None:
    looks = {"width": 200, "height": 400, "format": "PNG", "manner": "drawn", "camera": False}
    store.file_facts.put_many(LOOKS, {sha("0"): looks, sha("2"): {**looks, "width": 2000}})

    found = looks_of(store, np.asarray([sha("0"), sha("1"), sha("2")], "S64"))

    assert [*found["size"].codes] == [found["size"].names.index("small"), NOTHING, 0]
    assert found["alike"].names == ("medium, PNG, drawn", "small, PNG, drawn")
    assert looks_of(store, np.asarray([sha("1")], "S64")) == {}
