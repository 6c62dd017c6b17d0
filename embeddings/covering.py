"""Pictures with parts of them covered: what a model still says tells what it looks at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain import TaskKind
from embeddings.images import Picture, resize, shrunk

CELLS = 8
"""Cells along the longer side; as many along the shorter one as make them about square."""
LEAST_CELLS = 2
LOOK_SIDE = 640
"""Longest side at which a picture is covered, where its size does not matter to what is seen."""
COARSE = 12
"""Longest side that a picture is shrunk to, and stretched again, for a smooth cover."""

Cells = NDArray[np.bool_]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells over a rectangle of a picture; `top`, `left`, `height` and `width` are its pixels."""

    rows: int
    columns: int
    top: int
    left: int
    height: int
    width: int

    @classmethod
    def over(cls, height: int, width: int) -> Grid:
        """A grid of nearly square cells over a whole picture."""
        longer = max(height, width)
        rows, columns = (
            min(max(round(CELLS * side / longer), LEAST_CELLS), side) for side in (height, width)
        )
        return cls(rows, columns, 0, 0, height, width)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.columns

    def mask(self, cells: Cells) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
        """Where the rectangle is, and which of its pixels lie in these cells.

        Parameters
        ----------
        cells
            (rows, columns).

        Returns
        -------
        tuple[tuple[slice, slice], NDArray[np.bool_]]
            The rows and columns of the rectangle; (height, width).
        """
        down = np.arange(self.height) * self.rows // self.height
        along = np.arange(self.width) * self.columns // self.width
        place = (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )
        return place, cells[down[:, None], along[None, :]]


@dataclass(frozen=True, slots=True, eq=False)
class Coverable:
    """A picture with two ways to cover parts of it.

    Attributes
    ----------
    finding, testing
        (height, width, 3) uint8: what is shown in the place of a covered part, while looking for
        what matters and while testing what was found. Two, so that what is found is no trace of
        the cover itself.
    """

    picture: Picture
    finding: Pixels
    testing: Pixels

    @classmethod
    def of(cls, picture: Picture, kind: TaskKind) -> Coverable:
        """Prepare a picture for a task of some kind.

        A drawing's parts are covered with its ground. Others' are blurred away while looking and
        painted over in the mean colour while testing. What the size does not matter to is shrunk
        first; to noise, which authenticity looks at, it does.
        """
        if kind is not TaskKind.AUTHENTICITY:
            picture = _within_look(picture)
        pixels = picture.pixels
        if kind is TaskKind.DRAWING:
            ground = _flat(pixels, np.median(_border(pixels), axis=0))
            return cls(picture, ground, ground)
        return cls(picture, _smooth(pixels), _flat(pixels, pixels.mean(axis=(0, 1))))

    def covered(self, grid: Grid, cells: Cells, *, testing: bool = False) -> Picture:
        """The picture with these cells covered."""
        place, mask = grid.mask(cells)
        pixels = self.picture.pixels.copy()
        cover = self.testing if testing else self.finding
        pixels[place][mask] = cover[place][mask]
        alpha = self.picture.alpha
        if alpha is not None:
            alpha = alpha.copy()
            alpha[place][mask] = 0
        return Picture(pixels, self.picture.facts, alpha)


def _within_look(picture: Picture) -> Picture:
    scale = LOOK_SIDE / max(picture.pixels.shape[:2])
    return picture if scale >= 1 else shrunk(picture, scale)


def _smooth(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    scale = COARSE / max(height, width)
    coarse = resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)))
    return resize(coarse, width, height)


def _flat(pixels: Pixels, colour: NDArray[np.float64]) -> Pixels:
    """A view that has one colour everywhere."""
    return np.broadcast_to(np.rint(colour).astype(np.uint8), pixels.shape)


def _border(pixels: Pixels) -> Pixels:
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
