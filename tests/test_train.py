from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from numpy.typing import NDArray

import train as train_module
from config import PromiseFor, Settings, Shortcuts
from domain import (
    EQUALISED,
    FILE_FACTS,
    LOOKS,
    NewSample,
    NotEnoughData,
    NotFound,
    PictureFacts,
    Split,
    TaskKind,
)
from embeddings.builtin import Builtin
from engine import Engine, wired
from models.lesson import read_lesson
from models.registry import ANSWERS, MODEL
from models.support import read_support
from promotion import promote
from storage import Store, open_store
from tests.models.made import clusters
from tests.trained import EMBEDDER, TASK, quickly, teach
from train import candidate, fingerprint, judge, settle, skip, train

ROOT = Path(__file__).resolve().parent.parent
DRAWING = Builtin(TaskKind.DRAWING).id


@pytest.fixture
def engine(settings: Settings, store: Store) -> Iterator[Engine]:
    """A real engine on a store of its own; nothing here embeds."""
    store.tasks.create(TASK, TaskKind.PHOTO, ("no_smile", "smile"), open=False)
    embedders = MappingProxyType({kind: Builtin(kind) for kind in TaskKind})
    yield wired(settings, store, embedders)


@pytest.fixture
def any_engine(any_settings: Settings, any_store: Store) -> Engine:
    """The same, once on each database."""
    any_store.tasks.create(TASK, TaskKind.PHOTO, ("no_smile", "smile"), open=False)
    embedders = MappingProxyType({kind: Builtin(kind) for kind in TaskKind})
    return wired(any_settings, any_store, embedders)


@pytest.fixture
def open_task(engine: Engine) -> Engine:
    engine.store.tasks.create("letters", TaskKind.DRAWING, ("a", "b", "x", "y"), open=True)
    return engine


def vectors_of(labels: tuple[str, ...]) -> NDArray[np.float32]:
    return clusters(10, labels).vectors


def test_a_first_training_run_ends_in_a_version_that_answers(engine: Engine) -> None:
    teach(engine.store)

    result = quickly(engine, why="a test")

    assert result.promoted
    known = engine.learned.knowledge(engine.store.tasks.get(TASK))
    version, head = known.version, known.head
    assert version is not None and head is not None
    assert (version.id, version.embedder, version.demo) == (result.version.id, EMBEDDER, False)
    assert head.classes == ("no_smile", "smile")
    said = head.predict_proba(vectors_of(head.classes)).argmax(axis=1)
    assert (said == np.repeat([0, 1], 10)).mean() > 0.9


def test_the_run_is_kept_in_the_history_with_counts_figures_and_the_gates_word(
    engine: Engine,
) -> None:
    teach(engine.store)

    result = quickly(engine, why="a test")

    run = engine.store.runs.all(TASK)[0]
    assert (run.id, run.why, run.gate, run.version) == (
        result.run.id, "a test", "promoted", result.version.id,
    )  # fmt: skip
    assert run.reason == result.reason
    assert run.counts["total"] == 80
    assert run.metrics["held_out"]["accuracy"] > 0.8
    assert run.started_at < run.finished_at


def test_held_out_pictures_are_not_trained_on(engine: Engine) -> None:
    teach(engine.store)
    test = {s.sha256 for s in engine.store.samples.all(TASK) if s.split is Split.TEST}

    card = quickly(engine).version.card

    assert card["n_samples"]["test"] == len(test) == card["metrics"]["held_out"]["n"]
    assert card["metrics"]["cross_validated"]["n"] == 80 - len(test)


def test_reports_and_card_lie_beside_the_model(engine: Engine) -> None:
    teach(engine.store)

    version = quickly(engine).version

    folder = engine.registry.folder(version)
    assert json.loads((folder / "card.json").read_text())["version"] == version.id
    assert (folder / "reports" / "report.html").read_text().startswith("<!doctype html>")


