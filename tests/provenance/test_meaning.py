"""What is written down about evidence, and what its pieces must always say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import provenance
from domain import Evidence
from provenance import KINDS, collect
from provenance.apart import SECONDS
from provenance.containers import GIF_BLOCKS
from provenance.credentials import MEMORY
from provenance.generators import MAX_PIECES
from provenance.jpeg import MAX_SEGMENTS
from provenance.parts import MAX_PARTS, MAX_TEXT
from provenance.xmp import MAX_BYTES
from tests.provenance.files import (
    A1111,
    exif,
    jpeg,
    photoshop,
    png,
    signed,
    source_type,
    xmp,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "provenance.md"
CAMERA = {0x010F: "Canon", 0x0110: "Canon EOS 90D", 0x0131: "GIMP 2.10", 0x013B: "Ann"}
TAKING = {0x829A: (1, 200), 0x829D: (28, 10)}
FILES = {
    "c2pa": signed("trainedAlgorithmicMedia"),
    "generator": png({"parameters": A1111}),
    "label": png({"AIGC": '{"Label": "1", "ProduceID": "7"}'}),
    "iptc": jpeg(xmp=source_type("digitalCapture")),
    "camera": jpeg(exif=exif(CAMERA, TAKING)),
    "edited": jpeg(xmp=xmp('xmp:CreatorTool="GIMP 2.10"/>')),
    "delivered": photoshop({40: "FBMD01000abe0300"}),
    "credit": photoshop({80: "Ann"}),
}


def rows() -> dict[str, str]:
    """The lines of the page's tables by the word that they begin with."""
    return dict(re.findall(r"^\| `([\w]+)` \| (.*)$", PAGE.read_text(encoding="utf-8"), re.M))


def test_there_is_a_file_for_every_kind() -> None:
    assert tuple(FILES) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_piece_says_what_it_claims_and_how_easily_it_is_faked(kind: str) -> None:
    (piece,) = [one for one in collect(FILES[kind]) if one.kind == kind]
    assert piece.claim.endswith(".") and len(piece.claim) < 400
    assert piece.detail["forging"] and piece.detail["stripping"]
    assert piece.points_to in ("ai", "real", None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_explains_every_kind(kind: str) -> None:
    assert kind in rows()


@pytest.mark.parametrize("status", [*provenance.HOLDS, *provenance.FAILED])
def test_the_page_explains_every_status(status: str) -> None:
    assert status in rows()


def test_the_page_states_the_bounds_that_are_kept() -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    for bound in (
        f"{MAX_PARTS:,} chunks",
        f"{MAX_SEGMENTS:,} segments",
        f"{GIF_BLOCKS:,} GIF blocks",
        f"{MAX_TEXT // 1_000_000} MB of text",
        f"{MAX_BYTES // 1000} kB of XMP",
        f"{MAX_PIECES:,} pieces of JSON",
        f"{MEMORY >> 30} GB and {SECONDS:g} seconds",
    ):
        assert bound in page


def test_the_strongest_comes_first() -> None:
    main = {**CAMERA, 0x010E: "Steps: 20, Sampler: Euler a, CFG scale: 7"}
    packet = source_type("trainedAlgorithmicMedia")
    found = collect(signed("digitalCapture", picture=jpeg(exif=exif(main, TAKING), xmp=packet)))
    kinds = [piece.kind for piece in found]
    assert kinds == ["c2pa", "generator", "iptc", "camera", "edited", "credit"]
    assert kinds == sorted(kinds, key=KINDS.index)


def test_absence_points_to_nothing() -> None:
    assert collect(jpeg()) == collect(b"") == collect(b"not a picture") == ()


def test_evidence_is_made_of_plain_words() -> None:
    """It is kept in the database and signed as JSON."""

    def plain(value: object) -> bool:
        if isinstance(value, dict):
            return all(isinstance(key, str) and plain(one) for key, one in value.items())
        if isinstance(value, list):
            return all(map(plain, value))
        return value is None or isinstance(value, str | int | bool)

    pieces: list[Evidence] = [piece for data in FILES.values() for piece in collect(data)]
    assert all(plain(dict(piece.detail)) for piece in pieces)
