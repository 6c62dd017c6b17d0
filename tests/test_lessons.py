"""A lesson carries all that a task knows to another installation, once, whatever happens."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from classify import classify
from config import VERSION, Settings
from domain import (
    Correction,
    NewSample,
    NotFound,
    Person,
    PictureFacts,
    Split,
    TaskKind,
    Unacceptable,
)
from embeddings.images import decode
from embeddings.likeness import LIKENESS
from embeddings.teaching import copies_id
from engine import Engine, open_engine
from exchange.differing import Difference
from lessons import Imported, export_lesson, import_lesson, main, parse_arguments
from tests.exchange.made import (
    ANN,
    ME,
    TASK,
    add_sample,
    as_lines,
    drawn,
    exported,
    installation,
    members,
    rows_of,
    sha,
    snapshot,
    teach,
    teach_everything,
    zipped,
)
from tests.pictures import encode, photo

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Where the lesson comes from; tests only read it."""
    with installation(tmp_path_factory.mktemp("taught")) as engine:
        teach_everything(engine)
        yield engine


@pytest.fixture(scope="module")
def lesson(taught: Engine) -> bytes:
    return exported(taught)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Engine]:
    """A second, empty installation."""
    with installation(tmp_path) as engine:
        yield engine


def brought(engine: Engine, lesson: bytes, task: str | None = None, **how: Any) -> Imported:
    return import_lesson(engine, task, io.BytesIO(lesson), ME, **how)


def answer(engine: Engine, data: bytes) -> tuple[str, float]:
    (verdict,) = classify(engine, TASK, [decode(data)])
    return verdict.prediction, verdict.confidence


# --- there and back ---


def test_a_second_installation_knows_all_that_the_first_one_does(
    taught: Engine, lesson: bytes, other: Engine
) -> None:
    made = brought(other, lesson)
    assert snapshot(other) == snapshot(taught)
    assert (made.task, made.made, made.n_refused, made.n_conflicts) == (TASK, True, 0, 0)
    assert (made.samples, made.corrections) == (3, 8)
    assert made.without_vectors == 0


def test_it_answers_the_same_at_once(taught: Engine, lesson: bytes, other: Engine) -> None:
    brought(other, lesson)
    for which in range(8):
        assert answer(other, drawn(which, 40)) == answer(taught, drawn(which, 40))


def test_what_learning_takes_comes_along(taught: Engine, lesson: bytes, other: Engine) -> None:
    brought(other, lesson)
    name = sha(drawn(1))
    embedder = taught.embedders[TaskKind.DRAWING]
    for kept in (embedder.id, LIKENESS, copies_id(embedder, TaskKind.DRAWING)):
        ours, theirs = (one.store.vectors.get(kept, [name]) for one in (other, taught))
        assert ours[0] == [name]
        assert np.array_equal(ours[1], theirs[1])


def test_the_same_lesson_again_changes_nothing(lesson: bytes, other: Engine) -> None:
    brought(other, lesson)
    before, state = snapshot(other), other.store.versions.state(TASK)
    again = brought(other, lesson)
    assert snapshot(other) == before
    assert other.store.versions.state(TASK) == state
    assert (again.made, again.samples, again.corrections) == (False, 0, 0)
    assert (again.samples_here, again.corrections_here) == (3, 8)
    assert (again.labels_added, again.variants_added) == ((), ())


def test_a_lesson_brought_home_changes_nothing(
    taught: Engine, other: Engine, lesson: bytes
) -> None:
    before = snapshot(taught)
    brought(other, lesson)
    for one in (lesson, exported(other)):  # its own, and what another installation made of it
        back = brought(taught, one)
        assert (back.samples, back.corrections, back.n_conflicts) == (0, 0, 0)
    assert snapshot(taught) == before


def test_a_dry_run_tells_and_changes_nothing(lesson: bytes, other: Engine) -> None:
    foreseen = brought(other, lesson, dry_run=True)
    assert [task.name for task in other.store.tasks.all()] == ["authenticity"]
    assert not list((other.settings.data_dir / "pictures").rglob("*"))
    done = brought(other, lesson)
    assert asdict(foreseen) == {**asdict(done), "dry_run": True}