def test_the_card_counts_slices_of_pictures_whose_looks_are_noted(engine: Engine) -> None:
    store = engine.store
    teach(store, 60)
    looks = {"width": 90, "height": 90, "format": "PNG", "manner": "drawn", "camera": False}
    names = [sample.sha256 for sample in store.samples.all(TASK)]
    store.file_facts.put_many(
        LOOKS,
        {
            name: looks if row % 2 else {**looks, "manner": "photo"}
            for row, name in enumerate(names[:100])
        },
    )

    slices = quickly(engine).version.card["slices"]

    assert (slices["pictures"], slices["with_looks"]) == (120, 100)
    assert {name: row["n"] for name, row in slices["parts"]["manner"].items()} == {
        "drawn": 50, "photo": 50,
    }  # fmt: skip
    assert sum(row["n"] for row in slices["parts"]["source"].values()) == 120
    assert all(row["unseen"]["n"] for row in slices["parts"]["source"].values())
    assert set(slices["parts"]["alike"]) == {"tiny, PNG, drawn", "tiny, PNG, photo"}


def test_two_sources_give_the_figure_for_unseen_ones(engine: Engine) -> None:
    teach(engine.store)

    unseen = quickly(engine).version.card["leave_one_source_out"]

    assert set(unseen["per_source"]) == {"web0", "web1"}
    assert 0 <= unseen["balanced_accuracy"] <= 1


def test_authenticity_gets_a_threshold_from_the_setting_of_now(engine: Engine) -> None:
    teach(engine.store, task="authenticity", labels=("ai", "real"),
          embedder="builtin-authenticity:2")  # fmt: skip
    engine.store.overrides.write({"max_false_accusation": 0.1})

    limits = quickly(engine, "authenticity").version.card["thresholds"]

    assert limits["budget"] == 0.1
    assert limits["accuse"] >= 0.5


def test_settings_changed_at_run_time_choose_the_family(engine: Engine) -> None:
    teach(engine.store)
    engine.store.overrides.write({"classifier_type": "random_forest"})

    assert train(engine, TASK).version.classifier == "random_forest"


def test_too_few_pictures_are_refused_with_every_count_and_what_is_needed(engine: Engine) -> None:
    teach(engine.store, (30, 4))

    with pytest.raises(NotEnoughData) as refused:
        quickly(engine)

    message = refused.value.message
    assert "no_smile 30, smile 4" in message
    assert "MIN_IMAGES_PER_CLASS=10" in message
    assert refused.value.detail["counts"] == {"no_smile": 30, "smile": 4}
    assert engine.store.versions.all(TASK) == []


def test_a_label_without_any_picture_is_named_too(engine: Engine) -> None:
    with pytest.raises(NotEnoughData, match="no_smile 0, smile 0"):
        quickly(engine)


def test_pictures_without_vectors_are_counted_and_the_command_is_named(engine: Engine) -> None:
    teach(engine.store, (30, 4))
    teach(engine.store, 20, name="later", with_vectors=False)

    with pytest.raises(NotEnoughData, match="40 more have no vector") as refused:
        quickly(engine)

    assert f"python -m embeddings --task {TASK}" in refused.value.message


def test_enough_pictures_with_vectors_are_trained_on_and_the_rest_is_said(engine: Engine) -> None:
    teach(engine.store)
    teach(engine.store, 5, name="later", with_vectors=False)

    card = quickly(engine).version.card

    assert card["n_samples"]["without_vectors"] == 10
    assert card["n_samples"]["total"] == 80


def test_vectors_of_another_embedder_do_not_count(engine: Engine) -> None:
    teach(engine.store, embedder="clip:ViT-B-32/openai")

    with pytest.raises(NotEnoughData, match="80 more have no vector of builtin-photo:2"):
        quickly(engine)


def test_a_label_whose_pictures_all_fell_into_the_held_out_split_is_refused(
    engine: Engine,
) -> None:
    family = next(
        f"family {i}" for i in range(100)
        if int(hashlib.sha256(f"family {i}".encode()).hexdigest(), 16) % 5 == 0
    )  # fmt: skip
    teach(engine.store, (40, 0))
    teach(engine.store, (0, 12), family=family, name="alike")

    with pytest.raises(NotEnoughData, match="smile are near-duplicates that fell into"):
        quickly(engine)


