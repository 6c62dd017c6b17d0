"""Where picture files keep what they say about themselves. Reads headers, never pixels."""

from __future__ import annotations

import binascii
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_PARTS = 20_000
"""Segments or chunks looked at; a PNG of 20 MB has about 2,500."""
MAX_PART = 2_000_000
"""Bytes of one piece of text that are looked at; large ComfyUI workflows come near to it."""
MAX_TEXT = 6_000_000
"""Bytes of all text of a file, unpacked."""
XMP = b"http://ns.adobe.com/xap/1.0/\x00"
XMP_MORE = b"http://ns.adobe.com/xmp/extension/\x00"
XMP_MORE_HEADER = len(XMP_MORE) + 32 + 4 + 4  # whose, how long it is in all, where this belongs
PNG_XMP = "XML:com.adobe.xmp"
C2PA_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


@dataclass(slots=True)
class Parts:
    """What was found: a block of EXIF (a TIFF file), an XMP packet, texts by their name.

    `credentials`: there is a C2PA manifest. `format` is the file's media type, empty where it
    is none that is known.
    """

    format: str = ""
    exif: bytes = b""
    xmp: bytes = b""
    texts: dict[str, str] = field(default_factory=dict)
    credentials: bool = False
    left: int = MAX_TEXT

    def take(self, data: bytes) -> bytes:
        """As much of a piece as is still allowed."""
        taken = data[: min(MAX_PART, self.left)]
        self.left -= len(taken)
        return taken

    def say(self, name: str, text: bytes, encoding: str = "utf-8") -> None:
        """Note a text; of two with the same name the first counts."""
        self.texts.setdefault(name, self.take(text).decode(encoding, "replace"))


def find_parts(data: bytes) -> Parts:
    """Look through a file of any format that is accepted; of a broken one, what is whole."""
    parts = Parts()
    try:
        if data.startswith(b"\xff\xd8\xff"):
            _jpeg(data, parts)
        elif data.startswith(b"\x89PNG\r\n\x1a\n"):
            _png(data, parts)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            _webp(data, parts)
        elif data[:6] in (b"GIF87a", b"GIF89a"):
            _gif(data, parts)
        elif data[4:8] == b"ftyp":
            _boxes(data, parts)
    except struct.error:
        pass  # the file ends within a header: what came before stands
    return parts


# --- JPEG ---


