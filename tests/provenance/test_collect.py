from __future__ import annotations

from pathlib import Path

import pytest

from domain import Evidence
from provenance import collect, contradiction
from tests.pictures import encode, photo
from tests.provenance.files import (
    A1111,
    IPTC,
    USER_COMMENT,
    certificates,
    exif,
    jpeg,
    png,
    signed,
    source_type,
    workflow,
    xmp,
)

SAMPLER = workflow("CheckpointLoaderSimple", "KSampler", "SaveImage")
COMPOSITE = "compositeWithTrainedAlgorithmicMedia"
JOB = f"{'a' * 8}-bbbb-4ccc-8ddd-{'e' * 12}"
CAMERA = {0x010F: "Canon", 0x0110: "Canon EOS 90D"}
TAKING = {0x829A: (1, 200), 0x829D: (28, 10), 0x8827: 200, 0x920A: (50, 1)}


def only(data: bytes) -> Evidence:
    (piece,) = collect(data)
    return piece


def only_with(data: bytes, anchors: Path | None) -> Evidence:
    (piece,) = collect(data, anchors=anchors)
    return piece


def pointing(data: bytes) -> list[tuple[str, str | None]]:
    return [(piece.kind, piece.points_to) for piece in collect(data)]


# --- generators ---


@pytest.mark.parametrize(
    ("texts", "program"),
    [
        ({"parameters": A1111}, "Stable Diffusion web UI (AUTOMATIC1111)"),
        ({"prompt": SAMPLER}, "ComfyUI"),
        ({"workflow": '{"nodes": [{"type": "KSampler", "inputs": []}]}'}, "ComfyUI"),
        ({"Software": "NovelAI", "Comment": "{}"}, "NovelAI"),
        ({"Title": "AI generated image"}, "NovelAI"),
        ({"invokeai_metadata": "{}"}, "InvokeAI"),
        ({"Dream": '"a cat" -s 50 -S 1234 -W 512 -H 512 -C 7.5 -A k_lms'}, "InvokeAI"),
        ({"Description": f"a cat --v 7 Job ID: {'a' * 8}-bbbb-4ccc-8ddd-{'e' * 12}"}, "Midjourney"),
        ({"parameters": '{"sui_image_params": {"seed": 1}}'}, "SwarmUI"),
        ({"data": '{"prompt": "a cat", "seed": 1, "steps": 20}'}, "a picture generator"),
        ({"prompt": "a cat", "seed": "1", "num_inference_steps": "20"}, "a picture generator"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_the_text_of_a_generator_in_a_png_points_to_ai(
    texts: dict[str, str], program: str, packed: bool
) -> None:
    piece = only(png(texts, packed=packed))
    assert (piece.kind, piece.status, piece.points_to) == ("generator", "unsigned", "ai")
    assert piece.detail["program"] == program
    assert contradiction([piece], "real") is piece
    assert contradiction([piece], "ai") is None


@pytest.mark.parametrize(
    "texts",
    [
        {"Description": "What Midjourney and Stable Diffusion have done to photography"},
        {"parameters": "Steps: 3 up to the church"},
        {"Description": "Walk, Steps: 12, Seed: 4"},
        {"Comment": "Steps: 900, Size: XL, Model: Ann, Seed: none"},
        {"Comment": f"Print of Ann. Job ID: {JOB}"},
        {"Description": f"Job ID: {JOB} at the printer's, photo by me"},
        {"Comment": '{"prompt": "shutter"}'},
        {"workflow": '{"nodes": "none"}'},
        {"workflow": "[" * 100_000},
        {"Title": "Steps"},
    ],
)
def test_other_texts_say_nothing(texts: dict[str, str]) -> None:
    assert collect(png(texts)) == ()


@pytest.mark.parametrize(
    "said", ["Walk, Steps: 12, Seed: 4", f"Photo by me. Job ID: {JOB}", "Steps: 9, Sampler: Ann"]
)
def test_a_photographer_s_words_accuse_nobody(said: str) -> None:
    described = jpeg(exif=exif({0x010E: said, **CAMERA}, TAKING))
    assert pointing(described) == [("camera", "real")]


@pytest.mark.parametrize(
    "said",
    [
        A1111,
        "a cat\nSteps: 25, Size: 512x512, Seed: 1, Model: v1-5, CFG scale: 7",
        "a cat\nSteps: 4, Sampler: DPM++ 2M, Schedule type: Karras, Seed: 77",
    ],
)
def test_the_settings_of_web_uis_are_known_in_any_order(said: str) -> None:
    assert only(png({"parameters": said})).points_to == "ai"
    assert only(jpeg(exif=exif({0x010E: said}))).points_to == "ai"


def test_a_workflow_that_draws_nothing_points_nowhere() -> None:
    piece = only(png({"prompt": workflow("LoadImage", "ImageScale", "SaveImage")}))
    assert (piece.kind, piece.points_to) == ("generator", None)
    assert contradiction([piece], "real") is None


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le"])
@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_settings_in_the_user_comment_are_read_in_either_byte_order(
    encoding: str, form: str
) -> None:
    block = exif(taking={USER_COMMENT: b"UNICODE\x00" + A1111.encode(encoding)})
    assert pointing(encode(photo(1), form, exif=block)) == [("generator", "ai")]


def test_settings_in_the_comment_of_a_jpeg_are_read() -> None:
    assert pointing(jpeg(comment=A1111)) == [("generator", "ai")]


def test_a_text_after_the_pixels_is_read() -> None:
    data = png()
    end, late = data[-12:], png({"parameters": A1111})
    chunk = late[late.index(b"tEXt") - 4 :][: 12 + len("parameters") + 1 + len(A1111)]
    assert pointing(data[:-12] + chunk + end) == [("generator", "ai")]


# --- IPTC ---


@pytest.mark.parametrize(
    ("word", "points_to", "against_real"),
    [
        ("trainedAlgorithmicMedia", "ai", True),
        ("compositeWithTrainedAlgorithmicMedia", None, True),
        ("digitalCapture", "real", False),
        ("algorithmicMedia", None, False),
        ("digitalArt", None, False),
    ],
)
def test_the_source_type_says_what_a_picture_is(
    word: str, points_to: str | None, against_real: bool
) -> None:
    for data in (
        jpeg(xmp=source_type(word)),
        png({"XML:com.adobe.xmp": source_type(word).decode()}),
    ):
        found = collect(data)
        assert [(piece.kind, piece.points_to) for piece in found] == [("iptc", points_to)]
        assert (contradiction(found, "real") is not None) == against_real
        assert contradiction(found, "ai") is None


@pytest.mark.parametrize(
    "inner",
    [
        "><Iptc4xmpExt:DigitalSourceType>{}</Iptc4xmpExt:DigitalSourceType></rdf:Description>",
        '><plus:DigitalSourceType rdf:resource="{}"/></rdf:Description>',
        "Iptc4xmpExt:DigitalSourceType = '{}'/>",
    ],
)
def test_however_the_source_type_is_written(inner: str) -> None:
    address = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    assert pointing(jpeg(xmp=xmp(inner.format(address)))) == [("iptc", "ai")]


def test_one_generated_layer_among_photographs_is_a_part() -> None:
    both = source_type("trainedAlgorithmicMedia") + source_type("digitalCapture")
    assert pointing(jpeg(xmp=both)) == [("iptc", None)]
    assert contradiction(collect(jpeg(xmp=both)), "real")


def test_settings_within_xmp_are_read() -> None:
    inner = (
        "><exif:UserComment><rdf:Alt><rdf:li xml:lang='x-default'>"
        f"{A1111}</rdf:li></rdf:Alt></exif:UserComment></rdf:Description>"
    )
    assert pointing(jpeg(xmp=xmp(inner))) == [("generator", "ai")]


def test_the_credit_of_a_generator_is_read() -> None:
    assert pointing(jpeg(xmp=xmp('photoshop:Credit="Made with Google AI"/>'))) == [
        ("generator", "ai")
    ]


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "AVIF"])
def test_exif_and_xmp_are_found_in_every_format(form: str) -> None:
    packet = source_type("trainedAlgorithmicMedia")
    assert pointing(encode(photo(1), form, xmp=packet)) == [("iptc", "ai")]
    assert pointing(encode(photo(1), form, exif=exif(CAMERA, TAKING))) == [("camera", "real")]


def test_what_a_png_and_a_gif_say_is_found() -> None:
    packet = source_type("trainedAlgorithmicMedia")
    assert pointing(encode(photo(1), "PNG", exif=exif(CAMERA, TAKING))) == [("camera", "real")]
    assert pointing(encode(photo(1), "GIF", comment=A1111.encode())) == [("generator", "ai")]
    plain = encode(photo(1), "GIF")
    with_xmp = plain[:-1] + b"\x21\xff\x0bXMP DataXMP" + packet + b"\x01\0" + plain[-1:]
    assert pointing(with_xmp) == [("iptc", "ai")]


def test_what_imagemagick_keeps_as_a_raw_profile_is_read() -> None:
    block = exif(CAMERA, TAKING).tobytes()
    raw = f"\nexif\n{len(block):8}\n{block.hex()}\n"
    assert pointing(png({"Raw profile type exif": raw}, packed=True)) == [("camera", "real")]


# --- cameras ---


def test_a_camera_points_to_real_and_rules_nothing_out() -> None:
    found = collect(jpeg(exif=exif(CAMERA, TAKING)))
    assert [(piece.kind, piece.points_to) for piece in found] == [("camera", "real")]
    assert found[0].detail["camera"] == "Canon EOS 90D"
    assert "easy" in found[0].detail["forging"]
    assert contradiction(found, "ai") is None


def test_the_name_of_a_camera_alone_points_nowhere() -> None:
    assert pointing(jpeg(exif=exif(CAMERA))) == [("camera", None)]


def test_a_workflow_in_the_place_of_the_camera_is_no_camera() -> None:
    main = {0x010F: f"workflow:{SAMPLER}", 0x0110: f"prompt:{SAMPLER}"}
    found = collect(encode(photo(1), "WEBP", exif=exif(main, TAKING)))
    assert ("generator", "ai") in [(piece.kind, piece.points_to) for piece in found]
    assert not any(piece.points_to == "real" for piece in found)


def test_a_plain_picture_says_nothing() -> None:
    for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"):
        assert collect(encode(photo(1), form)) == ()


# --- content credentials ---


@pytest.fixture
def anchors(tmp_path: Path) -> Path:
    path = tmp_path / "trusted.pem"
    path.write_bytes(certificates()[0])
    return path


def test_a_signed_generator_points_to_ai_whoever_signed() -> None:
    piece = only(signed("trainedAlgorithmicMedia"))
    assert (piece.kind, piece.status, piece.points_to) == ("c2pa", "untrusted_issuer", "ai")
    assert piece.detail["issuer"] == "Camera of the tests"
    assert contradiction([piece], "real")


def test_a_signed_camera_rules_ai_out_only_when_the_signer_is_trusted(anchors: Path) -> None:
    data = signed("digitalCapture")
    strange, known = collect(data), collect(data, anchors=anchors)
    assert [piece[0].status for piece in (strange, known)] == ["untrusted_issuer", "valid"]
    assert [piece[0].points_to for piece in (strange, known)] == ["real", "real"]
    assert contradiction(strange, "ai") is None
    assert contradiction(known, "ai") is known[0]
    assert "easy" in strange[0].detail["forging"] and "hard" in known[0].detail["forging"]


def test_a_changed_file_proves_nothing() -> None:
    data = bytearray(signed("trainedAlgorithmicMedia"))
    data[-40] ^= 1  # among the pixels
    piece = only(bytes(data))
    assert (piece.status, piece.points_to) == ("tampered", None)
    assert contradiction([piece], "real") is None


@pytest.mark.parametrize("trusted", [False, True])
def test_an_expired_certificate_is_told_and_decides_nothing(trusted: bool, tmp_path: Path) -> None:
    roots = tmp_path / "trusted.pem"
    roots.write_bytes(certificates()[0])
    piece = only_with(signed("digitalCapture", expired=True), roots if trusted else None)
    assert (piece.kind, piece.status, piece.points_to) == ("c2pa", "expired", "real")
    assert contradiction([piece], "ai") is None
    assert "easy" in piece.detail["forging"]  # nobody vouches for what has ended
    assert "has expired" in piece.claim


def test_a_changed_file_with_an_expired_certificate_is_changed() -> None:
    data = bytearray(signed("trainedAlgorithmicMedia", expired=True))
    data[-40] ^= 1
    piece = only(bytes(data))
    assert (piece.status, piece.points_to) == ("tampered", None)


def test_what_was_done_and_with_what_is_told() -> None:
    agents = {"softwareAgent": {"name": "Firefly", "version": "4"}}
    fill = {"action": "c2pa.edited", "digitalSourceType": IPTC + COMPOSITE, **agents}
    crop = {"action": "c2pa.cropped"}
    detail = only(signed("digitalCapture", actions=(fill, crop))).detail
    assert detail["actions"] == ["c2pa.created", "c2pa.edited", "c2pa.cropped"]
    assert (detail["generator"], detail["ai_tools"]) == ("Tests 1", ["Firefly 4"])


def test_credentials_alone_do_not_mean_ai() -> None:
    plain = signed(actions=({"action": "c2pa.published"},))
    assert [piece.points_to for piece in collect(plain)] == [None]


def test_what_was_generated_stays_so_through_an_edit() -> None:
    piece = only(signed(parent=signed("trainedAlgorithmicMedia")))
    assert (piece.points_to, piece.detail["source_type"]) == ("ai", "trainedAlgorithmicMedia")


def test_an_edit_by_a_model_makes_parts_of_a_photograph_generated() -> None:
    edit = {
        "action": "c2pa.edited",
        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/"
        "compositeWithTrainedAlgorithmicMedia",
    }
    piece = only(signed("digitalCapture", actions=(edit,)))
    assert (piece.points_to, piece.detail["contradicts"]) == (None, ["real"])


@pytest.mark.parametrize(
    ("form", "media_type"),
    [(name, f"image/{name.lower()}") for name in ("PNG", "WEBP", "GIF", "AVIF")],
)
def test_credentials_are_found_in_other_formats(form: str, media_type: str) -> None:
    picture = encode(photo(1), form)
    data = signed("trainedAlgorithmicMedia", picture=picture, media_type=media_type)
    assert pointing(data) == [("c2pa", "ai")]


def test_credentials_kept_on_the_web_are_told_and_not_fetched() -> None:
    piece = only(jpeg(xmp=xmp('dcterms:provenance="http://127.0.0.1:9/manifest"/>')))
    assert (piece.status, piece.points_to) == ("elsewhere", None)
