"""Where a PNG keeps what it says about itself.

References
----------
https://www.w3.org/TR/png-3/#11textinfo
"""

from __future__ import annotations

import binascii
import struct

from provenance.jpeg import EXIF, PHOTOSHOP, TIFF, XMP
from provenance.parts import MAX_PARTS, MAX_TEXTS, Parts, inflate, is_utf8

XMP_NAME = "XML:com.adobe.xmp"
KINDS = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"caBX"})


def read_png(data: bytes, parts: Parts) -> None:
    """Note every text, whether it stands before the pixels or behind them."""
    parts.format = "image/png"
    at, left = 8, MAX_TEXTS
    for _ in range(MAX_PARTS):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind in KINDS and left and at + 8 + length <= len(data):
            left -= 1
            _read(kind, data[at + 8 : at + 8 + length], parts)
        if kind == b"IEND":
            return
        at += 12 + length


def _read(kind: bytes, content: bytes, parts: Parts) -> None:
    if kind == b"caBX":
        parts.credentials = True
    elif kind == b"eXIf":
        parts.add_exif(content)
    else:
        _text(kind, content, parts)


def _text(kind: bytes, content: bytes, parts: Parts) -> None:
    raw, _, text = content.partition(b"\x00")
    name = raw[:80].decode("latin-1")
    if kind == b"zTXt":
        text = inflate(text[1:], parts.left)
    elif kind == b"iTXt":
        packed, rest = text[:1] == b"\x01", text[2:]
        text = rest.partition(b"\x00")[2].partition(b"\x00")[2]  # after language, translated name
        text = inflate(text, parts.left) if packed else text
    if name == XMP_NAME:
        parts.add_xmp(text)
    elif name.startswith("Raw profile type "):
        _raw_profile(text, parts)
    else:
        parts.say(name, text, "utf-8" if kind == b"iTXt" or is_utf8(text) else "latin-1")


def _raw_profile(text: bytes, parts: Parts) -> None:
    """ImageMagick's way to carry what a JPEG had: name, length, then hexadecimal lines."""
    lines = text.split(None, 2)
    try:
        content = binascii.unhexlify(b"".join(lines[2].split())) if len(lines) == 3 else b""
    except binascii.Error:
        return
    if content.startswith(EXIF) or content[:4] in TIFF:
        parts.add_exif(content)
    elif content.startswith(XMP) or b"<x:xmpmeta" in content:
        parts.add_xmp(content.removeprefix(XMP))
    elif content.startswith((PHOTOSHOP, b"8BIM")):
        parts.resources = parts.resources or parts.take(content.removeprefix(PHOTOSHOP))
    elif content.startswith(b"\x1c"):
        parts.iim = parts.iim or parts.take(content)
