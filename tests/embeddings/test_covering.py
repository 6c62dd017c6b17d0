"""Parts of pictures are covered, and nothing else of them changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from domain import TaskKind
from embeddings.covering import LOOK_SIDE, Coverable, Grid
from embeddings.images import Picture, decode
from tests.pictures import encode, letter, photo


def picture(width: int = 96, height: int = 64) -> Picture:
    return decode(encode(photo(1, width, height), "PNG"))


@pytest.mark.parametrize(
    ("size", "shape"),
    [((640, 640), (8, 8)), ((480, 640), (6, 8)), ((30, 3000), (2, 8)), ((1, 1), (1, 1))],
)
def test_cells_are_about_square(size: tuple[int, int], shape: tuple[int, int]) -> None:
    assert Grid.over(*size).shape == shape


@pytest.mark.parametrize("kind", list(TaskKind))
@pytest.mark.parametrize("testing", [False, True])
def test_only_what_is_covered_changes(kind: TaskKind, testing: bool) -> None:
    coverable = Coverable.of(picture(), kind)
    grid = Grid.over(64, 96)
    cells = np.zeros(grid.shape, np.bool_)
    cells[1:3, 2] = True

    covered = coverable.covered(grid, cells, testing=testing)

    changed = (covered.pixels != picture().pixels).any(axis=2)
    _, mask = grid.mask(cells)
    assert changed[mask].mean() > 0.9
    assert not changed[~mask].any()


def test_every_pixel_lies_in_one_cell() -> None:
    grid = Grid(3, 5, 2, 4, 17, 23)
    total = np.zeros((17, 23), int)
    for row in range(3):
        for column in range(5):
            cells = np.zeros(grid.shape, np.bool_)
            cells[row, column] = True
            total += grid.mask(cells)[1]

    assert (total == 1).all()


def test_a_grid_may_lie_on_a_part_of_the_picture() -> None:
    coverable = Coverable.of(picture(), TaskKind.PHOTO)
    grid = Grid(2, 2, 10, 20, 40, 50)

    covered = coverable.covered(grid, np.ones((2, 2), np.bool_), testing=True)

    changed = (covered.pixels != picture().pixels).any(axis=2)
    assert changed[10:50, 20:70].mean() > 0.9
    assert changed.sum() == changed[10:50, 20:70].sum()


def test_what_is_found_is_tried_with_another_cover() -> None:
    coverable = Coverable.of(picture(), TaskKind.AUTHENTICITY)

    assert (coverable.finding != coverable.testing).any(axis=2).mean() > 0.5


def test_a_drawing_is_covered_with_its_ground() -> None:
    drawn = decode(encode(letter(3), "PNG"))

    coverable = Coverable.of(drawn, TaskKind.DRAWING)

    assert (coverable.finding == 255).all()


def test_transparent_drawings_are_covered_with_nothing() -> None:
    plain = picture()
    alpha = np.full(plain.pixels.shape[:2], 255, np.uint8)
    coverable = Coverable.of(replace(plain, alpha=alpha), TaskKind.DRAWING)
    grid = Grid.over(64, 96)

    covered = coverable.covered(grid, np.ones(grid.shape, np.bool_))

    assert covered.alpha is not None
    assert not covered.alpha.any()
    assert alpha.all()


def test_large_photographs_are_shrunk_and_noise_is_left_alone() -> None:
    large = picture(1300, 1000)

    for kind, side in ((TaskKind.PHOTO, LOOK_SIDE), (TaskKind.AUTHENTICITY, 1300)):
        assert max(Coverable.of(large, kind).picture.pixels.shape) == side


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (2, 2), (3000, 2)])
def test_pictures_of_any_shape_can_be_covered(size: tuple[int, int]) -> None:
    for kind in TaskKind:
        coverable = Coverable.of(picture(*size), kind)
        grid = Grid.over(*coverable.picture.pixels.shape[:2])
        covered = coverable.covered(grid, np.ones(grid.shape, np.bool_))
        assert covered.pixels.shape == coverable.picture.pixels.shape
