"""The digital source types of the IPTC, which C2PA and XMP share, and what each points to.

References
----------
https://cv.iptc.org/newscodes/digitalsourcetype/
"""

from __future__ import annotations

from domain import AI as AI
from domain import REAL as REAL

GENERATED = frozenset({"trainedalgorithmicmedia"})
PARTLY = frozenset({"compositewithtrainedalgorithmicmedia", "compositesynthetic"})
CAPTURED = frozenset(
    {"digitalcapture", "computationalcapture", "negativefilm", "positivefilm", "print"}
)


def word_of(source_type: object) -> str:
    """The last word of a source type, which is written as an address; "" where it is none."""
    if not isinstance(source_type, str):
        return ""
    return source_type.strip().rstrip("/").replace(":", "/").rsplit("/", 1)[-1][:80]


def is_generated(word: str) -> bool:
    """Whether the whole picture is a generative model's."""
    return word.lower() in GENERATED


def is_partly(word: str) -> bool:
    """Whether parts of the picture are."""
    return word.lower() in PARTLY


def is_captured(word: str) -> bool:
    """Whether it is a photograph, of a camera or scanned."""
    return word.lower() in CAPTURED
