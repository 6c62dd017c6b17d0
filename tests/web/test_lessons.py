"""Lessons over HTTP: out of one installation, into another."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from config import Settings
from engine import Engine
from tests.web.service import client_of, error_of, file, jpeg, reopened
from web.payloads.lessons import ImportedBody

TASK = "/tasks/pets"


def teach(client: FlaskClient, seed: int, label: str, **more: str) -> None:
    form = {"image": file(jpeg(seed)), "label": label, **more}
    assert client.post(f"{TASK}/train", data=form).status_code == 201


def predicted(client: FlaskClient, seed: int) -> str:
    verdict = client.post(f"{TASK}/predict", data={"image": file(jpeg(seed))}).get_json()
    found: str = verdict["prediction"]
    return found


@pytest.fixture
def pets(client: FlaskClient) -> FlaskClient:
    """A client of a service with a taught task."""
    client.post("/tasks", json={"name": "pets"})
    teach(client, 1, "cat")
    teach(client, 2, "ನಾಯಿ")
    teach(client, 3, "kitten", variant_of="cat")
    return client


@dataclass
class Elsewhere:
    """A second, empty installation."""

    engine: Engine
    client: FlaskClient

    def files(self) -> set[str]:
        folder: Path = self.engine.settings.data_dir
        return {path.name for path in folder.iterdir()}


@pytest.fixture
def elsewhere(settings: Settings, tmp_path: Path) -> Iterator[Elsewhere]:
    engine = reopened(settings, data_dir=tmp_path / "elsewhere")
    yield Elsewhere(engine, client_of(engine))
    engine.close()


def exported(client: FlaskClient) -> bytes:
    response = client.get(f"{TASK}/export_data", buffered=True)
    assert response.status_code == 200
    data: bytes = response.data
    return data


def test_export_is_a_zip_under_a_safe_name(pets: FlaskClient, engine: Engine) -> None:
    before = {path.name for path in engine.settings.data_dir.iterdir()}
    response = pets.get(f"{TASK}/export_data", buffered=True)
    assert response.mimetype == "application/zip"
    assert response.content_length == len(response.data)
    assert response.headers["Cache-Control"] == "no-store"
    disposition = response.headers["Content-Disposition"]
    assert disposition.startswith("attachment; filename=exposr-pets-")
    with zipfile.ZipFile(io.BytesIO(response.data)) as archive:
        assert archive.testzip() is None
        assert "manifest.json" in archive.namelist()
    assert {path.name for path in engine.settings.data_dir.iterdir()} == before


def test_empty_default_task_is_exported_at_the_root(client: FlaskClient) -> None:
    response = client.get("/export_data", buffered=True)
    assert (response.status_code, response.mimetype) == (200, "application/zip")
    assert "exposr-authenticity-" in response.headers["Content-Disposition"]


def multipart(data: bytes, **fields: str) -> dict[str, Any]:
    return {"data": {"archive": file(data, "lesson.zip"), **fields}}


def raw(data: bytes) -> dict[str, Any]:
    return {"data": data, "content_type": "application/zip"}


@pytest.mark.parametrize("form", [multipart, raw])
@pytest.mark.parametrize("path", ["/import_data", f"{TASK}/import_data"])
def test_empty_installation_knows_what_the_lesson_knew(
    pets: FlaskClient, elsewhere: Elsewhere, form: Any, path: str
) -> None:
    data = exported(pets)
    before = elsewhere.files()
    response = elsewhere.client.post(path, **form(data))
    document = response.get_json()
    assert response.status_code == 200, document
    ImportedBody.model_validate(document)
    assert (document["task"], document["made"], document["corrections"]) == ("pets", True, 3)
    assert [predicted(elsewhere.client, seed) for seed in (1, 2, 3)] == ["cat", "ನಾಯಿ", "cat"]
    assert elsewhere.client.get(TASK).get_json()["variants"] == {"kitten": "cat"}
    again = elsewhere.client.post(path, **form(data)).get_json()
    assert (again["corrections"], again["corrections_here"]) == (0, 3)
    assert elsewhere.files() - before <= {"pictures"}


def test_lesson_is_taken_in_as_another_task(pets: FlaskClient, elsewhere: Elsewhere) -> None:
    document = elsewhere.client.post("/tasks/other/import_data", **raw(exported(pets))).get_json()
    assert (document["task"], document["made"]) == ("other", True)
    assert elsewhere.client.get(TASK).status_code == 404


@pytest.mark.parametrize(("query", "fields"), [("?dry_run=1", {}), ("", {"dry_run": "yes"})])
def test_dry_run_takes_nothing_in(
    pets: FlaskClient, elsewhere: Elsewhere, query: str, fields: dict[str, str]
) -> None:
    form = multipart(exported(pets), **fields)
    response = elsewhere.client.post(f"/import_data{query}", **form)
    assert response.status_code == 200, response.data
    document = response.get_json()
    assert (document["dry_run"], document["corrections"]) == (True, 3)
    assert elsewhere.client.get(TASK).status_code == 404


@pytest.mark.parametrize(("fields", "expected"), [({}, "cat"), ({"on_conflict": "theirs"}, "owl")])
def test_differences_are_shown_and_settled_as_asked(
    pets: FlaskClient, elsewhere: Elsewhere, fields: dict[str, str], expected: str
) -> None:
    elsewhere.client.post("/tasks", json={"name": "pets"})
    teach(elsewhere.client, 1, "owl")
    data = exported(elsewhere.client)
    document = pets.post("/import_data", **multipart(data, **fields)).get_json()
    assert document["n_conflicts"] == 1
    assert (document["conflicts"][0]["ours"], document["conflicts"][0]["theirs"]) == ("cat", "owl")
    assert predicted(pets, 1) == expected


def no_lesson() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../evil", b"x")
    return file.getvalue()


def refused(response: TestResponse, status: int) -> None:
    assert response.status_code == status, response.data
    assert error_of(response)["message"]


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x05\x06" + bytes(18), no_lesson()])
@pytest.mark.parametrize("form", [multipart, raw])
def test_what_is_no_lesson_is_refused(elsewhere: Elsewhere, data: bytes, form: Any) -> None:
    refused(elsewhere.client.post("/import_data", **form(data)), 400)
    assert [task.name for task in elsewhere.engine.store.tasks.all()] == ["authenticity"]


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"json": {}}, 415),
        ({"data": b"x", "content_type": "text/plain"}, 415),
        ({}, 415),
        ({"data": {"file": file(b"x")}}, 400),
        ({"data": {"archive": "text"}, "content_type": "multipart/form-data"}, 400),
        ({"data": {"archive": [file(b"x"), file(b"y")]}}, 400),
        ({"data": {"archive": file(b"x"), "dry_run": "perhaps"}}, 422),
        ({"data": {"archive": file(b"x"), "on_conflict": "ours"}}, 422),
    ],
)
def test_request_without_a_lesson_says_what_is_wrong(
    client: FlaskClient, form: dict[str, Any], status: int
) -> None:
    refused(client.post("/import_data", **form), status)


@pytest.mark.parametrize("task", ["AUTHENTICITY", "%00", "a" * 65])
def test_lesson_for_a_task_that_cannot_be_is_404(client: FlaskClient, task: str) -> None:
    refused(client.post(f"/tasks/{task}/import_data", **raw(b"x")), 404)


@pytest.mark.parametrize("form", [multipart, raw])
def test_larger_lesson_than_allowed_is_refused(settings: Settings, form: Any) -> None:
    engine = reopened(settings, max_lesson_bytes=10_000)
    refused(client_of(engine).post("/import_data", **form(bytes(200_000))), 413)
    engine.close()


def test_chunked_lesson_larger_than_allowed_is_refused(settings: Settings) -> None:
    engine = reopened(settings, max_lesson_bytes=10_000)
    response = client_of(engine).post(
        "/import_data",
        input_stream=io.BytesIO(bytes(200_000)),
        content_type="application/zip",
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )
    refused(response, 413)
    engine.close()
