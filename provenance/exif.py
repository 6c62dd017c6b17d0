"""A small reader of EXIF: the few tags that tell of a camera or of a program, nothing else."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MAX_ENTRIES = 512
MAX_VALUE = 2_000_000
MAX_VALUES = 4_000_000
"""Bytes of all values; entries of a hostile block may all name the same place."""
EXIF_IFD, GPS_IFD = 0x8769, 0x8825
USER_COMMENT = 0x9286
MAKER_NOTE = 0x927C
PACKETS: Mapping[int, str] = {0x02BC: "xmp", 0x83BB: "iim", 0x8649: "resources"}
"""What TIFF files keep in tags of its own, and some programs in the EXIF of a JPEG, too."""
WIDE = frozenset({0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F})
"""Windows' own tags, which are always in UTF-16."""
TEXTS: Mapping[int, str] = {
    0x000B: "ProcessingSoftware",
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x013B: "Artist",
    0x8298: "Copyright",
    USER_COMMENT: "UserComment",
    0x9C9B: "XPTitle",
    0x9C9C: "XPComment",
    0x9C9D: "XPAuthor",
    0x9C9E: "XPKeywords",
    0x9C9F: "XPSubject",
    0xA434: "LensModel",
}
TAKEN: Mapping[int, str] = {
    0x829A: "ExposureTime",
    0x829D: "FNumber",
    0x8827: "ISO",
    0x9003: "DateTimeOriginal",
    0x9201: "ShutterSpeed",
    0x9202: "Aperture",
    0x9209: "Flash",
    0x920A: "FocalLength",
}
"""What only the taking of a photograph sets."""
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}


@dataclass(frozen=True, slots=True)
class Exif:
    """Texts by the tag's name; the tags of the taking that have a value; a maker's own notes.

    `packets`: whole blocks of another kind (`xmp`, `iim`, `resources`) that a tag holds.
    """

    texts: Mapping[str, str]
    taken: tuple[str, ...]
    maker_note: bool
    packets: Mapping[str, bytes] = field(default_factory=dict)


def read_exif(data: bytes) -> Exif:
    """Read a block of EXIF as far as it is whole."""
    texts: dict[str, str] = {}
    taken: list[str] = []
    packets: dict[str, bytes] = {}
    maker_note = False
    for tag, value, order in _entries(data):
        if tag in TEXTS and TEXTS[tag] not in texts:
            texts[TEXTS[tag]] = _text(tag, value, order)
        elif tag in TAKEN and any(value) and TAKEN[tag] not in taken:
            taken.append(TAKEN[tag])
        elif tag == MAKER_NOTE:
            maker_note = len(value) > 16
        elif tag in PACKETS:
            packets.setdefault(PACKETS[tag], value)
    return Exif(texts, tuple(taken), maker_note, packets)


def _entries(data: bytes) -> Iterator[tuple[int, bytes, str]]:
    """Tag, value and byte order of the main directory and of the one it names for EXIF."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        return
    left = MAX_VALUES
    places = [int(struct.unpack_from(order + "I", data, 4)[0])]
    for place in places:  # at most one more: only the main directory may name another
        for tag, value in _directory(data, place, order):
            if tag == EXIF_IFD and len(places) == 1 and len(value) == 4:
                places.append(int(struct.unpack(order + "I", value)[0]))
            if (left := left - len(value)) < 0:
                return
            yield tag, value, order


def _directory(data: bytes, place: int, order: str) -> Iterator[tuple[int, bytes]]:
    try:
        (count,) = struct.unpack_from(order + "H", data, place)
        for entry in range(min(count, MAX_ENTRIES)):
            at = place + 2 + 12 * entry
            tag, kind, many = struct.unpack_from(order + "HHI", data, at)
            size = SIZES.get(kind, 0) * many
            start = at + 8
            if size > 4:
                (start,) = struct.unpack_from(order + "I", data, start)
            if 0 < size <= MAX_VALUE:
                yield tag, data[start : start + size]
    except struct.error:
        return  # it ends here


def _text(tag: int, value: bytes, order: str) -> str:
    if tag == USER_COMMENT:
        code, value = value[:8], value[8:]
        if code.startswith(b"UNICODE"):
            return _utf16(value, order)
    if tag in WIDE:
        return _utf16(value, "<")
    return value.decode("utf-8", "replace").strip("\x00 ")


def _utf16(value: bytes, order: str) -> str:
    """Programs disagree on whose byte order holds: where the zeros of plain text are, tells."""
    head = value[:400]
    low, high = head[0::2].count(0), head[1::2].count(0)
    little = high > low if low != high else order == "<"
    return value.decode("utf-16-le" if little else "utf-16-be", "replace").strip("\x00\ufeff ")
