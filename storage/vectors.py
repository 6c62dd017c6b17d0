"""Vectors by picture and embedder: a cache that survives restarts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from domain import Unavailable
from storage import schema
from storage.store import Database

LITTLE_ENDIAN = np.dtype("<f4")
CHUNK = 10_000
"""Vectors asked for at once: their bytes are held twice for a moment."""


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
        table = schema.vectors.c
        wanted = list(dict.fromkeys(sha256s))
        raw: dict[str, bytes] = {}
        with self._database.reading() as connection:
            for start in range(0, len(wanted), CHUNK):
                some = self._database.among(table.sha256, wanted[start : start + CHUNK])
                found = select(table.sha256, table.vector).where(
                    table.embedder == embedder_id, some
                )
                raw.update((sha256, vector) for sha256, vector in connection.execute(found))
        order = [sha256 for sha256 in sha256s if sha256 in raw]
        lengths = {len(vector) for vector in raw.values()}
        if len(lengths) > 1:
            raise Unavailable(f"{embedder_id} has vectors of different lengths in the database")
        joined = b"".join(raw[sha256] for sha256 in order)
        matrix = np.frombuffer(joined, LITTLE_ENDIAN).reshape(len(order), -1 if order else 0)
        return order, matrix.astype(np.float32)

    def count(self, embedder_id: str) -> int:
        """How many pictures have a vector of an embedder."""
        table = schema.vectors.c
        with self._database.reading() as connection:
            counted = select(func.count()).where(table.embedder == embedder_id)
            return connection.execute(counted).scalar_one()
