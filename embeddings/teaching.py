"""Teaching copies: vectors of what a person would give the same label, kept beside a picture's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from domain import TaskKind
from embeddings import Embedder
from embeddings.builtin import Builtin, augment
from embeddings.builtin.copies import PHOTO_SIDE
from embeddings.canvas import as_drawing
from embeddings.catalogue import HasVectors
from embeddings.images import Picture

RECIPE = 1
"""Changes whenever copies would: those of two recipes never mix."""
WITHOUT = frozenset({TaskKind.AUTHENTICITY})
"""Kinds without copies: any warp changes the noise that is looked at."""
FINER_SIDE = 448
"""Longest side of a photograph's copies for CLIP, which looks at 224 pixels or more."""
AT_ONCE = 256
"""Pictures whose copies are asked for together: about 10 MB."""


def copies_id(embedder: Embedder, kind: TaskKind) -> str:
    """Under which id all the copies of a picture are kept, as one long vector.

    The kind is in it, because one CLIP serves several kinds and their copies differ.
    """
    return f"{embedder.id}/{kind.value}-copies:{RECIPE}"


def copies_of(picture: Picture, kind: TaskKind, embedder: Embedder) -> NDArray[np.float32]:
    """Make teaching copies of a picture and embed them, all in one batch.

    Parameters
    ----------
    picture
        A decoded picture.
    kind
        How its task looks at it.
    embedder
        Whose vectors they are to be.

    Returns
    -------
    NDArray[np.float32]
        (m, dim), unit rows, the same whenever the picture's file is the same; none for a kind
        without copies.
    """
    if kind in WITHOUT:
        return np.zeros((0, embedder.dim), np.float32)
    pixels = as_drawing(picture) if kind is TaskKind.DRAWING else picture.pixels
    side = PHOTO_SIDE if isinstance(embedder, Builtin) else FINER_SIDE
    seed = int(picture.facts.sha256[:16], 16)
    made = augment(pixels, kind, seed, photo_side=side)
    return embedder.embed([Picture(pixels, picture.facts) for pixels in made])


def store_teaching(
    store: HasVectors, embedder: Embedder, picture: Picture, kind: TaskKind
) -> NDArray[np.float32]:
    """Have the store keep a picture's copies; nothing is computed when it does already.

    Returns
    -------
    NDArray[np.float32]
        The (m, dim) copies.
    """
    sha256 = picture.facts.sha256
    kept = load_copies(store, embedder, kind, [sha256])
    if sha256 in kept:
        return kept[sha256]
    copies = copies_of(picture, kind, embedder)
    if len(copies):
        store.vectors.put(copies_id(embedder, kind), [sha256], copies.reshape(1, -1))
    return copies


def load_copies(
    store: HasVectors, embedder: Embedder, kind: TaskKind, sha256s: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    """The copies of those pictures that have some: (m, dim) each."""
    found: dict[str, NDArray[np.float32]] = {}
    if kind in WITHOUT:
        return found
    for start in range(0, len(sha256s), AT_ONCE):
        some = sha256s[start : start + AT_ONCE]
        names, rows = store.vectors.get(copies_id(embedder, kind), some)
        for name, row in zip(names, rows, strict=True):
            found[name] = row.reshape(-1, embedder.dim)
    return found
