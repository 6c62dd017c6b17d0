"""Where an AVIF or HEIC file keeps what it says about itself: as items, listed in tables.

The tables can be built to send a reader anywhere, to claim any number of things and to share
one stretch of bytes among many; so counts are bounded and each item is cut at what is allowed.

References
----------
ISO/IEC 14496-12:2022 (iinf, iloc, idat), ISO/IEC 23008-12:2022 (Exif and XMP items).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from provenance.parts import MAX_PART, Parts, inflate

MAX_BOXES = 1_000
MAX_ITEMS = 4_000
"""A photograph of a phone has some 60 tiles; each is an item."""
MAX_EXTENTS = 64
C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
XMP_TYPE = b"application/rdf+xml"
AVIF = (b"avif", b"avis")


class Box(NamedTuple):
    """A box's kind and where its content lies."""

    kind: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Extents:
    """Where an item's bytes lie, within the file or, `inside`, within the box of data."""

    inside: bool
    places: tuple[tuple[int, int], ...]


def read_boxes(data: bytes, parts: Parts) -> None:
    """Note EXIF and XMP, wherever the tables say that they are, and whether there is C2PA."""
    parts.format = "image/avif" if data[8:12] in AVIF else "image/heic"
    for box in _boxes(data, 0, len(data)):
        if box.kind == b"uuid":
            parts.credentials |= data[box.start : box.start + 16] == C2PA
            if data[box.start : box.start + 16] == XMP:
                parts.add_xmp(data[box.start + 16 : box.end])
        elif box.kind == b"meta":
            _meta(data, box, parts)


def _boxes(data: bytes, at: int, end: int) -> Iterator[Box]:
    for _ in range(MAX_BOXES):
        if at + 8 > end:
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, at + 8)
            start = at + 16
        elif length == 0:  # to the end
            length = end - at
        if length < start - at:
            return
        yield Box(kind, start, min(at + length, end))
        at += length


def _meta(data: bytes, meta: Box, parts: Parts) -> None:
    children = {box.kind: box for box in _boxes(data, meta.start + 4, meta.end)}
    if b"iinf" not in children or b"iloc" not in children:
        return
    wanted = dict(_items(data, children[b"iinf"]))
    inside = children.get(b"idat")
    for item, extents in _locations(data, children[b"iloc"], frozenset(wanted)):
        kind, packed = wanted[item]
        content = _content(data, extents, inside)
        if kind == b"Exif":
            _exif(content, parts)
        else:
            parts.add_xmp(inflate(content, parts.left) if packed else content)


def _items(data: bytes, box: Box) -> Iterator[tuple[int, tuple[bytes, bool]]]:
    """Number, kind and packedness of the items that tell of the picture."""
    wide = data[box.start] > 0  # the version
    first = box.start + (8 if wide else 6)
    for entry in _boxes(data, first, box.end):
        version = data[entry.start]
        if entry.kind != b"infe" or version < 2:
            continue
        layout = ">H2x4s" if version == 2 else ">I2x4s"
        item, kind = struct.unpack_from(layout, data, entry.start + 4)
        rest = data[entry.start + 4 + struct.calcsize(layout) : entry.end]
        if kind == b"Exif":
            yield item, (kind, False)
        elif kind == b"mime":
            _, _, after = rest.partition(b"\x00")
            media_type, _, encoding = after.partition(b"\x00")
            if media_type == XMP_TYPE:
                yield item, (kind, encoding.startswith(b"deflate"))


def _locations(data: bytes, box: Box, wanted: frozenset[int]) -> Iterator[tuple[int, Extents]]:
    """Where the wanted items lie. The widths of the table's numbers are its own to say."""
    version, widths, more = data[box.start], data[box.start + 4], data[box.start + 5]
    offset, length, base = widths >> 4, widths & 15, more >> 4
    index = more & 15 if version in (1, 2) else 0
    number, at = (4, box.start + 10) if version == 2 else (2, box.start + 8)
    count = _number(data, at - number, number)
    for _ in range(min(count, MAX_ITEMS)):
        item, at = _number(data, at, number), at + number
        method = 0
        if version in (1, 2):
            method, at = _number(data, at, 2) & 15, at + 2
        start, at = _number(data, at + 2, base), at + 2 + base  # after the number of the file
        many, at = _number(data, at, 2), at + 2
        step = index + offset + length
        if at + many * step > box.end:
            return
        if item in wanted and method in (0, 1):
            places = tuple(
                (
                    start + _number(data, at + index + step * one, offset),
                    _number(data, at + index + offset + step * one, length),
                )
                for one in range(min(many, MAX_EXTENTS))
            )
            yield item, Extents(method == 1, places)
        at += many * step


def _number(data: bytes, at: int, width: int) -> int:
    return int.from_bytes(data[at : at + width], "big")


def _content(data: bytes, extents: Extents, inside: Box | None) -> bytes:
    first, end = (inside.start, inside.end) if extents.inside and inside else (0, len(data))
    content = bytearray()
    for start, length in extents.places:
        stop = min(first + start + length, end) if length else end  # none given: all the rest
        content += data[first + start : min(stop, first + start + MAX_PART)]
        if len(content) >= MAX_PART:
            break
    return bytes(content[:MAX_PART])


def _exif(content: bytes, parts: Parts) -> None:
    """Skip what stands before the TIFF file: its length is said first."""
    skipped = content[4 + _number(content, 0, 4) :]
    parts.add_exif(skipped if skipped[:2] in (b"II", b"MM") else content[4:])
