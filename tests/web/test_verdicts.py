"""One picture in, one verdict out, in every form a request may take."""

from __future__ import annotations

import base64
import hashlib
import math
from typing import Any

import pytest
from flask.testing import FlaskClient

from config import Settings
from domain import LOOKS
from engine import Engine
from tests.pictures import encode, letter, photo
from tests.scraper.servers import answer, serving
from tests.web.service import answering, client_of, error_of, file, jpeg, reopened
from web.payloads.verdicts import VerdictBody

CONTRACT = {
    "id", "task", "prediction", "confidence", "probabilities", "top", "source", "reasons",
    "evidence", "nearest", "model", "image", "timing_ms",
}  # fmt: skip


def data_url(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def test_verdict_has_the_names_of_the_contract(taught: FlaskClient) -> None:
    response = taught.post("/classify", data={"image": file(jpeg())})
    assert response.status_code == 200
    assert response.content_type == "application/json"
    document = response.get_json()
    assert set(document) >= CONTRACT
    VerdictBody.model_validate(document)
    assert document["prediction"] == "real"
    assert document["source"] == "model"
    assert math.isclose(sum(document["probabilities"].values()), 1)
    assert set(document["timing_ms"]) == {"decode", "evidence", "embed", "decide", "total"}
    assert document["timing_ms"]["decode"] > 0
    assert document["image"]["width"] == 96


def test_weak_slice_is_said_and_shown_by_the_model(engine: Engine) -> None:
    weak = {"n": 23, "right": 14, "low": 0.2, "rest": 0.1, "weak": True, "unseen": None}
    slices = {"with_looks": 90, "parts": {"alike": {"small, PNG, drawn": weak}}}
    client = client_of(answering(engine, slices=slices))
    drawn, photograph = encode(letter(1, side=200), "PNG"), encode(photo(1, 200, 200), "PNG")

    said = [
        " ".join(client.post("/classify", data={"image": file(one)}).get_json()["reasons"])
        for one in (drawn, photograph)
    ]

    assert "On pictures like this (small, PNG, drawn), it was right 14 of 23 times" in said[0]
    assert "14 of 23" not in said[1]
    assert client.get("/model_info").get_json()["slices"] == slices


def test_looks_noted_before_are_not_looked_for_again(engine: Engine) -> None:
    weak = {"n": 23, "right": 14, "low": 0.2, "rest": 0.1, "weak": True, "unseen": None}
    slices = {"with_looks": 90, "parts": {"alike": {"small, PNG, drawn": weak}}}
    photograph = encode(photo(1, 200, 200), "PNG")
    noted = {"width": 200, "height": 200, "format": "PNG", "manner": "drawn", "camera": False}
    sha256 = hashlib.sha256(photograph).hexdigest()
    engine.store.file_facts.put_many(LOOKS, {sha256: noted})

    client = client_of(answering(engine, slices=slices))
    said = client.post("/classify", data={"image": file(photograph)}).get_json()["reasons"]

    assert "On pictures like this (small, PNG, drawn)" in " ".join(said)


def test_all_four_forms_get_the_same_answer(settings: Settings) -> None:
    data = jpeg(3)
    with serving(answer(data, Content_Type="image/jpeg")) as server:
        engine = reopened(
            settings, fetch_allowed_networks=("127.0.0.1/32",), fetch_ports=(server.port,)
        )
        client = client_of(answering(engine))
        forms: list[dict[str, Any]] = [
            {"data": {"image": file(data)}},
            {"data": data, "content_type": "image/jpeg"},
            {"json": {"url": server.url}},
            {"json": {"image": data_url(data)}},
        ]
        answers = [client.post("/classify", **form).get_json() for form in forms]
        answers.append(client.post("/classify_url", json={"url": server.url}).get_json())
        engine.close()
    assert {a["image"]["sha256"] for a in answers} == {answers[0]["image"]["sha256"]}
    assert {a["prediction"] for a in answers} == {"real"}
    assert len({a["id"] for a in answers}) == 5


@pytest.mark.parametrize(
    "path", ["/tasks/authenticity/classify", "/tasks/authenticity/predict", "/classify"]
)
def test_same_answer_under_the_task(taught: FlaskClient, path: str) -> None:
    response = taught.post(path, data={"image": file(jpeg())})
    assert response.get_json()["task"] == "authenticity"


def test_raw_bytes_of_unnamed_type_are_read(client: FlaskClient) -> None:
    response = client.post("/classify", data=jpeg(), content_type="application/octet-stream")
    assert response.status_code == 200


def test_untaught_task_is_unsure_and_says_what_to_do(client: FlaskClient) -> None:
    client.post("/tasks", json={"name": "letters", "labels": ["ಅ", "ಆ"], "kind": "drawing"})
    document = client.post("/tasks/letters/classify", data={"image": file(jpeg())}).get_json()
    assert (document["prediction"], document["source"]) == ("unsure", "none")
    assert document["model"]["version"] is None
    assert "python train.py --task letters" in document["reasons"][0]


def test_demonstration_says_so_in_every_verdict(engine: Engine) -> None:
    client = client_of(answering(engine, demo=True))
    document = client.post("/classify", data={"image": file(jpeg())}).get_json()
    assert document["model"]["demo"] is True
    assert any("demonstration" in reason for reason in document["reasons"])


def test_verdict_says_which_embedder_answered_and_why(taught: FlaskClient) -> None:
    document = taught.post("/classify", data={"image": file(jpeg())}).get_json()
    assert document["encoder"] == {
        "id": "builtin-authenticity:2",
        "reason": "ENCODER=builtin asks for it.",
    }


def test_verdict_can_be_read_again(taught: FlaskClient) -> None:
    given = taught.post("/classify", data={"image": file(jpeg())}).get_json()
    found = taught.get(f"/verdicts/{given['id']}").get_json()
    assert {name: found[name] for name in given} == given
    assert taught.get(f"/tasks/authenticity/verdicts/{given['id']}").get_json() == found


def test_verdict_is_not_found_under_another_task(taught: FlaskClient) -> None:
    given = taught.post("/classify", data={"image": file(jpeg())}).get_json()
    taught.post("/tasks", json={"name": "other"})
    assert taught.get(f"/tasks/other/verdicts/{given['id']}").status_code == 404


@pytest.mark.parametrize("verdict_id", ["0" * 32, "x", "%00", "ä", "0" * 500])
def test_unknown_verdict_is_404(client: FlaskClient, verdict_id: str) -> None:
    response = client.get(f"/verdicts/{verdict_id}")
    assert (response.status_code, error_of(response)["code"]) == (404, "not_found")


@pytest.mark.parametrize("task", ["nobody", "%00", "..", "ಅ", "x" * 65])
@pytest.mark.parametrize("path", ["classify", "predict", "classify_url", "batch_classify"])
def test_unknown_task_is_404_before_the_body_is_read(
    client: FlaskClient, task: str, path: str
) -> None:
    response = client.post(f"/tasks/{task}/{path}", data=b"no picture", content_type="text/x")
    assert (response.status_code, error_of(response)["code"]) == (404, "not_found")


def truncated() -> bytes:
    whole = encode(photo(1, 200, 200), "JPEG", quality=95)
    return whole[: len(whole) // 2]


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        (b"", 422, "empty"),
        (truncated(), 422, "truncated"),
        (b"GIF89a" + b"garbage" * 9, 422, "corrupt"),
        (b"plain text", 415, "unsupported_format"),
        (encode(photo(1), "TIFF"), 415, "unsupported_format"),
        (encode(photo(1, 400, 300), "PNG"), 413, "too_many_pixels"),
        (b"\xff\xd8\xff" + bytes(500_000), 413, "too_large"),
    ],
)
def test_bad_picture_is_refused_with_its_reason(
    settings: Settings, data: bytes, status: int, reason: str
) -> None:
    engine = reopened(settings, max_image_pixels=100_000, max_image_bytes=400_000)
    client = client_of(engine)
    for form in ({"data": {"image": file(data)}}, {"data": data, "content_type": "image/x"}):
        response = client.post("/classify", **form)
        error = error_of(response)
        assert (response.status_code, error["code"]) == (status, "bad_image")
        assert error["detail"]["reason"] == reason
    engine.close()


