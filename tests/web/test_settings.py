"""Settings changed while running: checked, kept, seen by every process."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask.testing import FlaskClient

from config import RUNTIME_SETTINGS, Settings
from engine import Engine
from tests.web.service import client_of, error_of, reopened
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
