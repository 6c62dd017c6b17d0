"""A small reader of XMP: properties by their usual names, and the history of edits.

References
----------
XMP Specification Part 1 (ISO 16684-1:2019).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from xml.parsers import expat

MAX_BYTES = 400_000
"""Of all packets. A longer one holds a second picture or a map of depths, behind the rest."""
MAX_ELEMENTS = 3_000
"""Elements and attributes in all; Photoshop may list thousands of ancestors of a document."""
MAX_DEPTH = 40
MAX_VALUES = 40
"""Values of one property."""
MAX_EVENTS = 40
MAX_LOOSE = 50_000
"""Characters searched where a packet is no XML."""
PREFIXES: Mapping[str, str] = {
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/mm/": "xmpMM",
    "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#": "stEvt",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://www.tc260.org.cn/ns/AIGC/1.0/": "TC260",
}
"""The prefixes that everybody uses; a file may bind others to the same names."""
NOT_NAMES = frozenset(
    f"rdf:{part}" for part in ("RDF", "Description", "li", "Alt", "Bag", "Seq", "value")
)
"""What stands between a property and its value."""
PACKET_END = b"</x:xmpmeta>"
SOURCE_TYPE = "digitalsourcetype"
LOOSE_SOURCE_TYPE = re.compile(
    r"DigitalSourceType\s{0,9}(?:=\s{0,9}[\"']\s{0,9}|[^<>\"'=]{0,99}>\s{0,99}"
    r"|[\w:]{0,20}resource\s{0,9}=\s{0,9}[\"']\s{0,9})([^\"'<>\s]{1,200})",
    re.I,
)


@dataclass(slots=True)
class Xmp:
    """Values by property (`dc:creator`); source types as they were written; edits in order.

    Of an edit there is what the file says: `action`, `softwareAgent`, `when`, `changed`.
    """

    values: dict[str, list[str]] = field(default_factory=dict)
    source_types: list[str] = field(default_factory=list)
    events: list[dict[str, str]] = field(default_factory=list)

    def text(self, name: str) -> str:
        """The values of a property, as one text."""
        return "; ".join(self.values.get(name, ()))

    def note(self, name: str, value: str) -> None:
        """Note one value of a property."""
        if not (value := value.strip()):
            return
        if name.rpartition(":")[2].lower() == SOURCE_TYPE:
            self.source_types.append(value)
        known = self.values.setdefault(name, [])
        if len(known) < MAX_VALUES:
            known.append(value)


class _Enough(Exception):
    """More elements than anybody needs, or a document type, which XMP has none of."""


def read_xmp(packets: Iterable[bytes]) -> Xmp:
    """Read packets as far as they are whole."""
    found = Xmp()
    left = MAX_ELEMENTS
    room = MAX_BYTES
    for packet in packets:
        packet, room = packet[:room], room - len(packet[:room])
        for piece in packet.replace(b"\x00", b"").split(PACKET_END)[:MAX_EVENTS]:
            start = max(piece.find(b"<x:xmpmeta"), 0) or max(piece.find(b"<rdf:RDF"), 0)
            text = piece[start:].strip().decode("utf-8", "replace")
            if text.startswith("<") and left > 0:
                left = _parse(text, found, left)
    return found


def _parse(text: str, found: Xmp, left: int) -> int:
    """Read one document into `found`; how many more elements may be looked at."""
    walk = _Walk(found, left)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.ordered_attributes = True
    parser.StartElementHandler = walk.start
    parser.EndElementHandler = walk.end
    parser.CharacterDataHandler = walk.text
    parser.StartDoctypeDeclHandler = walk.refuse
    data = text.encode()
    try:
        parser.Parse(data, False)
        if text.startswith("<x:xmpmeta"):
            parser.Parse(PACKET_END, True)
    except expat.ExpatError:  # a writer who escaped too little: what it says is plain enough
        rest = data[max(parser.ErrorByteIndex, 0) :][:MAX_LOOSE].decode("utf-8", "replace")
        found.source_types.extend(LOOSE_SOURCE_TYPE.findall(rest)[:MAX_VALUES])
    except _Enough:
        pass
    return walk.left


class _Walk:
    """Follows a document and notes what belongs to which property."""

    def __init__(self, found: Xmp, left: int) -> None:
        self.left = left
        self._found = found
        self._prefixes: dict[str, str] = {}
        self._owners: list[str] = [""]
        self._text: list[str] = []
        self._event: dict[str, str] = {}

    def refuse(self, *_: object) -> None:
        """End at a document type: only attacks declare entities in XMP."""
        raise _Enough

    def start(self, name: str, attributes: Sequence[str]) -> None:
        """Enter an element; its attributes are properties of what it describes."""
        self.left -= 1 + len(attributes) // 2
        if self.left <= 0 or len(self._owners) > MAX_DEPTH:
            raise _Enough
        self._flush()
        pairs = list(zip(attributes[::2], attributes[1::2], strict=True))
        for key, value in pairs:
            if key.startswith("xmlns:") and value in PREFIXES:
                self._prefixes[key[6:]] = PREFIXES[value]
        own = self._usual(name)
        owner = self._owners[-1] if own in NOT_NAMES else own
        if own == "rdf:li" and owner == "xmpMM:History":
            self._event = {}
            if len(self._found.events) < MAX_EVENTS:
                self._found.events.append(self._event)
        self._owners.append(owner)
        for key, value in pairs:
            usual = self._usual(key)
            if usual == "rdf:resource":
                self._note(owner, value)
            elif not key.startswith(("xml", "rdf:")):
                self._note(usual, value)

    def text(self, text: str) -> None:
        """Gather what stands within an element."""
        self._text.append(text)

    def end(self, _: str) -> None:
        """Leave an element."""
        self._flush()
        self._owners.pop()

    def _flush(self) -> None:
        if self._text:
            self._note(self._owners[-1], "".join(self._text))
            self._text = []

    def _note(self, name: str, value: str) -> None:
        if name.startswith("stEvt:"):
            self._event.setdefault(name[6:], value.strip())
        elif name:
            self._found.note(name, value)

    def _usual(self, name: str) -> str:
        prefix, colon, local = name.partition(":")
        return f"{self._prefixes.get(prefix, prefix)}:{local}" if colon else name