def _jpeg(data: bytes, parts: Parts) -> None:
    parts.format = "image/jpeg"
    more = []
    for marker, content in _segments(data):
        if marker == 0xE1 and content.startswith(b"Exif\x00\x00"):
            parts.exif = parts.exif or parts.take(content[6:])
        elif marker == 0xE1 and content.startswith(XMP):
            parts.xmp = parts.xmp or parts.take(content[len(XMP) :])
        elif marker == 0xE1 and content.startswith(XMP_MORE):
            more.append(parts.take(content[XMP_MORE_HEADER:]))
        elif marker == 0xEB and content.startswith(b"JP") and b"c2pa" in content[:200]:
            parts.credentials = True
        elif marker == 0xFE:
            parts.say("comment", content)
    parts.xmp += b"".join(more)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of what stands before the first scan."""
    at = 2
    for _ in range(MAX_PARTS):
        if data[at : at + 1] != b"\xff":
            return
        marker = data[at + 1] if at + 1 < len(data) else 0xDA
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in (0xDA, 0xD9):
            return
        (length,) = struct.unpack_from(">H", data, at + 2)
        if length < 2:
            return
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + length


# --- PNG ---


def _png(data: bytes, parts: Parts) -> None:
    parts.format = "image/png"
    at = 8
    for _ in range(MAX_PARTS):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind in _PNG_PARTS and at + 8 + length <= len(data):
            _png_part(kind, data[at + 8 : at + 8 + length], parts)
        if kind == b"IEND":
            return
        at += 12 + length


_PNG_PARTS = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"caBX"})


def _png_part(kind: bytes, content: bytes, parts: Parts) -> None:
    if kind == b"caBX":
        parts.credentials = True
        return
    if kind == b"eXIf":
        parts.exif = parts.exif or parts.take(content.removeprefix(b"Exif\x00\x00"))
        return
    raw, _, text = content.partition(b"\x00")
    name = raw[:80].decode("latin-1")
    encoding = "utf-8" if kind == b"iTXt" or _is_utf8(text) else "latin-1"
    if kind == b"zTXt":
        text = _inflated(text[1:], parts.left)
        encoding = "utf-8" if _is_utf8(text) else "latin-1"
    elif kind == b"iTXt":
        packed, rest = text[:1] == b"\x01", text[2:]
        text = rest.partition(b"\x00")[2].partition(b"\x00")[2]  # after language, translated name
        text = _inflated(text, parts.left) if packed else text
    if name == PNG_XMP:
        parts.xmp = parts.xmp or parts.take(text)
    elif name.startswith("Raw profile type "):
        _raw_profile(text, parts)
    else:
        parts.say(name, text, encoding)


def _is_utf8(text: bytes) -> bool:
    """Most programs write it where the standard asks for Latin-1."""
    try:
        text[:MAX_PART].decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= MAX_PART - 4  # cut within a letter
    return True


def _inflated(packed: bytes, left: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, max(1, min(MAX_PART, left)))
    except zlib.error:
        return b""


def _raw_profile(text: bytes, parts: Parts) -> None:
    """ImageMagick's way to carry EXIF and XMP in a PNG: name, length, then hexadecimal lines."""
    lines = text.split(None, 2)
    try:
        content = binascii.unhexlify(b"".join(lines[2].split())) if len(lines) == 3 else b""
    except binascii.Error:
        return
    if content.startswith(b"Exif\x00\x00") or content[:4] in (b"II*\x00", b"MM\x00*"):
        parts.exif = parts.exif or parts.take(content.removeprefix(b"Exif\x00\x00"))
    elif b"<x:xmpmeta" in content or content.startswith(XMP):
        parts.xmp = parts.xmp or parts.take(content.removeprefix(XMP))


# --- WebP, GIF, AVIF and HEIC ---


def _webp(data: bytes, parts: Parts) -> None:
    parts.format = "image/webp"
    at = 12
    for _ in range(MAX_PARTS):
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"EXIF":
            content = data[at + 8 : at + 8 + length]
            parts.exif = parts.exif or parts.take(content.removeprefix(b"Exif\x00\x00"))
        elif kind == b"XMP ":
            parts.xmp = parts.xmp or parts.take(data[at + 8 : at + 8 + length])
        elif kind == b"C2PA":
            parts.credentials = True
        at += 8 + length + (length & 1)


def _gif(data: bytes, parts: Parts) -> None:
    # Its blocks are of 255 bytes each, so walking a large file would take long; a search is
    # as good, because these names within packed pixels are as likely as a lottery win.
    parts.format = "image/gif"
    parts.credentials = b"\x21\xff\x0bC2PA_GIF" in data
    if (at := data.find(b"\x21\xfe")) >= 0:
        parts.say("comment", _gif_blocks(data, at + 2))
    _search_xmp(data, parts)


def _gif_blocks(data: bytes, at: int) -> bytes:
    content = bytearray()
    while at < len(data) and data[at] and len(content) < MAX_PART:
        content += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    return bytes(content)


def _boxes(data: bytes, parts: Parts) -> None:
    # The item tables that say where EXIF and XMP lie can be built to send a reader anywhere.
    parts.format = "image/avif" if data[8:12] in (b"avif", b"avis") else "image/heic"
    at = 0
    for _ in range(MAX_PARTS):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"uuid" and data[at + 8 : at + 24] == C2PA_BOX:
            parts.credentials = True
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, at + 8)
        if length < 8 or at + length >= len(data):
            break
        at += length
    for mark in (b"Exif\x00\x00II*\x00", b"Exif\x00\x00MM\x00*"):
        if (found := data.find(mark)) >= 0:
            parts.exif = parts.exif or parts.take(data[found + 6 : found + 6 + MAX_PART])
    _search_xmp(data, parts)


def _search_xmp(data: bytes, parts: Parts) -> None:
    start = data.find(b"<x:xmpmeta")
    end = data.find(b"</x:xmpmeta", start)
    if 0 <= start < end:
        parts.xmp = parts.take(data[start:end])
