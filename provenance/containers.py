"""Where picture files keep what they say about themselves. Reads headers, never pixels."""

from __future__ import annotations

import struct
from collections.abc import Callable

from provenance.boxes import read_boxes
from provenance.jpeg import read_jpeg
from provenance.parts import MAX_PART, MAX_PARTS, Parts
from provenance.png import read_png

GIF_BLOCKS = 90_000
"""Blocks of up to 255 bytes that are stepped over; a GIF of 20 MB has 80,000."""
GIF_PART = 20
"""What any frame or extension counts for beside its blocks: it takes as long."""
GIF_XMP = b"XMP DataXMP"
XMP_ENDS = (b"<?xpacket end", b"</x:xmpmeta>")


def find_parts(data: bytes) -> Parts:
    """Look through a file of any format that is accepted; of a broken one, what is whole."""
    parts = Parts()
    if (read := _reader(data)) is not None:
        try:
            read(data, parts)
        except (struct.error, IndexError):
            pass  # the file ends within a header: what came before stands
    return parts


def _reader(data: bytes) -> Callable[[bytes, Parts], None] | None:
    if data.startswith(b"\xff\xd8\xff"):
        return read_jpeg
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return read_png
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return read_webp
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return read_gif
    return read_boxes if data[4:8] == b"ftyp" else None


def read_webp(data: bytes, parts: Parts) -> None:
    """Note the chunks of a WebP that are none of its pixels."""
    parts.format = "image/webp"
    at = 12
    for _ in range(MAX_PARTS):
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"EXIF":
            parts.add_exif(data[at + 8 : at + 8 + length])
        elif kind == b"XMP ":
            parts.add_xmp(data[at + 8 : at + 8 + length])
        elif kind == b"C2PA":
            parts.credentials = True
        at += 8 + length + (length & 1)


def read_gif(data: bytes, parts: Parts) -> None:
    """Note comments, XMP and credentials, stepping over the blocks of the pixels."""
    parts.format = "image/gif"
    at = 13 + _colours(data[10])
    left = GIF_BLOCKS
    while left > 0:
        left -= GIF_PART
        if data[at] == 0x2C:  # a frame: its place, its colours, one byte, its pixels
            at, left = _over(data, at + 11 + _colours(data[at + 9]), left)
        elif data[at] != 0x21:  # the end, or nothing that belongs here
            return
        elif data[at + 1] == 0xFE:
            parts.comment(_blocks(data, at + 2))
            at, left = _over(data, at + 2, left)
        else:
            if data[at + 1] == 0xFF:
                _application(data, at + 3, parts)
            at, left = _over(data, at + 2, left)


def _colours(packed: int) -> int:
    """How long the table of colours is that the packed byte announces."""
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0


def _over(data: bytes, at: int, left: int) -> tuple[int, int]:
    """Where the blocks that begin here end, and how many more may be stepped over."""
    while left > 0 and (size := data[at]):
        at += 1 + size
        left -= 1
    return at + 1, left - 1


def _blocks(data: bytes, at: int) -> bytes:
    content = bytearray()
    while (size := data[at]) and len(content) < MAX_PART:
        content += data[at + 1 : at + 1 + size]
        at += 1 + size
    return bytes(content)


def _application(data: bytes, at: int, parts: Parts) -> None:
    """XMP stands there as it is, not in blocks; what follows it leads a reader of blocks out."""
    name = data[at : at + 11]
    if name.startswith(b"C2PA_GIF"):
        parts.credentials = True
    elif name == GIF_XMP and not parts.xmp:
        packet = data[at + 11 : at + 11 + MAX_PART]
        ends = [end for mark in XMP_ENDS if (end := packet.find(mark)) >= 0]
        parts.add_xmp(packet[: min(ends)] + b"</x:xmpmeta>" if ends else b" ")
