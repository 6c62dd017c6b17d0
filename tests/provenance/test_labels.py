"""Labels of laws and standards, wherever generators put them."""

from __future__ import annotations

import json
from html import escape

import pytest

from provenance import collect, contradiction
from tests.pictures import encode, photo
from tests.provenance.files import USER_COMMENT, exif, jpeg, photoshop, png, segment, xmp

LABEL = json.dumps({"Label": "1", "ContentProducer": "doubao", "ProduceID": "7"})
TC260 = 'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"'


def pointing(data: bytes) -> list[tuple[str, str | None]]:
    return [(piece.kind, piece.points_to) for piece in collect(data)]


def in_xmp(label: str, prefix: str = "TC260") -> bytes:
    bound = TC260.replace("TC260=", f"{prefix}=")
    return xmp(f"{bound}><{prefix}:AIGC>{escape(label)}</{prefix}:AIGC></rdf:Description>")


@pytest.mark.parametrize(
    "data",
    [
        jpeg(xmp=in_xmp(LABEL)),
        jpeg(xmp=in_xmp(LABEL, prefix="other")),
        jpeg(xmp=xmp(f'{TC260} TC260:AIGC="{escape(LABEL)}"/>')),
        encode(photo(1), "WEBP", xmp=in_xmp(LABEL)),
        png({"AIGC": LABEL}),
        png({"AIGC": json.dumps({"AIGC": json.loads(LABEL)})}),
        png({"AIGC": json.dumps({"AIGC": LABEL})}),
        jpeg(
            exif=exif(taking={USER_COMMENT: b"ASCII\0\0\0" + b'{"AIGC":' + LABEL.encode() + b"}"})
        ),
        jpeg(exif=exif({0x010E: '{"AIGC":' + LABEL + "}"})),
        segment(0xE9, b"AIGC" + LABEL.encode()),
    ],
    ids=range(10),
)
def test_the_label_of_china_s_rules_points_to_ai_wherever_it_stands(data: bytes) -> None:
    (piece,) = [one for one in collect(data) if one.kind == "label"]
    assert (piece.status, piece.points_to) == ("unsigned", "ai")
    assert piece.detail["producer"] == "doubao"
    assert contradiction([piece], "real") is piece


@pytest.mark.parametrize("value", ["2", "3"])
def test_what_is_only_suspected_points_nowhere(value: str) -> None:
    found = collect(png({"AIGC": LABEL.replace('"1"', f'"{value}"')}))
    assert [(piece.kind, piece.points_to) for piece in found] == [("label", None)]
    assert contradiction(found, "real") is None


@pytest.mark.parametrize(
    "text",
    [
        "AIGC is the talk of the town",
        '{"AIGC": "what everybody asks about"}',
        '{"AIGC": {"Label": "1"}, "x": ',
        '{"AIGC": {"Label": "9", "ProduceID": "1"}}',
        '{"AIGC": {"Name": "1"}}',
        '{"AIGC": ["1"]}',
        '["AIGC"]',
    ],
)
def test_speaking_of_it_is_no_label(text: str) -> None:
    assert collect(png({"AIGC": text})) == ()
    assert collect(png({"Comment": text})) == ()


SIGNATURE = "Signature: " + "QUJD" * 75
NUMBER = "3f2b8c1e-0f6a-4d53-9a41-5d2f6c7e8a90"


def test_the_signature_and_number_of_grok_point_to_ai() -> None:
    found = collect(jpeg(exif=exif({0x010E: SIGNATURE, 0x013B: NUMBER})))
    assert ("generator", "ai") in [(piece.kind, piece.points_to) for piece in found]
    assert found[0].detail["program"] == "Grok"


@pytest.mark.parametrize(
    ("description", "artist"),
    [
        (SIGNATURE, "Ann"),
        ("Signature: Ann", NUMBER),
        (f"{SIGNATURE} and more", NUMBER),
        ("", NUMBER),
    ],
)
def test_half_of_it_accuses_nobody(description: str, artist: str) -> None:
    data = jpeg(exif=exif({0x010E: description, 0x013B: artist}))
    assert not any(piece.points_to for piece in collect(data))


def test_the_system_that_was_used_is_told() -> None:
    system = 'Iptc4xmpExt:AISystemUsed="Firefly" Iptc4xmpExt:AISystemVersionUsed="3"'
    found = collect(jpeg(xmp=xmp(f'{system} Iptc4xmpExt:AIPromptInformation="a cat"/>')))
    assert [(piece.kind, piece.points_to) for piece in found] == [("iptc", None)]
    assert (found[0].detail["system"], found[0].detail["prompt"]) == ("Firefly 3", "a cat")
    assert contradiction(found, "real")


@pytest.mark.parametrize("credit", ["Made with Google AI", "Midjourney", "DALL·E 3"])
def test_the_credit_of_a_generator_is_read_in_both_places(credit: str) -> None:
    for data in (jpeg(xmp=xmp(f'photoshop:Credit="{credit}"/>')), photoshop({110: credit})):
        assert pointing(data) == [("generator", "ai")]
