from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.robustness import measure, parse_arguments
from domain import NotEnoughData
from tests.pictures import encode, photo


def folder(root: Path, per_label: int = 18) -> Path:
    for seed in range(2 * per_label):
        label = ("bright", "dark")[seed % 2]
        pixels = photo(seed, 64, 48) // (1 + seed % 2)
        path = root / "made" / label / f"{seed}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(pixels, "PNG"))
    return root / "made"


def asked(root: Path, *more: str) -> list[str]:
    return [
        str(folder(root)), "--kind", "photo", "--kinds", "ridge", "--seeds", "1",
        "--vectors", str(root / "vectors"), *more,
    ]  # fmt: skip


def test_both_heads_are_measured_and_vectors_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCODER", "builtin")

    first = measure(parse_arguments(asked(tmp_path)))
    again = measure(parse_arguments(asked(tmp_path, "--embedded")))

    assert first.figures["pictures"] == 36
    assert first.figures["plain"] == again.figures["plain"]
    assert 0 <= first.figures["steady"]["flips_protocol"] <= 1
    assert len(first.marks) == 3


def test_without_any_vectors_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODER", "builtin")

    with pytest.raises(NotEnoughData, match="embedded"):
        measure(parse_arguments(asked(tmp_path, "--embedded")))
