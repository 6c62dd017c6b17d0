"""Writing a lesson: one member after the other, so that none but the one at hand is in memory."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from exchange.arrays import array_bytes
from exchange.layout import (
    CARD,
    CORRECTIONS,
    MANIFEST,
    SAMPLES,
    CorrectionRow,
    Manifest,
    SampleRow,
)
from exchange.rows import (
    correction_document,
    manifest_document,
    names_document,
    sample_document,
)


class LessonWriter:
    """A lesson that is being written to a file, which need not be seekable.

    The manifest comes last, with what was counted.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._archive = zipfile.ZipFile(file, "w")
        self._pictures = 0
        self._vectors: dict[str, int] = {}
        self._chunks = 0

    def add_picture(self, sha256: str, data: bytes) -> None:
        """Put a picture's file in, as it is: pictures are packed already."""
        self._put(f"pictures/{sha256}", data, packed=False)
        self._pictures += 1

    def add_rows(self, samples: Sequence[SampleRow], corrections: Sequence[CorrectionRow]) -> None:
        """Put all samples and corrections in."""
        self._put_lines(SAMPLES, (sample_document(row) for row in samples))
        self._put_lines(CORRECTIONS, (correction_document(row) for row in corrections))

    def add_vectors(self, embedder: str, sha256s: Sequence[str], rows: NDArray[np.float32]) -> None:
        """Put vectors in, a file of them: (n, length) float32, a row for each picture."""
        names = names_document(embedder, list(sha256s))
        self._put(f"vectors/{self._chunks}.npy", array_bytes(rows), packed=False)
        self._put(f"vectors/{self._chunks}.json", _json(names))
        self._chunks += 1
        self._vectors[embedder] = self._vectors.get(embedder, 0) + len(sha256s)

    def add_card(self, document: Mapping[str, Any]) -> None:
        """Put the card of the current version in."""
        self._put(CARD, _json(document))

    def finish(self, manifest: Manifest) -> Manifest:
        """Put the manifest in, with what was counted, and end the zip."""
        counted = replace(
            manifest, pictures=self._pictures, vectors=self._vectors, chunks=self._chunks
        )
        self._put(MANIFEST, _json(manifest_document(counted)))
        self._archive.close()
        return counted

    def _put(self, name: str, data: bytes, *, packed: bool = True) -> None:
        self._archive.writestr(_info(name, packed=packed), data)

    def _put_lines(self, name: str, documents: Iterable[Mapping[str, Any]]) -> None:
        with self._archive.open(_info(name, packed=True), "w") as file:
            for document in documents:
                file.write(_json(document) + b"\n")


def _info(name: str, *, packed: bool) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)  # of 1980: when it was written is in the manifest
    info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    info.external_attr = 0o644 << 16
    return info


def _json(document: Mapping[str, Any]) -> bytes:
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace")  # halves of surrogate pairs are refused when it is read
