"""The accuracy benchmark on a tiny made-up folder: what is easy comes out right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import accuracy, gather, ledger
from benchmarks.trials import few_shots, random_parts, unseen_sources
from domain import TaskKind
from embeddings.builtin.copies import PHOTO_COPIES
from embeddings.images import Picture, encode_jpeg, encode_png, resize
from models.examples import Examples

SOURCES = ("north", "south", "west")
EACH = 8


def made(label: str, seed: int) -> bytes:
    """Real ones have grain, the others none; what they show says nothing."""
    rng = np.random.default_rng(seed)
    scene = resize(rng.integers(0, 256, (5, 7, 3)).astype(np.uint8), 140, 100)
    grain = rng.normal(0, 9 if label == "real" else 0, scene.shape)
    return encode_png(np.clip(scene + grain, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """<source>/<label> with eight pictures each, one of them a near-duplicate, one broken."""
    root = tmp_path_factory.mktemp("pictures")
    seed = 0
    for source in SOURCES:
        for label in ("ai", "real"):
            place = root / source / label
            place.mkdir(parents=True)
            for number in range(EACH):
                seed += 1
                (place / f"{number}.png").write_bytes(made(label, seed))
    (root / "north" / "ai" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return root


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures and vectors of a test stay in its own folder."""
    monkeypatch.setenv("ENCODER", "builtin")
    monkeypatch.setattr(gather, "CACHE", tmp_path / "vectors")
    monkeypatch.setattr(ledger, "FOLDER", tmp_path)
    monkeypatch.setattr(ledger, "LOG", tmp_path / "LOG.md")


def measured(tmp_path: Path, argv: Sequence[str]) -> dict[str, object]:
    assert accuracy.main([*argv, "--budget", "5", "--classifier", "logistic_regression"]) == 0
    (written,) = (tmp_path / "out").glob("*.json")
    figures: dict[str, object] = json.loads(written.read_text(encoding="utf-8"))
    return figures


@pytest.mark.parametrize("protocol", ["random", "leave-one-source-out", "shots"])
def test_grain_is_told_from_none(folder: Path, tmp_path: Path, protocol: str) -> None:
    argv = [str(folder), "--kind", "authenticity", "--protocol", protocol]
    figures = measured(tmp_path, [*argv, "--seeds", "2", "--shots", "1", "4"])
    assert figures["pictures"] == len(SOURCES) * 2 * EACH
    assert figures["unreadable"] == 1
    groups = figures["groups"]
    assert isinstance(groups, list)
    assert groups[-1]["roc_auc"]["mean"] > 0.95
    assert groups[-1]["share_answered"]["mean"] > 0.5
    assert groups[-1]["false_accusations"]["mean"] < 0.2
    assert len(groups[-1]["trials"]) == (3 if protocol == "leave-one-source-out" else 2)
    line = (tmp_path / "LOG.md").read_text(encoding="utf-8")
    assert line.count("\n") == 1
    assert "builtin-authenticity" in line


class Shapes:
    """An embedder whose vectors say how large each picture is."""

    id, dim, device, runtime, reason = "shapes:1", 2, "cpu", "numpy", "counts pixels"

    def embed(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        sizes = [picture.pixels.shape[:2] for picture in pictures]
        return np.asarray(sizes, np.float32).reshape(-1, 2)


def test_equalised_pictures_have_one_size_and_keep_their_families(tmp_path: Path) -> None:
    for number, (width, height) in enumerate([(90, 60), (60, 90), (200, 100)]):
        place = tmp_path / "set" / f"label {number}"
        place.mkdir(parents=True)
        pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3))
        (place / "a.png").write_bytes(encode_png(pixels.astype(np.uint8)))
        (place / "same but pressed.jpg").write_bytes(encode_jpeg(pixels.astype(np.uint8), 95))
    delivered = gather.gather([tmp_path / "set"], gather.Recipe(Shapes(), TaskKind.PHOTO))
    equalised = gather.gather([tmp_path / "set"], gather.Recipe(Shapes(), TaskKind.PHOTO, 48))
    assert len(np.unique(delivered.examples.vectors, axis=0)) == 3
    assert np.unique(equalised.examples.vectors).tolist() == [48]
    assert len(np.unique(delivered.examples.families)) == 3
    assert equalised.examples.families.tolist() == delivered.examples.families.tolist()


def test_vectors_are_remembered_between_runs(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = [str(folder), "--kind", "authenticity", "--seeds", "1"]
    first = measured(tmp_path, argv)["groups"]
    monkeypatch.setattr(gather, "_embed", None)  # embedding again would fail
    assert isinstance(first, list)
    again = measured(tmp_path, argv)["groups"]
    assert isinstance(again, list)
    assert again[0]["roc_auc"] == first[0]["roc_auc"]


def test_copies_are_taught_and_never_asked(tmp_path: Path, folder: Path) -> None:
    argv = [str(folder), "--kind", "photo", "--protocol", "shots", "--shots", "2", "--copies"]
    figures = measured(tmp_path, [*argv, "--seeds", "1"])
    groups = figures["groups"]
    assert figures["copies"] == 1 + PHOTO_COPIES  # and the mirror image
    assert isinstance(groups, list)
    assert groups[0]["trials"][0]["taught"] == 4
    assert groups[0]["trials"][0]["n"] == len(SOURCES) * 2 * EACH - 4


def test_one_source_cannot_be_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [str(folder / "north"), "--kind", "photo", "--protocol", "leave-one-source-out"]
    assert accuracy.main(argv) == 1
    assert "1 sources" in capsys.readouterr().err


@pytest.fixture
def examples() -> Examples:
    """Sixty pictures of three labels and two sources, in families of two."""
    rows = np.arange(60)
    return Examples(
        np.ones((60, 1), np.float32),
        np.asarray([f"label {row % 3}" for row in rows // 2]),
        np.asarray([f"source {row % 2}" for row in rows // 6]),
        np.asarray([f"family {row}" for row in rows // 2]),
    )


def test_no_family_is_taught_and_asked(examples: Examples) -> None:
    trials = [
        *random_parts(examples, 0.25, 3),
        *few_shots(examples, [1, 5], 3),
        *unseen_sources(examples),
    ]
    assert len(trials) == 3 + 6 + 2
    for trial in trials:
        taught, asked = examples.families[trial.train], examples.families[trial.test]
        assert not set(taught) & set(asked)
        assert len(taught)
        assert len(asked)


def test_shots_teach_k_pictures_of_each_label(examples: Examples) -> None:
    for trial in few_shots(examples, [4], 2):
        labels, counts = np.unique(examples.labels[trial.train], return_counts=True)
        assert counts.tolist() == [4, 4, 4]
        assert len(labels) == 3


def test_seeds_part_differently_and_the_same_each_time(examples: Examples) -> None:
    first, second = random_parts(examples, 0.25, 2)
    assert first.test.tolist() != second.test.tolist()
    assert random_parts(examples, 0.25, 1)[0].test.tolist() == first.test.tolist()