def test_body_beyond_the_limit_is_not_read(settings: Settings) -> None:
    engine = reopened(settings, max_image_bytes=10_000)
    response = client_of(engine).post("/classify", data={"image": file(bytes(200_000))})
    assert (response.status_code, error_of(response)["code"]) == (413, "too_large")
    engine.close()


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"data": {"picture": file(b"x")}}, 400, "'picture'"),
        ({"data": {"x": "y"}, "content_type": "multipart/form-data"}, 400, "no part named `image`"),
        ({"data": {"image": [file(b"x"), file(b"y")]}}, 400, "/batch_classify"),
        ({"data": {"image": "text"}, "content_type": "multipart/form-data"}, 400, "as a file"),
        ({"data": b"x", "content_type": "multipart/form-data"}, 400, "boundary"),
        ({"data": b"x", "content_type": "multipart/form-data; boundary=b"}, 400, "cannot be read"),
        ({"data": b"x", "content_type": "text/plain"}, 415, "text/plain"),
        ({"data": "a=b", "content_type": "application/x-www-form-urlencoded"}, 415, "image/*"),
        ({}, 415, "none"),
        ({"json": {}}, 400, "either"),
        ({"json": {"url": "http://a.example", "image": "data:"}}, 400, "either"),
        ({"json": []}, 422, "body"),
        ({"json": {"url": 5}}, 422, "url"),
        ({"json": {"image": ["x"]}}, 422, "image"),
        ({"json": {"image": "hello"}}, 422, "data:image"),
        ({"json": {"image": "data:image/png;base64,@@@"}}, 422, "base64"),
        ({"json": {"image": "data:image/png;base64,AAA"}}, 422, "base64"),
        ({"json": {"image": "data:image/png;base64,é"}}, 422, "base64"),
        ({"json": {"image": "data:image/png;base64,"}}, 422, "empty"),
        ({"json": {"url": "http://a.example/" + "a" * 9000}}, 422, "8192"),
        ({"data": b"{", "content_type": "application/json"}, 400, "not JSON"),
        ({"data": b"", "content_type": "application/json"}, 400, "not JSON"),
        ({"data": b'{"url": NaN}', "content_type": "application/json"}, 400, "NaN"),
        ({"data": b"\xff\xfe", "content_type": "application/json"}, 400, "UTF-8"),
        ({"data": b"[" * 100_000, "content_type": "application/json"}, 400, "items"),
        ({"data": b"[" * 90 + b"]" * 90, "content_type": "application/json"}, 400, "nested"),
        ({"data": rb'{"url": "\ud800"}', "content_type": "application/json"}, 400, "JSON"),
        ({"data": b"9" * 5000, "content_type": "application/json"}, 400, "JSON"),
    ],
)
def test_request_without_a_picture_says_what_is_wrong(
    client: FlaskClient, form: dict[str, Any], status: int, said: str
) -> None:
    response = client.post("/classify", **form)
    assert response.status_code == status
    assert said in error_of(response)["message"]


