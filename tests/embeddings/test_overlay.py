"""Heat maps are laid over pictures so that they can be read."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from embeddings.covering import Grid
from embeddings.overlay import LEGEND, LONGEST, SHORTEST, STRONGEST, colours, draw_heat

TEXTS = {"Title": "What speaks for ಅ", "Description": "A hint, no proof."}


def drawn(width: int, height: int, heat: np.ndarray, grid: Grid | None = None) -> Image.Image:
    grey = np.full((height, width, 3), 128, np.uint8)
    data = draw_heat(grey, heat, grid or Grid.over(height, width), "cat", TEXTS)
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def corner(shape: tuple[int, int] = (8, 8)) -> np.ndarray:
    heat = np.full(shape, -1.0)
    heat[0, 0] = 2.0
    return heat


def test_only_what_is_warm_is_coloured() -> None:
    pixels = np.asarray(drawn(400, 400, corner()))

    assert (pixels[20, 20] != 128).all()
    assert (pixels[200:400, :] == 128).all()


def test_the_picture_shows_through_the_hottest_part() -> None:
    grey = np.asarray(drawn(400, 400, np.ones((4, 4))))[:400]

    hottest = colours(np.ones(1))[0]
    assert np.abs(grey[200, 200] - (STRONGEST * hottest + (1 - STRONGEST) * 128)).max() < 3


def test_brighter_is_hotter() -> None:
    shades = colours(np.linspace(0, 1, 50)).astype(float) @ [0.299, 0.587, 0.114]

    assert (np.diff(shades) > 0).all()


@pytest.mark.parametrize(
    ("size", "longer"), [((4000, 3000), LONGEST), ((64, 48), SHORTEST), ((500, 300), 500)]
)
def test_large_pictures_are_scaled_down_and_tiny_ones_up(
    size: tuple[int, int], longer: int
) -> None:
    image = drawn(*size, corner())

    assert image.height == round(longer * size[1] / size[0]) + LEGEND
    assert image.width == max(longer, 360)


def test_a_map_of_a_part_leaves_the_rest_clear() -> None:
    pixels = np.asarray(drawn(600, 300, np.ones((4, 4)), Grid(4, 4, 0, 150, 300, 300)))

    assert (pixels[150, :140] == 128).all()
    assert (pixels[150, 160:440] != 128).all()
    assert (pixels[150, 460:] == 128).all()


def test_texts_of_any_script_are_written_into_the_file() -> None:
    image = drawn(64, 64, corner())

    assert {key: image.text[key] for key in TEXTS} == TEXTS  # type: ignore[attr-defined]


@pytest.mark.parametrize("heat", [np.zeros((3, 3)), np.full((3, 3), -1.0)])
def test_a_map_without_warmth_colours_nothing(heat: np.ndarray) -> None:
    assert (np.asarray(drawn(400, 400, heat))[:400] == 128).all()
