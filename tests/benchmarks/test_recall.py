"""The recall benchmark on a made-up folder: copies come back, strangers do not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import ledger, recall
from embeddings.images import decode, encode_png
from tests.pictures import photo


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two labels of six pictures; the figures of a test stay in its own folder."""
    monkeypatch.setattr(ledger, "FOLDER", tmp_path)
    monkeypatch.setattr(ledger, "LOG", tmp_path / "LOG.md")
    for seed in range(12):
        place = tmp_path / "pictures" / ("ai" if seed % 2 else "real")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{seed}.png").write_bytes(encode_png(photo(seed)))
    (place / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return tmp_path / "pictures"


def test_copies_are_recognised_and_strangers_are_not(folder: Path, tmp_path: Path) -> None:
    assert recall.main([str(folder), "--kind", "photo", "--copied", "3"]) == 0
    (written,) = (tmp_path / "out").glob("recall-pictures.json")
    figures = json.loads(written.read_text(encoding="utf-8"))
    assert figures["pictures"] == 12
    assert figures["unrelated"]["matched"] == 0
    assert {copy["recognised"] for copy in figures["copies"].values()} == {1.0}
    assert "jpeg 50 100%" in (tmp_path / "LOG.md").read_text(encoding="utf-8")


def test_too_few_pictures_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "1.png").write_bytes(encode_png(photo(1)))
    assert recall.main([str(tmp_path), "--kind", "photo"]) == 1
    assert "Only 1 pictures" in capsys.readouterr().err.replace("\n", " ")


def test_copies_show_what_their_name_says() -> None:
    pixels = photo(1, 200, 100)
    made = dict(recall.copies(pixels, np.random.default_rng(0)))
    shapes = {name: decode(data).pixels.shape[:2] for name, data in made.items()}
    assert shapes["jpeg 50"] == shapes["webp 80"] == (100, 200)
    assert shapes["half the size"] == (50, 100)
    assert shapes["5 % cut from each side"] == (90, 180)
    assert shapes["5 % cut at a corner"] == (95, 190)
    assert shapes["5 % cut from one side"] in {(95, 200), (100, 190)}
    assert (80, 160) < shapes["screenshot with border"] < (100, 180)
