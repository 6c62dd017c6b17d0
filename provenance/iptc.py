"""IPTC-IIM, the older way of press agencies to say who made a picture and what it shows.

Photoshop keeps it among its image resources; the program, the byline, the credit line and the
caption matter here.

References
----------
IPTC-NAA Information Interchange Model 4.2, record 2; Adobe Photoshop File Formats, "Image
Resource Blocks".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from provenance.parts import MAX_PART, is_utf8

IIM_BLOCK, EXIF_BLOCK, XMP_BLOCK = 0x0404, 0x0422, 0x0424
"""The numbers of Photoshop's resources that hold what others read, too."""
MAX_RESOURCES = 500
MAX_DATASETS = 500
MAX_TEXT = 4_000
DATASETS: Mapping[int, str] = {
    5: "Title",
    25: "Keywords",
    40: "Instructions",
    65: "Program",
    70: "ProgramVersion",
    80: "Byline",
    85: "BylineTitle",
    105: "Headline",
    110: "Credit",
    115: "Source",
    116: "Copyright",
    120: "Caption",
}


def resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of Photoshop's image resources, as far as they are whole."""
    at = 0
    for _ in range(MAX_RESOURCES):
        if data[at : at + 4] != b"8BIM" or at + 7 > len(data):
            return
        number = int.from_bytes(data[at + 4 : at + 6], "big")
        at += 6 + (data[at + 6] + 2) // 2 * 2  # a name with its length, made even
        if at + 4 > len(data):
            return
        (length,) = struct.unpack_from(">I", data, at)
        yield number, data[at + 4 : at + 4 + min(length, MAX_PART)]
        at += 4 + length + (length & 1)


def read_iim(data: bytes) -> dict[str, str]:
    """Texts of the datasets of record 2 by name (`iptc:Credit`); several become one."""
    found: dict[str, list[str]] = {}
    at = 0
    for _ in range(MAX_DATASETS):
        if at + 5 > len(data) or data[at] != 0x1C:
            break
        record, dataset, length = struct.unpack_from(">BBH", data, at + 1)
        if length & 0x8000:  # longer than any text that counts
            break
        text = data[at + 5 : at + 5 + length]
        if record == 2 and dataset in DATASETS and text:
            encoding = "utf-8" if is_utf8(text) else "latin-1"
            found.setdefault(f"iptc:{DATASETS[dataset]}", []).append(
                text.decode(encoding, "replace").strip("\x00 ")
            )
        at += 5 + length
    return {name: "; ".join(texts)[:MAX_TEXT] for name, texts in found.items()}