def test_a_task_that_does_not_exist_is_not_found(engine: Engine) -> None:
    with pytest.raises(NotFound):
        quickly(engine, "nothing")


def test_variants_count_as_their_label(engine: Engine) -> None:
    teach(engine.store)
    task = engine.store.tasks.get(TASK)
    merged = replace(task, variants={"no_smile": "smile"})

    with pytest.raises(NotEnoughData, match="smile 80"):
        read_lesson(engine.store, merged, EMBEDDER, needed=10, demo=False)


def test_the_demonstrations_pictures_never_mix_with_the_users(engine: Engine) -> None:
    teach(engine.store, demo=True)

    with pytest.raises(NotEnoughData):
        quickly(engine)
    demonstration = quickly(engine, demo=True)
    assert demonstration.version.demo
    assert demonstration.promoted

    teach(engine.store, 30, name="own")
    own = quickly(engine)

    assert own.version.card["n_samples"]["total"] == 60
    assert own.promoted
    assert "replaces the demonstration" in own.reason


def test_the_demonstration_never_replaces_a_version_of_the_users(engine: Engine) -> None:
    teach(engine.store)
    own = quickly(engine)
    teach(engine.store, 30, name="demo", demo=True)

    later = quickly(engine, demo=True)

    assert not later.promoted
    current = engine.store.versions.current(TASK)
    assert current is not None
    assert current.id == own.version.id


def test_a_candidate_that_learned_from_wrong_labels_is_kept_and_not_promoted(
    engine: Engine,
) -> None:
    teach(engine.store, 100)
    good = quickly(engine)
    for copy in range(2):
        _add_with_wrong_labels(engine.store, f"copy {copy}")

    bad = quickly(engine)

    assert not bad.promoted
    assert bad.run.gate == "kept"
    assert "Clearly worse" in bad.reason
    current = engine.store.versions.current(TASK)
    assert current is not None
    assert current.id == good.version.id
    assert {v.id for v in engine.store.versions.all(TASK)} == {good.version.id, bad.version.id}


def _add_with_wrong_labels(store: Store, name: str) -> None:
    """Every training picture once more, with the other label."""
    right = [s for s in store.samples.all(TASK) if s.split is Split.TRAIN and s.source != "bad"]
    _, rows = store.vectors.get(EMBEDDER, [sample.sha256 for sample in right])
    ids = [hashlib.sha256(f"{name}{sample.sha256}".encode()).hexdigest() for sample in right]
    turned = {"smile": "no_smile", "no_smile": "smile"}
    store.samples.add_many(
        TASK,
        [
            (
                PictureFacts(sha256, 64, 64, "PNG", 100, 0),
                NewSample(turned[sample.label], "bad", sha256, Split.TRAIN),
            )
            for sha256, sample in zip(ids, right, strict=True)
        ],
    )
    store.vectors.put(EMBEDDER, ids, rows)


def test_training_again_on_the_same_pictures_is_promoted(engine: Engine) -> None:
    teach(engine.store, apart=0.8)
    quickly(engine)

    again = quickly(engine)

    assert again.promoted
    assert "balanced accuracy on the" in again.reason


def test_a_current_version_of_another_embedder_is_replaced(engine: Engine) -> None:
    teach(engine.store)
    quickly(engine)

    class Other(Builtin):
        @property
        def id(self) -> str:
            return "other:1"

    teach(engine.store, 30, name="other", embedder="other:1")
    embedders = {kind: Other(kind) for kind in TaskKind}
    moved = wired(engine.settings, engine.store, embedders)

    result = quickly(moved)

    assert result.promoted
    assert EMBEDDER in result.reason
    assert result.version.embedder == "other:1"


def test_a_current_version_that_does_not_load_is_replaced(engine: Engine) -> None:
    teach(engine.store)
    first = quickly(engine)
    (engine.registry.folder(first.version) / MODEL).write_bytes(b"")

    second = quickly(engine)

    assert second.promoted
    assert "cannot answer" in second.reason


