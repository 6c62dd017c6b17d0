"""Vectors by picture and embedder: a cache that survives restarts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Select, func, select

from domain import Unavailable
from storage import schema
from storage.store import Database

LITTLE_ENDIAN = np.dtype("<f4")
CHUNK = 4_000
"""Vectors asked for at once; their bytes are held three times for a moment."""

CHUNK_OF_NAMES = 50_000


class Vectors:
    """Vectors of pictures. Those of two embedders never mix."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, embedder_id: str, sha256s: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Keep vectors; what is there already stays as it is.

        Parameters
        ----------
        embedder_id
            Which embedder computed them.
        sha256s
            The pictures, n of them.
        vectors
            (n, dim) float32, a row for each picture in the same order.

        Raises
        ------
        ValueError
            Not one row a picture, or not float32.
        """
        if vectors.ndim != 2 or len(vectors) != len(sha256s) or vectors.dtype != np.float32:
            raise ValueError(
                f"expected ({len(sha256s)}, dim) float32, got {vectors.shape} {vectors.dtype}"
            )
        rows = {
            sha256: {"embedder": embedder_id, "sha256": sha256, "vector": vector.tobytes()}
            for sha256, vector in zip(sha256s, vectors.astype(LITTLE_ENDIAN), strict=True)
        }
        if not rows:
            return
        with self._database.writing(durable=False) as connection:
            known = self._database.insert(schema.vectors).on_conflict_do_nothing()
            # in one order for all writers, so that two never wait for each other
            connection.execute(known, [rows[sha256] for sha256 in sorted(rows)])

    def get(
        self, embedder_id: str, sha256s: Sequence[str]
    ) -> tuple[list[str], NDArray[np.float32]]:
        """The vectors there are of some pictures.

        Returns
        -------
        tuple[list[str], NDArray[np.float32]]
            The pictures that have one, in the order asked, and their (m, dim) vectors;
            (0, 0) when none has.

        Raises
        ------
        Unavailable
            Vectors of this id have different lengths: the embedder changed and kept its id.
        """
        wanted = list(dict.fromkeys(sha256s))
        row_of = {sha256: row for row, sha256 in enumerate(wanted)}
        found = np.zeros(len(wanted), np.bool_)
        matrix = np.empty((len(wanted), 0), np.float32)
        with self._database.reading() as connection:
            for start in range(0, len(wanted), CHUNK):
                some = self._select(embedder_id, wanted[start : start + CHUNK])
                pairs = connection.execute(some).all()
                if not pairs:
                    continue
                rows = [row_of[sha256] for sha256, _ in pairs]
                vectors = _stack(embedder_id, [vector for _, vector in pairs])
                if not found.any():  # only now is the length of a vector known
                    matrix = np.empty((len(wanted), vectors.shape[1]), np.float32)
                _check_length(embedder_id, vectors.shape[1], matrix.shape[1])
                matrix[rows] = vectors
                found[rows] = True
        if found.all() and len(wanted) == len(sha256s):
            return wanted, matrix
        order = [sha256 for sha256 in sha256s if found[row_of[sha256]]]
        return order, matrix[[row_of[sha256] for sha256 in order]]

    def present(self, embedder_id: str, sha256s: Sequence[str]) -> set[str]:
        """Which pictures have a vector, without reading one.

        A million vectors are gigabytes; their names are in the index.
        """
        table = schema.vectors.c
        found: set[str] = set()
        with self._database.reading() as connection:
            for start in range(0, len(sha256s), CHUNK_OF_NAMES):
                some = sha256s[start : start + CHUNK_OF_NAMES]
                among = self._database.among(table.sha256, some)
                having = select(table.sha256).where(table.embedder == embedder_id, among)
                found.update(connection.execute(having).scalars())
        return found

    def _select(self, embedder_id: str, sha256s: Sequence[str]) -> Select[str, bytes]:
        table = schema.vectors.c
        some = self._database.among(table.sha256, sha256s)
        return select(table.sha256, table.vector).where(table.embedder == embedder_id, some)

    def count(self, embedder_id: str) -> int:
        """How many pictures have a vector of an embedder."""
        table = schema.vectors.c
        with self._database.reading() as connection:
            counted = select(func.count()).where(table.embedder == embedder_id)
            return connection.execute(counted).scalar_one()


def _stack(embedder_id: str, raw: Sequence[bytes]) -> NDArray[np.float32]:
    for vector in raw:
        _check_length(embedder_id, len(vector), len(raw[0]))
    return np.frombuffer(b"".join(raw), LITTLE_ENDIAN).reshape(len(raw), -1)


def _check_length(embedder_id: str, got: int, expected: int) -> None:
    if got != expected:
        raise Unavailable(f"{embedder_id} has vectors of different lengths in the database")
