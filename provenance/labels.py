"""Labels that a law or a standard asks for where a generative model had a hand in a picture.

References
----------
GB 45438-2025, Annex E, and TC260-PG-20258A: the label of China's rules, JSON called `AIGC`, in
XMP, in PNG text, in EXIF. IPTC Photo Metadata Standard 2025.1: AI System Used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from domain import Evidence
from provenance.sources import AI, REAL

MAX_LABEL = 20_000
FIELDS = frozenset({"Label", "ContentProducer", "ProduceID", "ContentPropagator", "PropagateID"})
CERTAIN = "1"
SAYS = {
    CERTAIN: "is made or composed by a generative model",
    "2": "may be made or composed by a generative model",
    "3": "is suspected to be made or composed by a generative model",
}
"""The three values of `Label`; a platform that passes a picture on gives the last two."""
NAMES = frozenset({"AIGC", "TC260:AIGC"})


def read_label(texts: Mapping[str, str], unsigned: Mapping[str, str]) -> Iterator[Evidence]:
    """The label of China's rules, if a file has one that is built as the standard says."""
    for where, text in texts.items():
        label = _label(where, text)
        said = SAYS.get(str(label.get("Label", "")))
        if said is None:
            continue
        certain = str(label["Label"]) == CERTAIN
        detail: dict[str, Any] = {**unsigned, "where": where, "label": str(label["Label"])}
        for name, field in (("producer", "ContentProducer"), ("propagator", "ContentPropagator")):
            if isinstance(value := label.get(field), str) and value:
                detail[name] = value[:120]
        if certain:
            detail["contradicts"] = [REAL]
        claim = f"A label of the kind that China's rules ask for says that the picture {said}."
        yield Evidence("label", claim, "unsigned", AI if certain else None, detail)
        return


def _label(where: str, text: str) -> Mapping[str, Any]:
    if len(text) > MAX_LABEL or ("AIGC" not in where and "AIGC" not in text):
        return {}
    try:
        said = json.loads(text.strip("\x00 \r\n"))
    except (ValueError, RecursionError):
        return {}
    inner = said.get("AIGC", said if where in NAMES else None) if isinstance(said, dict) else None
    if isinstance(inner, str):  # written as text within text
        return _label("AIGC", inner) if inner.lstrip().startswith("{") else {}
    return inner if isinstance(inner, dict) and inner.keys() & FIELDS else {}