def test_a_tiny_budget_is_kept_and_what_it_skipped_is_on_the_card(engine: Engine) -> None:
    teach(engine.store)

    card = train(engine, TASK, time_budget=1.0).version.card

    assert card["search"]["budget"] == 1.0
    assert {row["name"] for row in card["search"]["tried"]} == {"ridge"}
    skipped = {item["name"]: item["reason"] for item in card["search"]["skipped"]}
    assert "of the budget are left" in skipped["random forest"]
    assert "of the budget are left" in card["leave_one_source_out"]["skipped"]


# --- an open task ---


def test_one_picture_of_something_new_does_not_end_the_training_of_an_open_task(
    open_task: Engine,
) -> None:
    teach(open_task.store, task="letters", labels=("a", "b"), embedder=DRAWING)
    teach(open_task.store, (1, 3), task="letters", labels=("x", "y"), embedder=DRAWING)

    result = quickly(open_task, "letters")

    card = result.version.card
    assert card["labels"] == ["a", "b"]
    assert card["n_samples"]["left_out"] == {"x": 1, "y": 3}
    assert card["n_samples"]["total"] == 80
    assert result.run.counts["left_out"] == {"x": 1, "y": 3}


# --- what a version is held to ---


def test_a_version_keeps_the_names_of_what_it_is_held_to(engine: Engine) -> None:
    teach(engine.store)

    version = quickly(engine).version

    assert engine.store.versions.get(TASK, version.id).card["support"] == version.card["support"]
    sides = {
        split: {s.sha256: s.label for s in engine.store.samples.all(TASK) if s.split is split}
        for split in Split
    }
    assert version.card["support"] == {
        "anchors": sides[Split.TRAIN], "golden": sides[Split.TEST],
    }  # fmt: skip
    support = read_support(engine.store, version)
    assert support.golden_pictures == sides[Split.TEST]


def test_reports_do_not_list_what_a_version_is_held_to(engine: Engine) -> None:
    teach(engine.store)

    version = quickly(engine).version

    name = next(iter(version.card["support"]["golden"]))
    for report in (engine.registry.folder(version) / "reports").iterdir():
        assert name not in report.read_text()


# --- candidate, judgement, settlement ---


def test_a_candidate_answers_nobody_until_it_is_settled(engine: Engine) -> None:
    teach(engine.store)

    version = candidate(engine, TASK, classifier="logistic_regression")

    assert engine.store.versions.current(TASK) is None
    assert engine.store.runs.all(TASK) == []
    assert judge(engine, version).promoted


def test_settling_again_after_a_crash_changes_nothing(engine: Engine) -> None:
    teach(engine.store)
    started = datetime.now(UTC)
    version = candidate(engine, TASK, classifier="logistic_regression")
    gate = judge(engine, version)
    first = settle(engine, version, gate, why="a night", started_at=started, job_id="job")

    again = settle(engine, version, gate, why="a night", started_at=started, job_id="job")

    assert again.run == first.run
    assert len(engine.store.runs.all(TASK)) == 1
    assert len(engine.store.versions.promotions(TASK)) == 1
    assert judge(engine, version).promoted


def current_id(engine: Engine) -> str | None:
    current = engine.store.versions.current(TASK)
    return current.id if current else None


def test_a_task_that_is_reset_while_it_is_trained_gets_no_model_of_its_old_pictures(
    any_engine: Engine,
) -> None:
    teach(any_engine.store)

    def reset(done: int, total: int, name: str) -> None:
        if done == 0:
            any_engine.store.tasks.reset(TASK)

    with pytest.raises(NotFound, match="reset or made anew"):
        quickly(any_engine, progress=reset)

    assert any_engine.store.versions.all(TASK) == []
    assert any_engine.store.runs.all(TASK) == []


def test_a_candidate_of_a_task_that_was_made_anew_before_it_was_settled_is_not_promoted(
    any_engine: Engine,
) -> None:
    store = any_engine.store
    teach(store)
    version = candidate(any_engine, TASK, classifier="logistic_regression")
    gate = judge(any_engine, version)
    store.tasks.delete(TASK)
    store.tasks.create(TASK, TaskKind.PHOTO, ("no_smile", "smile"), open=False)

    with pytest.raises(NotFound):
        settle(any_engine, version, gate, why="night", started_at=datetime.now(UTC))

    assert current_id(any_engine) is None


