"""The first start answers, says it is a demonstration, and never mixes with the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from classify import classify
from config import Encoder, Settings, load_settings
from decision import DEMO_REASON
from domain import DEFAULT_TASK, NewSample, NotEnoughData, Split
from embeddings.images import decode
from engine import open_engine
from starter import ensure, lesson, photographs
from tests.pictures import encode, photo
from tests.tiny_clip import write_config
from train import train


@pytest.fixture(scope="module")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load_settings(
        _env_file=None, data_dir=tmp_path_factory.mktemp("first") / "data", encoder=Encoder.BUILTIN
    )
    ensure(settings)
    return settings


def test_lesson_is_the_same_every_time() -> None:
    once, again = list(lesson()), list(lesson())
    assert {label for label, _, _ in once} == {"ai", "real"}
    assert all((a[2] == b[2]).all() for a, b in zip(once, again, strict=True))


def test_first_start_answers_and_says_it_is_a_demonstration(first_start: Settings) -> None:
    engine = open_engine(first_start)
    pictures = [decode(encode(pixels, "PNG")) for _, pixels in photographs()]
    verdicts = classify(engine, DEFAULT_TASK, pictures)
    engine.close()
    assert all(verdict.demo and DEMO_REASON in verdict.reasons for verdict in verdicts)
    assert sum(verdict.prediction == "real" for verdict in verdicts) >= 12  # of 15


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


def test_lesson_is_made_whatever_the_users_own_must_come_to(settings: Settings) -> None:
    wanting = settings.model_copy(update={"starter_lesson": True, "min_images_per_class": 5000})
    ensure(wanting)
    engine = open_engine(wanting)
    assert engine.store.versions.current(DEFAULT_TASK) is not None
    engine.close()


def test_another_embedder_gets_a_demonstration_of_its_own(
    first_start: Settings, tmp_path: Path
) -> None:
    tiny = first_start.model_copy(
        update={
            "encoder": Encoder.CLIP,
            "clip_model_name": str(write_config(tmp_path)),
            "clip_pretrained": "random",
        }
    )
    ensure(tiny)
    engine = open_engine(tiny)
    current = engine.store.versions.current(DEFAULT_TASK)
    engine.close()
    assert current is not None
    assert current.demo
    assert current.embedder.startswith("clip:tiny")


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
