"""What is written in a file unsigned: IPTC source types, generators' texts, a camera's facts.

Anybody can write all of it, and most sites strip it. It is told for what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from domain import Evidence
from provenance.edits import read_credit, read_delivery, read_edits
from provenance.exif import Exif, read_exif
from provenance.generators import find_generators
from provenance.iptc import EXIF_BLOCK, IIM_BLOCK, XMP_BLOCK, read_iim, resources
from provenance.labels import read_label
from provenance.parts import Parts
from provenance.programs import generator_named
from provenance.sources import AI, REAL, is_captured, is_generated, is_partly, word_of
from provenance.xmp import Xmp, read_xmp

UNSIGNED = "unsigned"
EASY = {
    "forging": "easy: anybody can write it with a common tool",
    "stripping": "easy: saving the picture anew or uploading it often removes it",
}
XMP_TEXTS = (
    "xmp:CreatorTool",
    "photoshop:Credit",
    "photoshop:Source",
    "exif:UserComment",
    "dc:description",
    "dc:creator",
    "dc:rights",
    "tiff:Software",
    "TC260:AIGC",
)
AI_SYSTEM, AI_VERSION = "Iptc4xmpExt:AISystemUsed", "Iptc4xmpExt:AISystemVersionUsed"
AI_PROMPT = "Iptc4xmpExt:AIPromptInformation"
MAX_SAID = 160
MAX_NAME = 64
MAX_ADDRESS = 500
NOT_A_NAME = re.compile(r"[{}\[\]<>=\n\r\ufffd]|^\s*(?:prompt|workflow)\s*:", re.I)


@dataclass(frozen=True, slots=True)
class Said:
    """What the parts of a file say, read: texts by where they stood, XMP, EXIF, a trailer."""

    texts: Mapping[str, str]
    xmp: Xmp
    exif: Exif
    trailer: Mapping[str, bytes]


def gather(parts: Parts) -> Said:
    """Read every part; what is kept within another part (IPTC in TIFF tags) is read, too."""
    exif = read_exif(parts.exif)
    blocks: dict[int, bytes] = {}
    for number, content in resources(parts.resources or exif.packets.get("resources", b"")):
        blocks.setdefault(number, content)
    if not parts.exif and EXIF_BLOCK in blocks:
        exif = read_exif(blocks[EXIF_BLOCK])
    iim = read_iim(blocks.get(IIM_BLOCK) or parts.iim or exif.packets.get("iim", b""))
    xmp = read_xmp([*parts.xmp, blocks.get(XMP_BLOCK, b""), exif.packets.get("xmp", b"")])
    said = {name: text for name in XMP_TEXTS if (text := xmp.text(name))}
    return Said({**exif.texts, **parts.texts, **iim, **said}, xmp, exif, parts.trailer)


def read_metadata(said: Said) -> Iterator[Evidence]:
    """Everything unsigned that a file says about its origin, the strongest first."""
    yield from _generators(said.texts)
    yield from read_label(said.texts, EASY)
    yield from _source_types(said.xmp)
    yield from _camera(said.exif)
    yield from read_edits(said.texts, said.xmp, said.trailer, EASY)
    yield from read_delivery(said.texts, EASY)
    yield from read_credit(said.texts, EASY)


def manifest_address(said: Said) -> str:
    """Where the file says that its C2PA manifest lies on the web; "" where it says nothing."""
    address = said.xmp.text("dcterms:provenance")[:MAX_ADDRESS]
    return address if address.startswith("http") else ""


def _generators(texts: Mapping[str, str]) -> Iterator[Evidence]:
    for one in find_generators(texts):
        detail = {**EASY, "program": one.program, "where": one.where, "excerpt": one.excerpt}
        if one.model:
            detail["model"] = one.model
        if one.made:
            claim = f"The file holds what {one.program} writes into the pictures it makes"
            claim = f"{claim} ({one.where})."
            yield Evidence("generator", claim, UNSIGNED, AI, {**detail, "contradicts": [REAL]})
        else:
            claim = (
                f"The file holds a workflow of {one.program} that draws nothing by a model"
                f" as far as can be told ({one.where})."
            )
            yield Evidence("generator", claim, UNSIGNED, None, detail)


def _source_types(xmp: Xmp) -> Iterator[Evidence]:
    words = {word.lower(): word for word in map(word_of, xmp.source_types) if word}
    generated = any(map(is_generated, words))
    detail: dict[str, Any] = {**EASY, **_system(xmp)}
    if words:
        detail["source_type"] = ", ".join(words.values())
    if generated and len(words) == 1:
        claim = "The metadata says that a generative model made the picture."
        yield Evidence("iptc", claim, UNSIGNED, AI, {**detail, "contradicts": [REAL]})
    elif generated or any(map(is_partly, words)):
        claim = "The metadata says that a generative model made parts of the picture."
        yield Evidence("iptc", claim, UNSIGNED, None, {**detail, "contradicts": [REAL]})
    elif "system" in detail:
        claim = f"The metadata says that a generative model was used: {detail['system']}."
        yield Evidence("iptc", claim, UNSIGNED, None, {**detail, "contradicts": [REAL]})
    elif words and all(map(is_captured, words)):
        claim = "The metadata says that the picture is a photograph."
        yield Evidence("iptc", claim, UNSIGNED, REAL, detail)
    elif words:
        claim = f"The metadata says how the picture was made: {detail['source_type']}."
        yield Evidence("iptc", claim, UNSIGNED, None, detail)


def _system(xmp: Xmp) -> dict[str, str]:
    """The generative model that was used, and what it was asked for."""
    name = " ".join(f"{xmp.text(AI_SYSTEM)} {xmp.text(AI_VERSION)}".split())[:MAX_SAID]
    prompt = " ".join(xmp.text(AI_PROMPT).split())[:MAX_SAID]
    return {key: text for key, text in (("system", name), ("prompt", prompt)) if text}


def _camera(exif: Exif) -> Iterator[Evidence]:
    """A camera's name alone is no more than a name: it takes facts of the taking, too."""
    make, model = (_name(exif.texts.get(tag, "")) for tag in ("Make", "Model"))
    camera = model if model.startswith(make) else f"{make} {model}".strip()
    if not camera and len(exif.taken) < 3:
        return
    detail = {**EASY, "camera": camera, "facts": list(exif.taken), "maker_note": exif.maker_note}
    if camera and len(exif.taken) >= 2:
        claim = f"The metadata is that of a photograph taken with {camera}."
        yield Evidence("camera", claim, UNSIGNED, REAL, detail)
    else:
        named = f"names a camera, {camera}," if camera else "tells of an exposure"
        claim = f"The metadata {named} but too little of a photograph."
        yield Evidence("camera", claim, UNSIGNED, None, detail)


def _name(said: str) -> str:
    """A maker's or model's name; programs keep whole workflows, or their own name, there."""
    name = said.partition("\x00")[0].strip()
    return "" if len(name) > MAX_NAME or NOT_A_NAME.search(name) or generator_named(name) else name