def test_refused_url_gives_its_reason(client: FlaskClient) -> None:
    for path in ("/classify", "/classify_url"):
        response = client.post(path, json={"url": "http://127.0.0.1/picture"})
        assert response.status_code == 422
        error = error_of(response)
        assert (error["code"], error["detail"]["reason"]) == ("fetch_refused", "address")


def test_bad_picture_behind_a_url_is_the_pictures_fault(settings: Settings) -> None:
    with serving(answer(b"plain text")) as server:
        engine = reopened(
            settings, fetch_allowed_networks=("127.0.0.1/32",), fetch_ports=(server.port,)
        )
        response = client_of(engine).post("/classify_url", json={"url": server.url})
        engine.close()
    assert response.status_code == 415
    assert error_of(response)["detail"]["reason"] == "unsupported_format"


def test_missing_url_is_named(client: FlaskClient) -> None:
    response = client.post("/classify_url", json={})
    assert response.status_code == 422
    assert error_of(response)["detail"]["field"] == "url"


def test_what_was_sent_is_said_back_only_in_part(client: FlaskClient) -> None:
    response = client.post("/classify_url", json={"url": ["x" * 100_000]})
    assert response.status_code == 422
    assert len(response.data) < 2000


def test_spaces_and_line_breaks_in_base64_are_allowed(client: FlaskClient) -> None:
    broken = "data:image/jpeg;base64,\n" + base64.encodebytes(jpeg()).decode()
    assert client.post("/classify", json={"image": broken}).status_code == 200
