"""Files whose metadata is made to cost a reader as much as it can, for `benchmarks.origins`."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping

MEGABYTES = 2_000_000
"""What a piece of text unpacks to: as much as is looked at."""
FULL = 19_000_000
"""Bytes of a file that is near the largest accepted."""


def hostile_files() -> Mapping[str, bytes]:
    """Files by what is hostile in them."""
    return dict((*_texts(), *_packets(), *_jpegs(), *_gifs(), *_boxes()))


def _texts() -> Iterator[tuple[str, bytes]]:
    values = b'{"x":[' + b"{}," * (MEGABYTES // 3 - 10) + b"{}]}"
    keys = b",".join(b'"%d":{"class_type":1}' % at for at in range(MEGABYTES // 28))
    yield "nested JSON", _png(b'{"a":' * (MEGABYTES // 5))
    yield "JSON of many objects", _png(values)
    yield "JSON of many keys", _png(b"{" + keys + b"}")
    for said in (b" ", b"Steps: 1, Sampler: ", b"Steps: 123456,", b"Model: ", b'"a" -s 1'):
        yield f"text of {said.decode().strip() or 'spaces'}", _png(said * (MEGABYTES // len(said)))
    many = b"".join(_chunk(b"tEXt", b"%d\0Steps: 1, Sampler: a" % at) for at in range(20_000))
    yield "many texts", PNG + many


def _packets() -> Iterator[tuple[str, bytes]]:
    size = MEGABYTES
    inner = {
        "elements": b">" + b"<a/>" * (size // 4),
        "nesting": b">" + b"<a b='c'>" * (size // 9),
        "attributes": b" " + b" ".join(b'a%d="b"' % at for at in range(size // 12)) + b">",
        "entities": b"><dc:description>" + b"&lt;" * (size // 4) + b"</dc:description>",
        "history": b"><xmpMM:History>" + b"<rdf:li stEvt:softwareAgent='GIMP'/>" * (size // 36),
        "what is no XML": b"><<" + b"DigitalSourceType " * (size // 18),
        "a document type": b"><!DOCTYPE a [<!ENTITY a 'aaaaaaaa'>]>",
        "packets": b"></x:xmpmeta><x:xmpmeta" * (size // 24) + b">",
    }
    for name, content in inner.items():
        text = b"<x:xmpmeta" + content + b"</x:xmpmeta>"
        yield f"XMP of {name}", PNG + _text(b"XML:com.adobe.xmp", text)


def _jpegs() -> Iterator[tuple[str, bytes]]:
    end = b"\xff\xda\0\x02"
    long = b"\xff\xff" + b"Exif\0\0" + b"x" * 65_527
    iim = b"\xff\xff" + b"Photoshop 3.0\0" + b"x" * 65_519
    yield "many segments", b"\xff\xd8" + b"\xff\xfe\0\x04ab" * 200_000 + end
    yield "a long block of EXIF", b"\xff\xd8" + (b"\xff\xe1" + long) * (FULL // 65_537) + end
    yield "long resources", b"\xff\xd8" + (b"\xff\xed" + iim) * (FULL // 65_537) + end
    tags = [0x010E, 0x0131, 0x9286, 0x83BB, 0x02BC, 0x8649]
    entries = b"".join(struct.pack("<HHII", tags[at % 6], 1, 1_999_000, 0) for at in range(512))
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", 512) + entries + b'{"a":[1,2],' * 160_000
    yield "EXIF that names the same place", PNG + _chunk(b"eXIf", block)


def _gifs() -> Iterator[tuple[str, bytes]]:
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
    frame = b"\x2c" + bytes(9) + b"\x08"
    yield "blocks of one byte", head + frame + b"\x01\x02" * (FULL // 2)
    yield "blocks of 255 bytes", head + frame + (b"\xff" + bytes(255)) * (FULL // 256) + b"\0;"
    application = b"\x21\xff\x0bXMP DataXMP\0"
    yield "many extensions", head + application * (FULL // len(application))


def _boxes() -> Iterator[tuple[str, bytes]]:
    places = struct.pack(">HHHH", 1, 0, 0, 60_000) + struct.pack(">II", 0, FULL) * 60_000
    info = _box(b"infe", struct.pack(">IHH4s", 2 << 24, 1, 0, b"Exif") + b"\0")
    iinf = _box(b"iinf", struct.pack(">IH", 0, 1) + info)
    iloc = _box(b"iloc", struct.pack(">IBBH", 1 << 24, 0x44, 0, 1) + places)
    head = _box(b"ftyp", b"avif\0\0\0\0avif") + _box(b"meta", b"\0\0\0\0" + iinf + iloc)
    yield "an item of the whole file", head + bytes(FULL - len(head))
    yield "many boxes", _box(b"ftyp", b"avif\0\0\0\0avif") + _box(b"free", b"") * (FULL // 8)


def _png(text: bytes) -> bytes:
    """A PNG with a text under each of the names that are looked at most closely."""
    names = b"Description", b"Dream", b"parameters"
    return PNG + b"".join(_text(name, text[:MEGABYTES]) for name in names)


def _text(name: bytes, text: bytes) -> bytes:
    if name.startswith(b"XML"):
        return _chunk(b"iTXt", name + b"\0\x01\0\0\0" + zlib.compress(text))
    return _chunk(b"zTXt", name + b"\0\0" + zlib.compress(text))


def _chunk(kind: bytes, content: bytes) -> bytes:
    checked = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checked


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


PNG = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