@pytest.mark.parametrize("on_conflict", ["keep", "theirs"])
def test_a_dry_run_foresees_conflicts_as_well(
    differing: Engine, lesson: bytes, on_conflict: str
) -> None:
    before = snapshot(differing)
    foreseen = brought(differing, lesson, dry_run=True, on_conflict=on_conflict)
    assert snapshot(differing) == before
    done = brought(differing, lesson, on_conflict=on_conflict)
    assert asdict(foreseen) == {**asdict(done), "dry_run": True}


def test_either_database_takes_it_in(taught: Engine, lesson: bytes, any_settings: Settings) -> None:
    engine = open_engine(any_settings)
    try:
        for _ in range(2):
            brought(engine, lesson)
            assert snapshot(engine) == snapshot(taught)
    finally:
        engine.close()


def test_it_can_become_another_task(taught: Engine, lesson: bytes, other: Engine) -> None:
    made = brought(other, lesson, "scripts")
    assert made.task == "scripts"
    assert snapshot(other, "scripts") == snapshot(taught)


def test_what_was_erased_or_damaged_is_left_out(tmp_path: Path, other: Engine) -> None:
    with installation(tmp_path / "first") as engine:
        engine.store.tasks.create(TASK, TaskKind.DRAWING, open=True)
        for which in range(3):
            teach(engine, drawn(which), "a")
        engine.store.erase(sha(drawn(0)))
        add_sample(engine, drawn(3), "a")
        for damaged in (drawn(1), drawn(3)):
            engine.store.blobs.path(sha(damaged)).write_bytes(b"rotten")
        file = io.BytesIO()
        counts = export_lesson(engine, TASK, file)
    assert (counts.corrections, counts.pictures, counts.left_out) == (2, 1, 1)
    assert brought(other, file.getvalue()).corrections == 2
    assert not other.store.blobs.exists(sha(drawn(1)))  # its label is known all the same
    assert answer(other, drawn(1))[0] == "a"


def test_the_demonstrations_pictures_stay_at_home(tmp_path: Path) -> None:
    with installation(tmp_path) as engine:
        facts = PictureFacts("a" * 64, 1, 1, "PNG", 1, 1)
        demo = NewSample("ai", "starter", "f", Split.TRAIN, demo=True)
        engine.store.samples.add("authenticity", facts, demo)
        counts = export_lesson(engine, "authenticity", io.BytesIO())
    assert (counts.samples, counts.left_out) == (0, 0)


def test_near_duplicates_of_pictures_here_join_their_family_and_split(
    tmp_path: Path, other: Engine
) -> None:
    pixels = photo(3, 320, 240)
    ours, theirs = encode(pixels, "PNG"), encode(pixels, "JPEG", quality=70)
    for engine_of, data in (("first", theirs), ("second", ours)):
        with installation(tmp_path / engine_of) as engine:
            engine.store.tasks.create(TASK, TaskKind.PHOTO, ("a", "b"), open=False)
            facts = decode(data).facts
            engine.store.blobs.put(data)
            sample = NewSample("a", "here", facts.sha256, Split.TEST)
            engine.store.samples.add(TASK, facts, sample)
            if engine_of == "first":
                lesson = exported(engine)
            else:
                made = brought(engine, lesson)
                families = {one.family for one in engine.store.samples.all(TASK)}
                assert (made.samples, families) == (1, {sha(ours)})


def test_a_family_keeps_its_name_and_so_its_side_of_the_split(
    tmp_path: Path, other: Engine
) -> None:
    with installation(tmp_path / "first") as engine:
        engine.store.tasks.create(TASK, TaskKind.DRAWING, ("a",), open=True)
        add_sample(engine, drawn(1), "a", family="e" * 64)
        teach(engine, drawn(2), "a")
        lesson = exported(engine)
    brought(other, lesson)
    families = {one.sha256: one.family for one in other.store.samples.all(TASK)}
    assert families[sha(drawn(1))] == "e" * 64


