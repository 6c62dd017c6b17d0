"""The real files that the project is measured with; they are not part of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from domain import Evidence
from provenance import collect, contradiction

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
DATA, BAD = SHARED / "provenance", SHARED / "badinputs"
Told = tuple[str, str, str | None]
"""Kind, status and label of the strongest piece of evidence."""
UNTRUSTED: Told = ("c2pa", "untrusted_issuer", None)
TAMPERED: Told = ("c2pa", "tampered", None)
UNREADABLE: Told = ("c2pa", "unreadable", None)
SIGNED_AI: Told = ("c2pa", "untrusted_issuer", "ai")
SIGNED_CAMERA: Told = ("c2pa", "untrusted_issuer", "real")
GENERATOR: Told = ("generator", "unsigned", "ai")
CAMERA: Told = ("camera", "unsigned", "real")
NAMED: Told = ("camera", "unsigned", None)
IPTC: Told = ("iptc", "unsigned", "ai")
TABLE: dict[str, tuple[int, Told, dict[str, Told]]] = {
    "a1111_parameters": (8, GENERATOR, {}),
    "a1111_parameters_exif": (21, GENERATOR, {}),
    "comfy_workflow": (8, GENERATOR, {}),
    # a photograph that was given to a workflow, with its camera's EXIF
    "comfy_workflow_webp_exif": (6, GENERATOR, {"comfyanonymo__unclip_sunset.png": CAMERA}),
    "c2pa": (
        24,
        UNTRUSTED,
        {
            "c2pa-org__image_jpeg_adobe-20220124-E-dat-CA.jpg": TAMPERED,
            "c2pa-org__image_jpeg_adobe-20220124-E-uri-CA.jpg": TAMPERED,
            "c2pa-org__image_jpeg_adobe-20220124-XCA.jpg": TAMPERED,
            "contentauth__sdk_tests_fixtures_XCA.jpg": TAMPERED,
            "contentauth__sdk_tests_fixtures_no_alg.jpg": UNREADABLE,
            "contentauth__sdk_tests_fixtures_prerelease.jpg": UNREADABLE,
            "contentauth__cli_tests_fixtures_C_with_CAWG_data.jpg": SIGNED_CAMERA,
            # this one was opened in Photoshop as Firefly had made it
            "contentauth__sdk_tests_fixtures_ocsp.jpg": SIGNED_AI,
        },
    ),
    "exif_camera": (
        39,
        CAMERA,
        {
            "drewnoakes__jpg_FLIR_iPhone_device.jpg": NAMED,
            "drewnoakes__jpg_Panasonic_NV-GX7.jpg": NAMED,
            "ianare__jpg_tests_67-0_length_string.jpg": NAMED,
        },
    ),
    "iptc_trainedAlgorithmicMedia": (
        8,
        SIGNED_AI,
        {
            "AlexanderFje__public_images_fake_35.jpg": IPTC,
            "skvarcaleks__public_images_4.png": GENERATOR,
            "skvarcaleks__public_images_9.png": GENERATOR,
            "skvarcaleks__public_images_airplane-fake.png": GENERATOR,
        },
    ),
    # three were filled in by Photoshop's generative model, which makes parts only
    "iptc_algorithmicMedia_other": (4, UNTRUSTED, {}),
}
ORDINARY = ("camera", "edited", "credit", "delivered")

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"NOT TESTED ON REAL FILES: {DATA} is not there"
)


def read(kind: str) -> dict[str, tuple[Evidence, ...]]:
    return {path.name: collect(path.read_bytes()) for path in sorted((DATA / kind).iterdir())}


@pytest.mark.parametrize("kind", TABLE)
def test_every_file_is_known_for_what_it_is(kind: str) -> None:
    count, usual, others = TABLE[kind]
    found = read(kind)
    assert len(found) == count
    assert others.keys() <= found.keys()
    for name, (strongest, *_) in found.items():
        told = strongest.kind, strongest.status, strongest.points_to
        assert told == others.get(name, usual), name


def test_nothing_ordinary_points_to_ai_and_nothing_changed_is_valid() -> None:
    for kind in TABLE:
        for name, found in read(kind).items():
            for piece in found:
                assert piece.status != "valid", name  # no trust list: nobody is trusted
                assert piece.kind not in ORDINARY or piece.points_to != "ai", name
                if piece.status in ("tampered", "unreadable"):
                    assert piece.points_to is None and "contradicts" not in piece.detail, name


def test_every_piece_says_how_easily_it_is_stripped() -> None:
    for kind in TABLE:
        for name, found in read(kind).items():
            assert all("easy" in piece.detail["stripping"] for piece in found), name


def test_the_programs_that_changed_a_picture_are_named() -> None:
    named = {
        name: [program["program"] for program in piece.detail["programs"]]
        for kind in TABLE
        for name, found in read(kind).items()
        for piece in found
        if piece.kind == "edited"
    }
    assert named["contentauth__sdk_tests_fixtures_P1000827.jpg"] == ["Adobe Lightroom"]
    assert named["exiftool__t_images_GPS.jpg"] == ["Adobe Photoshop"]
    assert named["ianare__jpg_Pentax_K10D.jpg"] == ["GIMP", "Adobe Photoshop Elements"]
    assert len(named) == 16


def test_the_model_that_a_manifest_names_is_told() -> None:
    for name, (signed, *_) in read("iptc_trainedAlgorithmicMedia").items():
        if signed.kind == "c2pa":
            assert signed.detail["ai_tools"] == ["Adobe Firefly"], name


def test_odd_broken_and_hostile_files_are_read_without_harm() -> None:
    if not BAD.is_dir():
        pytest.skip(f"NOT TESTED ON HOSTILE FILES: {BAD} is not there")
    paths = sorted(path for path in BAD.rglob("*") if path.is_file())
    assert len(paths) >= 1434
    for path in paths:
        for piece in collect(path.read_bytes()):
            assert piece.points_to != "ai", path.name  # none of them was generated


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
