"""Slices: pictures of one size, format, manner or the like, and what a card says of them.

A version that is right nine times in ten may be right half the time on small drawings. Its card
counts slice by slice (`models.slicing`), and a verdict on a picture of a slice on which the
version was clearly worse says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from wording import percent

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
NEARLY_ALL = 0.95
"""Share of a version's pictures whose looks must be known before it says that it saw no such."""
PART_OF_ERRORS = 0.25
"""A label's weakness concerns an answer that so large a part of its errors fell on, or more."""


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


def tells_slices(card: Mapping[str, Any]) -> bool:
    """Whether a card says anything of what pictures look like."""
    return bool((card.get("slices") or {}).get("with_looks"))


def like_this(
    card: Mapping[str, Any],
    looks: Mapping[str, Any] | None,
    confidence: float | None,
    answer: str | None = None,
    variants: Mapping[str, str] = MappingProxyType({}),
) -> list[str]:
    """Say what a card tells of pictures like this one, where that is a caution.

    Parameters
    ----------
    card
        The version's card; one without slices says nothing.
    looks, confidence
        Those of the picture and of what was said of it, as of `slices_of`.
    answer
        What is likeliest for it; None where nothing was said.
    variants
        What the task calls labels that the card may call otherwise.
    """
    slices = slices_of(looks, confidence)
    sure = slices.pop(CONFIDENCE, None)
    mistaken = _mistaken(card, slices, answer, variants) if answer is not None else None
    weakest = _weakest(card, slices)
    said: list[str | None] = [mistaken[1] if mistaken else None]
    if weakest is not None and not (mistaken and mistaken[0] == weakest[0]):
        said.append(_weak(*weakest))
    said.append(unknown_slice(card, slices))
    if sure is not None:
        said.append(weak_slice(card, {CONFIDENCE: sure}))
    return [sentence for sentence in said if sentence]


def weak_slice(card: Mapping[str, Any], slices: Mapping[str, str]) -> str | None:
    """How a version did on the worst of these slices, if that is clearly worse than elsewhere."""
    weakest = _weakest(card, slices)
    return _weak(*weakest) if weakest else None


def _weakest(
    card: Mapping[str, Any], slices: Mapping[str, str]
) -> tuple[str, str, Mapping[str, Any]] | None:
    """Dimension, name and row of the weak slice that is most surely bad."""
    weak = [
        (_weak_elsewhere(row) or row, dimension, value, row)
        for dimension, value, row in _rows(card, slices)
        if row is not None and row["weak"]
    ]
    if not weak:
        return None
    _, dimension, value, row = max(weak, key=lambda one: (one[0]["low"], one[1], one[2]))
    return dimension, value, row


def _weak(dimension: str, value: str, row: Mapping[str, Any]) -> str:
    if dimension == CONFIDENCE:
        return (
            f"Where it was as sure as this ({value}), it was right {row['right']} of {row['n']} "
            "times, less often than it claims."
        )
    elsewhere = _weak_elsewhere(row)
    if elsewhere is not None:
        known = f" and {percent(1 - row['rest'])} on others" if row["rest"] is not None else ""
        return (
            f"On pictures like this ({value}) whose whole source was new to it, it was right "
            f"{elsewhere['right']} of {elsewhere['n']} times, on others "
            f"{percent(1 - elsewhere['rest'])} of the time; where it knew the source, "
            f"{row['right']} of {row['n']} times{known}."
        )
    unseen = _enough(row.get("unseen"))
    left_out = (
        f", and {unseen['right']} of {unseen['n']} where their whole source was new to it"
        if unseen
        else ""
    )
    return (
        f"On pictures like this ({value}), it was right {row['right']} of {row['n']} times"
        f"{left_out}; on others {percent(1 - row['rest'])} of the time."
    )


def _mistaken(
    card: Mapping[str, Any],
    slices: Mapping[str, str],
    answer: str,
    variants: Mapping[str, str],
) -> tuple[str, str] | None:
    """The slice in which another label was surely often taken for this answer, and that said."""
    found = []
    for dimension, value, row in _rows(card, slices):
        for label, one in ((row or {}).get("labels") or {}).items():
            label = variants.get(label, label)
            if label == answer or not one.get("weak"):
                continue
            elsewhere = _weak_elsewhere(one)
            counts = elsewhere or one
            taken = _taken(counts, answer, variants)
            if taken >= PART_OF_ERRORS * (counts["n"] - counts["right"]):
                told = _taken_for(label, value, one, answer, variants)
                found.append((counts["low"], dimension, told))
    return max(found)[1:] if found else None


def _taken_for(
    label: str,
    value: str,
    row: Mapping[str, Any],
    answer: str,
    variants: Mapping[str, str],
) -> str:
    def count(counts: Mapping[str, Any]) -> str:
        return f"{_taken(counts, answer, variants)} of {counts['n']}"

    elsewhere = _weak_elsewhere(row)
    if elsewhere is not None:
        return (
            f"Of {label} pictures like this ({value}) whose whole source was new to it, "
            f"{count(elsewhere)} were taken for {answer}, and {count(row)} where it knew the "
            f"source; of other {label} pictures from new sources it was right about "
            f"{percent(1 - elsewhere['rest'])}."
        )
    unseen = _enough(row.get("unseen"))
    left_out = f", and {count(unseen)} where their whole source was new to it" if unseen else ""
    return (
        f"Of {label} pictures like this ({value}), {count(row)} were taken for {answer}{left_out}; "
        f"of other {label} pictures it was right about {percent(1 - row['rest'])}."
    )


def _taken(counts: Mapping[str, Any], answer: str, variants: Mapping[str, str]) -> int:
    """How many of these pictures were taken for the answer."""
    taken = counts["taken_for"].items()
    return sum(int(n) for said, n in taken if variants.get(said, said) == answer)


def _enough(unseen: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return unseen if unseen and unseen["n"] >= LEAST else None


def _weak_elsewhere(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The counts where whole sources had been left out, if it is these that are weak."""
    unseen = row.get("unseen")
    return unseen if unseen and unseen.get("weak") else None


def unknown_slice(card: Mapping[str, Any], slices: Mapping[str, str]) -> str | None:
    """Say that no picture of such a slice was among those a version was measured on."""
    slices_known = card.get("slices") or {}
    looks = slices_known.get("with_looks", 0)
    if not looks or looks < NEARLY_ALL * slices_known.get("pictures", looks):
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
