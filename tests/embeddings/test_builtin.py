"""Built-in embedders: what their vectors must keep the same and what they must tell apart."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from domain import PictureFacts, TaskKind
from embeddings.builtin import Builtin, augment
from embeddings.builtin.authenticity import PARTS
from embeddings.images import Picture, decode, encode_jpeg, resize

KINDS = list(TaskKind)
ODD_SHAPES = [(1, 1), (1, 50), (50, 1), (2, 2), (3, 5), (2, 16_384), (16_384, 3), (31, 400)]


def picture(pixels: NDArray[np.uint8]) -> Picture:
    height, width = pixels.shape[:2]
    return Picture(pixels, PictureFacts("0" * 64, width, height, "PNG", pixels.size, 0))


def scene(seed: int, height: int = 300, width: int = 400) -> NDArray[np.uint8]:
    """Smooth colour patches with fine noise: something like a photograph."""
    rng = np.random.default_rng(seed)
    patches = resize(rng.integers(0, 256, (6, 8, 3)).astype(np.uint8), width, height)
    return np.clip(patches + rng.normal(0, 6, patches.shape), 0, 255).astype(np.uint8)


def strokes(
    *boxes: tuple[float, float, float, float], size: int = 400, paper: int = 255, ink: int = 0
) -> NDArray[np.uint8]:
    """Filled boxes (top, left, bottom, right; shares of the side) on plain paper."""
    canvas = np.full((size, size, 3), paper, np.uint8)
    for top, left, bottom, right in boxes:
        canvas[int(top * size) : int(bottom * size), int(left * size) : int(right * size)] = ink
    return canvas


LETTER_L = ((0.2, 0.3, 0.8, 0.36), (0.74, 0.3, 0.8, 0.7))
LETTER_T = ((0.2, 0.3, 0.26, 0.7), (0.2, 0.47, 0.8, 0.53))


def similarity(kind: TaskKind, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    one, two = Builtin(kind).embed([picture(a), picture(b)])
    return float(one @ two)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_unit_float32_of_the_stated_length(kind: TaskKind) -> None:
    embedder = Builtin(kind)
    rows = embedder.embed([picture(scene(1)), picture(scene(2, 90, 33))])
    assert rows.shape == (2, embedder.dim)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    assert embedder.embed([]).shape == (0, embedder.dim)


@pytest.mark.parametrize("kind", KINDS)
def test_length_of_a_vector_is_moderate(kind: TaskKind) -> None:
    assert Builtin(kind).dim <= 2560


def test_ids_name_the_kind_and_a_version() -> None:
    assert [Builtin(kind).id for kind in KINDS] == [
        "builtin-photo:2",
        "builtin-drawing:2",
        "builtin-authenticity:2",
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", ODD_SHAPES, ids=str)
@pytest.mark.parametrize("fill", [0, 128, 255, None], ids=["black", "grey", "white", "noise"])
def test_odd_pictures_give_finite_unit_rows(
    kind: TaskKind, shape: tuple[int, int], fill: int | None
) -> None:
    rng = np.random.default_rng(0)
    pixels = (
        rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
        if fill is None
        else np.full((*shape, 3), fill, np.uint8)
    )
    row = Builtin(kind).embed([picture(pixels)])[0]
    assert np.isfinite(row).all()
    assert np.linalg.norm(row) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_the_same_in_any_batch_and_thread(kind: TaskKind) -> None:
    embedder = Builtin(kind)
    pictures = [picture(scene(seed, 120 + 9 * seed, 160)) for seed in range(8)]
    together = embedder.embed(pictures)
    with ThreadPoolExecutor(4) as pool:
        alone = list(pool.map(lambda p: embedder.embed([p])[0], [*pictures, *pictures]))
    np.testing.assert_array_equal(np.vstack([together, together]), np.vstack(alone))


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_left_as_they_were(kind: TaskKind) -> None:
    pixels = scene(3)
    before = pixels.copy()
    pixels.flags.writeable = False
    Builtin(kind).embed([picture(pixels)])
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(strokes(*LETTER_L, size=1600), id="larger"),
        pytest.param(strokes(*LETTER_L, size=120), id="smaller"),
        pytest.param(255 - strokes(*LETTER_L), id="light on dark"),
        pytest.param(strokes(*LETTER_L, paper=200, ink=90), id="faint"),
        pytest.param(np.roll(strokes(*LETTER_L), (60, -80), (0, 1)), id="moved"),
        pytest.param(
            np.pad(strokes(*LETTER_L), ((0, 500), (900, 0), (0, 0)), constant_values=255),
            id="small on a wide canvas",
        ),
    ],
)
def test_a_drawing_stays_itself(changed: NDArray[np.uint8]) -> None:
    assert similarity(TaskKind.DRAWING, strokes(*LETTER_L), changed) > 0.9


def test_drawings_of_other_letters_are_further_than_the_same_letter() -> None:
    same = similarity(TaskKind.DRAWING, strokes(*LETTER_L), strokes(*LETTER_L, size=170))
    other = similarity(TaskKind.DRAWING, strokes(*LETTER_L), strokes(*LETTER_T))
    assert other < 0.7 < same


def test_a_broad_pen_draws_the_same_letter() -> None:
    def ring(width: float) -> NDArray[np.uint8]:
        y, x = np.mgrid[:400, :400] - 200
        off = np.minimum(np.abs(np.hypot(y, x) - 100), np.hypot(y - 60, x - 60))
        return np.repeat(np.where(off < width / 2, 0, 255).astype(np.uint8)[..., None], 3, 2)

    for broad in (30, 45, 60):
        assert similarity(TaskKind.DRAWING, ring(15), ring(broad)) > 0.95


def test_a_mirrored_drawing_is_another_drawing() -> None:
    letter = strokes(*LETTER_L)
    assert similarity(TaskKind.DRAWING, letter, letter[:, ::-1]) < 0.7


def test_a_photograph_stays_near_itself_and_far_from_others() -> None:
    one = scene(1, 600, 800)
    smaller = resize(one, 400, 300)
    assert similarity(TaskKind.PHOTO, one, smaller) > 0.99
    assert similarity(TaskKind.PHOTO, one, scene(2, 600, 800)) < 0.9


def test_authenticity_looks_at_noise_and_not_at_what_is_shown() -> None:
    clean = [resize(scene(seed, 30, 40), 400, 300) for seed in (1, 2)]
    noisy = [scene(seed) for seed in (1, 2)]
    same = similarity(TaskKind.AUTHENTICITY, noisy[0], noisy[1])
    assert same > similarity(TaskKind.AUTHENTICITY, noisy[0], clean[0])
    assert same > similarity(TaskKind.AUTHENTICITY, noisy[1], clean[1])


def test_authenticity_sees_recompression() -> None:
    sharp = scene(4)
    pressed = decode(encode_jpeg(sharp, quality=30)).pixels
    assert similarity(TaskKind.AUTHENTICITY, sharp, pressed) < 0.95


def test_authenticity_says_alike_of_a_picture_at_two_sizes_beyond_those_it_reads() -> None:
    coarse = resize(scene(8, 60, 80), 2000, 1500)
    assert similarity(TaskKind.AUTHENTICITY, coarse, resize(coarse, 1600, 1200)) > 0.97


def test_authenticity_sees_colour_and_not_brightness_alone() -> None:
    coloured = scene(9)
    grey = np.repeat(coloured.mean(2, keepdims=True).astype(np.uint8), 3, 2)
    assert similarity(TaskKind.AUTHENTICITY, coloured, grey) < 0.9


def test_parts_of_an_authenticity_vector_are_of_the_stated_length_and_weight() -> None:
    row = Builtin(TaskKind.AUTHENTICITY).embed([picture(scene(10))])[0]
    ends = np.cumsum([*PARTS.values()])
    assert ends[-1] == len(row)
    weights = [np.linalg.norm(part) for part in np.split(row, ends[:-1])]
    assert min(weights) > 0.1


@pytest.mark.parametrize(("kind", "number"), [(TaskKind.DRAWING, 8), (TaskKind.PHOTO, 6)])
def test_copies_differ_from_the_picture_and_from_each_other(kind: TaskKind, number: int) -> None:
    source = strokes(*LETTER_L) if kind is TaskKind.DRAWING else scene(5)
    copies = augment(source, kind, 1)
    rows = Builtin(kind).embed([picture(pixels) for pixels in [source, *copies]])
    likeness = rows @ rows.T
    assert len(copies) == number
    assert likeness[~np.eye(len(rows), dtype=bool)].max() < 0.9999
    assert likeness[0].min() > similarity(kind, source, strokes(*LETTER_T))


@pytest.mark.parametrize("kind", KINDS)
def test_copies_are_the_same_for_the_same_seed(kind: TaskKind) -> None:
    first, again, other = (augment(scene(6), kind, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert kind is TaskKind.AUTHENTICITY or not np.array_equal(first[-1], other[-1])


def test_authenticity_has_no_copies() -> None:
    assert augment(scene(7), TaskKind.AUTHENTICITY, 0) == []


def test_no_copy_is_mirrored_where_sides_matter() -> None:
    lopsided = np.zeros((80, 80, 3), np.uint8)
    lopsided[:, :30] = 255
    for copy in augment(lopsided, TaskKind.PHOTO, 3, mirror=False):
        assert copy[:, :20].mean() > copy[:, -20:].mean()


def test_the_ground_of_a_copied_drawing_stays_the_ground() -> None:
    for copy in augment(strokes(*LETTER_L, paper=200, ink=10), TaskKind.DRAWING, 4):
        border = np.concatenate([copy[0], copy[-1], copy[:, 0], copy[:, -1]])
        assert (np.median(border, 0) == 200).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", ODD_SHAPES, ids=str)
def test_odd_pictures_can_be_copied(kind: TaskKind, shape: tuple[int, int]) -> None:
    for copy in augment(np.full((*shape, 3), 200, np.uint8), kind, 5):
        assert copy.dtype == np.uint8
        assert copy.ndim == 3
        assert max(copy.shape) <= 400
