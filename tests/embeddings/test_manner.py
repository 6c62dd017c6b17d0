from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from embeddings.images import decode, encode_jpeg, resize
from embeddings.manner import DRAWN, PHOTO, SCREEN, looks, manner
from tests.pictures import encode, letter, photo

Pixels = NDArray[np.uint8]
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def screen(dark: bool = False, scale: int = 1) -> Pixels:
    """A page as browsers show it: a bar, a menu, a column of text, an emphasised line."""
    paper, ink, bar = ("#16202b", "#e6e6e6", "#1da1f2") if dark else ("white", "#1a1a1a", "#336")
    image = Image.new("RGB", (900 * scale, 700 * scale), paper)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, 900 * scale, 48 * scale), bar)
    words = "pictures that a person sends are answered with what is known of them".split()
    rng = np.random.default_rng(0)
    for line in range(24):
        text = " ".join(rng.permutation(words)[: int(rng.integers(6, 12))])
        place = (180 * scale, (70 + 24 * line) * scale)
        pen.text(place, text, "#c22" if line == 5 else ink, font_size=14 * scale)
        if line % 3 == 0:
            pen.text((12 * scale, place[1]), words[line % 9], ink, font_size=14 * scale)
    return np.asarray(image)


def cartoon() -> Pixels:
    image = Image.new("RGB", (600, 600), "#fdf6e3")
    pen = ImageDraw.Draw(image)
    pen.ellipse((100, 100, 500, 500), "#ffcc33", "black", 8)
    pen.ellipse((200, 220, 250, 270), "black")
    pen.ellipse((350, 220, 400, 270), "black")
    pen.arc((200, 260, 400, 420), 20, 160, "black", 10)
    return np.asarray(image)


def as_sent(pixels: Pixels) -> Pixels:
    """Half the size and compressed, as messengers hand pictures on."""
    half = resize(pixels, pixels.shape[1] // 2, pixels.shape[0] // 2)
    return decode(encode_jpeg(half, 80)).pixels


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: photo(1, 640, 480), PHOTO),
        (lambda: photo(2, 64, 64), PHOTO),
        (lambda: letter(3, side=400), DRAWN),
        (cartoon, DRAWN),
        (screen, SCREEN),
        (lambda: screen(dark=True), SCREEN),
        (lambda: screen(scale=2), SCREEN),
    ],
)
def test_manner_is_told_and_survives_being_handed_on(
    make: Callable[[], Pixels], expected: str
) -> None:
    pixels = make()

    assert manner(pixels) == expected
    assert manner(decode(encode_jpeg(pixels, 80)).pixels) == expected
    if min(pixels.shape[:2]) > 100:
        assert manner(as_sent(pixels)) == expected


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (7, 5), (3, 3000)])
@pytest.mark.parametrize("colour", ["white", "black", "#37f"])
def test_any_picture_has_a_manner(size: tuple[int, int], colour: str) -> None:
    assert manner(np.asarray(Image.new("RGB", size, colour))) in (PHOTO, DRAWN, SCREEN)


def test_pixels_are_left_as_they_are() -> None:
    pixels = photo(5)
    pixels.flags.writeable = False

    manner(pixels)


def camera_exif(make: str = "Canon", **changes: bool) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = make
    if changes.get("exposed", True):
        exif.get_ifd(0x8769)[0x829A] = 0.01
    return exif


def test_looks_say_size_format_manner_and_camera() -> None:
    data = encode(photo(1, 300, 200), "JPEG", exif=camera_exif())

    assert looks(decode(data)) == {
        "width": 300, "height": 200, "format": "JPEG", "manner": PHOTO, "camera": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    "exif",
    [
        Image.Exif(),
        camera_exif(exposed=False),
        camera_exif("workflow:{'nodes': []}"),
        camera_exif("{" + "x" * 10_000),
        camera_exif(""),
    ],
    ids=["none", "no exposure", "a workflow", "a long text", "no name"],
)
def test_a_makers_name_alone_or_a_programs_text_is_no_camera(exif: Image.Exif) -> None:
    assert not looks(decode(encode(photo(1), "WEBP", exif=exif)))["camera"]


def test_broken_exif_spoils_nothing() -> None:
    data = encode(photo(1), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff" + b"\xff" * 40)

    assert not looks(decode(data))["camera"]


@pytest.mark.parametrize(
    ("folder", "expected", "share"),
    [
        ("kannada", DRAWN, 0.99),
        ("hands/edges", DRAWN, 0.95),
        ("smile", PHOTO, 0.97),
        ("hands/indoor", PHOTO, 0.97),
        ("authenticity/imagenet_sample", PHOTO, 0.97),
    ],
)
def test_real_pictures_are_mostly_told_rightly(folder: str, expected: str, share: float) -> None:
    if not SHARED.is_dir():
        pytest.skip("needs the pictures of ../shared/data")
    files = sorted(file for file in (SHARED / folder).rglob("*") if file.is_file())
    some = files[:: max(1, len(files) // 60)]

    right = [manner(decode(file.read_bytes()).pixels) == expected for file in some]

    assert np.mean(right) >= share