def test_a_version_promoted_while_a_candidate_was_judged_is_what_it_has_to_equal(
    any_engine: Engine,
) -> None:
    store = any_engine.store
    teach(store, 100)
    good = quickly(any_engine)
    for copy in range(2):
        _add_with_wrong_labels(store, f"copy {copy}")
    bad = quickly(any_engine)
    promote(any_engine, TASK, bad.version.id, who="ann")
    as_bad = candidate(any_engine, TASK, classifier="logistic_regression")
    gate = judge(any_engine, as_bad)
    assert gate.promoted
    assert gate.against == bad.version.id

    promote(any_engine, TASK, good.version.id, who="ann")
    settled = settle(any_engine, as_bad, gate, why="night", started_at=datetime.now(UTC))

    assert not settled.promoted
    assert "Clearly worse" in settled.reason
    assert current_id(any_engine) == good.version.id
    assert [run.gate for run in store.runs.all(TASK)] == ["kept", "kept", "promoted"]


def test_a_candidate_that_was_kept_by_a_version_gone_since_gets_its_chance(
    any_engine: Engine,
) -> None:
    store = any_engine.store
    teach(store, 100)
    first = candidate(any_engine, TASK, classifier="logistic_regression")
    for copy in range(2):
        _add_with_wrong_labels(store, f"copy {copy}")
    bad = candidate(any_engine, TASK, classifier="logistic_regression")
    same = candidate(any_engine, TASK, classifier="logistic_regression")
    promote(any_engine, TASK, first.id, who="ann")
    gate = judge(any_engine, same)
    assert not gate.promoted

    promote(any_engine, TASK, bad.id, who="ann")

    assert settle(any_engine, same, gate, why="night", started_at=datetime.now(UTC)).promoted


def test_a_run_that_was_skipped_is_in_the_history_with_its_reason(engine: Engine) -> None:
    skipped = skip(engine, TASK, "Nothing is new.", why="night", started_at=datetime.now(UTC))

    run = engine.store.runs.all(TASK)[0]
    assert (run.id, run.gate, run.reason, run.version) == (
        skipped.id, "skipped", "Nothing is new.", None,
    )  # fmt: skip


def test_the_fingerprint_is_that_of_the_run_until_something_is_new(engine: Engine) -> None:
    teach(engine.store)
    run = train(engine, TASK, classifier="logistic_regression").run
    known = run.detail["fingerprint"]

    assert fingerprint(engine, TASK, classifier="logistic_regression") == known
    assert fingerprint(engine, TASK) != known
    teach(engine.store, 1, name="one more")
    assert fingerprint(engine, TASK, classifier="logistic_regression") != known


def test_for_whom_it_is_promised_asks_for_a_training_only_where_something_is(
    engine: Engine,
) -> None:
    for_known = engine.settings.model_copy(update={"promise_for": PromiseFor.KNOWN})
    engine.store.tasks.create("thumbs", TaskKind.PHOTO, ("down", "up"), open=False)

    def moves(task: str) -> bool:
        return fingerprint(engine, task, settings=for_known) != fingerprint(engine, task)

    assert not moves("thumbs")
    engine.store.tasks.settle("thumbs", {"max_false": {"up": 0.1}})
    assert moves("thumbs")


def test_the_fingerprint_is_made_without_reading_a_vector(engine: Engine) -> None:
    teach(engine.store)
    name = hashlib.sha256(b"unreadable").hexdigest()
    sample = NewSample("smile", "web", name, Split.TRAIN)
    engine.store.samples.add(TASK, PictureFacts(name, 64, 64, "PNG", 100, 0), sample)
    before = fingerprint(engine, TASK)
    engine.store.vectors.put(EMBEDDER, [name], np.ones((1, 3), np.float32))  # of another length

    assert fingerprint(engine, TASK) != before


def test_there_is_a_fingerprint_of_too_few_pictures(engine: Engine) -> None:
    assert fingerprint(engine, TASK) != ""


