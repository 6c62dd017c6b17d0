"""Tasks over HTTP: made, listed, shown, counted, taken away."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from domain import NewSample, Split
from embeddings.images import decode
from engine import Engine
from tests.web.service import answering, client_of, error_of, file, jpeg
from web.payloads.tasks import StatsBody, TaskBody, TasksBody

LETTERS = {"name": "letters", "labels": ["ಅ", "ಆ"], "kind": "drawing"}


def test_task_is_made_listed_and_shown(client: FlaskClient) -> None:
    response = client.post("/tasks", json=LETTERS)
    assert response.status_code == 201
    assert response.headers["Location"] == "/tasks/letters"
    made = response.get_json()
    TaskBody.model_validate(made)
    assert (made["labels"], made["kind"], made["open"]) == (["ಅ", "ಆ"], "drawing", False)
    assert "ಅ".encode() in response.data
    listed = client.get("/tasks").get_json()
    TasksBody.model_validate(listed)
    assert [task["name"] for task in listed["tasks"]] == ["authenticity", "letters"]
    assert client.get("/tasks/letters").get_json() == made


@pytest.mark.parametrize(
    ("asked", "is_open"),
    [
        ({"name": "x"}, True),
        ({"name": "x", "labels": []}, True),
        ({"name": "x", "labels": ["a", "b"]}, False),
        ({"name": "x", "labels": ["a"], "open": True}, True),
        ({"name": "x", "labels": ["a", "b"], "open": None}, False),
    ],
)
def test_task_is_open_unless_labels_are_given(
    client: FlaskClient, asked: dict[str, Any], is_open: bool
) -> None:
    made = client.post("/tasks", json=asked).get_json()
    assert (made["open"], made["kind"]) == (is_open, "photo")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "name"),
        ({"name": 5}, "name"),
        ({"name": "Ünder score"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "../x"}, "name"),
        ({"name": "x", "kind": "video"}, "kind"),
        ({"name": "x", "labels": "ab"}, "labels"),
        ({"name": "x", "labels": ["a", 5]}, "labels.1"),
        ({"name": "x", "labels": ["a", "a"]}, "labels"),
        ({"name": "x", "labels": ["a", "unsure"]}, "label"),
        ({"name": "x", "labels": ["only"]}, "labels"),
        ({"name": "x", "labels": [], "open": False}, "labels"),
        ({"name": "x", "labels": [f"l{i}" for i in range(20_000)]}, "labels"),
        ({"name": "x", "open": "yes"}, "open"),
        ({"name": "x", "prompts": {"a": 1}}, "prompts.a"),
        ({"name": "x", "lables": ["a"]}, "lables"),
        ([], "body"),
        ("x", "body"),
    ],
)
def test_bad_task_is_refused_by_its_field(client: FlaskClient, asked: Any, field: str) -> None:
    response = client.post("/tasks", json=asked)
    error = error_of(response)
    assert (response.status_code, error["code"]) == (422, "unacceptable")
    assert error["detail"]["field"] == field
    assert error["detail"]["allowed"]
    assert client.get("/tasks/x").status_code == 404


def test_a_tasks_own_settings_are_given_shown_and_changed(client: FlaskClient) -> None:
    own = {"max_false": {"ಅ": 0.02}, "unsure_below": 0.4}
    made = client.post("/tasks", json={**LETTERS, "settings": own})
    assert (made.status_code, made.get_json()["settings"]) == (201, own)
    changed = client.post("/tasks/letters/settings", json={"unsure_below": None})
    assert (changed.status_code, changed.get_json()["settings"]) == (
        200,
        {"max_false": {"ಅ": 0.02}},
    )
    assert client.get("/tasks/letters").get_json()["settings"] == {"max_false": {"ಅ": 0.02}}


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"unsure_below": 2}, "unsure_below"),
        ({"unsure_below": "0.5"}, "unsure_below"),
        ({"max_false": {"ಅ": 0.5}}, "max_false.ಅ"),
        ({"max_false": {"ಅ": 1e-7}}, "max_false.ಅ"),
        ({"max_false": {"ಕ": 0.1}}, "max_false.ಕ"),
        ({"max_false": 0.1}, "max_false"),
        ({"sure_above": 0.1}, "sure_above"),
        ([], "body"),
    ],
)
def test_bad_settings_of_a_task_are_refused_by_their_field(
    client: FlaskClient, asked: Any, field: str
) -> None:
    client.post("/tasks", json=LETTERS)
    response = client.post("/tasks/letters/settings", json=asked)
    assert (response.status_code, error_of(response)["code"]) == (422, "unacceptable")
    assert error_of(response)["detail"]["field"] == field
    assert client.get("/tasks/letters").get_json()["settings"] == {}


def test_a_task_stays_unsure_below_its_own_score_from_the_next_request_on(
    taught: FlaskClient,
) -> None:
    ask = {"data": jpeg(1), "content_type": "image/jpeg"}
    assert taught.post("/classify", **ask).get_json()["prediction"] == "real"
    taught.post("/tasks/authenticity/settings", json={"unsure_below": 0.95})
    verdict = taught.post("/classify", **ask).get_json()
    assert verdict["prediction"] == "unsure"
    assert any("Below 95%" in reason for reason in verdict["reasons"])


def test_same_name_twice_is_a_conflict(client: FlaskClient) -> None:
    client.post("/tasks", json=LETTERS)
    response = client.post("/tasks", json=LETTERS)
    assert (response.status_code, error_of(response)["code"]) == (409, "conflict")


def test_deleted_task_is_gone_and_its_name_free(client: FlaskClient) -> None:
    client.post("/tasks", json=LETTERS)
    response = client.delete("/tasks/letters")
    assert (response.status_code, response.get_json()) == (
        200,
        {"task": "letters", "deleted": True},
    )
    assert client.get("/tasks/letters").status_code == 404
    assert client.delete("/tasks/letters").status_code == 404
    assert client.post("/tasks", json=LETTERS).status_code == 201


def test_default_task_stays(client: FlaskClient) -> None:
    response = client.delete("/tasks/authenticity")
    assert (response.status_code, error_of(response)["code"]) == (409, "conflict")


def add_sample(engine: Engine, seed: int, label: str, source: str, *, demo: bool = False) -> None:
    facts = decode(jpeg(seed)).facts
    new = NewSample(label, source, f"family-{seed}", Split.TRAIN, demo=demo)
    engine.store.samples.add("authenticity", facts, new)


def test_stats_count_by_label_and_source_and_keep_the_demonstration_apart(engine: Engine) -> None:
    add_sample(engine, 1, "ai", "webmix")
    add_sample(engine, 2, "ai", "stockmix")
    add_sample(engine, 3, "real", "webmix")
    add_sample(engine, 4, "real", "starter", demo=True)
    engine.store.samples.quarantine(
        "authenticity", "bad.jpg", "corrupt", "is damaged", "webmix", None
    )
    client = client_of(answering(engine))
    client.post("/classify", data={"image": file(jpeg(9))})
    document = client.get("/stats").get_json()
    StatsBody.model_validate(document)
    assert document["samples"] == {
        "total": 3,
        "labels": {"ai": 2, "real": 1},
        "sources": {"webmix": {"ai": 1, "real": 1}, "stockmix": {"ai": 1}},
    }
    assert document["demo_samples"]["total"] == 1
    assert (document["verdicts"], document["vectors"], document["quarantined"]) == (1, 1, 1)
    assert client.get("/tasks/authenticity").get_json()["samples"] == 3


@pytest.mark.parametrize("path", ["", "/stats", "/model_info", "/models", "/training_history"])
def test_unknown_task_is_404(client: FlaskClient, path: str) -> None:
    for task in ("nobody", "%00", "x" * 65, "AUTHENTICITY"):
        response = client.get(f"/tasks/{task}{path}")
        assert (response.status_code, error_of(response)["code"]) == (404, "not_found")
