from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from domain import BadImage, BadImageReason
from embeddings.images import Limits, decode, file_facts
from tests.pictures import encode, photo

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "HEIF"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_what_it_is_and_its_size(name: str) -> None:
    data = encode(photo(1, 80, 40), name)

    facts = file_facts(data)

    assert (facts["format"], facts["width"], facts["height"]) == (name, 80, 40)
    assert (facts["aspect"], facts["n_bytes"]) == (2.0, len(data))
    assert facts["bytes_per_pixel"] == pytest.approx(len(data) / 3200, abs=1e-4)
    assert json.loads(json.dumps(facts)) == facts


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 90, 95, 100])
def test_the_quality_a_jpeg_was_written_at_is_read_from_its_tables(quality: int) -> None:
    found = file_facts(encode(photo(1), "JPEG", quality=quality))["jpeg_quality"]

    assert found == pytest.approx(quality, abs=2 if quality > 10 else 6)


def test_other_tables_and_other_colour_sampling_are_told_apart() -> None:
    one, same, other = (
        file_facts(encode(photo(seed), "JPEG", quality=quality, subsampling=sampling))
        for seed, quality, sampling in ((1, 80, 0), (2, 80, 0), (1, 81, 2))
    )

    assert one["jpeg_tables"] == same["jpeg_tables"] != other["jpeg_tables"]
    assert (one["subsampling"], other["subsampling"]) == ("4:4:4", "4:2:0")
    assert file_facts(encode(photo(1)[..., 0], "JPEG"))["subsampling"] == "grey"


def test_progressive_jpeg_and_exif_are_seen() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    plain = file_facts(encode(photo(1), "JPEG"))
    other = file_facts(encode(photo(1), "JPEG", progressive=True, exif=exif))

    assert (plain["progressive"], plain["exif"]) == (False, False)
    assert (other["progressive"], other["exif"]) == (True, True)


def test_what_only_a_jpeg_has_is_none_elsewhere() -> None:
    facts = file_facts(encode(photo(1), "PNG"))

    jpeg = ("jpeg_quality", "jpeg_tables", "subsampling", "progressive")
    assert all(facts[name] is None for name in jpeg)


def test_a_turned_picture_has_its_upright_size() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(photo(1, 80, 40), "JPEG", exif=exif)

    facts = file_facts(data)

    upright = decode(data).facts
    assert (facts["width"], facts["height"]) == (upright.width, upright.height) == (40, 80)
    assert facts["aspect"] == 0.5


def test_no_pixel_is_decoded() -> None:
    data = encode(photo(1, 400, 300), "JPEG")

    assert file_facts(data[: len(data) // 2])["width"] == 400


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", BadImageReason.EMPTY),
        (b"no picture", BadImageReason.UNSUPPORTED_FORMAT),
        (b"\xff\xd8\xff\xe0", BadImageReason.CORRUPT),
        (b"x" * 2_000, BadImageReason.TOO_LARGE),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, reason: BadImageReason) -> None:
    with pytest.raises(BadImage) as refused:
        file_facts(data, Limits(max_bytes=1_000))
    assert refused.value.reason is reason


def test_too_many_pixels_are_refused() -> None:
    with pytest.raises(BadImage) as refused:
        file_facts(encode(np.zeros((60, 60, 3), np.uint8), "PNG"), Limits(1_000, 100, 100, 50))
    assert refused.value.reason is BadImageReason.TOO_MANY_PIXELS
