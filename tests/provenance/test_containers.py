"""Where each format keeps things: the same words are found wherever a program may put them."""

from __future__ import annotations

import struct
import zlib

import pytest

from provenance.containers import find_parts
from provenance.parts import MAX_PART
from tests.pictures import encode, photo
from tests.provenance.files import box, exif, items, jpeg, samsung, segment, source_type

XMP_TYPE = b"application/rdf+xml"
PACKET = source_type("trainedAlgorithmicMedia")
BLOCK = exif({0x010F: "Canon"}).tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("cut", [1, 3])
def test_items_are_found_wherever_the_tables_say(inside: bool, cut: int) -> None:
    told = (b"Exif", b"", b"\0\0\0\0" + BLOCK), (b"mime", XMP_TYPE, PACKET)
    parts = find_parts(items(*told, inside=inside, cut=cut))
    assert (parts.exif, parts.xmp) == (BLOCK, [PACKET])


@pytest.mark.parametrize(
    "content", [b"\0\0\0\0" + BLOCK, b"\0\0\0\x06Exif\0\0" + BLOCK, b"\0\0\0\0Exif\0\0" + BLOCK]
)
def test_exif_is_found_however_its_beginning_is_told(content: bytes) -> None:
    assert find_parts(items((b"Exif", b"", content))).exif == BLOCK


def test_items_of_other_kinds_are_left_alone() -> None:
    told = (b"av01", b"", PACKET), (b"mime", b"text/plain", PACKET)
    assert find_parts(items(*told)).xmp == []


def test_xmp_in_a_box_of_its_own_is_found() -> None:
    known = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
    data = encode(photo(1), "AVIF") + box(b"uuid", known + PACKET)
    assert find_parts(data).xmp == [PACKET]


def test_tables_that_send_a_reader_anywhere_are_bounded() -> None:
    wide = struct.pack(">IBBHHHHH", 1 << 24, 0x44, 0, 1, 1, 0, 0, 64)
    wide += struct.pack(">II", 0, 0xFFFFFFFF) * 64
    info = box(b"infe", struct.pack(">IHH4s", 2 << 24, 1, 0, b"Exif") + b"\0")
    tables = box(b"iinf", struct.pack(">IH", 0, 1) + info) + box(b"iloc", wide)
    head = box(b"ftyp", b"avif\0\0\0\0avif") + box(b"meta", b"\0\0\0\0" + tables)
    assert len(find_parts(head + bytes(5_000_000)).exif) <= MAX_PART


def test_a_long_block_of_exif_goes_on_in_the_next_segment() -> None:
    long = exif({0x010E: "x" * 70_000}).tobytes().removeprefix(b"Exif\0\0")
    cut = segment(0xE1, b"Exif\0\0" + long[60_000:])
    data = segment(0xE1, b"Exif\0\0" + long[:60_000], cut)
    assert find_parts(data).exif == long


def test_the_pieces_of_a_long_xmp_packet_are_put_in_order() -> None:
    def piece(start: int, end: int) -> bytes:
        head = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32
        return head + struct.pack(">II", len(PACKET), start) + PACKET[start:end]

    data = segment(0xE1, piece(100, len(PACKET)), segment(0xE1, piece(0, 100)))
    assert find_parts(data).xmp == [PACKET]


def test_each_comment_of_a_gif_is_found_and_the_pixels_are_none() -> None:
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
    pixels = b"\x21\xfe\x04not!\0" * 9
    frame = struct.pack("<BHHHHB", 0x2C, 0, 0, 1, 1, 0) + b"\x08\x48" + pixels[:0x48] + b"\0"
    comments = b"\x21\xfe\x05first\0\x21\xfe\x03and\x05 more\0"
    parts = find_parts(head + comments + frame + b";")
    assert parts.texts == {"comment": "first", "comment 2": "and more"}


def test_xmp_between_the_frames_of_a_gif_is_found() -> None:
    plain = encode(photo(1), "GIF")
    lead_out = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    late = plain[:-1] + b"\x21\xff\x0bXMP DataXMP" + PACKET + lead_out + b"\x21\xfe\x01x\0;"
    parts = find_parts(late)
    assert parts.xmp == [PACKET]
    assert parts.texts == {"comment": "x"}


def test_what_a_phone_writes_behind_the_picture_is_found() -> None:
    told = {"Image_UTC_Data": b"1700000000000", "PhotoEditor_Re_Edit_Data": b"{}"}
    assert find_parts(samsung(told)).trailer == told


@pytest.mark.parametrize("damage", [b"\xff\xff\xff\xff", b"\x10\0\0\0", b"\0\0\0\0"])
def test_a_trailer_that_points_anywhere_is_none(damage: bytes) -> None:
    data = samsung({"a": b"b"})
    assert find_parts(data[:-8] + damage + data[-4:]).trailer == {}


def test_bytes_that_do_not_belong_between_segments_hide_nothing() -> None:
    data = segment(0xFE, b"first", segment(0xFE, b"second"))
    between = data.index(b"second") - 4
    astray = data[:between] + b"\0astray\xff\xd0" + data[between:]
    assert list(find_parts(astray).texts.values()) == ["first", "second"]


def test_several_comments_of_a_jpeg_are_kept() -> None:
    data = segment(0xFE, b"one", segment(0xFE, b"two", jpeg()))
    assert list(find_parts(data).texts.values()) == ["one", "two"]


def test_packed_items_are_unpacked_within_bounds() -> None:
    bomb = zlib.compress(b" " * 40_000_000)
    data = items((b"mime", XMP_TYPE + b"\0deflate", bomb))
    assert sum(map(len, find_parts(data).xmp)) <= MAX_PART
