"""Where a JPEG keeps what it says about itself.

References
----------
XMP Specification Part 3 (Adobe, 2020), section 1.1.3; Exif 3.0 (CIPA DC-008), section 4.5.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from provenance.parts import MAX_PART, Parts

EXIF = b"Exif\x00\x00"
XMP = b"http://ns.adobe.com/xap/1.0/\x00"
XMP_MORE = b"http://ns.adobe.com/xmp/extension/\x00"
XMP_MORE_HEADER = struct.Struct(">32sII")
"""Whose it is, how long it is in all, where this belongs."""
PHOTOSHOP = b"Photoshop 3.0\x00"
TIFF = (b"II*\x00", b"MM\x00*")
ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
"""Markers without a length."""
MAX_SEGMENTS = 2_000
"""A manifest of 20 MB takes 320."""
MAX_TRAILER = 64
"""What a phone has behind a picture: some ten things."""


def read_jpeg(data: bytes, parts: Parts) -> None:
    """Note the segments before the first scan, and what Samsung's phones write at the end."""
    parts.format = "image/jpeg"
    exif, more, resources = bytearray(), bytearray(), bytearray()
    for marker, content in _segments(data):
        if marker == 0xE1 and content.startswith(EXIF):
            # a block that is too large for one segment goes on in the next, without a header
            if not exif or content[6:10] not in TIFF:
                exif += content[6:]
        elif marker == 0xE1 and content.startswith(XMP):
            parts.add_xmp(content[len(XMP) :])
        elif marker == 0xE1 and content.startswith(XMP_MORE):
            _place(more, content[len(XMP_MORE) :])
        elif marker == 0xED and content.startswith(PHOTOSHOP):
            resources += content[len(PHOTOSHOP) :]
        elif marker == 0xEB and content.startswith(b"JP") and b"c2pa" in content[:200]:
            parts.credentials = True
        elif content.startswith(b"AIGC{"):  # the label of China's rules, bare in a segment
            parts.say("AIGC", content[4:])
        elif marker == 0xFE:
            parts.comment(content)
    parts.add_exif(bytes(exif[:MAX_PART]))
    parts.add_xmp(bytes(more))
    parts.resources = parts.take(bytes(resources[:MAX_PART]))
    _trailer(data, parts)


def _place(packet: bytearray, content: bytes) -> None:
    """Put a piece of an XMP packet where it says that it belongs; pieces come in any order."""
    if len(content) < XMP_MORE_HEADER.size:
        return
    _, total, at = XMP_MORE_HEADER.unpack_from(content)
    piece = content[XMP_MORE_HEADER.size :]
    if at + len(piece) > min(total, MAX_PART):
        return
    packet.extend(b" " * (at + len(piece) - len(packet)))
    packet[at : at + len(piece)] = piece


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of what stands before the first scan."""
    at = 2
    for _ in range(MAX_SEGMENTS):
        at = data.find(b"\xff", at)  # decoders skip what does not belong there, too
        if not 0 <= at < len(data) - 1:
            return
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in ALONE:
            at += 2
            continue
        if marker in (0xDA, 0xD9):
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2:
            return
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + length


def _trailer(data: bytes, parts: Parts) -> None:
    """The directory at the very end: how far back each thing lies, and how long it is."""
    if data[-4:] != b"SEFT":
        return
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    if start < 0 or data[start : start + 4] != b"SEFH":
        return
    (count,) = struct.unpack_from("<I", data, start + 8)
    for entry in range(min(count, MAX_TRAILER)):
        back, size = struct.unpack_from("<II", data, start + 12 + 12 * entry + 4)
        at = start - back
        if not 8 <= size <= MAX_PART or at < 0:
            continue
        (length,) = struct.unpack_from("<I", data, at + 4)
        name = data[at + 8 : at + 8 + min(length, 64)].decode("latin-1")
        parts.trailer[name] = parts.take(data[at + 8 + length : at + size])
