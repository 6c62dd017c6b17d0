"""The vectors of a lesson, as files of numpy: written so, and read back with suspicion."""

from __future__ import annotations

import io
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from exchange.layout import BadLesson, Part

HELD = 4
"""Files of vectors held at a time."""
HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(<f[24])', 'fortran_order': False, "
    rb"'shape': \(([0-9]{1,9}), ([0-9]{1,9})\), \} *\n",
    re.DOTALL,
)
"""How the file of a matrix begins, in version 1.0 of the format."""
UNIT = 2e-3
"""By how much the length of a unit vector may differ from 1; rounding to float16 moves it."""


def array_bytes(rows: NDArray[np.float32]) -> bytes:
    """The numpy file of (n, length) float32."""
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(rows, "<f4"), allow_pickle=False)
    return file.getvalue()


def read_array(data: bytes, where: str) -> NDArray[np.float32]:
    """The rows of a numpy file, judged by its header before room is made for them.

    Numpy's own reader would take the header for Python, and make room for whatever it promises.

    Returns
    -------
    NDArray[np.float32]
        (n, length), finite.

    Raises
    ------
    BadLesson
        It is something else.
    """
    header = HEADER.match(data)
    if header is None:
        raise BadLesson(f"{where}: expected rows of float16 or float32, as numpy saves them.")
    kind, n, length = header[1].decode(), int(header[2]), int(header[3])
    begin = 10 + int.from_bytes(data[8:10], "little")
    if begin != header.end() or min(n, length) < 1:
        raise BadLesson(f"{where} is no file of vectors.")
    if len(data) - begin != n * length * np.dtype(kind).itemsize:
        raise BadLesson(f"{where} has another size than it says.")
    rows = np.frombuffer(data, kind, offset=begin).reshape(n, length).astype(np.float32)
    if not np.isfinite(rows).all():
        raise BadLesson(f"{where}: a number is missing or endless.")
    return rows


class Chunks:
    """Files of vectors, of which a few are held.

    Parameters
    ----------
    named
        Of each file, in order: the embedder, and the pictures of its rows.
    read
        Gives the bytes of the file of a number.
    """

    def __init__(
        self, named: Iterable[tuple[str, list[str]]], read: Callable[[int], bytes]
    ) -> None:
        self._read = read
        self._held: OrderedDict[int, NDArray[np.float32]] = OrderedDict()
        self._embedders: list[str] = []
        self._rows: list[int] = []
        self._places: dict[str, dict[str, tuple[int, int]]] = {}
        for k, (embedder, names) in enumerate(named):
            places = self._places.setdefault(embedder, {})
            if not places.keys().isdisjoint(names):
                raise BadLesson(f"vectors/{k}.json: pictures that were there before.")
            places.update({name: (k, row) for row, name in enumerate(names)})
            self._embedders.append(embedder)
            self._rows.append(len(names))

    def check(self, parts: Mapping[str, Part]) -> None:
        """Look through the files of these embedders.

        Raises
        ------
        BadLesson
            One is damaged, or no row of unit vectors of that length.
        """
        lengths: dict[str, int] = {}
        for k, embedder in enumerate(self._embedders):
            if embedder in parts:
                rows = self._chunk(k)
                if lengths.setdefault(embedder, rows.shape[1]) != rows.shape[1]:
                    raise BadLesson(f"vectors/{k}.npy: vectors of another length than before.")
                _check_units(rows, parts[embedder], f"vectors/{k}.npy")

    def get(self, embedder: str, sha256s: Sequence[str]) -> tuple[list[str], NDArray[np.float32]]:
        """The pictures of these that have a vector, in order, and the (m, length) vectors."""
        places = self._places.get(embedder, {})
        found = [sha256 for sha256 in sha256s if sha256 in places]
        rows = [self._chunk(k)[row] for k, row in (places[sha256] for sha256 in found)]
        return found, np.stack(rows) if rows else np.empty((0, 0), np.float32)

    def _chunk(self, k: int) -> NDArray[np.float32]:
        if k in self._held:
            self._held.move_to_end(k)
            return self._held[k]
        rows = read_array(self._read(k), f"vectors/{k}.npy")
        if len(rows) != self._rows[k]:
            raise BadLesson(f"vectors/{k}.npy: not one row for each picture.")
        self._held[k] = rows
        if len(self._held) > HELD:
            self._held.popitem(last=False)
        return rows


def _check_units(rows: NDArray[np.float32], part: Part, where: str) -> None:
    n, left = divmod(rows.shape[1], part.dim)
    if left or not 1 <= n <= part.most:
        raise BadLesson(f"{where}: vectors of {rows.shape[1]}, expected {part.dim}.")
    norms = np.linalg.norm(rows.reshape(-1, part.dim), axis=1)
    good = np.abs(norms - 1) <= UNIT
    if part.zeros:
        good |= norms == 0
    if not good.all():
        raise BadLesson(f"{where}: not unit vectors.")