def test_vectors_that_say_nothing_are_refused(engine: Engine) -> None:
    teach(engine.store, 60)
    same = np.repeat(vectors_of(("no_smile", "smile"))[:1], 60, axis=0)
    names = [hashlib.sha256(f"blank {i}".encode()).hexdigest() for i in range(60)]
    facts = [PictureFacts(name, 64, 64, "PNG", 100, 0) for name in names]
    new = [NewSample("smile", "web", name, Split.TRAIN) for name in names]
    engine.store.samples.add_many(TASK, list(zip(facts, new, strict=True)))
    engine.store.vectors.put(EMBEDDER, names, same)

    with pytest.raises(NotEnoughData, match="of smile have one and the same vector"):
        quickly(engine)


def test_the_gate_compares_on_every_picture_that_both_versions_know(engine: Engine) -> None:
    teach(engine.store, apart=0.8)
    quickly(engine)

    run = quickly(engine).run

    gate = run.detail["gate"]
    assert gate["compared"]["n"] == 80
    assert gate["pictures"] == {"had": 80, "has": 80, "removed": 0, "relabelled": 0}
    assert set(gate["per_label"]) == {"no_smile", "smile"}
    assert gate["sources_left_out"]["n"] > 0


def test_a_version_without_kept_answers_is_compared_on_held_out_pictures(engine: Engine) -> None:
    teach(engine.store)
    first = quickly(engine)
    (engine.registry.folder(first.version) / ANSWERS).unlink()
    held_out = first.version.card["n_samples"]["test"]

    again = quickly(engine)

    assert again.promoted
    assert again.run.detail["gate"]["compared"]["n"] == held_out


def test_pictures_whose_labels_changed_without_a_word_are_doubted(
    engine: Engine, settings: Settings
) -> None:
    teach(engine.store, 60, apart=0.8)
    first = quickly(engine)
    turned = {"smile": "no_smile", "no_smile": "smile"}
    other = wired(settings, _copy_of(engine.store, settings, turn=turned), engine.embedders)
    other.store.versions.add(first.version)
    other.store.versions.promote(TASK, first.version.id, "first")

    second = quickly(other)

    assert not second.promoted
    assert "that no correction explains" in second.reason
    other.close()


def _copy_of(store: Store, settings: Settings, *, turn: dict[str, str]) -> Store:
    """Another store with the same pictures, each tenth under another label."""
    copy = open_store(
        settings.model_copy(update={"database_url": f"sqlite:///{settings.data_dir}/copy.db"})
    )
    copy.tasks.create(TASK, TaskKind.PHOTO, ("no_smile", "smile"), open=False)
    samples = store.samples.all(TASK)
    copy.samples.add_many(
        TASK,
        [
            (
                PictureFacts(one.sha256, 64, 64, "PNG", 100, 0),
                NewSample(
                    turn[one.label] if row % 10 == 0 else one.label,
                    one.source, one.family, one.split,
                ),
            )
            for row, one in enumerate(samples)
        ],
    )  # fmt: skip
    names, vectors = store.vectors.get(EMBEDDER, [one.sha256 for one in samples])
    copy.vectors.put(EMBEDDER, names, vectors)
    return copy


# --- shortcuts ---


def note(store: Store, *, squares: str = "smile") -> None:
    """Facts of files as if the pictures of one label were square."""
    store.file_facts.put_many(
        FILE_FACTS,
        {
            one.sha256: {"format": "JPEG", "aspect": 1.0 if one.label == squares else 1.5}
            for one in store.samples.all(TASK)
        },
    )


def test_facts_that_tell_the_labels_apart_are_on_the_card_and_in_the_history(
    engine: Engine,
) -> None:
    teach(engine.store, 60)
    note(engine.store)

    result = quickly(engine)

    assert result.version.card["shortcuts"]["raised"]
    assert result.run.detail["shortcuts"]["leaks"] == ["aspect"]
    report = engine.registry.folder(result.version) / "reports" / "report.html"
    assert "told apart without looking at the pictures" in report.read_text()


