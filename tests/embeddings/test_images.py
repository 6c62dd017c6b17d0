from __future__ import annotations

import hashlib
import io
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from config import load_settings
from domain import BadImage, BadImageReason
from embeddings.images import (
    UPRIGHT,
    Limits,
    decode,
    encode_jpeg,
    encode_png,
    encode_webp,
    hamming,
    resize,
    to_grey,
)
from tests.pictures import encode, photo

LOSSLESS = ["PNG", "BMP"]
LOSSY = ["JPEG", "WEBP", "AVIF", "HEIF"]


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_formats_give_the_pixels_back(name: str) -> None:
    pixels = photo(1)
    picture = decode(encode(pixels, name))
    assert np.array_equal(picture.pixels, pixels)
    assert picture.facts.format == name


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_formats_give_nearly_the_pixels_back(name: str) -> None:
    pixels = photo(1)
    picture = decode(encode(pixels, name, quality=95))
    assert picture.pixels.shape == pixels.shape
    assert np.abs(picture.pixels.astype(int) - pixels).mean() < 6
    assert picture.facts.format == name


def test_facts_are_those_of_the_file() -> None:
    data = encode(photo(2, 60, 40), "JPEG")
    facts = decode(data).facts
    assert (facts.width, facts.height, facts.n_bytes) == (60, 40, len(data))
    assert facts.sha256 == hashlib.sha256(data).hexdigest()


def test_pixels_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        decode(encode(photo(1), "PNG")).pixels[0, 0] = 0


# --- what is done to pixels ---