def test_vectors_of_an_embedder_that_is_not_in_use_are_made_anew(
    lesson: bytes, other: Engine
) -> None:
    parts = members(lesson)
    text = {
        name: data.replace(b"builtin-drawing:", b"builtin-drawinG:") for name, data in parts.items()
    }
    foreign = {name: text[name] if name.endswith(".json") else parts[name] for name in parts}
    made = brought(other, zipped(foreign))
    assert (made.corrections, made.n_refused) == (8, 0)
    embedder = other.embedders[TaskKind.DRAWING]
    assert other.store.vectors.get(embedder.id, [sha(drawn(1))])[0]  # it is learned from
    assert made.without_vectors == 2  # samples wait for the embedding job


def test_vectors_of_other_pictures_are_not_believed(lesson: bytes, other: Engine) -> None:
    parts = members(lesson)
    for name in [name for name in parts if name.endswith(".npy")]:
        rows = np.load(io.BytesIO(parts[name]))
        file = io.BytesIO()
        np.save(file, -rows)
        parts[name] = file.getvalue()
    made = brought(other, zipped(parts))
    assert [one.reason for one in made.refused] == ["mismatch"]
    picture = decode(drawn(1))
    embedder = other.embedders[TaskKind.DRAWING]
    (kept,) = other.store.vectors.get(embedder.id, [picture.facts.sha256])[1]
    assert np.allclose(kept, embedder.embed([picture])[0])


def test_half_precision_vectors_are_taken(lesson: bytes, other: Engine) -> None:
    parts = members(lesson)
    for name in [name for name in parts if name.endswith(".npy")]:
        file = io.BytesIO()
        np.save(file, np.load(io.BytesIO(parts[name])).astype(np.float16))
        parts[name] = file.getvalue()
    assert brought(other, zipped(parts)).n_refused == 0


def test_the_manifest_and_the_card_can_be_read_by_people(taught: Engine, lesson: bytes) -> None:
    manifest = json.loads(members(lesson)["manifest.json"])
    assert (manifest["format"], manifest["version"]) == ("exposr-lesson", 1)
    assert manifest["service"] == VERSION
    assert manifest["task"]["labels"] == list(taught.store.tasks.get(TASK).labels)
    assert manifest["vectors"][taught.embedders[TaskKind.DRAWING].id] == 8
    assert "card.json" not in members(lesson)  # no version was trained


def test_pictures_are_stored_as_they_are(lesson: bytes) -> None:
    assert members(lesson)[f"pictures/{sha(drawn(1))}"] == drawn(1)


def test_a_task_nobody_taught_has_a_lesson_too(tmp_path: Path, other: Engine) -> None:
    with installation(tmp_path / "first") as engine:
        engine.store.tasks.create(TASK, TaskKind.PHOTO, ("a", "b"), open=False)
        lesson = exported(engine)
    made = brought(other, lesson)
    assert (made.made, made.labels_added) == (True, ("a", "b"))
    assert not other.store.tasks.get(TASK).open


# --- where people differ ---


@pytest.fixture
def differing(other: Engine) -> Engine:
    """An installation with other labels for three pictures of the lesson."""
    other.store.tasks.create(TASK, TaskKind.DRAWING, ("a", "b", "x"), open=True)
    teach(other, drawn(0), "x", Person("carol", trusted=True))
    add_sample(other, drawn(1, 9), "x")
    teach(other, drawn(4), "x")
    return other


DIFFERENCES = {
    Difference(sha(drawn(0)), "x", "a"),
    Difference(sha(drawn(1, 9)), "x", "ಕ್ಷ"),
    Difference(sha(drawn(4)), "x", "a"),
}


def test_what_is_labelled_otherwise_here_is_listed_and_left_alone(
    differing: Engine, lesson: bytes
) -> None:
    for _ in range(2):
        made = brought(differing, lesson)
        assert set(made.conflicts) == DIFFERENCES
        assert (made.n_conflicts, made.adopted) == (3, 0)
        assert answer(differing, drawn(0))[0] == "x"
        log = differing.store.corrections.page(TASK, limit=99, sha256=sha(drawn(0)))
        assert [row.person for row in log] == ["carol"]


def test_or_gets_their_label_in_the_importers_name(differing: Engine, lesson: bytes) -> None:
    made = brought(differing, lesson, on_conflict="theirs")
    assert set(made.conflicts) == DIFFERENCES
    assert made.adopted == 3
    for data, label in ((drawn(0), "a"), (drawn(1, 9), "ಕ್ಷ"), (drawn(4), "a")):
        assert answer(differing, data)[0] == label
    before = snapshot(differing)
    again = brought(differing, lesson, on_conflict="theirs")
    assert (again.n_conflicts, again.adopted, again.corrections) == (0, 0, 0)
    assert snapshot(differing) == before


