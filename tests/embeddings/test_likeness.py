from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.images import Picture, decode, encode_jpeg, encode_png, encode_webp, resize
from embeddings.likeness import DIM, likeness
from models import crops
from models.exact import quantised
from tests.pictures import photo

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
NEAR = 0.85
Pixels = NDArray[np.uint8]


def alike(a: Pixels | bytes, b: Pixels | bytes) -> float:
    rows = quantised(np.stack([likeness(_picture(a)), likeness(_picture(b))]))
    return float(crops.Asked(rows[0]).similarities(rows[1:], crops.lengths(rows[1:]))[0])


def _picture(given: Pixels | bytes) -> Picture:
    return decode(given if isinstance(given, bytes) else encode_png(np.ascontiguousarray(given)))


def cut(pixels: Pixels, left: float, top: float, right: float, bottom: float) -> Pixels:
    height, width = pixels.shape[:2]
    return pixels[
        round(top * height) : height - round(bottom * height),
        round(left * width) : width - round(right * width),
    ]


def framed(pixels: Pixels, wide: int, shade: int) -> Pixels:
    return np.pad(pixels, ((wide, wide), (wide, wide), (0, 0)), constant_values=shade)


def drawing(seed: int, side: int = 300) -> Pixels:
    """Black strokes on white, with a margin."""
    rng = np.random.default_rng(seed)
    paper = np.full((side, side, 3), 255, np.uint8)
    places = rng.integers(side // 6, side * 5 // 6, (6, 2))
    for start, end in itertools.pairwise(places):
        for share in np.linspace(0, 1, 2 * side):
            y, x = (start + share * (end - start)).astype(int)
            paper[y - 3 : y + 4, x - 3 : x + 4] = 0
    return paper


def copies(pixels: Pixels) -> dict[str, float]:
    height, width = pixels.shape[:2]
    smaller = resize(pixels, round(width * 0.8), round(height * 0.8))
    return {
        "jpeg 50": alike(pixels, encode_jpeg(pixels, 50)),
        "webp 80": alike(pixels, encode_webp(pixels, 80)),
        "half": alike(pixels, resize(pixels, width // 2, height // 2)),
        "double": alike(pixels, resize(pixels, width * 2, height * 2)),
        "screenshot": alike(pixels, smaller),
        "black border": alike(pixels, framed(smaller, 4, 0)),
        "grey border": alike(pixels, framed(smaller, 7, 200)),
        "cut all around": alike(pixels, cut(pixels, 0.05, 0.05, 0.05, 0.05)),
        "cut left": alike(pixels, cut(pixels, 0.05, 0, 0, 0)),
        "cut bottom": alike(pixels, cut(pixels, 0, 0, 0, 0.05)),
        "cut at a corner": alike(pixels, cut(pixels, 0, 0.05, 0.05, 0)),
        "cut a little": alike(pixels, cut(pixels, 0.02, 0.01, 0.03, 0.02)),
    }


@pytest.mark.parametrize("seed", range(6))
def test_copies_of_a_photograph_stay_alike(seed: int) -> None:
    found = copies(photo(seed, 320, 240))
    assert min(found.values()) > NEAR, found


@pytest.mark.parametrize("seed", range(6))
def test_copies_of_a_drawing_stay_alike(seed: int) -> None:
    found = copies(drawing(seed))
    assert min(found.values()) > NEAR, found


def test_who_of_two_is_the_crop_does_not_matter() -> None:
    pixels = photo(1, 320, 240)
    inner = cut(pixels, 0.05, 0, 0, 0.05)
    assert alike(inner, pixels) == pytest.approx(alike(pixels, inner), abs=1e-3)


def test_unlike_pictures_are_unlike() -> None:
    for make in (photo, drawing):
        rows = quantised(np.stack([likeness(_picture(make(seed))) for seed in range(40)]))
        sizes = crops.lengths(rows)
        nearest = [np.sort(crops.Asked(row).similarities(rows, sizes))[-2] for row in rows]
        assert max(nearest) < 0.8, make


def test_it_has_unit_length() -> None:
    row = likeness(_picture(photo(4)))
    assert row.shape == (DIM,)
    assert row.dtype == np.float32
    assert np.linalg.norm(row) == pytest.approx(1, abs=1e-6)


def test_memory_reads_waves_where_they_are_written() -> None:
    # a slow wave cut in the middle is that wave at another phase: algebra and pixels agree
    assert crops.DIM == DIM
    x = np.linspace(0, np.pi, 480)
    pixels = (128 + 50 * np.sin(5 * x)[None] * np.cos(4 * x)[:, None])[..., None].repeat(3, 2)
    whole = likeness(_picture(np.rint(pixels).astype(np.uint8)))
    inner = likeness(_picture(cut(np.rint(pixels).astype(np.uint8), 0, 0, 0, 0.05)))
    (moved,) = crops.cropped(whole[None])
    nearest = (moved @ inner) / np.linalg.norm(moved, axis=1)
    assert nearest.max() > 0.999
    assert nearest[0] < 0.97


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_flat_picture_has_none(shade: int) -> None:
    flat = np.full((200, 300, 3), shade, np.uint8)
    assert not likeness(_picture(flat)).any()
    assert not likeness(_picture(encode_jpeg(flat, 30))).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (3, 4000), (17, 23)])
def test_any_shape_has_one(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    row = likeness(_picture(pixels))
    assert np.isfinite(row).all()


def test_turned_upside_down_is_another_picture() -> None:
    pixels = photo(3)
    assert alike(pixels, pixels[::-1]) < 0.7


@pytest.mark.parametrize("folder", ["smile", "kannada", "authenticity/webmix"])
def test_copies_of_real_pictures_stay_nearer_than_others(folder: str) -> None:
    if not (SHARED / folder).is_dir():
        pytest.skip(f"{SHARED / folder}: real pictures are absent")
    files = sorted(path for path in (SHARED / folder).rglob("*") if path.is_file())
    pictures = [decode(path.read_bytes()) for path in files[:: len(files) // 40]]
    for picture in pictures[::6]:
        inner = cut(picture.pixels, 0.05, 0, 0, 0.05)
        assert alike(picture.pixels, encode_jpeg(np.ascontiguousarray(inner), 70)) > NEAR
    rows = quantised(np.stack([likeness(picture) for picture in pictures]))
    sizes = crops.lengths(rows)
    nearest = [np.sort(crops.Asked(row).similarities(rows, sizes))[-2] for row in rows]
    assert np.mean(np.array(nearest) > NEAR) < 0.04
