"""Programs that changed a picture, sites that passed it on, authors: told, pointing to nothing."""

from __future__ import annotations

import pytest

from domain import Evidence
from provenance import collect, contradiction
from tests.provenance.files import (
    exif,
    history,
    jpeg,
    photoshop,
    png,
    samsung,
    segment,
    source_type,
    xmp,
)

CAMERA = {0x010F: "Canon", 0x0110: "Canon EOS 90D"}
TAKING = {0x829A: (1, 200), 0x829D: (28, 10), 0x8827: 200}


def kinds(data: bytes) -> dict[str, Evidence]:
    return {piece.kind: piece for piece in collect(data)}


@pytest.mark.parametrize(
    ("said", "program"),
    [
        ("Adobe Photoshop 25.3 (Macintosh)", "Adobe Photoshop"),
        ("Adobe Photoshop Lightroom Classic 13.1", "Adobe Photoshop Lightroom"),
        ("Adobe Lightroom 5.3 (Macintosh)", "Adobe Lightroom"),
        ("GIMP 2.10.36", "GIMP"),
        ("Snapseed 2.0", "Snapseed"),
        ("PicsArt", "PicsArt"),
        ("darktable 4.6.1", "darktable"),
        ("Topaz Photo AI 3.0", "Topaz Photo AI"),
        ("Created with GIMP", "GIMP"),
    ],
)
def test_known_software_is_named_and_points_nowhere(said: str, program: str) -> None:
    for data in (
        jpeg(exif=exif({0x0131: said})),
        jpeg(xmp=xmp(f'xmp:CreatorTool="{said}"/>')),
        photoshop({65: said}),
        png({"Software": said}),
    ):
        found = collect(data)
        assert [(one.kind, one.status, one.points_to) for one in found] == [
            ("edited", "unsigned", None)
        ]
        assert found[0].detail["programs"][0]["program"] == program
        assert contradiction(found, "real") is contradiction(found, "ai") is None


@pytest.mark.parametrize(
    "said", ["Ver.1.02", "HDR+ 1.0.585804376zd", "Photoshopped by Ann", "17.1", "MediaTek Camera"]
)
def test_a_camera_s_own_software_edits_nothing(said: str) -> None:
    assert set(kinds(jpeg(exif=exif({0x0131: said, **CAMERA}, TAKING)))) == {"camera"}


def test_an_edit_takes_nothing_from_a_camera_s_photograph() -> None:
    block = exif({0x0131: "Adobe Lightroom 5.3 (Macintosh)", **CAMERA}, TAKING)
    found = collect(jpeg(exif=block))
    assert [(one.kind, one.points_to) for one in found] == [("camera", "real"), ("edited", None)]


def test_the_history_of_edits_is_told_in_order() -> None:
    data = jpeg(
        xmp=history(
            {"action": "created", "softwareAgent": "Adobe Photoshop 21.1 (Macintosh)"},
            {"action": "saved", "softwareAgent": "GIMP 2.10", "when": "2024-01-01T00:00:00"},
        )
    )
    piece = kinds(data)["edited"]
    assert [one["program"] for one in piece.detail["programs"]] == ["Adobe Photoshop", "GIMP"]
    assert [one["action"] for one in piece.detail["history"]] == ["created", "saved"]
    assert "Adobe Photoshop 21.1 (Macintosh) and GIMP 2.10" in piece.claim


def test_a_history_written_as_elements_is_read_too() -> None:
    inner = (
        '><xmpMM:History><rdf:Seq><rdf:li rdf:parseType="Resource">'
        "<stEvt:action>saved</stEvt:action><stEvt:softwareAgent>GIMP 2.10</stEvt:softwareAgent>"
        "</rdf:li></rdf:Seq></xmpMM:History></rdf:Description>"
    )
    piece = kinds(jpeg(xmp=xmp(inner)))["edited"]
    assert piece.detail["history"] == [{"action": "saved", "softwareAgent": "GIMP 2.10"}]


@pytest.mark.parametrize("credit", ["Edited with Google AI", "Apple Photos Clean Up"])
def test_a_model_that_filled_parts_rules_an_untouched_photograph_out(credit: str) -> None:
    for data in (jpeg(xmp=xmp(f'photoshop:Credit="{credit}"/>')), photoshop({110: credit})):
        found = collect(data)
        assert [(one.kind, one.points_to) for one in found] == [("edited", None)]
        assert contradiction(found, "real") and not contradiction(found, "ai")


def test_a_generator_in_the_history_changed_parts_and_made_nothing() -> None:
    found = collect(jpeg(xmp=history({"action": "edited", "softwareAgent": "Adobe Firefly 3"})))
    assert [(one.kind, one.points_to) for one in found] == [("edited", None)]
    assert contradiction(found, "real")


def test_the_gallery_of_a_samsung_is_an_editor() -> None:
    piece = kinds(samsung({"PhotoEditor_Re_Edit_Data": b"{}"}))["edited"]
    assert piece.detail["programs"][0]["program"] == "Samsung's gallery"


def test_the_comment_of_a_server_s_library_is_known() -> None:
    comment = b"CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 90\n"
    piece = kinds(segment(0xFE, comment))["edited"]
    assert piece.detail["programs"][0]["program"] == "gd-jpeg"


def test_what_facebook_delivered_says_so_and_no_more() -> None:
    data = photoshop({40: "FBMD01000abe0300009b210000d3440000"})
    assert [(one.kind, one.points_to) for one in collect(data)] == [("delivered", None)]
    assert collect(photoshop({40: "Please credit the author"})) == ()


def test_byline_credit_and_caption_are_told() -> None:
    data = photoshop({80: "Ian Britton", 110: "FreeFoto.com", 120: "A boat", 116: "(c) Ian"})
    detail = kinds(data)["credit"].detail
    assert (detail["author"], detail["credit"]) == ("Ian Britton", "FreeFoto.com")
    assert (detail["caption"], detail["copyright"]) == ("A boat", "(c) Ian")


def test_an_author_is_found_in_exif_and_xmp_too() -> None:
    creator = "><dc:creator><rdf:Seq><rdf:li>Ann</rdf:li></rdf:Seq></dc:creator></rdf:Description>"
    for data in (jpeg(exif=exif({0x013B: "Ann"})), jpeg(xmp=xmp(creator))):
        assert kinds(data)["credit"].detail["author"] == "Ann"


def test_a_caption_alone_credits_nobody() -> None:
    assert collect(photoshop({120: "A boat"})) == ()


def test_a_source_type_stands_beside_the_program() -> None:
    packet = source_type("digitalCapture") + xmp('xmp:CreatorTool="GIMP 2.10"/>')
    found = [(one.kind, one.points_to) for one in collect(jpeg(xmp=packet))]
    assert found == [("iptc", "real"), ("edited", None)]
