"""What a version answered to each picture it was made from, unseen: kept to compare the next by."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.card import Predictions
from models.examples import Examples, Rows, Strings

NOTHING = -1
"""In place of a label where none was said."""
RANKED = 8
"""So many labels are kept of each picture, by how likely they are."""

Names = NDArray[np.bytes_]
"""(n,) sha256 in hexadecimal ASCII: a quarter of what strings take."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """One row a picture of a version: its label as it was then, and what was said without it.

    Attributes
    ----------
    classes
        The labels that the version knows, sorted.
    pictures
        (n,) sha256, S64.
    labels, said
        (n,) places in `classes`: the label it was trained or measured under, and what the
        held-out head or, of training pictures, a fold without it said.
    ranked
        (n, r) places in `classes`: the labels from the likeliest on, `RANKED` at most; the first
        is what was said.
    sure
        (n,) float16 in [0, 1], the probability that was given to the label.
    unseen
        (n,) what was said when its whole source was left out; NOTHING where not measured.
    held_out
        (n,) whether it was on the held-out side.
    families
        (n,) uint64, alike for near-duplicates.
    sources
        (n,) places in `source_names`.
    """

    classes: tuple[str, ...]
    source_names: tuple[str, ...]
    pictures: Names
    labels: NDArray[np.int32]
    said: NDArray[np.int32]
    sure: NDArray[np.float16]
    unseen: NDArray[np.int32]
    held_out: NDArray[np.bool_]
    families: NDArray[np.uint64]
    sources: NDArray[np.int32]
    ranked: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.pictures)

    def label_names(self) -> Strings:
        """(n,) the labels as they were then."""
        return np.asarray(self.classes, np.str_)[self.labels]

    def said_of(self, some: NDArray[np.bool_]) -> NDArray[np.int32]:
        """(n,) what would have been said had there been only these labels.

        Parameters
        ----------
        some
            (k,) which of `classes`. NOTHING where none of them was kept.
        """
        asked = some[self.ranked]
        first = asked.argmax(axis=1, keepdims=True)
        said = np.take_along_axis(self.ranked, first, axis=1)[:, 0]
        return np.where(asked.any(axis=1), said, NOTHING).astype(np.int32)

    def rows_of(self, pictures: Names) -> Rows:
        """(m,) the row of each of these pictures; NOTHING where there is none."""
        if not len(self):
            return np.full(len(pictures), NOTHING, np.intp)
        order = np.argsort(self.pictures, kind="stable")
        place = np.minimum(np.searchsorted(self.pictures, pictures, sorter=order), len(self) - 1)
        rows = order[place]
        return np.where(self.pictures[rows] == pictures, rows, NOTHING)


def gather(
    validated: Predictions,
    tested: Predictions,
    pictures: tuple[Names, Names],
    unseen: tuple[Rows, Strings],
) -> Answers:
    """The answers of a version that was just made.

    Parameters
    ----------
    validated, tested
        What was said of training pictures out of fold, and of held-out ones.
    pictures
        The sha256 of the rows of both.
    unseen
        Rows of the training pictures whose source was left out, and what was said of them then.
    """
    both = (validated.examples, tested.examples)
    classes = validated.classes
    sources = np.concatenate([examples.sources for examples in both])
    source_names, source_codes = np.unique(sources, return_inverse=True)
    labels = np.searchsorted(classes, np.concatenate([examples.labels for examples in both]))
    chances = np.concatenate([validated.chances, tested.chances])
    left_out = np.full(len(labels), NOTHING, np.int32)
    left_out[unseen[0]] = np.searchsorted(classes, unseen[1])
    return Answers(
        classes=classes,
        source_names=tuple(str(name) for name in source_names),
        pictures=np.concatenate(pictures),
        labels=labels.astype(np.int32),
        said=chances.argmax(axis=1).astype(np.int32),
        sure=chances[np.arange(len(labels)), labels].astype(np.float16),
        unseen=left_out,
        held_out=np.repeat([False, True], [len(examples) for examples in both]),
        families=_numbered(both),
        sources=source_codes.astype(np.int32),
        ranked=ranked(chances),
    )


def ranked(chances: NDArray[np.float64]) -> NDArray[np.int32]:
    """(n, r) columns of (n, k) probabilities from the likeliest on; of likes, the first."""
    return (-chances).argsort(axis=1, kind="stable")[:, :RANKED].astype(np.int32)


def _numbered(both: tuple[Examples, Examples]) -> NDArray[np.uint64]:
    """(n,) families as numbers that are the same for every version."""
    names = np.concatenate([examples.families for examples in both])
    known, family_of = np.unique(names, return_inverse=True)
    digests = b"".join(
        hashlib.blake2b(str(name).encode(), digest_size=8).digest() for name in known
    )
    return np.frombuffer(digests, "<u8").astype(np.uint64)[family_of]


def to_bytes(answers: Answers) -> bytes:
    """As a file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **_columns(answers))
    return buffer.getvalue()


def _columns(answers: Answers) -> Mapping[str, Any]:
    names = ("pictures", "labels", "said", "sure", "unseen", "held_out", "families", "sources",
             "ranked")  # fmt: skip
    columns = {name: getattr(answers, name) for name in names}
    return {
        **columns,
        "classes": np.asarray(answers.classes, np.str_),
        "source_names": np.asarray(answers.source_names, np.str_),
    }


def from_bytes(data: bytes) -> Answers:
    """As read back from a file; nothing in it is run.

    Raises
    ------
    ValueError
        It is no such file.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as columns:
            read: dict[str, Any] = {name: columns[name] for name in columns.files}
        for name in ("classes", "source_names"):
            read[name] = tuple(str(one) for one in read[name])
        read.setdefault("ranked", read["said"][:, None])  # files from before it was kept
        return Answers(**read)
    except (KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"these are no answers of a version: {error}") from error
