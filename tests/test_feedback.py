"""Corrections: learned at once, told in a receipt, taken back exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import feedback
from classify import classify
from config import Settings
from domain import (
    BadImage,
    Conflict,
    Limited,
    Malformed,
    NotFound,
    Person,
    Receipt,
    TaskKind,
    Unacceptable,
    Verdict,
    VerdictSource,
)
from embeddings.builtin import Builtin
from embeddings.images import decode
from embeddings.likeness import LIKENESS
from engine import Engine, open_engine, wired
from feedback import correct, correct_many, erase, main, parse_arguments, receipt, undo, undo_person
from given import Given
from tests.pictures import encode, letter, photo

TASK = "letters"
ANN, BOB = Person("ann", trusted=False), Person("bob", trusted=False)
ME = Person("local", trusted=True)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    opened = open_engine(settings)
    opened.store.tasks.create(TASK, TaskKind.DRAWING, open=True)
    yield opened
    opened.close()


class Renamed(Builtin):
    """The same vectors under another name."""

    def __init__(self) -> None:
        super().__init__(TaskKind.DRAWING, "A test asks for it.")

    @property
    def id(self) -> str:
        return "renamed:1"


def drawn(which: int, hand: int = 0) -> bytes:
    return encode(letter(which, hand), "PNG")


def shot(seed: int) -> bytes:
    return encode(photo(seed), "PNG")


def teach(engine: Engine, data: bytes, label: str, person: Person = ME, **more: Any) -> Receipt:
    return correct(engine, Given(TASK, person, label, picture=data, **more))


def ask(engine: Engine, data: bytes, task: str = TASK) -> Verdict:
    (verdict,) = classify(engine, task, [decode(data)], files=[data])
    return verdict


def teach_letters(engine: Engine, letters: range, hands: int = 3) -> list[Receipt]:
    return [
        teach(engine, drawn(which, hand), f"letter {which}")
        for which in letters
        for hand in range(hands)
    ]


def right(engine: Engine, letters: range, hands: range = range(50, 53)) -> float:
    answers = [
        ask(engine, drawn(which, hand)).prediction == f"letter {which}"
        for which in letters
        for hand in hands
    ]
    return sum(answers) / len(answers)


def test_the_same_picture_is_answered_rightly_at_once(engine: Engine) -> None:
    for seed in range(8):
        label = "ai" if seed % 2 else "real"
        made = correct(engine, Given("authenticity", ME, label, picture=shot(seed)))
        assert made.after.prediction == label
        verdict = ask(engine, shot(seed), "authenticity")
        assert (verdict.prediction, verdict.source) == (label, VerdictSource.MEMORY)
        assert "local labelled" in verdict.reasons[0]


def test_a_verdict_is_corrected_by_its_id(engine: Engine) -> None:
    verdict = ask(engine, shot(1), "authenticity")
    made = correct(engine, Given("authenticity", ME, "ai", verdict_id=verdict.id))
    assert (made.correction.verdict_id, made.correction.sha256) == (
        verdict.id,
        verdict.picture.sha256,
    )
    assert ask(engine, shot(1), "authenticity").prediction == "ai"


def test_a_verdict_whose_file_is_not_kept_is_corrected_as_well(engine: Engine) -> None:
    (verdict,) = classify(engine, TASK, [decode(drawn(1))])
    correct(engine, Given(TASK, ME, "a", verdict_id=verdict.id))
    assert ask(engine, drawn(1)).prediction == "a"
    assert engine.store.samples.all(TASK) == []  # without a file there is nothing to train on


def test_saying_that_it_was_right_keeps_the_answer(engine: Engine) -> None:
    teach_letters(engine, range(2))
    verdict = ask(engine, drawn(1, 20))
    made = correct(engine, Given(TASK, ME, correct=True, verdict_id=verdict.id))
    assert made.correction.label == verdict.prediction == "letter 1"


def test_letters_are_known_after_a_few_examples(engine: Engine) -> None:
    assert ask(engine, drawn(0)).source is VerdictSource.NONE
    teach_letters(engine, range(10), hands=2)
    assert right(engine, range(10)) >= 0.9
    verdict = ask(engine, drawn(3, 60))
    assert verdict.source in (VerdictSource.MODEL, VerdictSource.SIMILAR)
    assert verdict.model_version is None
    assert sum(verdict.probabilities.values()) == pytest.approx(1)


def test_new_letters_come_beside_the_old_ones_over_a_restart(
    engine: Engine, settings: Settings
) -> None:
    teach_letters(engine, range(10), hands=2)
    engine.close()
    again = open_engine(settings)
    teach_letters(again, range(10, 20), hands=2)
    assert right(again, range(20)) >= 0.9
    again.close()


def test_every_engine_on_the_store_answers_alike_at_once(
    engine: Engine, settings: Settings
) -> None:
    other = open_engine(settings)
    teach_letters(other, range(4))
    assert ask(other, drawn(2, 9)).probabilities == ask(engine, drawn(2, 9)).probabilities
    made = teach(engine, drawn(9, 1), "letter 9")
    assert ask(other, drawn(9, 1)).prediction == "letter 9"
    undo(other, TASK, made.correction.id, ME)
    assert ask(engine, drawn(9, 1)).prediction != "letter 9"
    other.close()


def answers(engine: Engine) -> list[tuple[str, float, dict[str, float]]]:
    verdicts = [ask(engine, drawn(which, 70)) for which in range(6)]
    return [(v.prediction, v.confidence, dict(v.probabilities)) for v in verdicts]


def test_an_undone_correction_is_as_if_it_had_never_been(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    never = open_engine(settings.model_copy(update={"data_dir": tmp_path / "never"}))
    never.store.tasks.create(TASK, TaskKind.DRAWING, open=True)
    for which in range(5):
        for hand in range(3):
            teach(engine, drawn(which, hand), f"letter {which}")
            teach(never, drawn(which, hand), f"letter {which}")
            made = teach(engine, drawn(5, 3 * which + hand), f"letter {(which + 1) % 7}")
            undo(engine, TASK, made.correction.id, ME)
    assert answers(engine) == answers(never)
    assert engine.store.tasks.get(TASK).labels == never.store.tasks.get(TASK).labels
    heads = [one.learned.knowledge(one.store.tasks.get(TASK)).head for one in (engine, never)]
    rows = np.eye(64, engine.embedders[TaskKind.DRAWING].dim, dtype=np.float32)
    first, second = (head.predict_proba(rows).tobytes() for head in heads if head is not None)
    assert first == second
    never.close()


def test_an_undo_brings_back_what_the_same_person_had_said(engine: Engine) -> None:
    teach(engine, drawn(1), "a")
    second = teach(engine, drawn(1), "b")
    assert ask(engine, drawn(1)).prediction == "b"
    undone = undo(engine, TASK, second.correction.id, ME)
    assert (undone.before.prediction, undone.after.prediction, undone.undone) == ("b", "a", True)
    with pytest.raises(Conflict):
        undo(engine, TASK, second.correction.id, ME)


def test_a_dry_run_tells_what_would_be_and_changes_nothing(engine: Engine) -> None:
    teach_letters(engine, range(3))
    before = answers(engine)
    supposed = correct(engine, Given(TASK, ME, "letter 9", picture=drawn(5)), dry_run=True)
    assert (supposed.after.prediction, supposed.dry_run) == ("letter 9", True)
    assert engine.store.corrections.count(TASK) == 9
    assert answers(engine) == before
    done = teach(engine, drawn(5), "letter 9")
    assert replace(supposed.effect) == done.effect
    assert supposed.after == done.after
    supposed = undo(engine, TASK, done.correction.id, ME, dry_run=True)
    assert supposed.after.prediction != "letter 9"
    assert ask(engine, drawn(5)).prediction == "letter 9"


def stored(engine: Engine) -> tuple[int, int]:
    files = [one for one in (engine.settings.data_dir / "pictures").rglob("*") if one.is_file()]
    names = [engine.embedders[TaskKind.DRAWING].id, LIKENESS]
    return len(files), sum(engine.store.vectors.count(name) for name in names)


def test_dry_runs_and_refusals_keep_nothing_of_the_picture(engine: Engine) -> None:
    correct(engine, Given(TASK, ME, "a", picture=drawn(1)), dry_run=True)
    with pytest.raises(Unacceptable):
        correct(engine, Given("authenticity", ME, "fake", picture=drawn(2)))
    assert stored(engine) == (0, 0)
    teach(engine, drawn(1), "a")
    assert stored(engine) == (1, 2)


def test_a_dry_run_never_commits(engine: Engine) -> None:
    first = teach(engine, drawn(1), "a", idempotency_key="k")
    undo(engine, TASK, first.correction.id, ME)
    given = Given(TASK, ME, "a", picture=drawn(1), idempotency_key="k")
    again = correct(engine, given, dry_run=True)
    assert (again.correction.id, again.undone) == (first.correction.id, True)
    assert engine.store.corrections.count(TASK) == 2
    for undone in (first.correction.id, engine.store.corrections.since(TASK, 1)[0].id):
        with pytest.raises((Conflict, Unacceptable)):
            undo(engine, TASK, undone, ME, dry_run=True)


def test_a_picture_without_a_vector_gets_an_answer_all_the_same(
    engine: Engine, settings: Settings
) -> None:
    (verdict,) = classify(engine, TASK, [decode(drawn(9))])
    teach_letters(engine, range(2))
    moved = wired(settings, engine.store, {**engine.embedders, TaskKind.DRAWING: Renamed()})
    for which in (0, 1):
        correct(moved, Given(TASK, ME, f"letter {which}", picture=drawn(which, 5)))
    made = correct(moved, Given(TASK, ME, "letter 1", verdict_id=verdict.id))
    assert (made.before.prediction, made.after.prediction) == ("unsure", "letter 1")


def test_a_strangers_copy_does_not_outvote_somebody_trusted(engine: Engine) -> None:
    correct(engine, Given("authenticity", ME, "ai", picture=shot(3)))
    for quality in (95, 90, 85):
        copy = encode(photo(3), "JPEG", quality=quality)
        correct(engine, Given("authenticity", ANN, "real", picture=copy))
    verdict = ask(engine, encode(photo(3), "JPEG", quality=70), "authenticity")
    assert verdict.prediction == "ai"


def test_people_who_differ_are_told_of(engine: Engine) -> None:
    teach(engine, drawn(1), "a", ANN)
    teach(engine, drawn(1), "b", BOB)
    verdict = ask(engine, drawn(1))
    assert (verdict.prediction, verdict.source) == ("unsure", VerdictSource.MEMORY)
    assert "differ" in verdict.reasons[0] and "ann says a, bob says b" in verdict.reasons[0]
    teach(engine, drawn(1), "a", ME)
    assert ask(engine, drawn(1)).prediction == "a"


def test_variants_answer_as_their_label(engine: Engine) -> None:
    teach_letters(engine, range(3))
    teach(engine, drawn(7), "old letter 1", variant_of="letter 1")
    assert ask(engine, drawn(7)).prediction == "letter 1"
    teach(engine, drawn(8), "letter 8")
    engine.store.tasks.link(TASK, "letter 2", "letter 8")
    assert ask(engine, drawn(8)).prediction == "letter 2"
    engine.store.tasks.unlink(TASK, "letter 8")
    assert ask(engine, drawn(8)).prediction == "letter 8"


def test_the_same_request_twice_counts_once(engine: Engine) -> None:
    first = teach(engine, drawn(1), "a", idempotency_key="k1")
    again = teach(engine, drawn(1), "a", idempotency_key="k1")
    assert again == replace(first, learned_ms=again.learned_ms)
    assert engine.store.corrections.count(TASK) == 1
    with pytest.raises(Conflict):
        teach(engine, drawn(2), "b", idempotency_key="k1")


def test_a_receipt_can_be_read_again(engine: Engine) -> None:
    made = teach(engine, drawn(1), "a")
    assert receipt(engine, TASK, made.correction.id) == made
    undo(engine, TASK, made.correction.id, ME)
    assert receipt(engine, TASK, made.correction.id).undone
    with pytest.raises(NotFound):
        receipt(engine, TASK, "0" * 32)


def test_copies_of_a_corrected_picture_are_recognised(engine: Engine) -> None:
    correct(engine, Given("authenticity", ME, "ai", picture=shot(3)))
    correct(engine, Given("authenticity", ME, "real", picture=shot(4)))
    copy = encode(photo(3), "JPEG", quality=50)
    verdict = ask(engine, copy, "authenticity")
    assert (verdict.prediction, verdict.source) == ("ai", VerdictSource.SIMILAR)
    (nearest,) = verdict.nearest
    samples = {one.id: one.sha256 for one in engine.store.samples.all("authenticity")}
    assert samples[nearest.sample_id] == decode(shot(3)).facts.sha256
    assert "% like the picture" in verdict.reasons[0]
    assert ask(engine, shot(5), "authenticity").source is not VerdictSource.SIMILAR


def test_the_effect_counts_copies_that_were_asked_about(engine: Engine) -> None:
    ask(engine, encode(photo(3), "JPEG", quality=50), "authenticity")
    ask(engine, shot(5), "authenticity")
    made = correct(engine, Given("authenticity", ME, "ai", picture=shot(3)))
    assert (made.effect.past_verdicts_flipped, made.effect.of_verdicts) == (1, 2)


def test_the_effect_counts_what_is_indeed_answered_otherwise(engine: Engine) -> None:
    """On an open task, where what is like nothing known stays unsure whatever the head says."""
    teach_letters(engine, range(5), hands=5)
    asked = [drawn(which, hand) for which in range(14) for hand in (30,)]
    before = [ask(engine, one).prediction for one in asked]
    assert before.count("unsure") >= 2
    told, true = [], []
    for which in (9, 11, 13):
        shown = drawn(which, 1)
        supposed = correct(engine, Given(TASK, ME, f"letter {which}", picture=shown), dry_run=True)
        made = teach(engine, shown, f"letter {which}")
        after = [ask(engine, one).prediction for one in asked]
        told.append(made.effect.past_verdicts_flipped)
        true.append(sum(one != other for one, other in zip(before, after, strict=True)))
        assert supposed.effect.past_verdicts_flipped == told[-1]
        undone = undo(engine, TASK, made.correction.id, ME)
        assert undone.effect.past_verdicts_flipped == true[-1]
        before = [ask(engine, one).prediction for one in asked]
    assert told == true
    assert sum(true) > 0


def test_the_effect_leaves_out_what_a_file_proves(engine: Engine) -> None:
    name = "authenticity"
    verdicts = [ask(engine, encode(photo(3), "JPEG", quality=q), name) for q in (50, 60)]
    proven = replace(
        verdicts[0],
        id="proven",
        source=VerdictSource.EVIDENCE,
        prediction="ai",
        created_at=verdicts[0].created_at + timedelta(minutes=1),
    )
    engine.store.verdicts.add(proven)
    made = correct(engine, Given(name, ME, "real", picture=shot(3)), dry_run=True)
    assert (made.effect.past_verdicts_flipped, made.effect.of_verdicts) == (1, 2)
    settings = engine.settings.model_copy(update={"evidence_decides": False})
    unbelieved = replace(engine, settings=settings)
    made = correct(unbelieved, Given(name, ME, "real", picture=shot(3)), dry_run=True)
    assert made.effect.past_verdicts_flipped == 2


def test_what_is_taught_can_be_trained_on_and_undone_is_not(engine: Engine) -> None:
    made = teach(engine, drawn(1), "a")
    (sample,) = engine.store.samples.all(TASK)
    assert (sample.label, sample.source, sample.taught) == ("a", "feedback:local", True)
    undo(engine, TASK, made.correction.id, ME)
    assert engine.store.samples.all(TASK) == []


def test_everything_one_person_taught_is_taken_back(engine: Engine) -> None:
    teach_letters(engine, range(3))
    before = answers(engine)
    for i in range(4):
        teach(engine, drawn(8, i), "letter 0", ANN)
    preview = undo_person(engine, TASK, "ann", None, ME, dry_run=True)
    assert (len(preview.ids), preview.labels) == (4, {"letter 0": 4})
    assert answers(engine) != before
    done = undo_person(engine, TASK, "ann", None, ME)
    assert done.ids == preview.ids
    assert answers(engine) == before
    later = datetime.now(UTC) + timedelta(hours=1)
    assert undo_person(engine, TASK, "local", later, ME).ids == ()


def test_an_erased_picture_leaves_nothing(engine: Engine) -> None:
    teach_letters(engine, range(3))
    before = answers(engine)
    verdict = ask(engine, drawn(8))
    teach(engine, drawn(8), "letter 0")
    sha256 = decode(drawn(8)).facts.sha256
    gone = erase(engine, sha256)
    assert (gone.file, gone.corrections, gone.samples) == (True, 1, 1)
    assert not engine.store.blobs.exists(sha256)
    with pytest.raises(NotFound):
        engine.store.verdicts.get(verdict.id)
    assert answers(engine) == before
    with pytest.raises(NotFound):
        erase(engine, sha256)


def test_too_many_new_labels_of_one_person_are_refused(settings: Settings) -> None:
    strict = open_engine(settings.model_copy(update={"feedback_new_labels": 2}))
    strict.store.tasks.create(TASK, TaskKind.DRAWING, open=True)
    for which in range(2):
        teach(strict, drawn(which), f"letter {which}", ANN)
    with pytest.raises(Limited):
        teach(strict, drawn(2), "letter 2", ANN)
    teach(strict, drawn(2), "letter 2", ME)
    strict.close()


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (Given(TASK, ME, "a"), Malformed),
        (Given(TASK, ME, picture=b"x"), Malformed),
        (Given(TASK, ME, "a", picture=b"x"), BadImage),
        (Given(TASK, ME, "", picture=b"x"), Unacceptable),
        (Given(TASK, ME, "a\0", picture=b"x"), Unacceptable),
        (Given(TASK, ME, "a", note="n" * 3000, picture=b"x"), Unacceptable),
        (Given(TASK, ME, "a", verdict_id="0" * 32), NotFound),
        (Given(TASK, ME, "a", sample_id=7), NotFound),
        (Given(TASK, ME, "a", sample_id=7, picture=b"x"), Malformed),
        (Given(TASK, ME, correct=True, picture=b"x"), Malformed),
        (Given("nothing", ME, "a", picture=b"x"), NotFound),
    ],
)
def test_what_cannot_be_meant_is_refused(
    engine: Engine, given: Given, error: type[Exception]
) -> None:
    with pytest.raises(error):
        correct(engine, given)
    assert engine.store.corrections.count(TASK) == 0


def test_a_closed_task_takes_its_own_labels_only(engine: Engine) -> None:
    for dry_run in (True, False):
        with pytest.raises(Unacceptable):
            correct(engine, Given("authenticity", ME, "fake", picture=shot(1)), dry_run=dry_run)


def test_of_many_a_bad_one_spoils_only_itself(engine: Engine) -> None:
    givens = [
        Given(TASK, ME, "a", picture=drawn(1)),
        Given(TASK, ME, "a", picture=b"x"),
        Given(TASK, ME, "b", picture=drawn(2)),
    ]
    made = correct_many(engine, givens)
    assert [isinstance(one, Receipt) for one in made] == [True, False, True]


def test_the_command_teaches_lists_and_undoes(
    engine: Engine,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(feedback, "load_settings", lambda: settings)
    file = tmp_path / "a.png"
    file.write_bytes(drawn(1))
    base = ["--task", TASK, "--json"]
    assert main(parse_arguments([*base, "--image", str(file), "--label", "ಅ"])) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["label"], made["after"]["prediction"]) == ("ಅ", "ಅ")
    assert main(parse_arguments([*base, "--list"])) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == [made["id"]]
    assert main(parse_arguments(["--task", TASK, "--undo", made["id"]])) == 0
    assert "taken back" in capsys.readouterr().out
    assert main(parse_arguments(["--task", TASK, "--undo", made["id"]])) == 1
    assert main(parse_arguments([*base, "--image", "nowhere.png", "--label", "a"])) == 1
    assert "nowhere.png" in capsys.readouterr().err
