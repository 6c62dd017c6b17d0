"""Reset, restore, erase, and what is shown of pictures."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from flask.testing import FlaskClient

from engine import Engine
from tests.pictures import encode, photo
from tests.web.service import error_of, file, jpeg
from web.payloads.archives import ArchivesBody, ErasedBody, ResetBody, SavedBody

TASK = "/tasks/pets"


@pytest.fixture
def pets(client: FlaskClient) -> FlaskClient:
    """A client of a service with a task that was taught two labels."""
    client.post("/tasks", json={"name": "pets", "labels": ["cat"], "open": True})
    teach(client, 1, "cat")
    teach(client, 2, "dog")
    return client


def teach(client: FlaskClient, seed: int, label: str) -> dict[str, Any]:
    form = {"image": file(jpeg(seed)), "label": label}
    response = client.post(f"{TASK}/train", data=form)
    assert response.status_code == 201, response.data
    document: dict[str, Any] = response.get_json()
    return document


def predicted(client: FlaskClient, seed: int) -> str:
    verdict = client.post(f"{TASK}/predict", data={"image": file(jpeg(seed))}).get_json()
    found: str = verdict["prediction"]
    return found


def test_save_says_what_is_durable(pets: FlaskClient) -> None:
    forms: list[dict[str, Any]] = [{}, {"json": {}}, {"data": b"anything"}]
    for form in forms:
        response = pets.post(f"{TASK}/save", **form)
        document = response.get_json()
        SavedBody.model_validate(document)
        assert response.status_code == 200
        assert document == {
            "task": "pets", "durable": True, "samples": 2, "corrections": 2, "version": None,
        }  # fmt: skip


def test_reset_begins_anew_and_restore_brings_all_back(pets: FlaskClient) -> None:
    response = pets.post(f"{TASK}/reset", json={"confirm": "pets"})
    document = response.get_json()
    ResetBody.model_validate(document)
    archive = document["archive"]
    assert (response.status_code, archive["samples"], archive["corrections"]) == (200, 2, 2)
    assert predicted(pets, 2) == "unsure"
    assert pets.get(TASK).get_json()["labels"] == ["cat"]
    assert pets.get(f"{TASK}/feedback").get_json()["corrections"] == []
    teach(pets, 3, "owl")
    listed = pets.get(f"{TASK}/archives").get_json()
    ArchivesBody.model_validate(listed)
    assert listed["archives"] == [archive]
    response = pets.post(f"{TASK}/restore", json={"archive": archive["id"], "confirm": "pets"})
    assert (response.status_code, response.get_json()["labels"]) == (200, ["cat", "dog"])
    assert [predicted(pets, seed) for seed in (1, 2)] == ["cat", "dog"]
    # what was there in between is put away as well
    (between,) = pets.get(f"{TASK}/archives").get_json()["archives"]
    assert between["corrections"] == 1


def test_default_task_is_reset_at_the_root(client: FlaskClient) -> None:
    client.post("/feedback", data={"image": file(jpeg()), "label": "ai"})
    assert client.post("/reset", json={"confirm": "authenticity"}).status_code == 200
    assert client.get("/stats").get_json()["corrections"] == 0
    assert client.get("/tasks/authenticity").get_json()["labels"] == ["ai", "real"]


def test_deleted_task_can_be_restored(pets: FlaskClient) -> None:
    pets.delete(TASK)
    (archive,) = pets.get(f"{TASK}/archives").get_json()["archives"]
    said = {"archive": archive["id"], "confirm": "pets"}
    assert pets.post(f"{TASK}/restore", json=said).status_code == 200
    assert predicted(pets, 2) == "dog"


@pytest.mark.parametrize(
    ("path", "said", "status", "field"),
    [
        ("reset", {}, 422, "confirm"),
        ("reset", {"confirm": "authenticity"}, 422, "confirm"),
        ("reset", {"confirm": True}, 422, "confirm"),
        ("reset", {"confirm": "PETS"}, 422, "confirm"),
        ("reset", {"confirm": "pets", "really": True}, 422, "really"),
        ("reset", ["pets"], 422, "body"),
        ("reset", "pets", 422, "body"),
        ("restore", {"confirm": "pets"}, 422, "archive"),
        ("restore", {"archive": "1", "confirm": "pets"}, 422, "archive"),
        ("restore", {"archive": 0, "confirm": "pets"}, 422, "archive"),
        ("restore", {"archive": -(10**30), "confirm": "pets"}, 422, "archive"),
        ("restore", {"archive": True, "confirm": "pets"}, 422, "archive"),
        ("restore", {"archive": 10**30, "confirm": "pets"}, 404, None),
        ("restore", {"archive": 999, "confirm": "pets"}, 404, None),
        ("restore", {"archive": 1, "confirm": "authenticity"}, 422, "confirm"),
    ],
)
def test_odd_wish_is_refused_and_nothing_is_put_away(
    pets: FlaskClient, path: str, said: Any, status: int, field: str | None
) -> None:
    pets.post(f"{TASK}/reset", json={"confirm": "pets"})
    response = pets.post(f"{TASK}/{path}", json=said)
    assert response.status_code == status, response.data
    assert error_of(response)["detail"].get("field") == field or field is None
    assert len(pets.get(f"{TASK}/archives").get_json()["archives"]) == 1


def test_archive_of_another_task_is_not_found(pets: FlaskClient) -> None:
    archive = pets.post(f"{TASK}/reset", json={"confirm": "pets"}).get_json()["archive"]
    pets.post("/reset", json={"confirm": "authenticity"})
    said = {"archive": archive["id"], "confirm": "authenticity"}
    assert pets.post("/restore", json=said).status_code == 404


def test_nothing_to_restore_is_404(client: FlaskClient) -> None:
    assert client.get("/archives").get_json()["archives"] == []
    assert client.post("/restore", json={"archive": 1, "confirm": "x"}).status_code == 404


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("WEBP", "image/webp"),
        ("GIF", "image/gif"),
        ("BMP", "image/bmp"),
        ("AVIF", "image/avif"),
        ("HEIF", "image/heic"),
    ],
)
def test_kept_picture_comes_as_it_was_sent(client: FlaskClient, name: str, kind: str) -> None:
    data = encode(photo(1, 64, 48), name)
    verdict = client.post("/classify", data=data, content_type="image/x").get_json()
    path = f"/pictures/{verdict['image']['sha256']}"
    response = client.get(path)
    assert (response.status_code, response.mimetype, response.data) == (200, kind, data)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "private, no-cache"
    tag = response.headers["ETag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("name", ["0" * 64, "x", "..", "%2e%2e%2fexposr.db", "A" * 64, "0" * 500])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_unknown_picture_is_404(client: FlaskClient, name: str, method: str) -> None:
    response = client.open(f"/pictures/{name}", method=method)
    assert (response.status_code, error_of(response)["code"]) == (404, "not_found")


def test_erased_picture_is_gone_with_all_that_was_said_of_it(
    pets: FlaskClient, engine: Engine
) -> None:
    before = predicted(pets, 3)
    receipt = teach(pets, 3, "owl")
    sha256 = hashlib.sha256(jpeg(3)).hexdigest()
    verdict = pets.post(f"{TASK}/predict", data={"image": file(jpeg(3))}).get_json()
    response = pets.delete(f"/pictures/{sha256}")
    document = response.get_json()
    ErasedBody.model_validate(document)
    assert response.status_code == 200
    assert (document["file"], document["samples"], document["corrections"]) == (True, 1, 1)
    assert pets.get(f"/pictures/{sha256}").status_code == 404
    assert pets.get(f"/verdicts/{verdict['id']}").status_code == 404
    assert pets.get(f"{TASK}/feedback?sha256={sha256}").get_json()["corrections"] == []
    assert sha256.encode() not in pets.get(f"{TASK}/feedback").data
    assert "owl" not in pets.get(TASK).get_json()["labels"]
    assert pets.delete(receipt["undo"]).status_code == 409
    assert pets.get(receipt["undo"]).status_code == 404
    assert predicted(pets, 3) == before
    assert engine.store.corrections.count("pets") == 3
