from __future__ import annotations

import os
from pathlib import Path

import pytest

from domain import Unacceptable
from scraper.folders import survey
from tests.pictures import encode, photo

PNG = encode(photo(1, 8, 8), "PNG")


def put(path: Path, data: bytes = PNG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def labels_in(folder: Path, **options: object) -> dict[str, str]:
    found = survey(folder, label=None, **options)  # type: ignore[arg-type]
    return {picture.name: picture.label for picture in found.pictures}


def test_the_folder_a_picture_lies_in_is_its_label(tmp_path: Path) -> None:
    put(tmp_path / "ai/1.png")
    put(tmp_path / "real/2.png")
    assert labels_in(tmp_path) == {"ai/1.png": "ai", "real/2.png": "real"}


def test_of_nested_folders_the_innermost_is_the_label(tmp_path: Path) -> None:
    put(tmp_path / "source/ai/1.png")
    assert labels_in(tmp_path) == {"source/ai/1.png": "ai"}


def test_a_folder_with_a_known_label_decides_for_those_below(tmp_path: Path) -> None:
    put(tmp_path / "ai/midjourney/1.png")
    put(tmp_path / "set/real/2019/june/2.png")
    assert labels_in(tmp_path, known=("ai", "real")) == {
        "ai/midjourney/1.png": "ai",
        "set/real/2019/june/2.png": "real",
    }


def test_a_variant_stands_for_its_label(tmp_path: Path) -> None:
    put(tmp_path / "fake/1.png")
    assert labels_in(tmp_path, known=("ai",), variants={"fake": "ai"}) == {"fake/1.png": "ai"}


def test_a_given_variant_stands_for_its_label(tmp_path: Path) -> None:
    put(tmp_path / "1.png")
    assert survey(tmp_path, label="fake", known=("ai",), variants={"fake": "ai"}).labels == ["ai"]


def test_accents_that_macos_takes_apart_are_put_together(tmp_path: Path) -> None:
    put(tmp_path / "e\u0301te\u0301" / "1.png")
    assert list(labels_in(tmp_path).values()) == ["\u00e9t\u00e9"]


def test_pictures_beside_the_folders_have_no_label(tmp_path: Path) -> None:
    put(tmp_path / "1.png")
    put(tmp_path / "ai/2.png")
    found = survey(tmp_path, label=None)
    assert found.unlabelled == ["1.png"]
    assert [picture.name for picture in found.pictures] == ["ai/2.png"]


def test_one_label_for_all(tmp_path: Path) -> None:
    put(tmp_path / "1.png")
    put(tmp_path / "deep/er/2.png")
    found = survey(tmp_path, label="real")
    assert [(p.name, p.label) for p in found.pictures] == [
        ("1.png", "real"),
        ("deep/er/2.png", "real"),
    ]


def test_what_is_no_picture_is_counted_apart(tmp_path: Path) -> None:
    for name in ("notes.txt", "data.json", ".DS_Store", "._1.png", "Thumbs.db", "README"):
        put(tmp_path / name, b"not a picture")
    put(tmp_path / "1.png")
    put(tmp_path / "broken.jpg", b"not a picture, but named like one")
    put(tmp_path / "without-suffix")
    put(tmp_path / "odd.suffix")
    found = survey(tmp_path, label="a")
    names = ["1.png", "broken.jpg", "odd.suffix", "without-suffix"]
    assert [picture.name for picture in found.pictures] == names
    assert found.others == 6


def test_hidden_folders_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path / ".git/1.png")
    put(tmp_path / "a/.cache/2.png")
    assert survey(tmp_path, label="a").pictures == []


def test_the_order_is_always_the_same(tmp_path: Path) -> None:
    for name in ("b/2.png", "a/9.png", "b/10.png", "c.png", "a.png"):
        put(tmp_path / name)
    names = [picture.name for picture in survey(tmp_path, label="x").pictures]
    assert names == ["a.png", "c.png", "a/9.png", "b/10.png", "b/2.png"]


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    put(tmp_path / "a/1.png")
    (tmp_path / "a/again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a/self").symlink_to(tmp_path / "a", target_is_directory=True)
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    put(outside / "2.png")
    (tmp_path / "linked").symlink_to(outside, target_is_directory=True)
    names = [picture.name for picture in survey(tmp_path, label="x").pictures]
    assert names == ["a/1.png", "linked/2.png"]


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    assert survey(tmp_path, label="x").others == 2


def test_a_broken_link_is_left_to_reading(tmp_path: Path) -> None:
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    found = survey(tmp_path, label="x")
    assert [picture.name for picture in found.pictures] == ["gone.png"]
    assert found.others == 1


def test_names_of_any_bytes_can_be_shown(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(PNG)
    (found,) = survey(tmp_path, label="x").pictures
    assert found.name == "caf\\xe9.png"
    assert found.path.read_bytes() == PNG


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter any folder")
def test_a_closed_folder_is_told_of(tmp_path: Path) -> None:
    put(tmp_path / "closed/1.png")
    (tmp_path / "closed").chmod(0)
    try:
        assert survey(tmp_path, label="x").closed == [str(tmp_path / "closed")]
    finally:
        (tmp_path / "closed").chmod(0o700)


@pytest.mark.parametrize("name", ["missing", "file.png"])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    put(tmp_path / "file.png")
    with pytest.raises(Unacceptable, match="folder"):
        survey(tmp_path / name, label="x")
