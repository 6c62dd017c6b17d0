"""Versions on disk: written whole or not at all, checked before they are loaded."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pickle
import secrets
import shutil
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from domain import ModelVersion, Unavailable
from models import Head
from models.answers import Answers, from_bytes, to_bytes
from models.batch import BatchHead
from models.ensemble import head_of

MODEL, CARD, EXPORT, REPORTS = "model.skops", "card.json", "classifier.pkl", "reports"
ANSWERS = "answers.npz"
PARTIAL = ".partial-"
ABANDONED_SECONDS = 3600
"""Age from which a folder that was being written is taken for the rest of a killed process."""

TRUSTED = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.tree._tree.Tree",
)
"""Types a model file may hold beside those skops itself trusts."""

log = logging.getLogger(__name__)


class Registry:
    """The folder of versions, `<root>/<task>/<version>/`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def save(
        self,
        head: BatchHead,
        card: Mapping[str, Any],
        *,
        version_id: str,
        created_at: datetime,
        demo: bool = False,
        reports: Mapping[str, bytes] | None = None,
        answers: Answers | None = None,
    ) -> ModelVersion:
        """Write a version: visible only once it is whole and on the disk.

        Parameters
        ----------
        head
            What answers.
        card
            Its card; names its task, embedder and classifier.
        version_id
            From `new_version_id`.
        created_at
            When it was trained.
        demo
            Whether it knows the demonstration only.
        reports
            Files beside it, by name.
        answers
            What it said of the pictures it was made from.

        Raises
        ------
        Unavailable
            The folder cannot be written.
        """
        with _skops() as skops:
            model = skops.dumps(head.estimator)
        sha256 = hashlib.sha256(model).hexdigest()
        shown = {**card, "version": version_id, "created_at": created_at.isoformat()}
        said = {} if answers is None else {ANSWERS: to_bytes(answers)}
        for data in said.values():
            shown["answers_sha256"] = hashlib.sha256(data).hexdigest()
        files = {
            **said,
            MODEL: model,
            CARD: json.dumps({**shown, "sha256": sha256}, ensure_ascii=False, indent=1).encode(),
            EXPORT: pickle.dumps(head.estimator),
            **{f"{REPORTS}/{name}": data for name, data in (reports or {}).items()},
        }
        task = str(card["task"])
        try:
            self._write(task, version_id, files)
        except OSError as error:
            log.exception("The version %s cannot be written", version_id)
            raise Unavailable(f"The model folder cannot be written: {error.strerror}") from error
        return ModelVersion(
            id=version_id,
            task=task,
            embedder=str(card["embedder"]),
            classifier=str(card["classifier"]["family"]),
            sha256=sha256,
            demo=demo,
            created_at=created_at,
            card=shown,
        )

    def _write(self, task: str, version_id: str, files: Mapping[str, bytes]) -> None:
        folder = self._root / task
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        partial = folder / f"{PARTIAL}{version_id}"
        partial.mkdir()
        (partial / REPORTS).mkdir()
        for name, data in files.items():
            with (partial / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for made in (partial / REPORTS, partial):
            _sync_folder(made)
        partial.rename(folder / version_id)
        for parent in (folder, self._root):
            _sync_folder(parent)

    def load(self, version: ModelVersion) -> Head:
        """Read a version's head back, if it is what was saved and holds nothing unexpected.

        Raises
        ------
        Unavailable
            It is missing, its sha256 is another, or it holds types that are not trusted.
        """
        try:
            data = (self.folder(version) / MODEL).read_bytes()
        except OSError as error:
            raise _refused(version, f"its file cannot be read ({error.strerror})") from error
        if hashlib.sha256(data).hexdigest() != version.sha256:
            raise _refused(version, "its file is not the one that was saved (sha256 differs)")
        try:
            estimator = _load_trusted(version, data)
        except (ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
            log.exception("The version %s cannot be loaded", version.id)
            raise _refused(version, "its file cannot be understood") from error
        except zipfile.BadZipFile as error:
            raise _refused(version, "its file is no skops archive") from error
        return head_of(estimator, version.card)

    def answers(self, version: ModelVersion) -> Answers | None:
        """What a version said of the pictures it was made from; None where that was not kept."""
        expected = version.card.get("answers_sha256")
        if expected is None:
            return None
        try:
            data = (self.folder(version) / ANSWERS).read_bytes()
            if hashlib.sha256(data).hexdigest() != expected:
                raise ValueError("the file is not the one that was saved (sha256 differs)")
            return from_bytes(data)
        except (OSError, ValueError) as error:
            log.warning("The answers of the version %s cannot be read: %s", version.id, error)
            return None

    def write_report(self, version: ModelVersion, name: str, data: bytes) -> None:
        """Put a file in the place of one of a version's reports.

        Raises
        ------
        Unavailable
            The folder cannot be written.
        """
        folder = self.folder(version) / REPORTS
        partial = folder / f"{PARTIAL}{name}"
        try:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(folder / name)
        except OSError as error:
            raise Unavailable(f"The model folder cannot be written: {error.strerror}") from error

    def report(self, version: ModelVersion, name: str) -> bytes | None:
        """A file of a version's reports; None if it has no such one."""
        try:
            return (self.folder(version) / REPORTS / name).read_bytes()
        except OSError:
            return None

    def folder(self, version: ModelVersion) -> Path:
        """Where a version's files are."""
        return self._root / version.task / version.id


def new_version_id(created_at: datetime) -> str:
    """Such as `20261121T031500-ab12cd`: sorts by time, and no two are alike."""
    return f"{created_at:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def _load_trusted(version: ModelVersion, data: bytes) -> Any:
    from sklearn.calibration import CalibratedClassifierCV

    with _skops() as skops:
        strange = sorted(set(skops.get_untrusted_types(data=data)) - set(TRUSTED))
        if strange:
            raise _refused(version, f"it holds types that are not trusted: {', '.join(strange)}")
        estimator = skops.loads(data, trusted=list(TRUSTED))
    if not isinstance(estimator, CalibratedClassifierCV):
        raise _refused(version, f"it holds a {type(estimator).__name__}, not a classifier")
    return estimator


def _refused(version: ModelVersion, why: str) -> Unavailable:
    return Unavailable(f"The version {version.id} of {version.task} is not loaded: {why}.")


def _remove_abandoned(folder: Path) -> None:
    for partial in folder.glob(f"{PARTIAL}*"):
        try:
            if time.time() - partial.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(partial)
        except OSError:  # another process was faster
            continue


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _skops() -> Iterator[ModuleType]:
    """`skops.io`, imported late and without torch.

    skops lists every scikit-learn estimator when imported, which visits scikit-learn's adapter
    for torch and so loads torch where it is installed: 180 MB and a second for nothing.
    """
    adapter = "sklearn.externals.array_api_compat.torch"
    hide = "torch" not in sys.modules and adapter not in sys.modules
    if hide:
        sys.modules[adapter] = None  # type: ignore[assignment]
    try:
        import skops.io
    finally:
        if hide:
            sys.modules.pop(adapter, None)
    yield skops.io
