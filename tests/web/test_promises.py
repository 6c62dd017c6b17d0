"""What learning promises to whoever asks over HTTP, beside the same picture being right at once."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from PIL import Image

from tests.pictures import encode, letter, photo
from tests.web.service import file


def ask(client: FlaskClient, data: bytes, path: str = "/classify") -> dict[str, object]:
    response = client.post(path, data={"image": file(data)})
    assert response.status_code == 200
    document: dict[str, object] = response.get_json()
    return document


def correct(client: FlaskClient, data: bytes, label: str, path: str = "/feedback") -> None:
    response = client.post(path, data={"image": file(data), "label": label})
    assert response.status_code == 201


def altered(how: str) -> bytes:
    """A copy of the corrected picture, as it comes back from elsewhere."""
    picture = Image.fromarray(photo(7, 320, 240))
    if how == "saved again":
        return encode(picture, "JPEG", quality=50)
    if how == "half the size":
        return encode(picture.resize((160, 120), Image.Resampling.BICUBIC), "PNG")
    if how == "cropped":
        return encode(picture.crop((8, 6, 312, 234)), "PNG")
    if how == "screenshot":
        shown = picture.resize((256, 192), Image.Resampling.BILINEAR)
        framed = Image.new("RGB", (264, 200), "white")
        framed.paste(shown, (4, 4))
        return encode(framed, "PNG")
    return encode(picture, "WEBP", quality=80)


@pytest.mark.parametrize(
    "how", ["saved again", "half the size", "cropped", "screenshot", "another format"]
)
def test_a_copy_of_a_corrected_picture_is_answered_like_it(client: FlaskClient, how: str) -> None:
    for seed in range(5):
        correct(client, encode(photo(seed, 320, 240), "PNG"), "real")
    correct(client, encode(photo(7, 320, 240), "PNG"), "ai")
    verdict = ask(client, altered(how))
    assert (verdict["prediction"], verdict["source"]) == ("ai", "similar")
    nearest = verdict["nearest"]
    assert isinstance(nearest, list) and nearest[0]["label"] == "ai"


def test_unlike_pictures_keep_their_answer(client: FlaskClient) -> None:
    for seed in range(6):
        correct(client, encode(photo(seed, 320, 240), "PNG"), "ai" if seed % 2 else "real")
    others = [encode(photo(100 + seed, 320, 240), "PNG") for seed in range(20)]
    before = [ask(client, data)["source"] for data in others]
    assert "similar" not in before and "memory" not in before


def test_more_examples_make_better_answers(client: FlaskClient) -> None:
    made = client.post("/tasks", json={"name": "letters", "kind": "drawing"})
    assert made.status_code == 201
    spread = 0.08
    asked = [
        (which, encode(letter(which, 500 + hand, spread=spread), "PNG"))
        for which in range(8)
        for hand in range(4)
    ]
    curve = []
    for hand in range(6):
        for which in range(8):
            data = encode(letter(which, hand, spread=spread), "PNG")
            correct(client, data, f"letter {which}", "/tasks/letters/train")
        answers = [ask(client, data, "/tasks/letters/predict")["prediction"] for _, data in asked]
        right = [f"letter {which}" == said for (which, _), said in zip(asked, answers, strict=True)]
        curve.append(sum(right) / len(right))
    assert curve[-1] >= curve[0] + 0.1
    assert curve[-1] >= 0.85


def test_a_few_corrections_accuse_no_picture_that_nobody_spoke_of(client: FlaskClient) -> None:
    for seed in range(6):
        correct(client, encode(photo(seed, 320, 240), "PNG"), "ai" if seed % 2 else "real")
    verdicts = [ask(client, encode(photo(100 + seed, 320, 240), "PNG")) for seed in range(8)]
    assert {verdict["prediction"] for verdict in verdicts} == {"unsure"}
    told = " ".join(str(verdict["reasons"]) for verdict in verdicts)
    assert "takes 5 or more real pictures" in told
