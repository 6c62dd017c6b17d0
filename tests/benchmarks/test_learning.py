"""The learning benchmark: what it teaches and asks, what it calls lost, and one run of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks import altered, flood, kshot, learning, ledger, together
from benchmarks.kshot import Course
from benchmarks.marks import Mark, Measured
from benchmarks.remembered import Past, picture
from benchmarks.schooling import Labelled, apart, lesson, read
from benchmarks.served import Client, Refused, Service, free_port
from config import Settings
from domain import NotEnoughData, Split, TaskKind
from embeddings.images import decode
from engine import Engine, open_engine
from models.families import split_of
from tests.pictures import encode, letter

LETTERS, HANDS = 3, 6


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    """Three letters, drawn by six hands each."""
    for which in range(LETTERS):
        folder = tmp_path / "data" / "letters" / f"letter {which}"
        folder.mkdir(parents=True)
        for hand in range(HANDS):
            (folder / f"{hand}.png").write_bytes(encode(letter(which, hand), "PNG"))
    return tmp_path / "data"


@pytest.fixture
def pictures() -> list[Labelled]:
    """Two labels, twenty families each, of two pictures each."""
    return [
        Labelled(Path(f"{label}-{i}"), label, f"{label}-{i // 2}")
        for label in ("ai", "real")
        for i in range(40)
    ]


@pytest.fixture(autouse=True)
def apart_from_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "FOLDER", tmp_path)
    monkeypatch.setattr(ledger, "LOG", tmp_path / "LOG.md")


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    opened = open_engine(settings)
    yield opened
    opened.close()


def test_help_says_what_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["--help"], *([protocol, "--help"] for protocol in learning.PROTOCOLS)):
        with pytest.raises(SystemExit) as caught:
            learning.parse_arguments(argv)
        assert caught.value.code == 0
    said = capsys.readouterr().out
    assert all(protocol in said for protocol in learning.PROTOCOLS)
    assert "python -m benchmarks.learning kshot --courses" in said
    assert "kill -9" in said


def test_a_lesson_has_k_families_of_each_label_and_asks_about_others(
    pictures: list[Labelled],
) -> None:
    taught, asked = lesson(pictures, 5, 40, seed=1)
    assert {label: len(each) for label, each in taught.items()} == {"ai": 5, "real": 5}
    known = [one.family for each in taught.values() for one in each]
    assert len(set(known)) == 10
    assert len(asked) == 40
    assert not {one.family for one in asked} & set(known)
    assert lesson(pictures, 5, 40, seed=1) == (taught, asked)
    assert lesson(pictures, 5, 40, seed=2) != (taught, asked)


def test_too_few_families_are_said(pictures: list[Labelled]) -> None:
    with pytest.raises(NotEnoughData, match="ai: 20 families"):
        lesson(pictures, 21, 1, seed=0)


def test_parts_share_no_family(pictures: list[Labelled]) -> None:
    parts = apart(pictures, (0.5, 0.25, 0.25), np.random.default_rng(0))
    families = [{one.family for one in part} for part in parts]
    assert [len(part) for part in families] == [20, 10, 10]
    assert len(set.union(*families)) == 40
    assert sum(map(len, parts)) == len(pictures)


def test_a_flood_lies_about_golden_pictures_as_well(pictures: list[Labelled]) -> None:
    taught, others = pictures[:20] + pictures[40:60], pictures[20:40]
    lies = flood._wrong(taught, others, 60, np.random.default_rng(0))
    truth = {one.path: one.label for one in pictures}
    assert all(lie.label != truth[lie.path] for lie in lies)
    assert {split_of(lie.family) for lie in lies} == {Split.TRAIN, Split.TEST}


def test_what_is_corrected_is_neither_learned_before_nor_unrelated(
    pictures: list[Labelled],
) -> None:
    for school in altered.SCHOOLS.values():
        parts = altered._parts(school, pictures, np.random.default_rng(0))
        families = [{one.family for one in part} for part in parts]
        assert all(families)
        assert sum(map(len, families)) == len(set.union(*families))


def test_lost_doubled_and_missing_rows_are_found() -> None:
    def row(seq: int, name: str) -> dict[str, object]:
        return {"id": f"id {name}", "sha256": name, "seq": seq}

    acknowledged = [("id a", "a"), ("id b", "b")]
    good = together._compared(acknowledged, [row(1, "a"), row(2, "b"), row(3, "unacknowledged")])
    assert (good["lost"], good["doubled"], good["gapless"]) == (0, 0, True)
    lost = together._compared(acknowledged, [row(1, "b")])
    assert (lost["lost"], lost["doubled"], lost["gapless"]) == (1, 0, True)
    doubled = together._compared(
        acknowledged, [row(1, "a"), row(2, "b"), {**row(4, "b"), "id": "c"}]
    )
    assert (doubled["lost"], doubled["doubled"], doubled["gapless"]) == (0, 1, False)


def test_a_missed_mark_is_told_by_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    marks = [Mark("right", 0.9, least=0.8)]
    monkeypatch.setattr(kshot, "measure", lambda *_: Measured({"a": 1}, "a line", marks))
    assert learning.main(["kshot"]) == 0
    marks.append(Mark("milliseconds", 301, most=300))
    assert learning.main(["kshot"]) == 1
    assert "MISSED" in capsys.readouterr().err
    kept = json.loads((tmp_path / "out" / "learning-kshot.json").read_text(encoding="utf-8"))
    assert [mark["reached"] for mark in kept["marks"]] == [True, False]
    assert (tmp_path / "LOG.md").read_text(encoding="utf-8").count("a line") == 2


@pytest.mark.parametrize("kind", list(TaskKind))
def test_a_made_up_past_is_learned_like_a_true_one(engine: Engine, kind: TaskKind) -> None:
    engine.store.tasks.create("t", kind, open=True)
    past = Past(engine, "t", kind)
    past.reach(40)
    past.reach(50)
    task = engine.store.tasks.get("t")
    known = engine.learned.knowledge(task)
    assert engine.store.corrections.count("t") == len(known.memory) == len(known.opinions) == 50
    assert known.taught == dict(Counter(one.label for one in known.opinions.values()))
    assert known.head is not None
    assert set(known.head.classes) == set(task.labels) == set(past.labels)
    assert len(engine.store.samples.all("t")) == 50


def test_small_pictures_are_all_different() -> None:
    facts = [decode(picture(seed)).facts for seed in range(20)]
    assert len({one.sha256 for one in facts}) == 20
    assert all(one.width * one.height < 10_000 for one in facts)


def test_learning_is_measured_against_a_real_service(
    letters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = Course("letters", "letters", TaskKind.DRAWING, (1, 3), (0.9, 0.9))
    monkeypatch.setattr(kshot, "COURSES", {"letters": course})
    argv = ["kshot", "--data", str(letters), "--seeds", "1"]
    assert learning.main(argv) == 0
    kept = json.loads((tmp_path / "out" / "learning-kshot.json").read_text(encoding="utf-8"))
    first, last = kept["courses"]["letters"].values()
    families = {one.family for one in read(letters / "letters", TaskKind.DRAWING)}
    assert first["asked"] == last["asked"] >= len(families) - 3 * LETTERS
    assert last["accuracy"] >= 0.9
    assert (tmp_path / "out" / "learning-kshot.png").read_bytes().startswith(b"\x89PNG")


def test_what_a_killed_service_acknowledged_is_known_by_the_next(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", free_port())
    with service, Client(service.port) as client:
        client.make("t", "drawing")
        receipts = [client.teach("t", picture(at), f"label {at}", once=f"{at}") for at in range(2)]
        assert service.rss() > 50_000_000
        assert service.worker_of(client) == service.workers()[0].pid
        service.kill()
        with pytest.raises(OSError):
            client.predict("t", picture(0))
        service.start()
        assert client.teach("t", picture(1), "label 1", once="1")["id"] == receipts[1]["id"]
        assert client.predict("t", picture(0))["prediction"] == "label 0"
        with pytest.raises(Refused, match="404"):
            client.undo("t", "0" * 32)
    assert service.workers() == []
