"""Through whose hands a file says that its picture went: programs, sites, authors.

None of it points to a label. Most photographs that anybody sees went through a program, and
most generated pictures, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from domain import Evidence
from provenance.programs import (
    CHANGING,
    GD,
    MODEL_EDITS,
    editor_named,
    generator_named,
)
from provenance.sources import REAL
from provenance.xmp import Xmp

MAX_PROGRAMS = 8
MAX_STEPS = 20
MAX_SAID = 120
SAMSUNG = "PhotoEditor_Re_Edit_Data"
"""What the gallery of Samsung's phones writes behind a picture that was changed in it."""
HISTORY = "xmpMM:History"
CREDIT = ("iptc:Credit", "photoshop:Credit")
FACEBOOK = "FBMD"
"""What the instructions begin with in a file that Facebook or Instagram delivered."""
CREDITS = {
    "author": ("iptc:Byline", "dc:creator", "Artist", "XPAuthor"),
    "credit": CREDIT,
    "source": ("iptc:Source", "photoshop:Source"),
    "copyright": ("iptc:Copyright", "dc:rights", "Copyright"),
    "caption": ("iptc:Caption", "dc:description", "ImageDescription"),
}


def read_edits(
    texts: Mapping[str, str],
    xmp: Xmp,
    trailer: Mapping[str, bytes],
    unsigned: Mapping[str, str],
) -> Iterator[Evidence]:
    """One piece of evidence that names every program that changed the picture, and when."""
    by_models = _models(texts, xmp)
    found = {one["program"].lower(): one for one in (*_programs(texts, xmp), *by_models)}
    if SAMSUNG in trailer:
        found["samsung"] = {"program": "Samsung's gallery", "where": SAMSUNG, "said": ""}
    if found:
        yield _edited(list(found.values())[:MAX_PROGRAMS], bool(by_models), xmp, unsigned)


def _programs(texts: Mapping[str, str], xmp: Xmp) -> Iterator[dict[str, str]]:
    """The editors that name themselves, each where it does so."""
    for where, said in texts.items():
        comment = where.startswith("comment")
        gd = GD.match(said) if comment else None
        if gd or where in CHANGING or comment:
            if named := gd[1] if gd else editor_named(said):
                yield _program(named, where, said)
    for event in xmp.events:
        if named := editor_named(event.get("softwareAgent", "")):
            yield _program(named, HISTORY, event["softwareAgent"])


def _models(texts: Mapping[str, str], xmp: Xmp) -> list[dict[str, str]]:
    """The generative models that changed parts, as far as a credit or the history says so."""
    credits = {where: MODEL_EDITS.get(texts.get(where, "").strip().lower()) for where in CREDIT}
    found = [_program(program, where, "") for where, program in credits.items() if program]
    for event in xmp.events:
        if named := generator_named(event.get("softwareAgent", "")):
            found.append(_program(named, HISTORY, ""))
    return found


def _program(name: str, where: str, said: str) -> dict[str, str]:
    return {"program": name, "where": where, "said": " ".join(said[:MAX_SAID].split())}


def _edited(
    programs: list[dict[str, str]], by_a_model: bool, xmp: Xmp, unsigned: Mapping[str, str]
) -> Evidence:
    names = [one["said"] if one["said"] else one["program"] for one in programs]
    listed = ", ".join(names[:-1]) + " and " + names[-1] if names[1:] else names[0]
    detail: dict[str, Any] = {**unsigned, "programs": programs}
    steps = [
        {key: value[:MAX_SAID] for key, value in event.items()}
        for event in xmp.events
        if event.keys() & {"action", "softwareAgent"}
    ]
    if steps:
        detail["history"] = steps[:MAX_STEPS]
    claim = f"The metadata says that the picture went through {listed}."
    if by_a_model:
        claim = f"{claim[:-1]}, and that a generative model changed parts of it."
        detail["contradicts"] = [REAL]
    return Evidence("edited", claim, "unsigned", None, detail)


def read_delivery(texts: Mapping[str, str], unsigned: Mapping[str, str]) -> Iterator[Evidence]:
    """A site's own mark: the file is the site's, and what the first one said may be lost."""
    if texts.get("iptc:Instructions", "").startswith(FACEBOOK):
        claim = (
            "The file is one that Facebook or Instagram delivered: it was compressed anew, and"
            " most of what it said before was removed."
        )
        detail = {**unsigned, "where": "iptc:Instructions"}
        yield Evidence("delivered", claim, "unsigned", None, detail)


def read_credit(texts: Mapping[str, str], unsigned: Mapping[str, str]) -> Iterator[Evidence]:
    """Whom the file names as its author or owner."""
    said = {}
    for name, places in CREDITS.items():
        there = (" ".join(texts.get(place, "")[:MAX_SAID].split()) for place in places)
        if text := next(filter(_is_told, there), ""):
            said[name] = text
    who = said.get("author") or said.get("credit") or said.get("copyright")
    if who:
        claim = f"The metadata names {who} as author or owner of the picture."
        yield Evidence("credit", claim, "unsigned", None, {**unsigned, **said})


def _is_told(text: str) -> bool:
    """Whether it says anything that is not said elsewhere: generators are no authors."""
    return bool(text) and not generator_named(text) and text.lower() not in MODEL_EDITS