def test_ours_first_and_theirs_later_ends_as_theirs_at_once(
    tmp_path: Path, differing: Engine, lesson: bytes
) -> None:
    brought(differing, lesson)
    brought(differing, lesson, on_conflict="theirs")
    assert {answer(differing, data)[0] for data in (drawn(0), drawn(4))} == {"a"}


def test_what_was_taken_back_here_stays_taken_back(lesson: bytes, other: Engine) -> None:
    brought(other, lesson)
    rows = other.store.corrections.of_person(TASK, "ann")
    other.store.corrections.undo(TASK, [row.id for row in rows], "local", True)
    brought(other, lesson)
    assert other.store.corrections.of_person(TASK, "ann") == []


def test_words_of_untrusted_people_stay_so(lesson: bytes, other: Engine) -> None:
    brought(other, lesson)
    log = other.store.corrections.since(TASK, 0)
    assert {(row.person, row.trusted) for row in log} == {
        ("ann", False),
        ("bob", True),
        ("local", True),
    }


def test_more_words_of_one_person_than_a_minute_allows_come_all(
    tmp_path: Path, lesson: bytes
) -> None:
    with installation(tmp_path, feedback_per_minute=1, feedback_new_labels=0) as engine:
        assert brought(engine, lesson).corrections == 8


def test_variants_that_contradict_those_here_are_told(lesson: bytes, other: Engine) -> None:
    other.store.tasks.create(TASK, TaskKind.DRAWING, ("a", "b"), open=True)
    other.store.tasks.link(TASK, "b", "á")
    teach(other, drawn(11), "ɑ")
    made = brought(other, lesson)
    assert {(one.what, one.reason) for one in made.refused} == {
        ("variant á", "contradiction"),
        ("variant ɑ", "contradiction"),
    }
    assert other.store.tasks.get(TASK).variants == {"á": "b"}


def test_a_closed_task_takes_no_foreign_label(lesson: bytes, other: Engine) -> None:
    other.store.tasks.create(TASK, TaskKind.DRAWING, ("a", "b"), open=False)
    with pytest.raises(Unacceptable, match="labels"):
        brought(other, lesson)
    assert other.store.samples.all(TASK) == []


def test_a_closed_task_takes_a_lesson_of_its_labels(lesson: bytes, other: Engine) -> None:
    labels = ("a", "ಕ್ಷ", "b", "🅱️")
    other.store.tasks.create(TASK, TaskKind.DRAWING, labels, open=False)
    made = brought(other, lesson)
    assert (made.samples, made.corrections, made.n_refused) == (3, 8, 0)
    assert set(other.store.tasks.get(TASK).variants) == {"á", "ɑ"}


def test_another_kind_of_task_is_refused(lesson: bytes, other: Engine) -> None:
    with pytest.raises(Unacceptable, match="kind"):
        brought(other, lesson, "authenticity")


def test_who_is_not_trusted_imports_nothing(lesson: bytes, other: Engine) -> None:
    with pytest.raises(Unacceptable, match="person"):
        import_lesson(other, None, io.BytesIO(lesson), ANN)


def test_another_wish_for_conflicts_is_refused(lesson: bytes, other: Engine) -> None:
    with pytest.raises(Unacceptable, match="on_conflict"):
        brought(other, lesson, on_conflict=cast(Any, "ours"))


# --- cut off, and large ---


@pytest.mark.parametrize("on_conflict", ["keep", "theirs"])
def test_cut_off_anywhere_and_done_again_it_ends_the_same(
    tmp_path: Path,
    lesson: bytes,
    monkeypatch: pytest.MonkeyPatch,
    on_conflict: str,
) -> None:
    def prepared(engine: Engine) -> Engine:
        engine.store.tasks.create(TASK, TaskKind.DRAWING, ("a", "x"), open=True)
        teach(engine, drawn(0), "x", Person("carol", trusted=True))
        add_sample(engine, drawn(0, 9), "x")
        return engine

    with installation(tmp_path / "whole") as engine:
        brought(prepared(engine), lesson, on_conflict=on_conflict)
        whole = snapshot(engine)
    rng = np.random.default_rng(7)
    for attempt in range(6):
        with installation(tmp_path / str(attempt)) as engine:
            prepared(engine)
            for _ in range(3):
                with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
                    _break_off(patch, engine, int(rng.integers(1, 16)))
                    brought(engine, lesson, on_conflict=on_conflict)
                    raise KeyboardInterrupt
            brought(engine, lesson, on_conflict=on_conflict)
            assert snapshot(engine) == whole


