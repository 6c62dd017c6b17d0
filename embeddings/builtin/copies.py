"""Teaching copies: other pictures that a person would give the same label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from domain import TaskKind
from embeddings.builtin.reduce import shrunk

DRAWING_SIDE = 240
PHOTO_SIDE = 160
"""Copies are made of the shrunk picture: about twice what the built-in features look at."""
DRAWING_COPIES = 8
PHOTO_COPIES = 5
"""Beside the mirror image, which teaches most: eleven were measured to teach no more."""


def augment(
    pixels: NDArray[np.uint8],
    kind: TaskKind,
    seed: int,
    *,
    mirror: bool = True,
    photo_side: int = PHOTO_SIDE,
) -> list[NDArray[np.uint8]]:
    """Make teaching copies of a picture, for labels with few examples.

    Parameters
    ----------
    pixels
        (height, width, 3) uint8.
    kind
        Drawings are turned by up to 15 degrees, slanted and stretched; photographs mirrored,
        turned by up to 8 degrees, moved and scaled a little. None for authenticity: any such
        change also changes the noise that is looked at.
    seed
        The same seed makes the same copies.
    mirror
        Whether left and right mean the same in a photograph.
    photo_side
        Longest side of a photograph's copies: about twice what the embedder looks at.

    Returns
    -------
    list[NDArray[np.uint8]]
        Drawings of at most 240 pixels a side; the original is not among them.
    """
    rng = np.random.default_rng(seed)
    if kind is TaskKind.DRAWING:
        small = shrunk(pixels, DRAWING_SIDE)
        return [_drawn_again(small, rng) for _ in range(DRAWING_COPIES)]
    if kind is TaskKind.PHOTO:
        small = shrunk(pixels, photo_side)
        sides = [small, np.ascontiguousarray(small[:, ::-1])] if mirror else [small]
        moved = [_taken_again(sides[i % len(sides)], rng) for i in range(PHOTO_COPIES)]
        return [*sides[1:], *moved]
    return []


def _drawn_again(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The same drawing by another hand."""
    slant = np.array([[1.0, 0.0], [rng.uniform(-0.25, 0.25), 1.0]])
    stretch = np.diag(np.exp(rng.uniform(-0.2, 0.2, 2)))
    # the border is ground: more of it, so that what is turned or stretched stays inside
    room = 1.2 * _turn(rng, 15) @ slant @ stretch
    ground = np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]), 0)
    return _warped(pixels, room, np.zeros(2), ground)


def _taken_again(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The same thing with the camera held a little differently."""
    closer = np.exp(rng.uniform(-0.08, 0.08)) * _turn(rng, 8)
    shift = rng.uniform(-0.04, 0.04, 2) * pixels.shape[:2]
    return _warped(pixels, closer, shift, None)


def _turn(rng: np.random.Generator, degrees: float) -> NDArray[np.float64]:
    angle = np.deg2rad(rng.uniform(-degrees, degrees))
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _warped(
    pixels: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    shift: NDArray[np.float64],
    ground: NDArray[np.float64] | None,
) -> NDArray[np.uint8]:
    """Resample about the middle; outside is the ground, or the nearest pixel without one."""
    middle = (np.array(pixels.shape[:2]) - 1) / 2
    offset = middle + shift - matrix @ middle
    mode = "nearest" if ground is None else "constant"
    one = pixels[..., :1]
    grey = bool((pixels == one).all())  # as drawings mostly are: three times the work for nothing
    planes = [
        affine_transform(
            pixels[..., channel],
            matrix,
            offset,
            order=1,
            mode=mode,
            cval=0.0 if ground is None else float(ground[channel]),
        )
        for channel in range(1 if grey else 3)
    ]
    return np.repeat(planes[0][..., None], 3, 2) if grey else np.stack(planes, 2)
