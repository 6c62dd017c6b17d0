"""The benchmark of heat maps on made-up pictures: maps hold, maps dealt by chance do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import heatmaps, ledger
from tests.test_heatmap import scene


def test_maps_hold_more_often_than_by_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "FOLDER", tmp_path)
    monkeypatch.setattr(ledger, "LOG", tmp_path / "LOG.md")
    for seed in range(16):
        place = tmp_path / "pictures" / ("spot" if seed % 2 else "plain")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{seed}.png").write_bytes(scene(seed, spot=bool(seed % 2)))
    asked = ["--kind", "photo", "--teach", "6", "--ask", "4"]

    assert heatmaps.main([str(tmp_path / "pictures"), *asked]) == 0

    (written,) = (tmp_path / "out").glob("heatmaps-pictures.json")
    figures = json.loads(written.read_text(encoding="utf-8"))
    assert figures["accuracy"] == 1.0
    assert figures["held"] > figures["held_by_chance"]


def test_one_label_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "1.png").write_bytes(scene(1, spot=True))

    assert heatmaps.main([str(tmp_path), "--kind", "photo"]) == 1
    assert "too few" in capsys.readouterr().err