def test_training_is_refused_where_the_setting_says_so_and_the_facts_are_named(
    engine: Engine,
) -> None:
    teach(engine.store, 60)
    note(engine.store)
    engine.store.overrides.write({"shortcuts": "refuse"})

    with pytest.raises(NotEnoughData, match="SHORTCUTS=refuse") as refused:
        quickly(engine)

    assert refused.value.detail["leaks"] == ["aspect"]
    assert engine.store.versions.all(TASK) == []


def test_vectors_of_pictures_made_alike_are_trained_on_where_the_setting_says_so(
    engine: Engine,
) -> None:
    teach(engine.store, 60)
    training = _training(engine.store)
    make_alike(engine.store, training)
    engine.store.overrides.write({"shortcuts": "equalise"})

    card = quickly(engine).version.card

    assert card["shortcuts"]["equalised"] == len(training) == card["n_samples"]["train"]


def _training(store: Store) -> list[str]:
    return [one.sha256 for one in store.samples.all(TASK) if one.split is Split.TRAIN]


def make_alike(store: Store, names: list[str]) -> None:
    """Give pictures the vectors that they have when they are made alike in form."""
    _, rows = store.vectors.get(EMBEDDER, names)
    store.vectors.put(EMBEDDER + EQUALISED, names, rows)


@pytest.mark.parametrize("lacking", [3, None])
def test_pictures_of_which_some_were_not_made_alike_are_not_trained_on(
    engine: Engine, lacking: int | None
) -> None:
    teach(engine.store, 60)
    training = _training(engine.store)
    missing = lacking or len(training)
    make_alike(engine.store, training[missing:])
    engine.store.overrides.write({"shortcuts": "equalise"})

    with pytest.raises(NotEnoughData, match=f"{missing} of {len(training)} training") as refused:
        quickly(engine)

    assert f"python -m embeddings --task {TASK}" in refused.value.message
    assert engine.store.versions.all(TASK) == []


def test_a_candidate_goes_by_the_settings_of_who_checked_for_it(engine: Engine) -> None:
    teach(engine.store, 60)
    checked = engine.settings.model_copy(update={"shortcuts": Shortcuts.WARN})
    engine.store.overrides.write({"shortcuts": "equalise"})

    card = candidate(engine, TASK, classifier="logistic_regression", settings=checked).card

    assert card["shortcuts"]["setting"] == "warn"
    known = fingerprint(engine, TASK, classifier="logistic_regression", settings=checked)
    assert card["fingerprint"] == known
    assert card["fingerprint"] != fingerprint(engine, TASK, classifier="logistic_regression")


# --- reports over time ---


def test_a_second_version_tells_what_changed_in_the_pictures(engine: Engine) -> None:
    teach(engine.store)
    first = quickly(engine)
    teach(engine.store, (3, 7), name="later")

    second = quickly(engine)

    changes = second.version.card["changes"]
    assert (changes["since"], changes["added"], changes["removed"], changes["same"]) == (
        first.version.id, 10, 0, 80,
    )  # fmt: skip
    assert changes["per_label"]["smile"]["added"] == 7
    assert second.run.detail["changes"] == changes
    assert changes["per_source"]["web0"]["added"] == 5


def test_the_report_has_the_learning_curve_and_what_the_gate_decided(engine: Engine) -> None:
    teach(engine.store)
    first = quickly(engine)
    teach(engine.store, 5, name="later")

    second = quickly(engine)

    folder = engine.registry.folder(second.version) / "reports"
    page = (folder / "report.html").read_text()
    for said in ("Learning curve over versions", "What changed in the pictures",
                 "What the gate decided", "balanced accuracy", first.version.id):  # fmt: skip
        assert said in page
    curve = second.version.card["learning_curve"]
    assert [point["version"] for point in curve] == [first.version.id, second.version.id]
    assert curve[0]["gate"] == "promoted"
    assert f"Since {first.version.id}: 10 pictures added" in (folder / "report.txt").read_text()


# --- the command ---


