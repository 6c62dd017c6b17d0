"""A rollback lasts until a candidate is another one than what was gone back from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, cast

import pytest

from config import Settings
from domain import ModelVersion, TaskKind
from embeddings.builtin import Builtin
from engine import Engine, wired
from models.answers import Answers
from models.gate import Gate
from models.registry import Registry
from models.rejected import held_against_rejected
from promotion import promote, roll_back
from storage import Store
from tests.models.answering import answers
from tests.trained import EMBEDDER, TASK, quickly, teach
from train import judge

PROMOTED = Gate(True, "No worse.", {"compared": None}, "one")


class Given:
    """A registry of answers that were never given."""

    def __init__(self, kept: Mapping[str, Answers]) -> None:
        self._kept = kept

    def answers(self, version: ModelVersion) -> Answers | None:
        """Those of a version."""
        return self._kept.get(version.id)


@pytest.fixture
def task(store: Store) -> Store:
    store.tasks.create(TASK, TaskKind.PHOTO, ("ai", "real"), open=True)
    for name in ("one", "two", "three", "new"):
        store.versions.add(version(name))
    return store


def version(name: str, *, equalised: int = 0, embedder: str = EMBEDDER) -> ModelVersion:
    card = {"shortcuts": {"equalised": equalised}}
    return ModelVersion(name, TASK, embedder, "svm", "", False, datetime.now(UTC), card)


def rolled_back(store: Store, *steps: str) -> None:
    """Promote versions in turn, those in capitals by going back."""
    for step in steps:
        store.versions.promote(
            TASK, step.lower(), "Rolled back by ann.", back=step.isupper()
        )  # fmt: skip


def told(n: int = 100, wrong: int = 20, *, without: int = 0, name: str = "") -> Answers:
    """What a version said of pictures, the first ones wrongly; half are of each label."""
    turned = {"ai": "real", "real": "ai"}
    labels = ["ai", "real"] * (n // 2)
    rows = [
        (f"{name}{i}", label, turned[label] if i < wrong else label)
        for i, label in enumerate(labels)
    ]
    return answers(*rows[without:])


def judged(
    store: Store, kept: Mapping[str, Answers], candidate: ModelVersion | None = None
) -> Gate:
    registry = cast(Registry, Given(kept))
    return held_against_rejected(store, registry, candidate or version("new"), PROMOTED)


def relabelled(n: int) -> Answers:
    """The same pictures, so many of them under another label."""
    one = told()
    labels = one.labels.copy()
    labels[-n:] = 1 - labels[-n:]
    return answers(
        *(
            (str(row), one.classes[labels[row]], one.classes[one.said[row]])
            for row in range(len(one))
        )
    )


# --- by made answers ---


@pytest.mark.parametrize("wrong", [20, 19, 25])
def test_what_is_hardly_other_than_the_version_gone_back_from_is_kept(
    task: Store, wrong: int
) -> None:
    rolled_back(task, "one", "two", "ONE")

    gate = judged(task, {"two": told(), "new": told(wrong=wrong)})

    assert not gate.promoted
    for said in ("two was gone back from (Rolled back by ann)", "0 of 100 pictures",
                 "not clearly better", "`POST /models/new/promote`"):  # fmt: skip
        assert said in gate.reason
    assert (gate.against, gate.figures["rejected"]) == ("one", "two")


def test_what_is_clearly_better_than_the_version_gone_back_from_is_promoted(task: Store) -> None:
    rolled_back(task, "one", "two", "ONE")

    assert judged(task, {"two": told(wrong=30), "new": told(wrong=5)}) == PROMOTED


@pytest.mark.parametrize(
    ("candidate", "promoted"),
    [
        (told(112), True),  # so many were added
        (told(110), False),
        (told(without=10), True),  # or taken out
        (told(without=8), False),
        (relabelled(11), True),
        (relabelled(9), False),
        (told(name="others"), True),
    ],
)
def test_what_is_made_from_other_pictures_by_more_than_a_tenth_is_promoted(
    task: Store, candidate: Answers, promoted: bool
) -> None:
    rolled_back(task, "one", "two", "ONE")

    assert judged(task, {"two": told(), "new": candidate}).promoted == promoted


@pytest.mark.parametrize(
    "other", [version("new", equalised=100), version("new", embedder="clip:ViT-B-32/openai")]
)
def test_what_sees_pictures_in_another_way_is_promoted(task: Store, other: ModelVersion) -> None:
    rolled_back(task, "one", "two", "ONE")

    assert judged(task, {"two": told(), "new": told()}, other).promoted


def test_where_answers_are_lost_nothing_shows_that_it_is_better(task: Store) -> None:
    rolled_back(task, "one", "two", "ONE")

    gate = judged(task, {"new": told(wrong=0)})

    assert not gate.promoted
    assert "cannot be read" in gate.reason


def test_the_version_gone_back_from_does_not_come_back_by_itself(task: Store) -> None:
    rolled_back(task, "one", "two", "ONE")

    assert not judged(task, {}, version("two")).promoted


def test_of_rollbacks_in_a_row_each_lasts(task: Store) -> None:
    rolled_back(task, "one", "two", "three", "TWO", "ONE")

    for name in ("two", "three"):
        other = {"two": told(name="a"), "three": told(name="b")}
        gate = judged(task, {**other, "new": other[name]})
        assert gate.figures["rejected"] == name


@pytest.mark.parametrize(
    "steps", [("one", "two"), ("one", "two", "one"), ("one", "two", "ONE", "three")]
)
def test_without_a_rollback_or_after_the_next_promotion_nothing_is_held_against_it(
    task: Store, steps: tuple[str, ...]
) -> None:
    rolled_back(task, *steps)

    assert judged(task, {"two": told(), "new": told()}) == PROMOTED


# --- from pictures to the pointer ---


@pytest.fixture
def engine(settings: Settings, store: Store) -> Engine:
    store.tasks.create(TASK, TaskKind.PHOTO, ("no_smile", "smile"), open=False)
    embedders: Any = MappingProxyType({kind: Builtin(kind) for kind in TaskKind})
    return wired(settings, store, embedders)


def current_id(engine: Engine) -> str | None:
    current = engine.store.versions.current(TASK)
    return current.id if current else None


def test_a_rollback_outlasts_a_night_that_brings_one_picture(engine: Engine) -> None:
    teach(engine.store, 60)
    first = quickly(engine)
    teach(engine.store, 30, name="bad")
    second = quickly(engine)
    assert second.promoted
    roll_back(engine, TASK, who="ann")
    teach(engine.store, (1, 0), name="one more")

    third = quickly(engine)

    assert not third.promoted
    assert f"{second.version.id} was gone back from (Rolled back by ann)" in third.reason
    assert "1 of 181 pictures" in third.reason
    assert current_id(engine) == first.version.id
    promote(engine, TASK, third.version.id, who="ann")
    assert judge(engine, second.version).promoted  # that was a word of its own


def test_a_rollback_ends_with_enough_that_is_new(engine: Engine) -> None:
    teach(engine.store, 60)
    quickly(engine)
    teach(engine.store, 30, name="bad")
    quickly(engine)
    roll_back(engine, TASK, who="ann")
    teach(engine.store, 12, name="good")

    assert quickly(engine).promoted


def test_a_rollback_to_the_demonstration_lasts_as_well(engine: Engine) -> None:
    teach(engine.store, 40, name="demo", demo=True)
    demonstration = quickly(engine, demo=True)
    teach(engine.store, 40)
    quickly(engine)
    roll_back(engine, TASK, who="ann")
    teach(engine.store, (1, 0), name="one more")

    again = quickly(engine)

    assert not again.promoted
    assert "was gone back from" in again.reason
    assert current_id(engine) == demonstration.version.id
