from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pickle
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from domain import ModelVersion, Unavailable
from models.batch import BatchHead, fit, search
from models.registry import ABANDONED_SECONDS, MODEL, PARTIAL, Registry, new_version_id
from tests.models.made import clusters

ROOT = Path(__file__).resolve().parents[2]
CARD: dict[str, Any] = {
    "task": "smile",
    "embedder": "e:1",
    "classifier": {"family": "logistic_regression"},
    "labels": ["ai", "real"],
}
NOW = datetime(2026, 11, 21, 3, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def head() -> BatchHead:
    return fit(search(clusters(20), classifier="logistic_regression", jobs=1))


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


def saved(registry: Registry, head: BatchHead, **more: Any) -> ModelVersion:
    return registry.save(head, CARD, version_id=new_version_id(NOW), created_at=NOW, **more)


def model_file(registry: Registry, version: ModelVersion) -> Path:
    return registry.folder(version) / MODEL


def put_in_place(registry: Registry, version: ModelVersion, data: bytes) -> ModelVersion:
    """Write a model file and a version row that vouches for it."""
    model_file(registry, version).write_bytes(data)
    return dataclasses.replace(version, sha256=hashlib.sha256(data).hexdigest())


def test_a_version_is_what_was_asked_and_its_folder_holds_all_of_it(
    registry: Registry, head: BatchHead
) -> None:
    version = saved(registry, head, demo=True, reports={"report.html": b"<p>"})

    folder = registry.folder(version)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"model.skops", "card.json", "classifier.pkl", "reports/report.html"}
    assert version.sha256 == hashlib.sha256((folder / MODEL).read_bytes()).hexdigest()
    assert (version.task, version.embedder, version.classifier, version.demo) == (
        "smile", "e:1", "logistic_regression", True,
    )  # fmt: skip
    card = json.loads((folder / "card.json").read_text())
    assert card["version"] == version.card["version"] == version.id
    assert card["labels"] == ["ai", "real"]


def test_version_ids_sort_by_time_and_are_never_alike() -> None:
    later = NOW.replace(minute=16)

    ids = {new_version_id(NOW) for _ in range(200)}

    assert len(ids) == 200
    assert all(name.startswith("20261121T031500-") for name in ids)
    assert max(ids) < new_version_id(later)


def test_the_export_works_in_a_program_that_knows_scikit_learn_alone(
    registry: Registry, head: BatchHead, tmp_path: Path
) -> None:
    version = saved(registry, head)
    vectors = clusters(5).vectors
    np.save(tmp_path / "vectors.npy", vectors)
    program = (
        "import pickle, sys, numpy as np; "
        "model = pickle.load(open(sys.argv[1], 'rb')); "
        "vectors = np.load(sys.argv[2]); "
        "print(model.predict_proba(vectors).tolist(), list(model.predict(vectors)))"
        "; assert not any(name.startswith('models') for name in sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-I", "-c", program, registry.folder(version) / "classifier.pkl",
         tmp_path / "vectors.npy"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert str(head.predict_proba(vectors)[0, 0])[:6] in done.stdout


def test_the_export_is_never_read_back(registry: Registry, head: BatchHead, tmp_path: Path) -> None:
    version = saved(registry, head)
    trap = tmp_path / "sprung"
    (registry.folder(version) / "classifier.pkl").write_bytes(pickle.dumps(_Trap(str(trap))))

    registry.load(version)

    assert not trap.exists()


class _Trap:
    """Makes a folder when unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("harm", ["flipped byte", "truncated", "empty", "missing", "swapped"])
def test_a_harmed_file_is_never_loaded(registry: Registry, head: BatchHead, harm: str) -> None:
    version = saved(registry, head)
    other = saved(registry, fit(search(clusters(15, seed=1), classifier="svm", jobs=1)))
    path = model_file(registry, version)
    data = bytearray(path.read_bytes())
    if harm == "flipped byte":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif harm == "truncated":
        path.write_bytes(data[:-1])
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "missing":
        path.unlink()
    else:
        os.replace(model_file(registry, other), path)

    with pytest.raises(Unavailable) as refused:
        registry.load(version)

    assert version.id in refused.value.message
    assert str(path.parent) not in refused.value.message


def test_a_file_with_types_that_are_not_trusted_is_refused_by_their_name(
    registry: Registry, head: BatchHead
) -> None:
    version = saved(registry, head)
    evil = put_in_place(registry, version, skops.io.dumps(_Stranger()))

    with pytest.raises(Unavailable, match="_Stranger"):
        registry.load(evil)


class _Stranger:
    """Not a type that a head is made of."""


def test_a_trusted_file_that_is_no_calibrated_classifier_is_refused(
    registry: Registry, head: BatchHead
) -> None:
    version = saved(registry, head)
    other = put_in_place(registry, version, skops.io.dumps(LogisticRegression()))

    with pytest.raises(Unavailable, match="LogisticRegression"):
        registry.load(other)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no archive", pickle.dumps(1)])
def test_a_file_that_is_no_archive_is_refused_even_when_vouched_for(
    registry: Registry, head: BatchHead, data: bytes
) -> None:
    version = put_in_place(registry, saved(registry, head), data)

    with pytest.raises(Unavailable):
        registry.load(version)


def test_a_folder_that_cannot_be_written_is_said_without_its_path(
    tmp_path: Path, head: BatchHead
) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")

    with pytest.raises(Unavailable) as refused:
        saved(Registry(tmp_path / "models"), head)

    assert str(tmp_path) not in refused.value.message


def test_what_killed_processes_left_is_removed_but_not_what_is_being_written(
    registry: Registry, head: BatchHead
) -> None:
    folder = registry.folder(saved(registry, head)).parent
    old, young = folder / f"{PARTIAL}old", folder / f"{PARTIAL}young"
    for partial in (old, young):
        partial.mkdir()
        (partial / MODEL).write_bytes(b"half")
    before = time.time() - ABANDONED_SECONDS - 60
    os.utime(old, (before, before))

    saved(registry, head)

    assert not old.exists()
    assert young.exists()


def test_every_visible_version_loads_after_kills_in_the_midst_of_saving(tmp_path: Path) -> None:
    kills = 12
    subprocess.run(
        [sys.executable, "-m", "tests.models.saving_loop", tmp_path, str(kills)],
        cwd=ROOT, check=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    folders = sorted((tmp_path / "t").iterdir())
    visible = [folder for folder in folders if not folder.name.startswith(PARTIAL)]

    # some were hit while they were written, or this would show nothing
    assert len(folders) - len(visible) >= kills // 3
    assert visible
    for folder in visible:
        card = json.loads((folder / "card.json").read_text())
        version = ModelVersion(folder.name, "t", "e:1", "svm", card["sha256"], False, NOW, card)
        assert Registry(tmp_path).load(version).classes == ("ai", "real")
        assert (folder / "reports" / "report.html").stat().st_size == 4_000_000


def test_loading_does_not_bring_torch_along(registry: Registry, head: BatchHead) -> None:
    version = saved(registry, head)
    program = (
        "import sys; from pathlib import Path; from datetime import datetime; "
        "from domain import ModelVersion; from models.registry import Registry; "
        f"version = ModelVersion({version.id!r}, 'smile', 'e:1', 'svm', {version.sha256!r}, "
        "False, datetime.now(), {}); "
        "Registry(Path(sys.argv[1])).load(version); "
        "assert 'sklearn' in sys.modules; assert 'torch' not in sys.modules, 'torch came along'"
    )

    subprocess.run(
        [sys.executable, "-c", program, registry.folder(version).parents[1]], cwd=ROOT, check=True
    )
