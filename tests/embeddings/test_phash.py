from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from domain import BadImage
from embeddings.images import decode, encode_jpeg, encode_png, encode_webp, hamming, resize
from embeddings.phash import perceptual_hash
from tests.pictures import photo

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
NEAR_PHOTOS, NEAR_DRAWINGS = 8, 4


def _hash(pixels: NDArray[np.uint8]) -> int:
    return decode(encode_png(pixels)).facts.phash


def _crop(pixels: NDArray[np.uint8], kept: float) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    down, right = round(height * (1 - kept) / 2), round(width * (1 - kept) / 2)
    return np.ascontiguousarray(pixels[down : height - down, right : width - right])


def _copies(pixels: NDArray[np.uint8]) -> dict[str, int]:
    height, width = pixels.shape[:2]
    return {
        "jpeg 30": decode(encode_jpeg(pixels, 30)).facts.phash,
        "webp 50": decode(encode_webp(pixels, 50)).facts.phash,
        "half": _hash(resize(pixels, width // 2, height // 2)),
        "double": _hash(resize(pixels, width * 2, height * 2)),
        "crop 98 %": _hash(_crop(pixels, 0.98)),
    }


@pytest.mark.parametrize("seed", range(8))
def test_copies_of_a_picture_stay_near(seed: int) -> None:
    pixels = photo(seed, 320, 240)
    original = _hash(pixels)
    far = {name: hamming(original, copy) for name, copy in _copies(pixels).items()}
    assert max(far.values()) <= NEAR_PHOTOS, far


def test_unlike_pictures_are_far_apart() -> None:
    hashes = [_hash(photo(seed)) for seed in range(60)]
    distances = [hamming(a, b) for a, b in itertools.combinations(hashes, 2)]
    assert min(distances) > NEAR_PHOTOS
    assert 28 < np.mean(distances) < 36  # as if the 64 bits were tossed


def test_hash_fits_in_64_unsigned_bits_and_half_of_them_are_set() -> None:
    assert all(_hash(photo(seed)).bit_count() == 32 for seed in range(5))


def test_turned_upside_down_is_another_picture() -> None:
    pixels = photo(3)
    assert hamming(_hash(pixels), _hash(np.ascontiguousarray(pixels[::-1]))) > NEAR_PHOTOS


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_flat_picture_has_no_hash(shade: int) -> None:
    flat = np.full((50, 80, 3), shade, np.uint8)
    assert _hash(flat) == 0
    assert perceptual_hash(np.full((32, 32), shade, np.uint8)) == 0


def test_flat_pictures_are_near_nothing() -> None:
    assert hamming(0, 0) == hamming(0, 5) == hamming(5, 0) == 64
    assert hamming(5, 5) == 0
    assert hamming(0b1011, 0b0010) == 2


def test_one_pixel_has_no_hash() -> None:
    assert _hash(np.zeros((1, 1, 3), np.uint8)) == 0


def _real(folder: str, wanted: int) -> list[Path]:
    if not (SHARED / folder).is_dir():
        pytest.skip(f"{SHARED / folder}: real pictures are absent")
    files = sorted(path for path in (SHARED / folder).rglob("*") if path.is_file())
    return files[:: max(1, len(files) // wanted)][:wanted]


@pytest.mark.parametrize(
    ("folder", "near", "most_pairs"),
    [
        ("kannada", NEAR_DRAWINGS, 3),
        ("smile", NEAR_PHOTOS, 1),
        ("authenticity/webmix", NEAR_PHOTOS, 0),
    ],
)
def test_rates_on_real_pictures(folder: str, near: int, most_pairs: int) -> None:
    hashes, copied = [], []
    for i, path in enumerate(_real(folder, 240)):
        try:
            picture = decode(path.read_bytes())
        except BadImage:
            continue
        hashes.append(picture.facts.phash)
        if i % 8 == 0:
            copied.append(hamming(picture.facts.phash, _hash_of_copy(picture.pixels)))
    pairs = [hamming(a, b) for a, b in itertools.combinations(hashes, 2)]
    assert sum(distance <= near for distance in pairs) <= most_pairs
    assert np.mean([distance <= near for distance in copied]) > 0.96


def _hash_of_copy(pixels: NDArray[np.uint8]) -> int:
    height, width = pixels.shape[:2]
    smaller = resize(pixels, round(width * 0.7), round(height * 0.7))
    return decode(encode_jpeg(smaller, 70)).facts.phash