def _break_off(patch: pytest.MonkeyPatch, engine: Engine, after: int) -> None:
    """Let the n-th write from now on be the last."""
    left = [after]

    def limited(write: Any) -> Any:
        def counted(*args: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return write(*args, **named)

        return counted

    store = engine.store
    for noun, verb in (
        (store.tasks, "link"),
        (store.tasks, "add_label"),
        (store.corrections, "teach"),
        (store.samples, "add_many"),
    ):
        patch.setattr(noun, verb, limited(getattr(noun, verb)))


def test_killed_half_way_and_done_again_it_is_whole(
    taught: Engine, lesson: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "lesson.zip"
    file.write_bytes(lesson)
    with installation(tmp_path) as engine:  # before the process: it makes the tables
        log = _killed_while_importing(engine, file)
        assert log
        brought(engine, lesson)
        assert snapshot(engine) == snapshot(taught)


def _killed_while_importing(engine: Engine, file: Path) -> list[Correction]:
    environment = {**os.environ, "DATA_DIR": str(engine.settings.data_dir), "ENCODER": "builtin"}
    command = [sys.executable, str(ROOT / "lessons.py"), "--import", str(file)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        log: list[Correction] = []
        while not log and process.poll() is None and time.monotonic() < deadline:
            try:
                log = engine.store.corrections.since(TASK, 0)
            except NotFound:
                continue
        assert process.poll() in (None, 0)
        process.send_signal(signal.SIGKILL)
    return log


def test_neither_way_are_all_pictures_in_memory(tmp_path: Path, other: Engine) -> None:
    rng = np.random.default_rng(3)
    file = tmp_path / "lesson.zip"
    with installation(tmp_path / "first") as engine:
        engine.store.tasks.create(TASK, TaskKind.PHOTO, ("a", "b"), open=False)
        for i in range(24):
            data = encode(rng.integers(0, 255, (500, 700, 3), np.uint8), "PNG")  # 1 MB each
            sample = NewSample("ab"[i % 2], "noise", str(i), Split.TRAIN)
            engine.store.blobs.put(data)
            engine.store.samples.add(TASK, decode(data).facts, sample)
        with file.open("wb") as written:
            out = _peak(lambda: export_lesson(engine, TASK, written))
    with file.open("rb") as read:
        back = _peak(lambda: import_lesson(other, None, read, ME))
    assert len(other.store.samples.all(TASK)) == 24
    assert file.stat().st_size > 24_000_000
    assert out < 6_000_000
    assert back < 12_000_000


def _peak(act: Any) -> int:
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_it_is_written_to_what_cannot_be_sought_in(taught: Engine, other: Engine) -> None:
    class Pipe:
        def __init__(self) -> None:
            self.chunks: list[bytes] = []

        def write(self, data: bytes) -> int:
            self.chunks.append(bytes(data))
            return len(data)

        def flush(self) -> None:
            pass

    pipe = Pipe()
    export_lesson(taught, TASK, cast(Any, pipe))
    brought(other, b"".join(pipe.chunks))
    assert snapshot(other) == snapshot(taught)


def test_progress_counts_every_row(taught: Engine, lesson: bytes, other: Engine) -> None:
    told: list[int] = []

    def progress(total: int) -> Any:
        told.append(-total)
        return told.append

    brought(other, lesson, progress=progress)
    assert sum(told) == 0
    told.clear()
    export_lesson(taught, TASK, io.BytesIO(), progress=progress)
    assert sum(told) == 0


# --- single pictures that will not do ---


def test_a_bad_picture_is_told_and_the_others_come(lesson: bytes, other: Engine) -> None:
    parts = members(lesson)
    parts[f"pictures/{sha(drawn(0))}"] = drawn(7)  # other bytes
    rotten = b"GIF89a nonsense"
    (row,) = (one for one in rows_of(parts, "corrections.jsonl") if one["sha256"] == sha(drawn(4)))
    text = parts["corrections.jsonl"].decode().replace(row["sha256"], _sha(rotten))
    parts["corrections.jsonl"] = text.encode()
    parts = {
        name.replace(row["sha256"], _sha(rotten)): data.replace(
            row["sha256"].encode(), _sha(rotten).encode()
        )
        if name.endswith(".json")
        else data
        for name, data in parts.items()
    }
    parts[f"pictures/{_sha(rotten)}"] = rotten
    made = brought(other, zipped(parts))
    assert {(one.what, one.reason) for one in made.refused} == {
        (f"picture {sha(drawn(0))}", "malformed"),
        (f"picture {_sha(rotten)}", "corrupt"),
    }
    assert (made.samples, made.corrections) == (3, 6)
    assert not other.store.blobs.exists(_sha(rotten))


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_picture_larger_than_allowed_is_told(tmp_path: Path, lesson: bytes) -> None:
    large = encode(photo(1, 200, 150), "PNG")
    with installation(tmp_path / "first") as engine:
        engine.store.tasks.create(TASK, TaskKind.PHOTO, open=True)
        teach(engine, large, "a")
        teach(engine, encode(photo(2, 20, 20), "PNG"), "b")
        lesson = exported(engine)
    with installation(tmp_path, max_image_bytes=len(large) - 1) as engine:
        made = brought(engine, lesson)
    assert [one.what for one in made.refused] == [f"picture {sha(large)}"]
    assert made.corrections == 1


def test_a_link_that_is_no_link_to_a_page_is_dropped(lesson: bytes, other: Engine) -> None:
    parts = members(lesson)
    rows = rows_of(parts, "samples.jsonl")
    for row in rows:
        row["page_url"] = "javascript:alert(1)"
    parts["samples.jsonl"] = as_lines(rows)
    brought(other, zipped(parts))
    own = [one for one in other.store.samples.all(TASK) if not one.taught]
    assert {one.page_url for one in own} == {""}


# --- the command ---


def run(engine: Engine, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setenv("DATA_DIR", str(engine.settings.data_dir))
    monkeypatch.setenv("ENCODER", "builtin")
    return main(parse_arguments(arguments))


def test_command_exports_and_imports(
    taught: Engine,
    other: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = str(tmp_path / "letters.zip")
    assert run(taught, monkeypatch, "--export", file, "--task", TASK) == 0
    assert "3 samples and 8 corrections" in capsys.readouterr().out
    assert run(other, monkeypatch, "--import", file, "--dry-run") == 0
    assert "would be added" in capsys.readouterr().out
    assert run(other, monkeypatch, "--import", file, "--json") == 0
    assert json.loads(capsys.readouterr().out)["corrections"] == 8
    assert snapshot(other) == snapshot(taught)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ""] == ["letters.zip"]


def test_command_tells_conflicts_and_refusals(
    differing: Engine,
    lesson: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    parts = members(lesson)
    parts[f"pictures/{sha(drawn(1))}"] = b"nonsense"
    file = tmp_path / "letters.zip"
    file.write_bytes(zipped(parts))
    assert run(differing, monkeypatch, "--import", str(file)) == 1
    told = capsys.readouterr().out
    assert "is x here, a in the lesson" in told
    assert f"refused: picture {sha(drawn(1))}" in told


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--export", "out.zip", "--task", "nothing"), 2),
        (("--export", "no/such/folder/out.zip"), 2),
        (("--import", "missing.zip"), 2),
        (("--import", "broken.zip"), 1),
    ],
)
def test_command_says_what_is_wrong(
    other: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.zip").write_bytes(b"no zip")
    assert run(other, monkeypatch, *arguments) == code
    assert capsys.readouterr().err.strip()
    assert not (tmp_path / "out.zip").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--export", "a.zip", "--import", "b.zip"],
        ["--export", "a.zip", "--dry-run"],
        ["--import", "a.zip", "--on-conflict", "ours"],
    ],
)
def test_wrong_usage_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse_arguments(arguments)
    assert stopped.value.code == 2
