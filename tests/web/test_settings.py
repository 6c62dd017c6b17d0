"""Settings changed while running: checked, kept, seen by every process."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from config import RUNTIME_SETTINGS, Settings, load_settings
from domain import TaskKind
from engine import Engine, open_engine
from tests.web.service import PUBLIC, bearer, client_of, error_of, reopened
from web import settings as web_settings
from web.payloads.service import ConfigBody


def test_runtime_settings_are_shown_and_nothing_else(client: FlaskClient) -> None:
    document = client.get("/config").get_json()
    ConfigBody.model_validate(document)
    assert set(document) == set(RUNTIME_SETTINGS)
    assert document["max_false_accusation"] == 0.01


def test_change_is_seen_by_another_process_and_after_a_restart(
    client: FlaskClient, settings: Settings
) -> None:
    other = client_of(reopened(settings))
    response = client.post("/config", json={"training_time": "04:30", "classifier_type": "svm"})
    assert response.status_code == 200
    assert response.get_json()["training_time"] == "04:30"
    assert other.get("/config").get_json() == response.get_json()
    assert client_of(reopened(settings)).get("/config").get_json() == response.get_json()


def test_changes_add_up(client: FlaskClient) -> None:
    client.post("/config", json={"training_time": "04:30"})
    client.post("/config", json={"min_images_per_class": 25})
    document = client.get("/config").get_json()
    assert (document["training_time"], document["min_images_per_class"]) == ("04:30", 25)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"training_time": "25:00"}, "training_time"),
        ({"training_time": None}, "training_time"),
        ({"training_time": ["03:00"]}, "training_time"),
        ({"max_false_accusation": 0.5}, "max_false_accusation"),
        ({"max_false_accusation": 1e-7}, "max_false_accusation"),
        ({"max_false_clearance": 1e-7}, "max_false_clearance"),
        ({"max_false_accusation": "lots"}, "max_false_accusation"),
        ({"min_images_per_class": 2.5}, "min_images_per_class"),
        ({"classifier_type": "tree"}, "classifier_type"),
        ({"log_level": "LOUD"}, "log_level"),
        ({"api_host": "0.0.0.0"}, "api_host"),  # noqa: S104
        ({"admin_key": "mine"}, "admin_key"),
        ({"nonsense": 1}, "nonsense"),
        ({}, "body"),
        ([], "body"),
        ("weekly", "body"),
    ],
)
def test_bad_change_is_refused_whole_by_its_field(
    client: FlaskClient, changes: Any, field: str
) -> None:
    before = client.get("/config").get_json()
    sent = {"training_frequency": "weekly", **changes} if changes and field != "body" else changes
    response = client.post("/config", json=sent)
    error = error_of(response)
    assert (response.status_code, error["code"]) == (422, "unacceptable")
    assert error["detail"]["field"] == field
    assert error["detail"]["allowed"]
    assert client.get("/config").get_json() == before


def test_a_share_of_its_own_for_clearing_is_given_and_taken_away(client: FlaskClient) -> None:
    for share in (0.05, None):
        response = client.post("/config", json={"max_false_clearance": share})
        assert (response.status_code, response.get_json()["max_false_clearance"]) == (200, share)
        assert client.get("/config").get_json()["max_false_clearance"] == share


def test_numbers_beyond_numbers_are_refused(client: FlaskClient) -> None:
    for number in ("1e999", "-1e999", "9" * 4000):
        body = f'{{"max_false_accusation": {number}}}'
        response = client.post("/config", data=body, content_type="application/json")
        assert response.status_code == 422


def test_log_level_follows_within_the_time_it_looks_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    before = root.level
    monkeypatch.setattr(web_settings, "LOOK_AGAIN", 0.0)
    client, other = client_of(engine), client_of(engine)
    try:
        client.post("/config", json={"log_level": "ERROR"})
        other.get("/tasks")
        assert root.level == logging.ERROR
    finally:
        root.setLevel(before)


PAGE = {"source": "page", "label": "real", "license": "CC0"}
LONG = "https://site.example/a?token=hunter2#b"


def test_half_edited_file_changes_nothing_for_a_service_that_runs(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    env = tmp_path / ".env"
    env.write_text(f"DATA_DIR={settings.data_dir}\nENCODER=builtin\nAPI_KEY=hunter2\n")
    engine = open_engine(load_settings())
    try:
        client, key = client_of(engine), bearer("hunter2")
        before = client.get("/config", headers=key).get_json()
        env.write_text("COLLECT=[{\nAPI_KEY=")
        assert client.get("/config", headers=key).get_json() == before
        changed = client.post("/config", json={"training_time": "04:30"}, headers=key)
        assert (changed.status_code, changed.get_json()["training_time"]) == (200, "04:30")
        refused = client.post("/config", json={"api_key": "hunter3"}, headers=key)
        assert refused.status_code == 422
        assert b"hunter" not in refused.data
    finally:
        engine.close()


def test_change_that_will_not_do_any_more_can_be_mended(
    engine: Engine, client: FlaskClient
) -> None:
    kept = {"collect": [{"source": "gone", "url": LONG}], "training_time": "04:30"}
    engine.store.overrides.write(kept)
    document = client.get("/config")
    assert (document.status_code, document.get_json()["collect"]) == (200, [])
    assert document.get_json()["training_time"] == "04:30"
    assert client.post("/config", json={"collect": [{"source": "lexica"}]}).status_code == 200


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({**PAGE, "url": "https://me:hunter2@site.example/"}, "collect.1.url"),
        ({**PAGE, "url": "ftp://site.example/?token=hunter2"}, "collect.1.url"),
        ({**PAGE, "url": "https://?token=hunter2"}, "collect.1.url"),
        ({**PAGE, "url": "https://site.example/\x00hunter2"}, "collect.1.url"),
        ({**PAGE, "url": LONG, "license": ""}, "collect.1"),
        ({"source": "lexica", "url": LONG}, "collect.1"),
        ({"source": "lexica", "label": "a\nb"}, "collect.1.label"),
        ({"source": "lexica", "query": "a" * 201}, "collect.1.query"),
        ({"source": "lexica", "task": "smile"}, "collect.1.task"),
        (LONG, "collect.1"),
    ],
)
def test_source_that_will_not_do_is_named_and_its_address_is_not(
    client: FlaskClient, entry: Any, field: str
) -> None:
    response = client.post("/config", json={"collect": [{"source": "lexica"}, entry]})
    assert (response.status_code, error_of(response)["detail"]["field"]) == (422, field)
    assert error_of(response)["detail"]["allowed"]
    assert b"hunter2" not in response.data
    assert client.get("/config").get_json()["collect"] == []


@pytest.mark.parametrize("text", ["", "[]", '[{"source": "lexica", "query": "hunter2"}]'])
def test_sources_are_a_list_and_no_text(client: FlaskClient, text: str) -> None:
    response = client.post("/config", json={"collect": text})
    assert (response.status_code, error_of(response)["detail"]["field"]) == (422, "collect")
    assert b"hunter2" not in response.data


def test_sources_are_at_most_fifty(client: FlaskClient) -> None:
    for n, status in ((51, 422), (50, 200)):
        asked = client.post("/config", json={"collect": [{"source": "lexica"}] * n})
        assert asked.status_code == status


def test_source_of_a_task_there_is_is_taken(engine: Engine, client: FlaskClient) -> None:
    asked = {"collect": [{"source": "openverse", "task": "smile", "label": "smiling"}]}
    refused = error_of(client.post("/config", json=asked))
    assert refused["detail"]["got"] == "smile"
    assert "authenticity" in refused["detail"]["allowed"]
    engine.store.tasks.create("smile", TaskKind.PHOTO, open=True)
    assert client.post("/config", json=asked).status_code == 200


def test_addresses_are_whole_for_the_admin_alone(settings: Settings) -> None:
    engine = reopened(
        settings,
        **PUBLIC,
        api_key="reader",
        public_classify=True,
        feedback_keys=(("alice", "alice-key"),),
    )
    try:
        client, admin = client_of(engine), bearer("admin-key")
        asked = {"collect": [{**PAGE, "url": LONG}]}
        told = client.post("/config", json=asked, headers=admin)
        assert told.get_json()["collect"][0]["url"] == LONG
        assert client.get("/config", headers=admin).get_json()["collect"][0]["url"] == LONG
        for headers in ({}, bearer("reader"), bearer("alice-key"), bearer("wrong")):
            shown = client.get("/config", headers=headers)
            assert shown.get_json()["collect"][0]["url"] == "https://site.example/a"
            assert "hunter2" not in json.dumps(shown.get_json())
    finally:
        engine.close()
