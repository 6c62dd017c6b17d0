"""Re-deliveries: what becomes of a picture on its way from hand to hand, always in the same way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain import REDELIVERED
from embeddings import Embedder
from embeddings.images import Picture, recoded, resize

SMALLEST = 32
"""A copy whose shorter side would have fewer pixels than this is not made."""
WEBP_SIDE = 16_383
"""The longest side that a WebP file can have."""
PIXELS_AT_ONCE = 24_000_000
"""Of copies held together while they are embedded: about 72 MB, or one large copy."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One way a picture is handed on: cut, then scaled, then written anew as a file.

    Attributes
    ----------
    name
        As answers and reports call it.
    crop
        Share of each side that is kept, of the middle.
    scale
        Of what is kept: new size by old.
    longest
        The longest side, pixels: larger pictures are scaled to it, others are not handed on so.
    coding
        `JPEG`, `WEBP` or, for a lossless file, an empty text.
    quality
        Of the coding, 1 to 100.
    """

    name: str
    crop: float = 1.0
    scale: float = 1.0
    longest: int | None = None
    coding: str = "JPEG"
    quality: int = 85


DELIVERIES = (
    Delivery("jpeg_85", quality=85),
    Delivery("jpeg_60", quality=60),
    Delivery("jpeg_40", quality=40),
    Delivery("half_size", scale=0.5),
    Delivery("thumbnail", longest=320, quality=80),
    Delivery("crop_95", crop=0.95, quality=90),
    Delivery("webp", coding="WEBP", quality=80),
)
"""What sites and messengers do to a picture; what is made of them is kept under REDELIVERED,
which moves whenever one of them would come out otherwise."""


def redelivered(picture: Picture, delivery: Delivery) -> Picture | None:
    """Show a picture as it would arrive.

    Parameters
    ----------
    picture
        As it was decoded.
    delivery
        How it is handed on.

    Returns
    -------
    Picture or None
        With the facts of the picture's own file, and what covers its ground kept as it is: a
        drawing on a transparent canvas stays one. None where nobody would hand it on so: it is
        too small for that, or too large.
    """
    height, width = picture.pixels.shape[:2]
    high, wide = max(1, round(height * delivery.crop)), max(1, round(width * delivery.crop))
    scale = delivery.scale
    if delivery.longest is not None:
        scale = delivery.longest / max(high, wide)
        if scale >= 1:
            return None
    size = max(1, round(wide * scale)), max(1, round(high * scale))
    too_small = scale < 1 and min(size) < SMALLEST
    if too_small or (delivery.coding == "WEBP" and max(size) > WEBP_SIDE):
        return None
    top, left = (height - high) // 2, (width - wide) // 2

    def shaped(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        piece = plane[top : top + high, left : left + wide]
        whole = np.ascontiguousarray(piece)
        return whole if size == (wide, high) else resize(whole, *size)

    pixels = shaped(picture.pixels)
    if delivery.coding:
        pixels = recoded(pixels, delivery.coding, delivery.quality)
    alpha = None if picture.alpha is None else shaped(picture.alpha)
    return Picture(pixels, picture.facts, alpha)


def redeliveries(
    picture: Picture, deliveries: Iterable[Delivery] = DELIVERIES
) -> Iterator[tuple[str, Picture]]:
    """The names and copies of those deliveries that there are of a picture, one after the other."""
    for delivery in deliveries:
        copy = redelivered(picture, delivery)
        if copy is not None:
            yield delivery.name, copy


def embed_redelivered(
    picture: Picture,
    embedder: Embedder,
    deliveries: Iterable[Delivery] = DELIVERIES,
    *,
    pixels_at_once: int = PIXELS_AT_ONCE,
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Embed a picture's re-deliveries: in one batch, unless they are too large to be held together.

    Parameters
    ----------
    picture
        As it was decoded.
    embedder
        Whose vectors they are to be.
    deliveries
        How it is handed on.
    pixels_at_once
        Of copies held together; a single one may have more.

    Returns
    -------
    names
        Of the m deliveries that there are of this picture.
    vectors
        (m, dim) float32, unit rows.
    """
    names: list[str] = []
    parts = [np.zeros((0, embedder.dim), np.float32)]
    for group in _in_groups(redeliveries(picture, deliveries), pixels_at_once):
        names.extend(name for name, _ in group)
        parts.append(embedder.embed([copy for _, copy in group]))
    return tuple(names), np.concatenate(parts)


def redelivered_id(embedder: Embedder) -> str:
    """Under which id the vectors of a picture's re-deliveries are kept, as one long vector."""
    return f"{embedder.id}{REDELIVERED}"


def _in_groups(
    copies: Iterable[tuple[str, Picture]], most: int
) -> Iterator[Sequence[tuple[str, Picture]]]:
    """Copies that are few pixels together, or one at a time."""
    group: list[tuple[str, Picture]] = []
    held = 0
    for name, copy in copies:
        pixels = copy.pixels.shape[0] * copy.pixels.shape[1]
        if group and held + pixels > most:
            yield group
            group, held = [], 0
        group.append((name, copy))
        held += pixels
    if group:
        yield group
