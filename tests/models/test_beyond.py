"""Examples alone accuse nobody whom they do not set apart from their own real pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from decision import Sight, decide_each
from domain import UNSURE, Task, TaskKind
from models.beyond import FEWEST_OTHERS, beyond_examples
from models.exact import quantised
from models.knowledge import Knowledge
from models.taught import Shown, Statistics, TaughtHead
from models.words import Mixed, TextHead
from tests.models.made import clusters

NOW = datetime(2026, 11, 21, tzinfo=UTC)
AUTHENTICITY = Task(1, "authenticity", TaskKind.AUTHENTICITY, ("ai", "real"), False, NOW)
AS_SET: Mapping[str, float | None] = {"ai": 0.01, "real": None}


def taught(per_label: int | tuple[int, int], *, seed: int = 0, apart: float = 0.0) -> TaughtHead:
    made = clusters(per_label, apart=apart, seed=seed)
    statistics = Statistics()
    for row, (vector, label) in enumerate(zip(made.vectors, made.labels, strict=True)):
        statistics.add(Shown(f"{seed}-{row}", str(label), 1, quantised(vector[None])))
    return statistics.solve()


def knowing(per_label: int | tuple[int, int], **more: Any) -> Knowledge:
    counts = (per_label, per_label) if isinstance(per_label, int) else per_label
    head = taught(per_label, **more)
    return Knowledge(head=head, taught=dict(zip(head.classes, counts, strict=True)), rates=AS_SET)


def answers(known: Knowledge, vectors: np.ndarray, task: Task = AUTHENTICITY) -> list[str]:
    sights = [Sight(f"{row}", 0, vector, None) for row, vector in enumerate(vectors)]
    return [one.prediction for one in decide_each(task, known, sights)]


@pytest.mark.parametrize("per_label", [1, 3, 5, 10, 30])
def test_examples_that_tell_nothing_apart_accuse_hardly_any_real_picture(per_label: int) -> None:
    wrongly = []
    for seed in range(20):
        real = clusters((1, 50), apart=0.0, seed=1000 + seed).vectors[1:]
        wrongly += answers(knowing(per_label, seed=seed), real)

    assert wrongly.count("ai") <= 0.02 * len(wrongly)


def test_examples_that_set_labels_apart_are_answered_by() -> None:
    known = knowing(20, apart=8.0)
    again = clusters(10, apart=8.0)

    said = answers(known, again.vectors)

    assert [one for one in said if one != UNSURE]
    assert all(one in (UNSURE, label) for one, label in zip(said, again.labels, strict=True))
    assert {"ai", "real"} <= set(said)


def test_with_too_few_others_it_says_what_to_send() -> None:
    known = knowing((8, FEWEST_OTHERS - 1), apart=8.0)
    likest_ai = clusters(1, apart=8.0).vectors[:1]

    (decision,) = decide_each(AUTHENTICITY, known, [Sight("0", 0, likest_ai[0], None)])

    assert decision.prediction == UNSURE
    assert decision.statistics.prediction == UNSURE
    (reason,) = [one for one in decision.reasons if "/tasks/authenticity/train" in one]
    assert "5 or more real pictures" in reason


def test_other_tasks_answer_from_the_first_examples_on() -> None:
    smile = replace(AUTHENTICITY, name="smile", kind=TaskKind.PHOTO)
    known = replace(knowing(3, apart=8.0), rates={})

    said = answers(known, clusters(3, apart=8.0).vectors, smile)

    assert said == ["ai"] * 3 + ["real"] * 3


def test_a_label_with_a_share_of_the_tasks_own_is_held_as_well() -> None:
    smile = replace(
        AUTHENTICITY, name="smile", kind=TaskKind.PHOTO, settings={"max_false": {"ai": 0.02}}
    )
    known = replace(knowing(3, apart=8.0), rates={})

    said = answers(known, clusters(3, apart=8.0).vectors, smile)

    assert said == [UNSURE] * 3 + ["real"] * 3


def test_a_stricter_share_is_said_from_a_higher_score_on() -> None:
    others = beyond_examples(taught(10), {})["ai"]

    assert max(others.others) == others.at(None) <= others.at(0.05) < others.at(0.01) <= 1


def test_examples_of_a_variant_are_those_of_its_label() -> None:
    head = taught(6)

    assert beyond_examples(head, {"ai": "real"})["real"].others == ()
    assert set(beyond_examples(head, {"ai": "fake"})) == {"fake", "real"}


def test_words_beside_examples_are_tried_on_the_same_pictures() -> None:
    head = taught(6)
    words = TextHead.of(
        ("ai", "real"), [np.eye(12, dtype=np.float32)[i : i + 1] for i in (0, 1)], 9
    )
    pooled = Mixed(("ai", "real"), words, head, 0.25)
    assert head.trial is not None

    alone, beside = (beyond_examples(one, {})["ai"].others for one in (head, pooled))

    n = len(head.trial.chances)
    said = words.predict_proba(head.trial.vectors[:n])[head.trial.codes[:n] == 1, 0]
    assert beside == pytest.approx((0.75 * np.asarray(alone) + 0.25 * said).tolist())
