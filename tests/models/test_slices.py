from __future__ import annotations

from typing import Any

import pytest

from models.slices import (
    ALIKE,
    BAND_NAMES,
    CONFIDENCE,
    like_this,
    size_band,
    slices_of,
    tells_slices,
    unknown_slice,
)

SMALL_DRAWING = {"width": 200, "height": 260, "format": "JPEG", "manner": "drawn", "camera": False}
LARGE_PHOTO = {"width": 4000, "height": 3000, "format": "JPEG", "manner": "photo", "camera": True}


def row(n: int, right: int, *, weak: bool = False, **more: Any) -> dict[str, Any]:
    error = 1 - right / n
    return {
        "n": n, "right": right, "error": error, "low": error / 2, "high": 1.0, "rest": 0.1,
        "p": 0.5, "weak": weak, "unseen": None, "labels": {}, **more,
    }  # fmt: skip


def card(**parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    known: dict[str, dict[str, Any]] = {
        "size": {"small": row(50, 45), "large": row(50, 48)},
        "format": {"JPEG": row(100, 93)},
        "manner": {"drawn": row(50, 45), "photo": row(50, 48)},
        "camera": {"no camera EXIF": row(60, 55), "camera EXIF": row(40, 38)},
    }
    return {"slices": {"with_looks": 100, "parts": {**known, **parts}}}


@pytest.mark.parametrize(
    ("side", "name"),
    [(1, "tiny"), (95, "tiny"), (96, "small"), (320, "medium"), (1023, "medium"), (1024, "large")],
)
def test_sizes_go_by_the_short_side(side: int, name: str) -> None:
    assert size_band(side) == name


def test_a_picture_belongs_to_a_slice_of_each_kind() -> None:
    assert slices_of(SMALL_DRAWING, 0.85) == {
        "size": "small", "format": "JPEG", "manner": "drawn", "camera": "no camera EXIF",
        "alike": "small, JPEG, drawn", "confidence": "80 to 90%",
    }  # fmt: skip


@pytest.mark.parametrize(("confidence", "band"), [(0.1, 0), (0.6, 1), (0.969, 4), (1.0, 5)])
def test_bands_of_confidence_begin_at_their_edges(confidence: float, band: int) -> None:
    assert slices_of(None, confidence) == {CONFIDENCE: BAND_NAMES[band]}


def test_weak_slice_is_said_with_its_counts() -> None:
    weak = card(alike={"small, JPEG, drawn": row(23, 14, weak=True)})

    assert like_this(weak, SMALL_DRAWING, 0.85) == [
        "On pictures like this (small, JPEG, drawn), it was right 14 of 23 times; "
        "on others 90% of the time."
    ]
    assert like_this(weak, LARGE_PHOTO, 0.85) == []


def test_sources_that_were_left_out_are_said_too() -> None:
    unseen = {"n": 20, "right": 9}
    weak = card(alike={"small, JPEG, drawn": row(23, 14, weak=True, unseen=unseen)})

    (sentence,) = like_this(weak, SMALL_DRAWING, None)

    assert "right 14 of 23 times, and 9 of 20 where their whole source was new to it" in sentence


def test_few_pictures_of_sources_left_out_are_not_said() -> None:
    weak = card(manner={"drawn": row(23, 14, weak=True, unseen={"n": 9, "right": 2})})

    (sentence,) = like_this(weak, SMALL_DRAWING, None)

    assert "new to it" not in sentence


def test_weakness_on_sources_left_out_is_said_as_that() -> None:
    unseen = row(20, 9, weak=True, rest=0.25)
    weak = card(manner={"drawn": row(50, 45, weak=True, unseen=unseen)})

    assert like_this(weak, SMALL_DRAWING, None) == [
        "On pictures like this (drawn) whose whole source was new to it, it was right 9 of 20 "
        "times, on others 75% of the time; where it knew the source, 45 of 50 times and 90% on "
        "others."
    ]


def real_ones(n: int, right: int, **more: Any) -> dict[str, Any]:
    """A slice that is well as a whole, and weak on real pictures."""
    real = row(n, right, weak=True, **{"taken_for": {"ai": n - right}, "rest": 0.17, **more})
    return row(320, 290, labels={"real": real, "ai": row(60, 58, taken_for={"real": 2})})


def test_an_answer_that_another_label_was_often_taken_for_is_doubted() -> None:
    weak = card(size={"large": real_ones(28, 12)})

    assert like_this(weak, LARGE_PHOTO, 0.85, "ai") == [
        "Of real pictures like this (large), 16 of 28 were taken for ai; of other real pictures "
        "it was right about 83%."
    ]
    assert like_this(weak, LARGE_PHOTO, 0.85, "real") == [], "that answer was not the wrong one"
    assert like_this(weak, LARGE_PHOTO, 0.85) == []


def test_an_answer_is_doubted_by_sources_left_out_too() -> None:
    unseen = row(20, 8, weak=True, rest=0.3, taken_for={"ai": 12})
    new = card(size={"large": real_ones(28, 25, unseen=unseen)})
    beside = card(size={"large": real_ones(28, 12, unseen={**unseen, "weak": False})})

    assert like_this(new, LARGE_PHOTO, 0.85, "ai") == [
        "Of real pictures like this (large) whose whole source was new to it, 12 of 20 were taken "
        "for ai, and 3 of 28 where it knew the source; of other real pictures from new sources it "
        "was right about 70%."
    ]
    (sentence,) = like_this(beside, LARGE_PHOTO, 0.85, "ai")
    assert "16 of 28 were taken for ai, and 12 of 20 where their whole source was" in sentence


def test_only_the_answer_that_a_labels_errors_fell_on_is_doubted() -> None:
    taken = {"ai": 3, "painting": 13}
    weak = card(size={"large": real_ones(28, 12, taken_for=taken)})

    assert like_this(weak, LARGE_PHOTO, None, "ai") == []
    (sentence,) = like_this(weak, LARGE_PHOTO, None, "painting")
    assert "13 of 28 were taken for painting" in sentence


def test_labels_are_called_as_the_task_calls_them_now() -> None:
    weak = card(size={"large": real_ones(28, 12)})

    (sentence,) = like_this(weak, LARGE_PHOTO, None, "AI", {"ai": "AI", "real": "Real"})
    assert "Of Real pictures like this (large), 16 of 28 were taken for AI" in sentence
    assert like_this(weak, LARGE_PHOTO, None, "ai", {"real": "ai"}) == [], "they mean the same"


def test_a_slice_weak_as_a_whole_and_on_a_label_is_said_once() -> None:
    weak = card(size={"large": {**real_ones(28, 12), "weak": True}})

    (sentence,) = like_this(weak, LARGE_PHOTO, None, "ai")
    assert "were taken for ai" in sentence
    (sentence,) = like_this(weak, LARGE_PHOTO, None, "real")
    assert "it was right 290 of 320 times" in sentence


def test_of_several_weak_slices_the_surely_worst_is_said() -> None:
    weak = card(
        manner={"drawn": row(40, 30, weak=True, low=0.13)},
        alike={"small, JPEG, drawn": row(23, 14, weak=True, low=0.2)},
        size={"small": row(60, 50, weak=True, low=0.09)},
    )

    (sentence,) = like_this(weak, SMALL_DRAWING, None)

    assert "(small, JPEG, drawn)" in sentence
    assert ALIKE in slices_of(SMALL_DRAWING)


def test_what_no_picture_was_like_is_said() -> None:
    gif = {**SMALL_DRAWING, "format": "GIF", "width": 30}

    assert like_this(card(), gif, None) == [
        "No picture like this (tiny, GIF) was in what it was measured on."
    ]


def test_band_that_promises_too_much_is_said() -> None:
    weak = card(confidence={"90 to 97%": row(40, 30, weak=True)})

    assert like_this(weak, None, 0.93) == [
        "Where it was as sure as this (90 to 97%), it was right 30 of 40 times, "
        "less often than it claims."
    ]


@pytest.mark.parametrize(
    "known", [{}, {"slices": None}, {"slices": {"with_looks": 0, "parts": {}}}]
)
def test_versions_of_which_nothing_is_known_say_nothing(known: dict[str, Any]) -> None:
    assert like_this(known, SMALL_DRAWING, 0.9, "ai") == []
    assert not tells_slices(known)


def test_a_version_that_knows_the_looks_of_few_of_its_pictures_calls_none_new() -> None:
    partly = card(manner={"photo": row(50, 45)})
    slices = slices_of(SMALL_DRAWING)
    partly["slices"]["pictures"] = 105
    assert unknown_slice(partly, slices) is not None, "nearly all is enough"

    partly["slices"]["pictures"] = 1_000

    assert unknown_slice(partly, slices) is None
