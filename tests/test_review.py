"""The queue shows what a person's look is best spent on, and copies of one picture once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from classify import classify
from config import Settings
from domain import (
    NewSample,
    NotFound,
    Person,
    Split,
    TaskKind,
    Unacceptable,
    Verdict,
    VerdictSource,
)
from embeddings.images import decode
from engine import Engine, open_engine
from feedback import correct, undo
from given import Given
from models.knowledge import Knowledge
from models.support import Support
from review import MOST, _spread, queue
from tests.pictures import encode, letter, photo

TASK = "letters"
ME = Person("local", trusted=True)
ANN, BOB = Person("ann", trusted=False), Person("bob", trusted=False)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    opened = open_engine(settings)
    opened.store.tasks.create(TASK, TaskKind.DRAWING, open=True)
    yield opened
    opened.close()


def drawn(which: int, hand: int = 0) -> bytes:
    return encode(letter(which, hand), "PNG")


def ask(engine: Engine, data: bytes, task: str = TASK) -> Verdict:
    (verdict,) = classify(engine, task, [decode(data)], files=[data])
    return verdict


def teach(engine: Engine, data: bytes, label: str, person: Person = ME) -> str:
    return correct(engine, Given(TASK, person, label, picture=data)).correction.id


def teach_letters(engine: Engine, letters: range) -> None:
    for which in letters:
        for hand in range(2):
            teach(engine, drawn(which, hand), f"letter {which}")


def queued(engine: Engine, order: str, n: int = 20, task: str = TASK) -> list[str]:
    return [one.sha256 for one in queue(engine, task, order, n)]


@pytest.mark.parametrize("order", ["uncertain", "diverse", "conflict"])
def test_a_task_nobody_has_asked_has_an_empty_queue(engine: Engine, order: str) -> None:
    assert queue(engine, TASK, order, 20) == []


def test_the_least_sure_answers_come_first(engine: Engine) -> None:
    teach_letters(engine, range(4))
    for which in range(4, 12):
        ask(engine, drawn(which))
    found = queue(engine, TASK, "uncertain", 20)
    sureness = [one.confidence for one in found]
    assert len(set(sureness)) == 8
    assert sureness == sorted(sureness, key=lambda p: p or 0)
    known = [engine.store.verdicts.get(str(one.verdict_id)).picture.sha256 for one in found]
    assert known == [one.sha256 for one in found]


def test_sureness_is_that_of_now(engine: Engine) -> None:
    verdict = ask(engine, drawn(0, 30))
    assert verdict.prediction == "unsure"
    teach_letters(engine, range(4))
    (one,) = queue(engine, TASK, "uncertain", 20)
    assert one.prediction == "letter 0"


@pytest.mark.parametrize("order", ["uncertain", "diverse"])
def test_what_is_labelled_leaves_the_queue_and_comes_back_when_undone(
    engine: Engine, order: str
) -> None:
    first, second = ask(engine, drawn(0)), ask(engine, drawn(1))
    made = correct(engine, Given(TASK, ME, "a", verdict_id=first.id))
    assert queued(engine, order) == [second.picture.sha256]
    undo(engine, TASK, made.correction.id, ME)
    assert set(queued(engine, order)) == {first.picture.sha256, second.picture.sha256}


def test_samples_are_labelled_already(engine: Engine) -> None:
    verdict = ask(engine, drawn(0))
    engine.store.tasks.add_label(TASK, "a")
    sample = NewSample("a", "here", "f", Split.TRAIN)
    engine.store.samples.add(TASK, verdict.picture, sample)
    assert queue(engine, TASK, "uncertain", 20) == []


def test_a_copy_of_a_corrected_picture_is_not_asked_about(engine: Engine) -> None:
    name = "authenticity"
    pixels = photo(1, 320, 240)
    ask(engine, encode(pixels, "JPEG", quality=60), name)
    other = ask(engine, encode(photo(2, 320, 240), "PNG"), name)
    correct(engine, Given(name, ME, "ai", picture=encode(pixels, "PNG")))
    assert queued(engine, "uncertain", task=name) == [other.picture.sha256]


@pytest.mark.parametrize("order", ["uncertain", "diverse"])
def test_near_duplicates_stand_as_one_with_their_count(engine: Engine, order: str) -> None:
    name = "authenticity"
    pixels = photo(1, 320, 240)
    for quality in (95, 80, 65):
        ask(engine, encode(pixels, "JPEG", quality=quality), name)
    ask(engine, encode(photo(2, 320, 240), "PNG"), name)
    found = queue(engine, name, order, 20)
    assert sorted(one.count for one in found) == [1, 3]


def test_a_picture_asked_about_twice_is_one(engine: Engine) -> None:
    ask(engine, drawn(0))
    again = ask(engine, drawn(0))
    (one,) = queue(engine, TASK, "uncertain", 20)
    assert (one.verdict_id, one.count) == (again.id, 1)


def test_diverse_takes_one_of_each_sort_first(engine: Engine) -> None:
    for hand in range(4):
        for which in range(3):
            ask(engine, drawn(which, hand))
    kinds = {
        ask(engine, drawn(which, hand)).picture.sha256: which
        for which in range(3)
        for hand in range(4)
    }
    assert {kinds[sha256] for sha256 in queued(engine, "diverse", 3)} == {0, 1, 2}


def test_diverse_keeps_away_from_what_is_labelled(engine: Engine) -> None:
    teach_letters(engine, range(2))
    for which in (0, 1, 7):
        ask(engine, drawn(which, 30))
    new = decode(drawn(7, 30)).facts.sha256
    assert queued(engine, "diverse", 1) == [new]


def test_the_spread_is_at_most_twice_as_wide_as_the_best() -> None:
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(6, 16))
    rows = np.repeat(centres, 20, axis=0) + rng.normal(scale=0.05, size=(120, 16))
    units = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    chosen = _spread(units, np.zeros((0, 0), np.float32), 6)
    assert {place // 20 for place in chosen} == set(range(6))
    assert len(set(_spread(units, units[:3], 200))) == 120  # no more than there are, each once


def test_disputes_show_who_says_what_the_latest_first(engine: Engine) -> None:
    for which in range(3):
        teach(engine, drawn(which), "a", ANN)
    second = teach(engine, drawn(1), "b", BOB)
    teach(engine, drawn(0), "c", BOB)
    found = queue(engine, TASK, "conflict", 20)
    assert [[(v.person, v.label) for v in one.votes] for one in found] == [
        [("ann", "a"), ("bob", "c")],
        [("ann", "a"), ("bob", "b")],
    ]
    assert found[0].prediction is None  # one against one: nobody leads
    assert all(one.kept for one in found)
    undo(engine, TASK, second, ME)
    assert len(queue(engine, TASK, "conflict", 20)) == 1


def test_labels_that_are_variants_of_each_other_are_no_dispute(engine: Engine) -> None:
    teach(engine, drawn(0), "a", ANN)
    teach(engine, drawn(0), "á", BOB)
    engine.store.tasks.link(TASK, "a", "á")
    assert queue(engine, TASK, "conflict", 20) == []


def test_who_is_trusted_settles_what_a_dispute_is_answered_with(engine: Engine) -> None:
    teach(engine, drawn(0), "a", ANN)
    teach(engine, drawn(0), "b", ME)
    (one,) = queue(engine, TASK, "conflict", 20)
    assert one.prediction == "b"


def test_contradicting_a_held_out_label_waits_for_somebody_trusted(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    teach(engine, drawn(0), "b", ANN)
    teach(engine, drawn(1), "b", ANN)
    sha256 = decode(drawn(0)).facts.sha256
    none = np.zeros((0, 4), np.float32)
    held_out = Support(none, np.asarray([], str), none, np.asarray([], str), {sha256: "a"})
    known = replace(engine.learned.knowledge(engine.store.tasks.get(TASK)), support=held_out)

    def knowledge(task: object) -> Knowledge:
        return known

    monkeypatch.setattr(engine.learned, "knowledge", knowledge)
    (one,) = queue(engine, TASK, "conflict", 20)
    assert (one.sha256, one.prediction) == (sha256, "a")
    assert [vote.label for vote in one.votes] == ["b"]


@pytest.mark.parametrize("order", ["uncertain", "diverse", "conflict"])
def test_no_more_are_shown_than_asked_for(engine: Engine, order: str) -> None:
    for which in range(6):
        teach(engine, drawn(which), "a", ANN)
        teach(engine, drawn(which), "b", BOB)
        ask(engine, drawn(which, 30))
    assert len(queue(engine, TASK, order, 4)) == 4


@pytest.mark.parametrize("n", [0, -1, MOST + 1])
def test_a_number_beyond_bounds_is_refused(engine: Engine, n: int) -> None:
    with pytest.raises(Unacceptable):
        queue(engine, TASK, "uncertain", n)


def test_another_order_or_task_is_refused(engine: Engine) -> None:
    with pytest.raises(Unacceptable):
        queue(engine, TASK, "random", 3)
    with pytest.raises(NotFound):
        queue(engine, "nothing", "uncertain", 3)


def test_variants_count_as_their_label(engine: Engine) -> None:
    teach_letters(engine, range(3))
    for which in range(4, 16):
        ask(engine, drawn(which))
    before = {one.prediction for one in queue(engine, TASK, "uncertain", 20)}
    assert before == {"letter 0", "letter 1", "letter 2"}
    engine.store.tasks.link(TASK, "letter 0", "letter 1")
    after = {one.prediction for one in queue(engine, TASK, "uncertain", 20)}
    assert after == {"letter 0", "letter 2"}


def test_what_words_answered_is_ranked_by_what_was_taught_since(engine: Engine) -> None:
    verdict = ask(engine, drawn(0, 30))
    by_words = replace(
        verdict,
        id="by words",
        source=VerdictSource.TEXT,
        prediction="letter 9",
        confidence=0.01,
        created_at=verdict.created_at + timedelta(minutes=1),
    )
    engine.store.verdicts.add(by_words)
    teach_letters(engine, range(4))
    (one,) = queue(engine, TASK, "uncertain", 20)
    assert (one.prediction, one.verdict_id) == ("letter 0", "by words")
