"""Files made to hurt: the published corpora where they are at hand, and bombs made here."""

from __future__ import annotations

import csv
import io
import struct
import time
import tracemalloc
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from domain import BadImage, BadImageReason
from embeddings import images
from embeddings.images import MAX_JPEG_SCANS, Limits, decode
from tests.pictures import encode, photo

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "badinputs"
SLOW_SECONDS = 3.0


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"{CORPUS}: the corpus of bad files is absent")
def test_every_file_of_the_corpus_is_judged_as_expected() -> None:
    wrong, seen = [], Counter[str]()
    with (CORPUS / "expected.csv").open(newline="") as table:
        for row in csv.DictReader(table):
            outcome, seconds = _judge((CORPUS / row["file"]).read_bytes())
            seen[row["expected"]] += 1
            allowed = {"accept_200": {"accepted"}, "reject_4xx": {"refused"}}
            if outcome not in allowed.get(row["expected"], {"accepted", "refused"}):
                wrong.append(f"{row['file']}: {row['expected']}, {outcome}")
            if seconds > SLOW_SECONDS:
                wrong.append(f"{row['file']}: {seconds:.1f} s")
    assert wrong == []
    assert seen["accept_200"] > 300 and seen["reject_4xx"] > 800


def _judge(data: bytes) -> tuple[str, float]:
    started = time.perf_counter()
    try:
        picture = decode(data)
    except BadImage:
        return "refused", time.perf_counter() - started
    assert picture.pixels.ndim == 3 and picture.pixels.shape[2] == 3
    assert picture.pixels.dtype == np.uint8
    return "accepted", time.perf_counter() - started


def _reason(data: bytes, limits: Limits | None = None) -> BadImageReason:
    with pytest.raises(BadImage) as caught:
        decode(data, limits)
    return caught.value.reason


def test_a_gif_of_5000_frames_costs_one_frame() -> None:
    frames = [Image.new("L", (24, 24), shade) for shade in range(250)] * 20
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=20)
    with Image.open(io.BytesIO(data)) as opened:
        assert getattr(opened, "n_frames", 1) == 5000
    _, seconds = _judge(data)
    assert seconds < 1


def _scans(data: bytes) -> list[int]:
    """Where the scans of a JPEG begin, its end last."""
    found = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    return [*found, len(data) - 2]


def test_a_jpeg_of_a_thousand_scans_is_refused() -> None:
    data = encode(Image.new("RGB", (64, 64), (90, 90, 90)), "JPEG", progressive=True)
    *_, last, end = _scans(data)
    scan = data[last:end]
    few = data[:end] + scan * 20 + data[end:]
    many = data[:end] + scan * MAX_JPEG_SCANS + data[end:]
    assert decode(few).pixels.shape == (64, 64, 3)
    assert _reason(many) is BadImageReason.CORRUPT


def _run_length_bmp(width: int, height: int, runs: bytes) -> bytes:
    palette = bytes(range(256)) * 4
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + palette + runs


def test_a_run_length_bmp_is_decoded_unless_huge() -> None:
    row = b"\x40\x01" + b"\0\0"
    assert decode(_run_length_bmp(64, 8, row * 8 + b"\0\1")).pixels.shape == (8, 64, 3)
    huge = _run_length_bmp(3000, 3000, (b"\x01\x01" * 3000 + b"\0\0") * 400)
    assert _reason(huge) is BadImageReason.TOO_LARGE


def test_a_plain_bmp_as_large_is_decoded() -> None:
    data = encode(photo(1, 1000, 800), "BMP")
    assert len(data) > 2_000_000
    assert decode(data).pixels.shape == (800, 1000, 3)


def test_a_refused_size_costs_no_memory() -> None:
    data = encode(Image.new("L", (4000, 4000)), "PNG")
    tracemalloc.start()
    try:
        assert _reason(data, Limits(max_pixels=1_000_000)) is BadImageReason.TOO_MANY_PIXELS
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_compressed_text_bomb_in_a_png_is_refused_or_harmless() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "x" * 50_000_000, zip=True)
    data = encode(Image.new("RGB", (8, 8)), "PNG", pnginfo=info)
    assert len(data) < 100_000
    outcome, seconds = _judge(data)
    assert outcome == "refused" and seconds < 1


def test_a_webp_header_claiming_much_is_refused() -> None:
    side = (16_382).to_bytes(3, "little")
    vp8x = b"VP8X" + struct.pack("<I", 10) + b"\x10\0\0\0" + side * 2
    data = b"RIFF" + struct.pack("<I", 4 + len(vp8x) + 8) + b"WEBP" + vp8x + b"\0" * 8
    assert _reason(data) is BadImageReason.TOO_MANY_PIXELS


def test_only_so_many_large_pictures_are_decoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "LARGE_PIXELS", 64 * 64)
    small, large = (encode(photo(1, side, side), "PNG") for side in (64, 65))
    with ThreadPoolExecutor(1) as pool:
        with images._LARGE_AT_ONCE, images._LARGE_AT_ONCE:
            waiting = pool.submit(decode, large)
            assert decode(small).facts.width == 64
            with pytest.raises(TimeoutError):
                waiting.result(0.1)
        assert waiting.result(5).facts.width == 65
