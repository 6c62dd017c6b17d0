from __future__ import annotations

from pathlib import Path

from benchmarks.forms import exchanged, facts_of_equalised, read
from domain import TaskKind
from embeddings.images import decode
from tests.pictures import encode, photo


def fill(folder: Path, label: str, n: int, width: int, height: int, seed: int) -> None:
    (folder / label).mkdir(parents=True)
    for row in range(n):
        data = encode(photo(seed + row, width, height), "JPEG")
        (folder / label / f"{row}.jpg").write_bytes(data)


def test_pictures_are_read_once_with_their_facts_and_no_more_than_asked_for(tmp_path: Path) -> None:
    fill(tmp_path / "web", "ai", 4, 96, 96, 0)
    fill(tmp_path / "web", "real", 4, 120, 80, 10)
    (tmp_path / "web" / "ai" / "again.jpg").write_bytes(
        (tmp_path / "web" / "ai" / "0.jpg").read_bytes()
    )
    (tmp_path / "web" / "ai" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0no picture")

    every, few = (read([tmp_path], TaskKind.PHOTO, most=most) for most in (0, 2))

    assert (len(every), len(few)) == (8, 4)
    assert {(one.source, one.label, one.facts["aspect"]) for one in every} == {
        ("web", "ai", 1.0),
        ("web", "real", 1.5),
    }
    assert len(facts_of_equalised(few, TaskKind.PHOTO)) == 4


def test_an_exchanged_picture_has_the_form_of_another_label(tmp_path: Path) -> None:
    fill(tmp_path / "web", "real", 2, 120, 80, 10)
    models = [one.facts for one in read([tmp_path / "web"], TaskKind.PHOTO)]
    square = decode(encode(photo(1, 96, 96), "JPEG"))

    made = exchanged(square, models)

    assert made.pixels.shape == (80, 120, 3)
    assert made.facts == square.facts
