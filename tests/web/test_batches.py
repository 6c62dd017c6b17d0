"""Many pictures in one request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from config import Settings
from domain import TaskKind
from embeddings import opening
from engine import Engine
from tests.scraper.servers import answer, serving
from tests.web.service import (
    CountingEmbedder,
    answering,
    client_of,
    error_of,
    file,
    jpeg,
    reopened,
)
from web.payloads.verdicts import BatchBody


def body(*parts: tuple[str, str | None, bytes]) -> dict[str, Any]:
    """A multipart body with its parts in exactly this order."""
    written = b""
    for name, filename, data in parts:
        written += f'--b\r\nContent-Disposition: form-data; name="{name}"'.encode()
        if filename is not None:
            written += f'; filename="{filename}"'.encode()
        written += b"\r\n\r\n" + data + b"\r\n"
    return {"data": written + b"--b--\r\n", "content_type": "multipart/form-data; boundary=b"}


def test_order_is_kept_and_a_bad_part_spoils_only_its_own_answer(taught: FlaskClient) -> None:
    response = taught.post(
        "/batch_classify",
        **body(
            ("images", None, b"text"),
            ("images", "a.jpg", jpeg(1)),
            ("other", "b.jpg", jpeg(2)),
            ("images", None, b""),
            ("images", "c.jpg", jpeg(3)),
            ("images", "d.jpg", b"corrupt"),
        ),
    )
    document = response.get_json()
    BatchBody.model_validate(document)
    assert (response.status_code, document["total_images"]) == (200, 5)
    results = document["results"]
    codes = [r["error"]["code"] if "error" in r else r["prediction"] for r in results]
    assert codes == ["malformed", "real", "bad_image", "real", "bad_image"]
    assert results[2]["error"]["detail"] == {"reason": "empty"}


def counting(engine: Engine) -> tuple[CountingEmbedder, FlaskClient]:
    embedder = CountingEmbedder()
    counted = replace(engine, embedders=dict.fromkeys(TaskKind, embedder))
    return embedder, client_of(counted)


def test_pictures_are_embedded_as_one_batch(engine: Engine) -> None:
    embedder, client = counting(engine)
    parts = [file(jpeg(seed)) for seed in range(20)]
    response = client.post("/batch_classify", data={"images": parts})
    assert response.get_json()["total_images"] == 20
    assert embedder.batches == [20]


def test_the_same_picture_twice_is_embedded_once_and_answered_twice(engine: Engine) -> None:
    embedder, client = counting(engine)
    results = client.post(
        "/batch_classify", data={"images": [file(jpeg(1)), file(jpeg(1))]}
    ).get_json()["results"]
    assert embedder.batches == [1]
    assert len({r["id"] for r in results}) == 2


def test_large_pictures_are_embedded_in_groups_that_fit_in_memory(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "GROUP_PIXELS", 6 * 96 * 64)
    embedder, client = counting(engine)
    parts = [file(jpeg(seed, 96, 64 + seed)) for seed in range(7)]
    results = client.post("/batch_classify", data={"images": parts}).get_json()["results"]
    assert embedder.batches == [6, 1]
    assert [r["image"]["height"] for r in results] == [64 + seed for seed in range(7)]


@pytest.mark.parametrize(
    "request_body",
    [
        {"data": {"images": [file(b"x") for _ in range(4)]}},
        {"json": {"urls": ["http://a.example"] * 4}},
        body(*[("images", "a", b"x")] * 40),
    ],
)
def test_too_many_pictures_are_refused(settings: Settings, request_body: dict[str, Any]) -> None:
    engine = reopened(settings, max_batch_images=3)
    response = client_of(engine).post("/batch_classify", **request_body)
    assert (response.status_code, error_of(response)["code"]) == (413, "too_large")
    assert error_of(response)["detail"]["allowed"] >= 3
    engine.close()


def test_batch_larger_in_bytes_than_allowed_is_refused(settings: Settings) -> None:
    engine = reopened(settings, max_batch_bytes=100_000)
    parts = [file(bytes(90_000)), file(bytes(90_000))]
    response = client_of(engine).post("/batch_classify", data={"images": parts})
    assert (response.status_code, error_of(response)["code"]) == (413, "too_large")
    engine.close()


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"data": {"image": file(b"x")}}, 400),
        ({"data": b"--b--\r\n", "content_type": "multipart/form-data; boundary=b"}, 400),
        ({"json": {}}, 422),
        ({"json": {"urls": []}}, 422),
        ({"json": {"urls": "http://a.example"}}, 422),
        ({"json": {"urls": None}}, 422),
        ({"data": jpeg(), "content_type": "image/jpeg"}, 415),
        ({}, 415),
    ],
)
def test_request_without_pictures_is_refused(
    client: FlaskClient, form: dict[str, Any], status: int
) -> None:
    response = client.post("/batch_classify", **form)
    assert response.status_code == status
    error_of(response)


def test_urls_are_fetched_and_a_bad_one_spoils_only_its_own_answer(settings: Settings) -> None:
    with serving(answer(jpeg())) as server:
        engine = reopened(
            settings, fetch_allowed_networks=("127.0.0.1/32",), fetch_ports=(server.port,)
        )
        client = client_of(answering(engine))
        urls = [server.url, "http://10.0.0.1/", 5, None, {"a": 1}, "", "x" * 9000, server.url]
        document = client.post("/batch_classify", json={"urls": urls}).get_json()
        engine.close()
    said = [r["error"]["code"] if "error" in r else r["prediction"] for r in document["results"]]
    assert said == [
        "real", "fetch_refused", "unacceptable", "unacceptable", "unacceptable", "fetch_refused",
        "unacceptable", "real",
    ]  # fmt: skip
    assert document["results"][2]["error"]["detail"]["field"] == "urls.2"


def test_batch_of_a_task_is_answered_by_that_task(client: FlaskClient) -> None:
    client.post("/tasks", json={"name": "letters", "kind": "drawing"})
    document = client.post(
        "/tasks/letters/batch_classify", data={"images": [file(jpeg())]}
    ).get_json()
    assert document["results"][0]["task"] == "letters"