@pytest.mark.parametrize("orientation", [2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_applied(name: str, orientation: int) -> None:
    upright = photo(3, 40, 24)
    undo = {6: 8, 8: 6}.get(orientation, orientation)
    stored = Image.fromarray(upright).transpose(UPRIGHT[undo])
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = decode(encode(stored, name, exif=exif, quality=95))
    assert picture.pixels.shape == upright.shape
    assert (picture.facts.width, picture.facts.height) == (40, 24)
    assert np.abs(picture.pixels.astype(int) - upright).mean() < 15


def test_broken_exif_is_ignored() -> None:
    data = encode(photo(3), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    assert decode(data).pixels.shape == (120, 160, 3)


def test_alpha_is_flattened_on_white() -> None:
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[..., 3] = [0, 128, 255]
    flat = decode(encode_png(pixels)).pixels
    assert flat[0, :, 0].tolist() == [255, 127, 0]


def test_what_shows_through_is_told_apart_from_white() -> None:
    pixels = np.full((2, 3, 4), 255, np.uint8)
    pixels[..., 3] = [0, 128, 255]
    alpha = decode(encode_png(pixels)).alpha
    assert alpha is not None
    assert alpha[0].tolist() == [0, 128, 255]
    assert not alpha.flags.writeable
    assert decode(encode(photo(3), "PNG")).alpha is None
    assert decode(encode_png(pixels[:, 2:])).alpha is None


def test_alpha_is_turned_upright_with_the_picture() -> None:
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[0, 0, 3] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    alpha = decode(encode(pixels, "PNG", exif=exif)).alpha
    assert alpha is not None
    assert np.argwhere(alpha).tolist() == [[0, 1]]


def test_grey_alpha_is_flattened_on_white() -> None:
    grey = Image.merge("LA", [Image.new("L", (4, 4), 0), Image.new("L", (4, 4), 0)])
    assert (decode(encode(grey, "PNG")).pixels == 255).all()


def test_transparent_palette_entry_is_white() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.putpixel((0, 0), 0)
    flat = decode(encode(image, "PNG", transparency=1)).pixels
    assert flat[0, 0].tolist() == [0, 0, 0]
    assert flat[1, 1].tolist() == [255, 255, 255]


def test_transparent_gif_is_white() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    assert (decode(encode(image, "GIF", transparency=1)).pixels == 255).all()


def test_16_bit_grey_is_scaled_not_clipped() -> None:
    deep = np.array([[0, 257 * 100, 65535]], np.uint16)
    assert decode(encode(deep, "PNG")).pixels[0, :, 0].tolist() == [0, 100, 255]


def test_transparent_16_bit_grey_is_white() -> None:
    deep = np.array([[0, 257 * 100]], np.uint16)
    data = encode(deep, "PNG")
    ihdr_end = 8 + 25
    chunk = b"tRNS\0\0"
    trns = (2).to_bytes(4, "big") + chunk + _crc(chunk)
    flat = decode(data[:ihdr_end] + trns + data[ihdr_end:]).pixels
    assert flat[0, :, 0].tolist() == [255, 100]


def _crc(chunk: bytes) -> bytes:
    return zlib.crc32(chunk).to_bytes(4, "big")


def test_one_bit_is_black_and_white() -> None:
    image = Image.new("1", (8, 2), 1)
    image.putpixel((3, 1), 0)
    pixels = decode(encode(image, "PNG")).pixels
    assert pixels[1, 3].tolist() == [0, 0, 0]
    assert pixels[0, 0].tolist() == [255, 255, 255]


def _without_adobe_marker(data: bytes) -> bytes:
    at = data.index(b"\xff\xee")
    length = int.from_bytes(data[at + 2 : at + 4], "big")
    return data[:at] + data[at + 2 + length :]


def test_cmyk_of_adobe_is_stored_inverted_and_shown_right() -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    pixel = decode(encode(red, "JPEG", quality=100)).pixels[8, 8]
    assert np.abs(pixel.astype(int) - [255, 0, 0]).max() < 8


def test_cmyk_without_the_adobe_marker_is_not_inverted() -> None:
    cyan = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # stored inverted: 255, 0, 0, 255
    pixel = decode(_without_adobe_marker(encode(cyan, "JPEG", quality=100))).pixels[8, 8]
    assert pixel.max() < 8  # cyan under full black


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP"])
def test_first_frame_only(name: str) -> None:
    frames = [Image.new("RGB", (8, 8), (40 * i, 0, 0)) for i in range(1, 6)]
    data = encode(frames[0], name, save_all=True, append_images=frames[1:])
    assert abs(int(decode(data).pixels[4, 4, 0]) - 40) < 6


def test_mpo_gives_its_first_picture() -> None:
    first, second = Image.new("RGB", (16, 16), "red"), Image.new("RGB", (16, 16), "blue")
    picture = decode(encode(first, "MPO", save_all=True, append_images=[second]))
    assert picture.facts.format == "MPO"
    assert picture.pixels[8, 8, 0] > 240


def test_colour_profile_is_ignored_even_if_broken() -> None:
    pixels = photo(4)
    assert np.array_equal(decode(encode(pixels, "PNG", icc_profile=b"junk")).pixels, pixels)


# --- limits ---


def test_limits_come_from_the_settings() -> None:
    settings = load_settings(
        max_image_bytes=1001, max_image_pixels=1002, max_jpeg_pixels=1003, max_image_side=104
    )
    assert Limits.of(settings) == Limits(1001, 1002, 1003, 104)


def test_empty_file_is_refused() -> None:
    _refused(b"", BadImageReason.EMPTY)


def test_too_many_bytes_are_refused() -> None:
    data = encode(photo(1), "PNG")
    _refused(data, BadImageReason.TOO_LARGE, Limits(max_bytes=len(data) - 1))
    decode(data, Limits(max_bytes=len(data)))


@pytest.mark.parametrize("name", [*LOSSLESS, *LOSSY, "GIF"])
def test_too_many_pixels_are_refused(name: str) -> None:
    data = encode(photo(1, 40, 30), name)
    _refused(data, BadImageReason.TOO_MANY_PIXELS, Limits(max_pixels=1199, max_jpeg_pixels=1199))
    decode(data, Limits(max_pixels=1200))


@pytest.mark.parametrize("name", [*LOSSLESS, *LOSSY, "GIF"])
def test_too_long_a_side_is_refused(name: str) -> None:
    data = encode(photo(1, 40, 30), name)
    _refused(data, BadImageReason.TOO_MANY_PIXELS, Limits(max_side=39))


@pytest.mark.parametrize("side", [6_000, 16_000, 60_000])
def test_size_is_judged_by_the_header_alone(side: int) -> None:
    header = encode(Image.new("1", (1, 1)), "PNG")
    ihdr = b"IHDR" + side.to_bytes(4, "big") * 2 + header[24:29]
    lying = header[:12] + ihdr + _crc(ihdr) + header[33:]
    _refused(lying, BadImageReason.TOO_MANY_PIXELS, Limits(max_side=100_000))


def test_big_jpeg_is_decoded_smaller_but_keeps_its_true_size() -> None:
    data = encode(photo(5, 400, 301), "JPEG")
    picture = decode(data, Limits(max_pixels=31_000, max_jpeg_pixels=200_000))
    assert picture.pixels.shape == (151, 200, 3)
    assert (picture.facts.width, picture.facts.height) == (400, 301)
    smaller = decode(data, Limits(max_pixels=8_000, max_jpeg_pixels=200_000))
    assert smaller.pixels.shape == (76, 100, 3)


def test_big_jpeg_beyond_its_own_limit_is_refused() -> None:
    data = encode(photo(5, 400, 300), "JPEG")
    limits = Limits(max_pixels=30_000, max_jpeg_pixels=119_999)
    _refused(data, BadImageReason.TOO_MANY_PIXELS, limits)


def test_drafting_does_not_change_the_hash_much() -> None:
    data = encode(photo(5, 1600, 1200), "JPEG")
    full = decode(data).facts.phash
    assert hamming(full, decode(data, Limits(max_pixels=500_000)).facts.phash) <= 4


# --- refusals ---


def _refused(data: bytes, reason: BadImageReason, limits: Limits | None = None) -> None:
    with pytest.raises(BadImage) as caught:
        decode(data, limits)
    assert caught.value.reason is reason
    assert caught.value.detail["reason"] == reason.value


@pytest.mark.parametrize(
    "data",
    [b"hello, world", b"%PDF-1.7 ...", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\0" * 500],
    ids=["text", "pdf", "svg", "zeros"],
)
def test_what_is_no_picture_is_unsupported(data: bytes) -> None:
    _refused(data, BadImageReason.UNSUPPORTED_FORMAT)


@pytest.mark.parametrize("name", ["TIFF", "TGA", "PPM", "ICO", "JPEG2000", "PCX", "DDS"])
def test_formats_outside_the_list_are_unsupported(name: str) -> None:
    _refused(encode(photo(1, 32, 32), name), BadImageReason.UNSUPPORTED_FORMAT)


@pytest.mark.parametrize("name", [*LOSSLESS, *LOSSY, "GIF"])
def test_truncated_is_refused_wherever_it_is_cut(name: str) -> None:
    data = encode(photo(6, 96, 64), name)
    # the last two bytes of a BMP row and of a GIF are padding and an end mark
    cuts = [3, 4, 5, 8, 12, 16, 24, *range(40, len(data) - 32, max(40, len(data) // 40))]
    for cut in cuts:
        with pytest.raises(BadImage) as caught:
            decode(data[:-cut])
        assert caught.value.reason in (BadImageReason.TRUNCATED, BadImageReason.CORRUPT), cut


def test_truncated_jpeg_says_so() -> None:
    data = encode(photo(6), "JPEG")
    _refused(data[: len(data) // 2], BadImageReason.TRUNCATED)


def test_damaged_png_says_so() -> None:
    data = bytearray(encode(photo(6), "PNG"))
    data[len(data) // 2] ^= 0xFF
    _refused(bytes(data), BadImageReason.CORRUPT)


@pytest.mark.parametrize("name", [*LOSSLESS, *LOSSY, "GIF"])
def test_flipped_bytes_never_raise_anything_else(name: str) -> None:
    data = encode(photo(7, 48, 32), name)
    rng = np.random.default_rng(0)
    for _ in range(150):
        broken = bytearray(data)
        for at in rng.integers(0, min(len(data), 600), 3):
            broken[at] = int(rng.integers(0, 256))
        try:
            decode(bytes(broken), Limits(max_pixels=1_000_000, max_jpeg_pixels=1_000_000))
        except BadImage:
            continue


def test_any_failure_of_a_decoder_is_a_bad_image(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(photo(1), "PNG")
    for error in (MemoryError(), RecursionError(), KeyError("x"), ZeroDivisionError()):

        def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(Image, "open", fail)
        with pytest.raises(BadImage):
            decode(data)


def test_pillows_warnings_reach_nobody() -> None:
    apng = encode(
        Image.new("RGB", (8, 8)), "PNG", save_all=True, append_images=[Image.new("RGB", (8, 8), 1)]
    )
    at = apng.index(b"acTL") + 4
    broken = apng[at - 4 : at] + b"\0" * 8  # an animation of no frames: Pillow warns
    data = apng[: at - 4] + broken + _crc(broken) + apng[at + 12 :]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="APNG"), Image.open(io.BytesIO(data)):
            pass
        assert decode(data).pixels.shape == (8, 8, 3)


def test_threads_decode_alike() -> None:
    files = [encode(photo(i), name) for i, name in enumerate([*LOSSLESS, *LOSSY, "GIF"] * 6)]
    alone = [decode(data).pixels for data in files]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda data: decode(data).pixels, files))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


# --- pixels in and out ---


def test_resize_is_antialiased() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    small = resize(stripes, 16, 8)
    assert small.shape == (8, 16, 3)
    assert np.abs(small.astype(int) - 127).max() < 12


def test_resize_takes_grey() -> None:
    assert resize(np.zeros((9, 7), np.uint8), 3, 5).shape == (5, 3)


def test_grey_weighs_green_most() -> None:
    red, green, blue = (
        np.full((1, 1, 3), [255 * (i == c) for i in range(3)], np.uint8) for c in range(3)
    )
    assert [int(to_grey(p)[0, 0]) for p in (red, green, blue)] == [76, 150, 29]


def test_encoded_pictures_decode() -> None:
    pixels = photo(8)
    assert np.array_equal(decode(encode_png(pixels)).pixels, pixels)
    assert decode(encode_jpeg(pixels)).facts.format == "JPEG"
    assert decode(encode_webp(pixels)).facts.format == "WEBP"
    assert len(encode_jpeg(pixels, 30)) < len(encode_jpeg(pixels, 95))
