from __future__ import annotations

import struct

import pytest
from PIL import Image

from domain import BadImage, BadImageReason
from embeddings import isobmff
from embeddings.images import decode
from tests.pictures import encode, photo


def _reason(data: bytes) -> BadImageReason:
    with pytest.raises(BadImage) as caught:
        isobmff.check(data)
    return caught.value.reason


def _avif() -> bytes:
    return encode(photo(1, 64, 48), "AVIF")


@pytest.mark.parametrize("name", ["AVIF", "HEIF"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_honest_files_pass(name: str, mode: str) -> None:
    data = encode(Image.fromarray(photo(1, 64, 48)).convert(mode), name)
    assert isobmff.is_picture(data)
    isobmff.check(data)
    assert decode(data).pixels.shape == (48, 64, 3)


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP"])
def test_other_formats_are_left_alone(name: str) -> None:
    data = encode(photo(1), name)
    assert not isobmff.is_picture(data)
    isobmff.check(data[:40])


def test_a_box_beyond_the_end_is_a_truncated_file() -> None:
    # the last byte may belong to metadata, so decoders do not miss it
    assert _reason(_avif()[:-1]) is BadImageReason.TRUNCATED


def test_a_box_smaller_than_its_header_is_corrupt() -> None:
    data = _avif()
    size = int.from_bytes(data[:4], "big")
    assert _reason(data[:size] + struct.pack(">I4s", 4, b"free")) is BadImageReason.CORRUPT


def test_a_missing_pixel_depth_is_refused() -> None:
    data = _avif()
    assert data.count(b"pixi") == 1
    with pytest.raises(BadImage, match="pixi"):
        isobmff.check(data.replace(b"pixi", b"free"))


def test_contradicting_channels_are_refused() -> None:
    data = _avif()
    three = b"pixi\0\0\0\0\x03\x08\x08\x08"
    assert three in data
    assert _reason(data.replace(three, three[:8] + b"\x01\x08\x08\x08")) is BadImageReason.CORRUPT


def test_tables_pointing_nowhere_are_corrupt() -> None:
    data = _avif()
    at = data.index(b"ipma") + 4 + 4 + 4 + 2  # flags, entries, item: then how many properties
    broken = data[: at + 1] + b"\x7f" * data[at] + data[at + 1 + data[at] :]
    assert _reason(broken) is BadImageReason.CORRUPT


def _file_with_gain_map(version: bytes) -> bytes:
    """The boxes a decoder reads, holding a gain map item whose content begins so."""

    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), kind) + content

    full = b"\0\0\0\0"
    ftyp = box(b"ftyp", b"avif\0\0\0\0avifmif1")
    infe = [
        box(b"infe", b"\2\0\0\0" + struct.pack(">HH4s", item, 0, kind) + b"\0")
        for item, kind in ((1, b"av01"), (2, b"tmap"))
    ]
    iinf = box(b"iinf", full + struct.pack(">H", 2) + b"".join(infe))
    properties = box(b"pixi", full + b"\x03\x08\x08\x08")
    ipma = box(b"ipma", full + struct.pack(">IHB", 1, 1, 1) + b"\x01")
    iprp = box(b"iprp", box(b"ipco", properties) + ipma)
    pitm = box(b"pitm", full + struct.pack(">H", 1))

    def iloc(offset: int) -> bytes:
        entry = struct.pack(">HHHII", 2, 0, 1, offset, len(version))
        return box(b"iloc", full + b"\x44\0" + struct.pack(">H", 1) + entry)

    def file(offset: int) -> bytes:
        meta = box(b"meta", full + pitm + iloc(offset) + iinf + iprp)
        return ftyp + meta + box(b"mdat", version)

    return file(len(file(0)) - len(version))


def test_a_gain_map_of_a_known_version_passes() -> None:
    isobmff.check(_file_with_gain_map(b"\0\0\0\0\0 and so on"))


@pytest.mark.parametrize("version", [b"\1\0\0\0\0", b"\0\0\1\0\1"])
def test_a_gain_map_of_an_unknown_version_is_refused(version: bytes) -> None:
    assert _reason(_file_with_gain_map(version)) is BadImageReason.CORRUPT
