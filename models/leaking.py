"""Facts of files as numbers that a tree can split, and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TITLES = {
    "aspect": "the aspect ratio",
    "width": "the width",
    "height": "the height",
    "format": "the file format",
    "jpeg_quality": "the JPEG quality",
    "jpeg_tables": "which JPEG tables were used",
    "subsampling": "the JPEG colour subsampling",
    "progressive": "whether the JPEG is progressive",
    "bytes_per_pixel": "the file's bytes a pixel",
    "n_bytes": "the file size in bytes",
    "exif": "whether there is EXIF",
    "source": "the source",
    "together": "all of these facts together",
}
MISSING = -1.0
MOST_VALUES = 16
"""Values of a fact in words that are told apart; of more, the commonest."""
MOSTLY = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One fact of n pictures: its values, and as (n, k) float64 numbers, a column a word."""

    values: tuple[Any, ...]
    matrix: NDArray[np.float64]

    @property
    def varies(self) -> bool:
        """Whether two pictures differ in it."""
        return bool((self.matrix != self.matrix[:1]).any())


def columns_of(values: Sequence[Any]) -> Column:
    """Numbers and yes or no stay one column; words become one each, the commonest first."""
    if any(isinstance(value, str) for value in values):
        common = [value for value, _ in Counter(map(str, sorted(map(str, values)))).most_common()]
        matrix = np.asarray([[str(v) == word for word in common[:MOST_VALUES]] for v in values])
    else:
        matrix = np.asarray([[MISSING if value is None else float(value)] for value in values])
    return Column(tuple(values), matrix.astype(np.float64))


def sentence(
    fact: str,
    label: str,
    classes: Sequence[str],
    mine: NDArray[np.bool_],
    column: Column | None,
    interval: tuple[float, float, float],
) -> str:
    """What a fact gives away, for people.

    Parameters
    ----------
    fact
        Its name.
    label
        Which is told from the others best.
    classes
        All labels.
    mine
        (n,) which pictures are the label's.
    column
        The fact itself; None when it is several.
    interval
        Balanced accuracy, and its lower and upper end.
    """
    score, low, high = interval
    title = TITLES.get(fact, fact)
    others = next(one for one in classes if one != label) if len(classes) == 2 else "the others"
    told = (
        f"{title[0].upper()}{title[1:]} tells {label} from {others} at a balanced accuracy of "
        f"{score:.0%} ({low:.0%} to {high:.0%})"
    )
    if column is None:
        return f"{told}."
    sides = [
        typical(
            [value for value, own in zip(column.values, mine, strict=True) if bool(own) is side]
        )
        for side in (True, False)
    ]
    return f"{told}: {label}: {sides[0]}; {others}: {sides[1]}."


def typical(values: Sequence[Any]) -> str:
    """What most of some values are: one of them with its share, or how far they reach."""
    (commonest, n), *more = Counter(values).most_common(2)
    share = n / len(values)
    known = [value for value in values if isinstance(value, int | float) and value is not True]
    if share >= MOSTLY or len(known) < len(values) * MOSTLY:
        rest = f", {_told(more[0][0])} ({more[0][1] / len(values):.0%})" if more else ""
        return f"{_told(commonest)} ({share:.0%} of them){rest if share < MOSTLY else ''}"
    low, middle, high = np.percentile(known, [5, 50, 95])
    return f"{_told(low)} to {_told(high)}, {_told(middle)} in the middle"


def _told(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, str) else f"{float(value):,.4g}".replace(",", "")
