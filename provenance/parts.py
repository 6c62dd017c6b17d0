"""What is gathered from a picture file before anybody reads a meaning into it, and how much."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

MAX_PARTS = 10_000
"""Chunks looked at; a PNG of 20 MB has about 2,500."""
MAX_PART = 2_000_000
"""Bytes of one piece of text that are looked at; large ComfyUI workflows come near to it."""
MAX_TEXT = 3_000_000
"""Bytes of all text of a file, unpacked."""
MAX_TEXTS = 100
"""Texts, and packets; a hostile file may hold one in each of its chunks."""
MAX_COMMENTS = 8


@dataclass(slots=True)
class Parts:
    """What was found: a block of EXIF (a TIFF file), XMP packets, texts by their name.

    `resources` are Photoshop's image resources, which hold IPTC-IIM; `iim` are datasets of the
    IPTC that stand alone. `trailer` is what a phone wrote behind the picture: names and what is
    under them. `credentials`: there is a C2PA manifest. `format` is the file's media type, empty
    where it is none that is known.
    """

    format: str = ""
    exif: bytes = b""
    xmp: list[bytes] = field(default_factory=list)
    resources: bytes = b""
    iim: bytes = b""
    texts: dict[str, str] = field(default_factory=dict)
    trailer: dict[str, bytes] = field(default_factory=dict)
    credentials: bool = False
    comments: int = 0
    left: int = MAX_TEXT

    def take(self, data: bytes) -> bytes:
        """As much of a piece as is still allowed."""
        taken = data[: min(MAX_PART, self.left)]
        self.left -= len(taken)
        return taken

    def say(self, name: str, text: bytes, encoding: str = "utf-8") -> None:
        """Note a text; of two with the same name the first counts."""
        if name not in self.texts and len(self.texts) < MAX_TEXTS:
            self.texts[name] = self.take(text).decode(encoding, "replace")

    def comment(self, text: bytes) -> None:
        """Note a text that has no name of its own; a file may hold several."""
        if self.comments < MAX_COMMENTS:
            self.comments += 1
            name = f"comment {self.comments}" if self.comments > 1 else "comment"
            self.say(name, text, "utf-8" if is_utf8(text) else "latin-1")

    def add_exif(self, block: bytes) -> None:
        """Note a block of EXIF; the first one counts."""
        self.exif = self.exif or self.take(block.removeprefix(b"Exif\x00\x00"))

    def add_xmp(self, packet: bytes) -> None:
        """Note one packet of XMP."""
        if packet and len(self.xmp) < MAX_TEXTS:
            self.xmp.append(self.take(packet))


def is_utf8(text: bytes) -> bool:
    """Whether a text is; most programs write it where the standard asks for Latin-1."""
    try:
        text[:MAX_PART].decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= MAX_PART - 4  # cut within a letter
    return True


def inflate(packed: bytes, left: int) -> bytes:
    """A packed text as far as it may be looked at; nothing where it is broken."""
    try:
        return zlib.decompressobj().decompress(packed, max(1, min(MAX_PART, left)))
    except zlib.error:
        return b""
