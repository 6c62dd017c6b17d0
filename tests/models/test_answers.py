from __future__ import annotations

import io
from dataclasses import fields

import numpy as np
import pytest

from models.answers import NOTHING, Answers, from_bytes, gather, ranked, to_bytes
from models.card import Predictions
from tests.models.answering import answers, sha
from tests.models.made import clusters


def test_answers_come_back_from_their_file_as_they_were() -> None:
    kept = answers(("a", "ai", "real"), ("b", "real", "real"), unseen=("ai", "real"))

    back = from_bytes(to_bytes(kept))

    assert back.classes == kept.classes
    assert back.source_names == kept.source_names
    for column in (f.name for f in fields(Answers) if f.name not in ("classes", "source_names")):
        np.testing.assert_array_equal(getattr(back, column), getattr(kept, column))


@pytest.mark.parametrize("cut", [0, 1, 40, -20])
def test_a_file_that_is_damaged_is_a_value_error_and_nothing_else(cut: int) -> None:
    data = to_bytes(answers(("a", "ai", "ai")))

    with pytest.raises(ValueError, match=r"no answers of a version|pickle"):
        from_bytes(data[:cut])


def test_a_file_with_objects_in_it_is_not_read() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, pictures=np.asarray([{"run": "me"}], object))

    with pytest.raises(ValueError, match="allow_pickle"):
        from_bytes(buffer.getvalue())


def test_each_picture_is_found_again_and_unknown_ones_are_nowhere() -> None:
    kept = answers(*((f"picture {i}", "ai", "ai") for i in range(50)))
    asked = np.asarray([sha("picture 7"), sha("elsewhere"), sha("picture 0")], "S64")

    assert kept.rows_of(asked).tolist() == [7, NOTHING, 0]
    assert answers().rows_of(asked).tolist() == [NOTHING] * 3


def test_what_was_said_is_gathered_from_folds_and_from_the_held_out_side() -> None:
    examples = clusters(3, ("ai", "real"))
    chances = np.asarray([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7], [0.7, 0.3], [0.1, 0.9]])
    train, test = np.arange(4), np.arange(4, 6)
    names = np.asarray([sha(str(i)) for i in range(6)], "S64")

    kept = gather(
        Predictions(examples.take(train), chances[train], ("ai", "real")),
        Predictions(examples.take(test), chances[test], ("ai", "real")),
        (names[train], names[test]),
        (np.asarray([2]), np.asarray(["real"])),
    )

    assert kept.label_names().tolist() == ["ai", "ai", "ai", "real", "real", "real"]
    assert kept.said.tolist() == [0, 1, 0, 1, 0, 1]
    assert kept.held_out.tolist() == [False] * 4 + [True] * 2
    assert kept.unseen.tolist() == [NOTHING, NOTHING, 1, NOTHING, NOTHING, NOTHING]
    np.testing.assert_allclose(kept.sure, [0.9, 0.2, 0.6, 0.7, 0.3, 0.9], atol=1e-3)
    assert len(np.unique(kept.families)) == 6


def test_families_have_the_same_number_in_every_version() -> None:
    examples, chances = clusters(2), np.full((4, 2), 0.5)
    none = examples.take(np.zeros(4, np.bool_))
    names = np.asarray([sha(str(i)) for i in range(4)], "S64")
    nothing = (np.empty(0, np.intp), np.empty(0, np.str_))

    one, other = (
        gather(
            Predictions(examples.take(rows), chances[rows], ("ai", "real")),
            Predictions(none, np.empty((0, 2)), ("ai", "real")),
            (names[rows], names[:0]),
            nothing,
        )
        for rows in (np.arange(4), np.arange(3)[::-1])
    )

    assert one.families[:3].tolist() == other.families[::-1].tolist()


def test_what_would_be_said_of_some_labels_is_the_likeliest_of_those() -> None:
    kept = answers(
        ("a", "cat", "dog"), ("b", "cat", "cat"), classes=("cat", "dog", "owl"),
        ranked=(("dog", "owl", "cat"), ("cat", "dog", "owl")),
    )  # fmt: skip

    assert kept.said_of(np.asarray([True, False, True])).tolist() == [2, 0]
    assert kept.said_of(np.asarray([True, True, True])).tolist() == kept.said.tolist()
    assert kept.said_of(np.asarray([False, False, False])).tolist() == [NOTHING, NOTHING]


def test_labels_are_ranked_by_their_probability_and_the_first_of_likes_is_first() -> None:
    assert ranked(np.asarray([[0.1, 0.7, 0.2], [0.4, 0.2, 0.4]])).tolist() == [[1, 2, 0], [0, 2, 1]]


def test_a_file_from_before_labels_were_ranked_is_read() -> None:
    kept = answers(("a", "ai", "real"), ("b", "real", "real"))
    buffer = io.BytesIO()
    with np.load(io.BytesIO(to_bytes(kept))) as columns:
        np.savez(buffer, **{name: columns[name] for name in columns.files if name != "ranked"})

    assert from_bytes(buffer.getvalue()).ranked.tolist() == [[1], [1]]
