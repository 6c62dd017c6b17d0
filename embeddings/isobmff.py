"""What a HEIC or AVIF file declares about itself, checked before any decoder sees it.

Their decoders fill what is missing or contradictory with a guess; here it is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from domain import BadImage, BadImageReason

BRANDS = frozenset({b"avif", b"avis", b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis"})
CONTAINER_BRANDS = frozenset({b"mif1", b"msf1", b"mif2"})
META_HEADER = 4  # version and flags
AV1_GREY = 0x10  # the monochrome bit of av1C's third byte


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its type and where its content lies in the file."""

    type: bytes
    start: int
    end: int


def is_picture(data: bytes) -> bool:
    """Whether the file says it is HEIC or AVIF."""
    return data[4:8] == b"ftyp" and data[8:12] in BRANDS | CONTAINER_BRANDS


def check(data: bytes) -> None:
    """Refuse a HEIC or AVIF file whose boxes reach beyond its end or contradict each other.

    Raises
    ------
    BadImage
        Truncated or corrupt; never for files of other formats.
    """
    if not is_picture(data):
        return
    try:
        top = {box.type: box for box in boxes(data, 0, len(data))}
        if b"meta" not in top:
            return  # a pure sequence; its decoder judges
        _check_items(data, top[b"meta"])
    except (struct.error, IndexError, KeyError) as error:
        raise BadImage(BadImageReason.CORRUPT, "The file's item tables are damaged.") from error


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes lying in `data[start:end]`, one after another.

    Raises
    ------
    BadImage
        Truncated, when one reaches beyond `end`.
    """
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            header = 16
        if size == 0:
            size = end - start
        if size < header:
            raise BadImage(BadImageReason.CORRUPT, f"A box of the file has {size} bytes.")
        if start + size > end:
            raise BadImage(
                BadImageReason.TRUNCATED, f"The file ends {start + size - end} bytes too early."
            )
        yield Box(kind, start + header, start + size)
        start += size


def _check_items(data: bytes, meta: Box) -> None:
    parts = {box.type: box for box in boxes(data, meta.start + META_HEADER, meta.end)}
    for item, kind in _item_types(data, parts[b"iinf"]):
        if kind == b"tmap" and any(_content(data, parts[b"iloc"], item, 3)):
            raise BadImage(BadImageReason.CORRUPT, "The gain map is of an unknown version.")
    properties = _properties(data, parts[b"iprp"], _primary(data, parts[b"pitm"]))
    if b"pixi" not in properties:
        # The standard (ISO/IEC 23000-22, 7.3.6.6) asks for it of every picture shown.
        raise BadImage(
            BadImageReason.UNSUPPORTED_FORMAT,
            "The file does not declare its pixel depth (pixi); save it again as JPEG or PNG.",
        )
    channels = properties[b"pixi"][META_HEADER]
    if b"av1C" in properties and bool(properties[b"av1C"][2] & AV1_GREY) != (channels == 1):
        raise BadImage(BadImageReason.CORRUPT, "The file contradicts itself on being grey.")


def _item_types(data: bytes, iinf: Box) -> Iterator[tuple[int, bytes]]:
    counted = 2 if data[iinf.start] == 0 else 4
    for box in boxes(data, iinf.start + META_HEADER + counted, iinf.end):
        version = data[box.start]
        if version < 2:
            continue  # no type: metadata of the first edition
        form = ">HH4s" if version == 2 else ">IH4s"
        item, _, kind = struct.unpack_from(form, data, box.start + META_HEADER)
        yield item, kind


def _primary(data: bytes, pitm: Box) -> int:
    form = ">H" if data[pitm.start] == 0 else ">I"
    return int(struct.unpack_from(form, data, pitm.start + META_HEADER)[0])


def _properties(data: bytes, iprp: Box, item: int) -> dict[bytes, bytes]:
    """The properties of one item: type -> content."""
    parts = {box.type: box for box in boxes(data, iprp.start, iprp.end)}
    known = list(boxes(data, parts[b"ipco"].start, parts[b"ipco"].end))
    ipma = parts[b"ipma"]
    version, wide = data[ipma.start], data[ipma.start + 3] & 1
    (entries,) = struct.unpack_from(">I", data, ipma.start + META_HEADER)
    form = (">HB" if version == 0 else ">IB", 3 if version == 0 else 5)
    at = ipma.start + META_HEADER + 4
    for _ in range(entries):
        owner, count = struct.unpack_from(form[0], data, at)
        at += form[1]
        step = 2 if wide else 1
        if owner == item:
            found = [
                int.from_bytes(data[i : i + step], "big")
                for i in range(at, at + count * step, step)
            ]
            chosen = [known[(n & (0x7FFF if wide else 0x7F)) - 1] for n in found]
            return {box.type: data[box.start : box.end] for box in chosen}
        at += count * step
    return {}


def _content(data: bytes, iloc: Box, item: int, wanted: int) -> bytes:
    """The first bytes of an item, of which only a single extent at a file offset is read."""
    version = data[iloc.start]
    sizes = int.from_bytes(data[iloc.start + META_HEADER : iloc.start + META_HEADER + 2], "big")
    offset_size, length_size, base_size, index_size = (
        sizes >> shift & 15 for shift in (12, 8, 4, 0)
    )
    wide = 2 if version < 2 else 4
    at = iloc.start + META_HEADER + 2
    count, at = _number(data, at, wide)
    for _ in range(count):
        owner, at = _number(data, at, wide)
        at += 2 if version else 0  # construction method
        base, at = _number(data, at + 2, base_size)
        extents, at = _number(data, at, 2)
        each = offset_size + length_size + (index_size if version else 0)
        if owner == item:
            offset, _ = _number(data, at + (index_size if version else 0), offset_size)
            return data[base + offset : base + offset + wanted]
        at += extents * each
    raise KeyError(item)


def _number(data: bytes, at: int, size: int) -> tuple[int, int]:
    """A big-endian number and where the next one starts."""
    return int.from_bytes(data[at : at + size], "big"), at + size
