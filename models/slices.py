"""Slices: pictures of one size, format, manner or the like, and what a card says of them.

A version that is right nine times in ten may be right half the time on small drawings. Its card
counts slice by slice (`models.slicing`), and a verdict on a picture of a slice on which the
version was clearly worse says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SIZE, FORMAT, MANNER, CAMERA = "size", "format", "manner", "camera"
ALIKE = "alike"
"""Size, format and manner at once."""
CONFIDENCE, SOURCE = "confidence", "source"
DIMENSIONS = (SIZE, FORMAT, MANNER, CAMERA, ALIKE, CONFIDENCE, SOURCE)
OF_LOOKS = (SIZE, FORMAT, MANNER, CAMERA)
"""What the looks of a picture give; the rest follows, or comes from elsewhere."""

SIZES = ((96, "tiny"), (320, "small"), (1024, "medium"))
"""The short side, pixels, below which a picture is called so; any other is `large`."""
LARGE = "large"
BANDS = (0.6, 0.7, 0.8, 0.9, 0.97)
"""Where one band of confidence ends and the next begins."""
BAND_NAMES = ("below 60%", "60 to 70%", "70 to 80%", "80 to 90%", "90 to 97%", "from 97%")
WITH_CAMERA, WITHOUT_CAMERA = "camera EXIF", "no camera EXIF"
LEAST = 10
"""Pictures from which a slice is judged."""


def slices_of(looks: Mapping[str, Any] | None, confidence: float | None = None) -> dict[str, str]:
    """Name the slices that a picture belongs to.

    Parameters
    ----------
    looks
        What `embeddings.manner.looks` gives; None where the picture itself is not at hand.
    confidence
        In [0, 1], of what was said of it; None where nothing was.

    Returns
    -------
    dict[str, str]
        A word for each dimension that is known. `source` is never among them: where a new
        picture comes from is not known.
    """
    found: dict[str, str] = {}
    if looks is not None:
        found = {
            SIZE: size_band(min(int(looks["width"]), int(looks["height"]))),
            FORMAT: str(looks["format"]),
            MANNER: str(looks["manner"]),
            CAMERA: WITH_CAMERA if looks["camera"] else WITHOUT_CAMERA,
        }
        found[ALIKE] = f"{found[SIZE]}, {found[FORMAT]}, {found[MANNER]}"
    if confidence is not None:
        found[CONFIDENCE] = BAND_NAMES[sum(confidence >= edge for edge in BANDS)]
    return found


def size_band(short_side: int) -> str:
    """What a picture is called whose short side has so many pixels."""
    return next((name for below, name in SIZES if short_side < below), LARGE)


def like_this(
    card: Mapping[str, Any], looks: Mapping[str, Any] | None, confidence: float | None
) -> list[str]:
    """Say what a card tells of pictures like this one, where that is a caution.

    Parameters
    ----------
    card
        The version's card; one without slices says nothing.
    looks, confidence
        Those of the picture and of what was said of it, as of `slices_of`.
    """
    slices = slices_of(looks, confidence)
    sure = slices.pop(CONFIDENCE, None)
    said = [weak_slice(card, slices), unknown_slice(card, slices)]
    if sure is not None:
        said.append(weak_slice(card, {CONFIDENCE: sure}))
    return [sentence for sentence in said if sentence]


def weak_slice(card: Mapping[str, Any], slices: Mapping[str, str]) -> str | None:
    """How a version did on the worst of these slices, if that is clearly worse than elsewhere."""
    weak = [
        (row["low"], dimension, value)
        for dimension, value, row in _rows(card, slices)
        if row is not None and row["weak"]
    ]
    if not weak:
        return None
    _, dimension, value = max(weak)
    row = card["slices"]["parts"][dimension][value]
    if dimension == CONFIDENCE:
        return (
            f"Where it was as sure as this ({value}), it was right {row['right']} of {row['n']} "
            "times, less often than it claims."
        )
    unseen = row.get("unseen")
    left_out = (
        f", and {unseen['right']} of {unseen['n']} where their whole source was new to it"
        if unseen
        else ""
    )
    return (
        f"On pictures like this ({value}), it was right {row['right']} of {row['n']} times"
        f"{left_out}; on others {1 - row['rest']:.0%} of the time."
    )


def unknown_slice(card: Mapping[str, Any], slices: Mapping[str, str]) -> str | None:
    """Say that no picture of such a slice was among those a version was measured on."""
    known = card.get("slices") or {}
    if not known.get("with_looks"):
        return None
    unknown = [
        value
        for dimension, value, row in _rows(card, slices)
        if dimension in OF_LOOKS and row is None
    ]
    if not unknown:
        return None
    return f"No picture like this ({', '.join(unknown)}) was in what it was measured on."


def _rows(
    card: Mapping[str, Any], slices: Mapping[str, str]
) -> Iterator[tuple[str, str, Mapping[str, Any] | None]]:
    """What a card says of each of these slices; None where it has no such picture."""
    parts = (card.get("slices") or {}).get("parts") or {}
    for dimension, value in slices.items():
        yield dimension, value, parts.get(dimension, {}).get(value)