def run(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATA_DIR": str(settings.data_dir), "ENCODER": "builtin"}
    return subprocess.run(
        [sys.executable, "train.py", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_the_command_trains_and_answers_in_json(engine: Engine, settings: Settings) -> None:
    teach(engine.store)

    done = run(settings, "--task", TASK, "--classifier", "logistic_regression", "--json")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["promoted"] is True
    assert told["run"]["gate"] == "promoted"
    assert told["card"]["metrics"]["held_out"]["accuracy"] > 0.8
    assert "support" not in told["card"]  # hundreds of names
    current = engine.store.versions.current(TASK)
    assert current is not None
    assert current.id == told["version"]


def test_the_command_prints_a_summary_for_people(engine: Engine, settings: Settings) -> None:
    teach(engine.store)
    teach(engine.store, 2, name="later", with_vectors=False)

    done = run(settings, "--task", TASK, "--classifier", "logistic_regression")

    assert done.returncode == 0, done.stderr
    for said in ("held out", "web0", "It is the first version", "4 pictures have no vector"):
        assert said in done.stdout


def test_the_command_says_which_labels_it_left_out(open_task: Engine, settings: Settings) -> None:
    teach(open_task.store, task="letters", labels=("a", "b"), embedder=DRAWING)
    teach(open_task.store, (1, 3), task="letters", labels=("x", "y"), embedder=DRAWING)

    done = run(settings, "--task", "letters", "--classifier", "logistic_regression")

    assert done.returncode == 0, done.stderr
    assert "left out, too few different pictures to train on: x 1, y 3" in done.stdout


def test_too_few_pictures_end_the_command_with_a_code_of_their_own(
    engine: Engine, settings: Settings
) -> None:
    teach(engine.store, (12, 3))

    done = run(settings, "--task", TASK, "--json")

    assert done.returncode == 3
    assert "smile 3" in done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "not_enough_data"
    assert error["detail"]["needed"] == 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--task", "nothing"], "nothing"),
        (["--classifier", "neural"], "random_forest"),
        (["--time-budget", "0"], "allowed: 1 to 86400"),
        (["--time-budget", "soon"], "allowed: 1 to 86400"),
    ],
)
def test_wrong_usage_ends_with_code_2_and_says_what_is_allowed(
    settings: Settings, arguments: list[str], said: str
) -> None:
    done = run(settings, *arguments)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_help_teaches_and_does_not_load_what_it_does_not_need(settings: Settings) -> None:
    done = run(settings, "--help")
    program = "import sys, runpy; sys.argv = ['train.py', '--help']\n" + (
        "try: runpy.run_path('train.py', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "assert not {'sklearn', 'sqlalchemy', 'numpy'} & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
    assert done.returncode == 0
    assert "examples:" in done.stdout
    assert "exit codes:" in done.stdout
    assert train_module.TOO_FEW == 3


def test_the_history_is_shown_as_a_table_and_as_json(engine: Engine, settings: Settings) -> None:
    teach(engine.store)
    version = quickly(engine, why="a test").version

    table = run(settings, "--task", TASK, "--history")
    document = json.loads(run(settings, "--task", TASK, "--history", "--json").stdout)

    assert table.returncode == 0, table.stderr
    assert "a test" in table.stdout
    assert [one["version"] for one in document["runs"]] == [version.id]
    assert document["runs"][0]["gate"] == "promoted"


def test_two_versions_are_compared_picture_by_picture(engine: Engine, settings: Settings) -> None:
    teach(engine.store)
    first = quickly(engine).version
    teach(engine.store, 5, name="later")
    second = quickly(engine).version

    table = run(settings, "--task", TASK, "--compare", first.id, second.id)
    told = json.loads(
        run(settings, "--task", TASK, "--compare", "previous", "current", "--json").stdout
    )

    assert table.returncode == 0, table.stderr
    assert "10 pictures added" in table.stdout
    assert [one["version"] for one in told["versions"]] == [first.id, second.id]
    assert told["paired"]["overall"]["n"] == 80
    assert told["pictures"]["added"] == 10


def test_a_version_that_does_not_exist_is_named(engine: Engine, settings: Settings) -> None:
    done = run(settings, "--task", TASK, "--compare", "nothing", "current")

    assert done.returncode == 2
    assert "no version that begins with nothing" in done.stderr
