"""What is written in a file unsigned: IPTC source types, generators' texts, a camera's facts.

Anybody can write all of it, and most sites strip it. It is told for what it is.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping

from domain import Evidence
from provenance.exif import Exif, read_exif
from provenance.generators import find_generators
from provenance.parts import Parts
from provenance.sources import AI, REAL, is_captured, is_generated, is_partly, word_of

UNSIGNED = "unsigned"
EASY = {
    "forging": "easy: anybody can write it with a common tool",
    "stripping": "easy: saving the picture anew or uploading it often removes it",
}
SOURCE_TYPE = re.compile(
    r"DigitalSourceType\s{0,9}(?:=\s{0,9}[\"']\s{0,9}|[^<>\"'=]{0,99}>\s{0,99}"
    r"|[\w:]{0,20}resource\s{0,9}=\s{0,9}[\"']\s{0,9})([^\"'<>\s]{1,200})",
    re.I,
)
XMP_TEXTS = (
    "xmp:CreatorTool",
    "photoshop:Credit",
    "exif:UserComment",
    "dc:description",
    "tiff:Software",
)
MANIFEST_ADDRESS = re.compile(
    r"dcterms:provenance\s{0,9}(?:=\s{0,9}[\"']|>\s{0,9})([^\"'<>\s]{1,500})"
)
ATTRIBUTE = re.compile(r"\s{0,9}=\s{0,9}[\"']([^\"']*)")
TAG = re.compile(r"<[^<>]*>")
MAX_XMP_TEXT = 200_000
MAX_NAME = 64
NOT_A_NAME = re.compile(r"[{}\[\]<>=\n\r\ufffd]|^\s*(?:prompt|workflow)\s*:", re.I)


def read_metadata(parts: Parts) -> Iterator[Evidence]:
    """Everything unsigned that a file says about its origin, the strongest first."""
    exif = read_exif(parts.exif) if parts.exif else Exif({}, (), False)
    xmp = _unpacked(parts.xmp)
    texts = {**exif.texts, **parts.texts, **_xmp_texts(xmp)}
    yield from _generators(texts)
    yield from _source_types(xmp)
    yield from _camera(exif)


def manifest_address(parts: Parts) -> str:
    """Where the file says that its C2PA manifest lies on the web; "" where it says nothing."""
    found = MANIFEST_ADDRESS.search(_unpacked(parts.xmp))
    return found[1] if found and found[1].startswith("http") else ""


def _unpacked(xmp: bytes) -> str:
    return xmp.replace(b"\x00", b"").decode("utf-8", "replace")


def _xmp_texts(xmp: str) -> dict[str, str]:
    """A few properties, each written as an attribute, an element, or a list in an element."""
    found = {}
    for name in XMP_TEXTS:
        _, there, after = xmp.partition(name)
        if not there:
            continue
        if (attribute := ATTRIBUTE.match(after)) is not None:
            text = attribute[1]
        else:
            text = TAG.sub(" ", after.partition(">")[2].partition(f"</{name}")[0][:MAX_XMP_TEXT])
        found[name] = html.unescape(text).strip()
    return found


def _generators(texts: Mapping[str, str]) -> Iterator[Evidence]:
    for one in find_generators(texts):
        detail = {**EASY, "program": one.program, "where": one.where, "excerpt": one.excerpt}
        if one.model:
            detail["model"] = one.model
        if one.made:
            claim = f"The file holds the settings with which {one.program} made it ({one.where})."
            yield Evidence("generator", claim, UNSIGNED, AI, {**detail, "contradicts": [REAL]})
        else:
            claim = (
                f"The file holds a workflow of {one.program} that draws nothing by a model"
                f" as far as can be told ({one.where})."
            )
            yield Evidence("generator", claim, UNSIGNED, None, detail)


def _source_types(xmp: str) -> Iterator[Evidence]:
    words = {word.lower(): word for word in map(word_of, SOURCE_TYPE.findall(xmp)) if word}
    generated = any(map(is_generated, words))
    detail = {**EASY, "source_type": ", ".join(words.values())}
    if generated and len(words) == 1:
        claim = "The metadata says that a generative model made the picture."
        yield Evidence("iptc", claim, UNSIGNED, AI, {**detail, "contradicts": [REAL]})
    elif generated or any(map(is_partly, words)):
        claim = "The metadata says that a generative model made parts of the picture."
        yield Evidence("iptc", claim, UNSIGNED, None, {**detail, "contradicts": [REAL]})
    elif words and all(map(is_captured, words)):
        claim = "The metadata says that the picture is a photograph."
        yield Evidence("iptc", claim, UNSIGNED, REAL, detail)
    elif words:
        claim = f"The metadata says how the picture was made: {detail['source_type']}."
        yield Evidence("iptc", claim, UNSIGNED, None, detail)


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
    """A maker's or model's name; programs keep whole workflows in the same place."""
    name = said.partition("\x00")[0].strip()
    return "" if len(name) > MAX_NAME or NOT_A_NAME.search(name) else name
