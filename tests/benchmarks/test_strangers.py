"""The benchmark of unknown labels on made-up letters: known ones pass, unknown ones are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import gather, ledger, strangers
from embeddings.images import encode_png
from tests.pictures import letter


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six labels of seven letters; figures and vectors of a test stay in its own folder."""
    monkeypatch.setattr(ledger, "FOLDER", tmp_path)
    monkeypatch.setattr(ledger, "LOG", tmp_path / "LOG.md")
    monkeypatch.setattr(gather, "CACHE", tmp_path / "vectors")
    for which in range(6):
        place = tmp_path / "letters" / f"letter{which}"
        place.mkdir(parents=True)
        for hand in range(7):
            (place / f"{hand}.png").write_bytes(encode_png(letter(which, hand, 64)))
    return tmp_path / "letters"


def test_unknown_letters_are_told_more_often_than_known_ones(folder: Path, tmp_path: Path) -> None:
    asked = [str(folder), "--kind", "drawing", "--leave-out", "2", "--shots", "5", "--seeds", "3"]

    assert strangers.main(asked) == 0

    (written,) = (tmp_path / "out").glob("strangers-letters.json")
    figures = json.loads(written.read_text(encoding="utf-8"))
    at_five = figures["shots"]["5"]["0.05"]
    assert at_five["told"] > at_five["wrong"]
    assert "letters" in (tmp_path / "LOG.md").read_text(encoding="utf-8")


def test_too_few_labels_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert strangers.main([str(folder), "--kind", "drawing", "--leave-out", "5"]) == 1
    assert "only 6 labels" in capsys.readouterr().err
