"""The real files that the project is measured with; they are not part of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from domain import Evidence
from provenance import collect, contradiction

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "provenance"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"NOT TESTED ON REAL FILES: {DATA} is not there"
)


def read(kind: str) -> dict[str, tuple[Evidence, ...]]:
    return {path.name: collect(path.read_bytes()) for path in sorted((DATA / kind).iterdir())}


@pytest.mark.parametrize(
    ("kind", "program"),
    [
        ("a1111_parameters", "AUTOMATIC1111"),
        ("a1111_parameters_exif", "AUTOMATIC1111"),
        ("comfy_workflow", "ComfyUI"),
    ],
)
def test_every_generators_file_is_known_for_what_it_is(kind: str, program: str) -> None:
    for name, found in read(kind).items():
        piece = contradiction(found, "real")
        assert piece is not None and piece.points_to == "ai", name
        assert program in piece.detail["program"], name


def test_a_workflow_in_make_and_model_is_no_camera() -> None:
    found = read("comfy_workflow_webp_exif")
    for name, pieces in found.items():
        kinds = {piece.kind: piece.points_to for piece in pieces}
        if name.endswith(".webp"):
            assert kinds == {"generator": "ai"}, name
        else:  # a photograph that was given to a workflow, with its camera's EXIF
            assert kinds == {"camera": "real"}, name


def test_credentials_alone_accuse_nobody() -> None:
    found = read("c2pa")
    signed = {name: pieces[0] for name, pieces in found.items()}
    assert {piece.kind for piece in signed.values()} == {"c2pa"}
    accused = {name for name, pieces in found.items() if contradiction(pieces, "real")}
    # this one was opened in Photoshop as Firefly had made it
    assert accused == {"contentauth__sdk_tests_fixtures_ocsp.jpg"}
    statuses = Counter(piece.status for piece in signed.values())
    assert statuses == {"untrusted_issuer": 18, "tampered": 4, "unreadable": 2}


def test_no_file_of_a_camera_is_accused() -> None:
    for name, found in read("exif_camera").items():
        assert contradiction(found, "real") is None, name
        assert contradiction(found, "ai") is None, name
        assert "camera" in {piece.kind for piece in found}, name
        assert {piece.points_to for piece in found} <= {"real", None}, name


def test_a_source_type_of_a_model_points_to_ai() -> None:
    for name, found in read("iptc_trainedAlgorithmicMedia").items():
        assert contradiction(found, "real") is not None, name
        assert any(piece.points_to == "ai" for piece in found), name


def test_other_source_types_do_not() -> None:
    found = read("iptc_algorithmicMedia_other")
    assert {piece.points_to for pieces in found.values() for piece in pieces} == {None}
    touched = {name for name, pieces in found.items() if contradiction(pieces, "real")}
    assert touched == {name for name in found if "fake" in name}  # filled in by Photoshop
