"""The same strokes come out alike, whatever they were drawn with and on."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from domain import TaskKind
from embeddings.builtin import Builtin
from embeddings.canvas import EMPTY, SIDE, as_drawing
from embeddings.images import Picture, decode
from tests.letters import COLOURS, LETTERS, PAPER, draw, letter_png
from tests.pictures import encode, photo

GROUNDS = {
    "transparent": None,
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "paper": PAPER,
    "blue": COLOURS["blue"],
}
PENS = [3, 8, 16, 30]


def vectors(files: list[bytes]) -> NDArray[np.float32]:
    return Builtin(TaskKind.DRAWING).embed([decode(data) for data in files])


@pytest.fixture(scope="module")
def plain() -> dict[int, NDArray[np.float32]]:
    """Vectors of all letters, black on white, by the width of the pen."""
    return {
        width: vectors([letter_png(letter, width=width) for letter in LETTERS]) for width in PENS
    }


@pytest.mark.parametrize(
    ("ground", "colour"), [(g, c) for g, c in product(GROUNDS, COLOURS) if g != c]
)
def test_ink_and_ground_of_any_colour_do_not_matter(
    plain: dict[int, NDArray[np.float32]], ground: str, colour: str
) -> None:
    for width in PENS:
        rows = vectors(
            [
                letter_png(letter, width=width, colour=COLOURS[colour], ground=GROUNDS[ground])
                for letter in LETTERS
            ]
        )
        assert (rows * plain[width]).sum(1).min() > 0.995


@pytest.mark.parametrize("width", PENS)
def test_the_width_of_the_pen_matters_little(
    plain: dict[int, NDArray[np.float32]], width: int
) -> None:
    likeness = plain[width] @ plain[8].T
    assert likeness.diagonal().min() > 0.9
    assert (likeness.argmax(1) == np.arange(len(LETTERS))).all()


def test_pens_of_several_colours_draw_one_drawing() -> None:
    one = draw("K", colour=(0, 0, 0), ground=None)
    several = np.array(one)
    several[:150, :, :3] = 255
    several[150:250, :, :3] = COLOURS["red"]
    first, second = vectors([encode(one, "PNG"), encode(several, "PNG")])
    assert first @ second > 0.999


def test_light_and_dark_ink_on_one_ground_both_count() -> None:
    grey = (128, 128, 128)
    whole, half = draw("K", ground=grey), draw("K", ground=grey, colour=(255, 255, 255))
    half.paste(whole.crop((0, 0, 200, 400)), (0, 0))
    first, second = vectors([encode(whole, "PNG"), encode(half, "PNG")])
    assert first @ second > 0.99


def test_place_and_size_on_the_canvas_do_not_matter() -> None:
    letter = as_drawing(decode(letter_png("A")))
    wide = Image.new("RGBA", (1500, 700), (0, 0, 0, 0))
    wide.paste(draw("A", colour=(255, 255, 255), ground=None), (1050, 20))
    np.testing.assert_allclose(as_drawing(decode(encode(wide, "PNG"))), letter, atol=3)


@pytest.mark.parametrize("size", [400, 1600])
def test_black_on_white_comes_out_square_and_cut_to_the_ink(size: int) -> None:
    shown = as_drawing(decode(letter_png("T", ground=PAPER, colour=COLOURS["blue"], size=size)))
    assert shown.shape[0] == shown.shape[1] <= 1.3 * SIDE
    assert shown.dtype == np.uint8
    assert (shown.min(), shown.max()) == (0, 255)
    rows, columns = np.nonzero(shown[..., 0] < 128)
    assert 0.7 < (np.ptp(rows) + 1) / len(shown) < 0.9
    assert rows.min() + rows.max() == pytest.approx(len(shown), abs=3)
    assert columns.min() + columns.max() == pytest.approx(len(shown), abs=3)


def test_what_is_shown_once_is_shown_the_same_again() -> None:
    shown = as_drawing(decode(letter_png("S", colour=(255, 255, 255), ground=None)))
    again = as_drawing(Picture(shown, decode(letter_png("S")).facts))
    np.testing.assert_array_equal(again, shown)


def test_a_sheet_on_transparent_ground_shows_what_is_on_it() -> None:
    sheet = Image.new("RGBA", (500, 560), (0, 0, 0, 0))
    sheet.paste(draw("E", ground=PAPER).convert("RGBA"), (50, 60))
    first, second = vectors([encode(sheet, "PNG"), letter_png("E")])
    assert first @ second > 0.99


def test_a_filled_shape_on_transparent_ground_is_ink() -> None:
    disc = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    ImageDraw.Draw(disc).ellipse((40, 40, 160, 160), fill=(255, 255, 255, 255))
    shown = as_drawing(decode(encode(disc, "PNG")))
    assert shown[len(shown) // 2, len(shown) // 2, 0] == 0


def test_strokes_rubbed_out_of_an_opaque_canvas_are_holes_in_it() -> None:
    canvas = np.zeros((400, 400, 4), np.uint8)
    canvas[..., 3] = 255 - np.asarray(draw("K", ground=None).getchannel("A"))
    first, second = vectors([encode(Image.fromarray(canvas), "PNG"), letter_png("K")])
    assert first @ second > 0.99


def test_glare_on_paper_is_no_ink() -> None:
    shade = np.linspace(200, 240, 400)[None, :, None]
    cover = np.asarray(draw("A", ground=None).getchannel("A"))[..., None] / 255
    lit = np.broadcast_to(shade * (1 - cover) + 20 * cover, (400, 400, 3)).astype(np.uint8)
    first, second = vectors([encode(lit, "JPEG", quality=90), letter_png("A")])
    assert first @ second > 0.95


EMPTY_CANVASES = {
    "transparent": Image.new("RGBA", (300, 200), (0, 0, 0, 0)),
    "transparent white": Image.new("RGBA", (300, 200), (255, 255, 255, 0)),
    "white": Image.new("RGB", (300, 200), (255, 255, 255)),
    "black": Image.new("RGB", (300, 200), (0, 0, 0)),
    "all but transparent": Image.new("RGBA", (300, 200), (0, 0, 0, 3)),
    "one transparent pixel": Image.new("RGBA", (1, 1), (0, 0, 0, 0)),
}


@pytest.mark.parametrize("name", EMPTY_CANVASES)
def test_an_empty_canvas_is_white_and_has_a_vector(name: str) -> None:
    data = encode(EMPTY_CANVASES[name], "PNG")
    shown = as_drawing(decode(data))
    assert shown.shape == (EMPTY, EMPTY, 3)
    assert (shown == 255).all()
    (row,) = vectors([data])
    assert np.isfinite(row).all()
    assert np.linalg.norm(row) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (3, 16_000), (2, 2)], ids=str)
def test_canvases_of_any_shape_give_finite_vectors(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    rgba = rng.integers(0, 256, (*shape, 4)).astype(np.uint8)
    files = [encode(rgba, "PNG"), encode(rgba[..., :3].copy(), "PNG")]
    assert np.isfinite(vectors(files)).all()


@pytest.mark.parametrize("kind", [TaskKind.PHOTO, TaskKind.AUTHENTICITY])
def test_other_kinds_see_a_picture_with_alpha_on_white(kind: TaskKind) -> None:
    rgba = np.dstack([photo(4, 120, 90), np.full((90, 120), 255, np.uint8)])
    rgba[:30, :, 3] = 0
    flat = rgba[..., :3].copy()
    flat[:30] = 255
    with_alpha, without = (decode(encode(p, "PNG")) for p in (rgba, flat))
    np.testing.assert_array_equal(*Builtin(kind).embed([with_alpha, without]))
