"""The first start answers, says it is a demonstration, and never mixes with the user's own."""

from __future__ import annotations

import pytest

import starter
from classify import DEMO_REASON, classify
from config import Settings
from domain import DEFAULT_TASK, NewSample, NotEnoughData, Split
from embeddings.images import decode
from engine import open_engine
from starter import SIDE, ensure, lesson
from tests.pictures import encode, photo
from train import train


@pytest.fixture(scope="module")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(
        _env_file=None, data_dir=tmp_path_factory.mktemp("first") / "data", encoder="builtin"
    )
    ensure(settings)
    return settings


def test_lesson_is_the_same_every_time_and_gives_no_label_away_by_size() -> None:
    once, again = list(lesson()), list(lesson())
    assert {label for label, _, _ in once} == {"ai", "real"}
    assert {pixels.shape for _, _, pixels in once} == {(SIDE, SIDE, 3)}
    assert all((a[2] == b[2]).all() for a, b in zip(once, again, strict=True))


def test_first_start_answers_and_says_it_is_a_demonstration(first_start: Settings) -> None:
    engine = open_engine(first_start)
    name, photograph = next(iter(starter.photographs()))
    verdict = classify(engine, DEFAULT_TASK, [decode(encode(photograph, "PNG"))])[0]
    engine.close()
    assert name == "astronaut"
    assert verdict.demo
    assert verdict.prediction == "real"
    assert DEMO_REASON in verdict.reasons


def test_second_start_changes_nothing(first_start: Settings) -> None:
    engine = open_engine(first_start)
    before = engine.store.versions.all(DEFAULT_TASK)
    ensure(first_start)
    assert engine.store.versions.all(DEFAULT_TASK) == before
    engine.close()


def test_demonstration_is_not_counted_or_trained_on_with_the_users_own(
    first_start: Settings,
) -> None:
    engine = open_engine(first_start)
    assert engine.store.samples.counts(DEFAULT_TASK) == []
    assert sum(n for *_, n in engine.store.samples.counts(DEFAULT_TASK, demo=True)) > 100
    with pytest.raises(NotEnoughData):
        train(engine, DEFAULT_TASK)
    engine.close()


def test_no_lesson_where_the_user_brought_pictures(settings: Settings) -> None:
    wanting = settings.model_copy(update={"starter_lesson": True})
    engine = open_engine(wanting)
    facts = decode(encode(photo(0), "PNG")).facts
    engine.store.samples.add(
        DEFAULT_TASK, facts, NewSample("real", "mine", facts.sha256, Split.TRAIN)
    )
    ensure(wanting)
    assert engine.store.samples.counts(DEFAULT_TASK, demo=True) == []
    engine.close()


def test_no_lesson_when_the_setting_says_so(settings: Settings) -> None:
    ensure(settings)
    engine = open_engine(settings)
    assert engine.store.versions.current(DEFAULT_TASK) is None
    engine.close()
