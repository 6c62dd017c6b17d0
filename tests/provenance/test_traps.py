"""What must not accuse anybody: words about generators, names that only resemble theirs."""

from __future__ import annotations

import pytest

from provenance import collect, contradiction
from provenance.programs import generator_named
from tests.provenance.files import exif, history, jpeg, photoshop, png, segment, xmp

CAMERA = {0x010F: "Canon", 0x0110: "Canon EOS 90D"}
TAKING = {0x829A: (1, 200), 0x829D: (28, 10), 0x8827: 200, 0x920A: (50, 1)}
SPOKEN = [
    "Midjourney to Lightroom plugin",
    "Midjourney-Export for Photoshop",
    "Imagen",  # it edits photographs in Lightroom
    "Imagen AI Photo Editor Plugin",
    "Firefly Camera Club",
    "Stable Diffusion of Gases, plate 3",
    "Leonardo",
    "Leonardo da Vinci Museum",
    "DALL-E and the end of stock photography",
    "Not made with Midjourney",
    "NoMidjourney 2",
    "Ideogram of the Chinese word for peace",
    "Made with love",
    "Invoke",
    "Playground",
    "Krea",
]
CAPTIONS = [
    *SPOKEN,
    "A visitor looks at pictures made with Midjourney v6 in Berlin",
    "The stairs. Steps: 214, Size: 3 m, Model: spiral, Seed: none",
    "Steps: 20, then left. Sampler: the blue house",
    "Prompt: smile! Negative prompt: none. Steps: all of them",
    "trainedAlgorithmicMedia is what the IPTC calls it",
    'DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"',
    '{"class_type": "KSampler"}',
    '{"prompt": "say cheese", "seed": "sunflower"}',
    "AIGC",
    "Signature: my own",
]


@pytest.mark.parametrize("said", SPOKEN)
@pytest.mark.parametrize("tag", [0x0131, 0x010F, 0x0110, 0x013B])
def test_a_name_that_is_not_all_that_stands_there_is_no_generator(said: str, tag: int) -> None:
    data = jpeg(exif=exif({**CAMERA, tag: said}, TAKING))
    assert not any(piece.points_to == "ai" for piece in collect(data))
    assert contradiction(collect(data), "real") is None


@pytest.mark.parametrize("said", CAPTIONS)
def test_a_caption_may_speak_of_anything(said: str) -> None:
    quoted = said.replace('"', "&quot;")
    listed = (
        f"><dc:description><rdf:Alt><rdf:li>{said}</rdf:li></rdf:Alt></dc:description>"
        "</rdf:Description>"
    )
    for data in (
        jpeg(exif=exif({0x010E: said, **CAMERA}, TAKING)),
        jpeg(exif=exif(CAMERA, {0x9286: b"ASCII\0\0\0" + said.encode(), **TAKING})),
        jpeg(exif=exif({0x9C9C: said.encode("utf-16-le"), **CAMERA}, TAKING)),
        jpeg(xmp=xmp(f'dc:description="{quoted}"/>')),
        jpeg(xmp=xmp(listed)),
        photoshop({120: said, 105: said, 25: said, 5: said}),
        png({"Description": said, "Comment": said, "Title": said}),
        segment(0xFE, said.encode()),
    ):
        found = collect(data)
        assert not any(piece.points_to == "ai" for piece in found)
        assert contradiction(found, "real") is None


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Midjourney", "Midjourney"),
        ("Midjourney v6.1", "Midjourney"),
        ("Made with Google AI", "Google AI"),
        ("DALL·E 3", "DALL·E"),
        ("OpenAI DALL-E 3", "OpenAI DALL-E"),
        ("Stable Diffusion XL 1.0", "Stable Diffusion"),
        ("Adobe Firefly Image 3", "Adobe Firefly"),
        ("Fooocus v2.1.860", "Fooocus"),
        ("Imagen 3", "Imagen"),
        ("Leonardo.Ai", "Leonardo.Ai"),
        ("Ideogram AI", "Ideogram"),
        ("Draw Things for iOS 1.2", "Draw Things"),
        ("Apple Image Playground", "Apple Image Playground"),
        ("ComfyUI\0", "ComfyUI"),
    ],
)
def test_a_generator_s_name_with_a_version_is_its_name(said: str, name: str) -> None:
    assert generator_named(said) == name


def test_a_plug_in_in_the_history_is_no_generator() -> None:
    step = {"action": "saved", "softwareAgent": "Midjourney to Lightroom plugin"}
    found = collect(jpeg(xmp=history(step)))
    assert contradiction(found, "real") is None


def test_a_generator_s_name_is_no_camera() -> None:
    found = collect(jpeg(exif=exif({0x010F: "Ideogram AI"}, TAKING)))
    assert [(one.kind, one.points_to) for one in found] == [("generator", "ai"), ("camera", None)]
