"""Who speaks: keys have holders, the log names them, and some may do more than others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from config import Settings
from domain import Run
from engine import Engine
from tests.web.service import client_of, error_of, file, jpeg, promoted, reopened
from web.payloads.feedback import PersonUndoneBody

KEYS = (("alice", "alice-kéy"), ("bob", "bob-key"))
ADMIN, API = "admin-key", "api-key"
CLOSED: dict[str, Any] = {
    "api_host": "0.0.0.0",  # noqa: S104
    "admin_key": ADMIN,
    "api_key": API,
    "feedback_keys": KEYS,
}


def bearer(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key.encode().decode('latin-1')}"}


def taught(
    client: FlaskClient, key: str | None, seed: int = 0, label: str = "ai", task: str = ""
) -> TestResponse:
    form = {"image": file(jpeg(seed)), "label": label}
    return client.post(f"{task}/feedback", data=form, headers=bearer(key))


def listed(client: FlaskClient, key: str | None = ADMIN) -> list[dict[str, Any]]:
    found = client.get("/feedback", headers=bearer(key)).get_json()["corrections"]
    return [row for row in found if row["undoes"] is None]


@pytest.fixture
def closed(settings: Settings) -> Iterator[FlaskClient]:
    """A client of a service that is bound publicly, with every sort of key."""
    engine = reopened(settings, **CLOSED)
    yield client_of(engine)
    engine.close()


@pytest.mark.parametrize(
    ("changes", "key", "person", "trusted"),
    [
        ({}, None, "local", True),
        ({}, "whatever", "local", True),
        ({"feedback_keys": KEYS}, None, "local", True),
        ({"feedback_keys": KEYS}, "bob-key", "bob", False),
        ({"feedback_keys": KEYS, "admin_key": ADMIN}, None, "local", False),
        ({"feedback_keys": KEYS, "admin_key": ADMIN}, ADMIN, "admin", True),
        ({"api_key": API}, API, "api", True),
        ({"api_key": API, "admin_key": ADMIN}, API, "api", False),
        (CLOSED, API, "api", False),
        (CLOSED, ADMIN, "admin", True),
        (CLOSED, "alice-kéy", "alice", False),
    ],
)
def test_log_names_the_holder_of_the_key(
    settings: Settings, changes: dict[str, Any], key: str | None, person: str, trusted: bool
) -> None:
    engine = reopened(settings, **changes)
    receipt = taught(client_of(engine), key).get_json()
    assert (receipt["person"], receipt["trusted"]) == (person, trusted)
    (row,) = engine.store.corrections.since("authenticity", 0)
    assert (row.person, row.trusted) == (person, trusted)
    engine.close()


def test_unknown_key_is_not_taken_for_somebody_else(settings: Settings) -> None:
    engine = reopened(settings, feedback_keys=KEYS)
    client = client_of(engine)
    for key in ("alice", "alice-ké", "bob-key ,", "alice=alice-kéy"):
        response = taught(client, key)
        assert (response.status_code, error_of(response)["code"]) == (401, "unauthorized")
    assert client.get("/stats", headers=bearer("alice")).status_code == 200
    engine.close()


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("POST", "/feedback", None, 401),
        ("POST", "/feedback", "wrong", 401),
        ("POST", "/feedback", "bob-key", 415),
        ("POST", "/classify", "bob-key", 415),
        ("POST", "/tasks/authenticity/train", "bob-key", 415),
        ("POST", "/link_variants", "bob-key", 403),
        ("POST", "/link_variants", API, 403),
        ("POST", "/link_variants", ADMIN, 415),
        ("GET", "/stats", "bob-key", 200),
        ("GET", "/feedback", "bob-key", 200),
        ("GET", "/feedback", None, 401),
        ("GET", "/quarantine", None, 401),
        ("POST", "/feedback/undo_person", "bob-key", 403),
        ("POST", "/feedback/undo_person", API, 403),
        ("POST", "/feedback/undo_person", ADMIN, 415),
        ("POST", "/unlink_variants", "bob-key", 403),
        ("POST", "/reset", "bob-key", 403),
        ("POST", "/restore", API, 403),
        ("POST", "/reset", ADMIN, 415),
        ("DELETE", f"/pictures/{'0' * 64}", "bob-key", 403),
        ("POST", "/config", "bob-key", 403),
    ],
)
def test_named_keys_open_reading_and_feedback_only(
    closed: FlaskClient, method: str, path: str, key: str | None, status: int
) -> None:
    response = closed.open(path, method=method, headers=bearer(key))
    assert response.status_code == status
    if status >= 400:
        error_of(response)


def test_named_key_may_do_no_more_where_no_admin_key_is_set(settings: Settings) -> None:
    engine = reopened(settings, feedback_keys=KEYS)
    client = client_of(engine)
    said = {"confirm": "authenticity"}
    assert client.post("/reset", json=said, headers=bearer("bob-key")).status_code == 403
    assert client.post("/reset", json=said).status_code == 200
    engine.close()


def test_public_classify_does_not_open_what_people_said(settings: Settings) -> None:
    engine = reopened(settings, **CLOSED, public_classify=True)
    client = client_of(engine)
    assert client.get("/stats").status_code == 200
    assert client.post("/classify", data={"image": file(jpeg())}).status_code == 200
    for path in ("/feedback", "/queue", "/quarantine", "/export_data", f"/feedback/{'0' * 32}"):
        assert client.get(path).status_code == 401, path
    assert taught(client, None).status_code == 401
    engine.close()


def test_with_public_classify_nobody_without_a_key_is_told_who_taught(settings: Settings) -> None:
    engine = reopened(settings, **CLOSED, public_classify=True)
    client = client_of(engine)
    assert taught(client, "alice-kéy", 1, "ai").status_code == 201
    assert taught(client, "bob-key", 2, "ai").status_code == 201
    rows = {"feedback:alice": {"right": 3}, "feedback:bob": {"right": 2}, "web": {"right": 1}}
    promoted(engine, slices={"with_looks": 0, "parts": {"source": rows}})
    at = datetime(2026, 11, 21, tzinfo=UTC)
    told = "The source feedback:bob tells the labels apart."
    engine.store.runs.add(
        Run("r1", "authenticity", "night", at, at, {"sources": rows}, {}, "kept", told, None)
    )

    stats = client.get("/stats").get_json()["samples"]
    answers = [client.get(path) for path in ("/stats", "/model_info", "/training_history")]
    slices = answers[1].get_json()["slices"]["parts"]["source"]
    history = answers[2].get_json()[0]
    for response in answers:
        assert response.status_code == 200
        assert b"alice" not in response.data
        assert b"bob" not in response.data
    assert stats["sources"] == {"feedback": {"ai": 2}}
    assert list(slices.values()) == list(rows.values())
    assert slices["web"] == {"right": 1}
    assert history["reason"] == "The source feedback:2 tells the labels apart."
    assert client.get("/models/20261121T000000-abcdef/report").status_code == 401

    named = client.get("/stats", headers=bearer(API)).get_json()["samples"]["sources"]
    info = client.get("/model_info", headers=bearer(API)).get_json()
    engine.close()
    assert named == {"feedback:alice": {"ai": 1}, "feedback:bob": {"ai": 1}}
    assert info["slices"]["parts"]["source"] == rows


def test_a_job_tells_nobody_without_a_key_who_taught(settings: Settings) -> None:
    engine = reopened(settings, **CLOSED, public_classify=True)
    now = datetime(2026, 11, 21, tzinfo=UTC)
    engine.store.jobs.ask("retrain", request={}, now=now, task=None)
    job = engine.store.jobs.claim("me", "retrain", now)
    assert job is not None
    result = {"counts": {"feedback:alice smith": 3}}
    engine.store.jobs.finish(job.id, "me", now, result=result)

    client = client_of(engine)
    without = [client.get(path).data for path in (f"/jobs/{job.id}", "/jobs")]
    named = client.get(f"/jobs/{job.id}", headers=bearer(API)).get_json()["result"]
    engine.close()

    assert not any(b"alice" in data or b"smith" in data for data in without)
    assert all(b'"feedback:1"' in data for data in without)
    assert named == result


def test_one_takes_back_only_ones_own_and_admins_take_back_anything(closed: FlaskClient) -> None:
    by_alice = taught(closed, "alice-kéy", 1).get_json()["undo"]
    by_bob = taught(closed, "bob-key", 2).get_json()["undo"]
    for key in ("bob-key", API):
        response = closed.delete(by_alice, headers=bearer(key))
        assert (response.status_code, error_of(response)["code"]) == (403, "forbidden")
    assert closed.delete(by_alice, headers=bearer("alice-kéy")).status_code == 200
    assert closed.delete(by_bob, headers=bearer(ADMIN)).status_code == 200


def test_same_key_for_a_request_of_another_person_is_another_request(closed: FlaskClient) -> None:
    form = {"label": "ai"}
    ids = set()
    for key in ("alice-kéy", "bob-key"):
        headers = {**bearer(key), "Idempotency-Key": "1"}
        made = closed.post("/feedback", data={**form, "image": file(jpeg())}, headers=headers)
        ids.add(made.get_json()["id"])
    assert len(ids) == 2


def test_too_many_corrections_a_minute_are_429_and_say_when_to_come_back(
    settings: Settings,
) -> None:
    engine = reopened(settings, **CLOSED, feedback_per_minute=2)
    client = client_of(engine)
    assert [taught(client, "bob-key", seed).status_code for seed in (1, 2)] == [201, 201]
    response = taught(client, "bob-key", 3)
    assert (response.status_code, error_of(response)["code"]) == (429, "limited")
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert taught(client, "alice-kéy", 3).status_code == 201
    assert [taught(client, ADMIN, seed).status_code for seed in (4, 5, 6)] == [201] * 3
    assert len(listed(client)) == 6
    engine.close()


def test_too_many_new_labels_are_429(settings: Settings) -> None:
    engine = reopened(settings, **CLOSED, feedback_new_labels=2)
    client = client_of(engine)
    client.post("/tasks", json={"name": "any"}, headers=bearer(ADMIN))
    statuses = [
        taught(client, key, seed, f"label {seed}", "/tasks/any").status_code
        for seed, key in enumerate(["bob-key", "bob-key", "bob-key", "alice-kéy", ADMIN])
    ]
    assert statuses == [201, 201, 429, 201, 201]
    engine.close()


def test_fifty_tasks_are_enough_for_whoever_is_not_trusted(closed: FlaskClient) -> None:
    def made(name: str, key: str) -> TestResponse:
        return closed.post("/tasks", json={"name": name}, headers=bearer(key))

    statuses = [made(f"task-{i}", "bob-key").status_code for i in range(49)]
    assert statuses == [201] * 49  # with the task that always exists, fifty
    refused = made("one-more", "alice-kéy")
    assert (refused.status_code, error_of(refused)["code"]) == (403, "forbidden")
    assert "50 tasks" in error_of(refused)["message"]
    assert made("one-more", ADMIN).status_code == 201
    for name in ("task-0", "one-more"):
        assert closed.delete(f"/tasks/{name}", headers=bearer(ADMIN)).status_code == 200
    assert made("in-its-place", "bob-key").status_code == 201


def test_task_of_more_labels_than_one_person_may_bring_needs_the_admin_key(
    settings: Settings,
) -> None:
    engine = reopened(settings, **CLOSED, feedback_new_labels=3)
    client = client_of(engine)

    def made(n: int, key: str) -> TestResponse:
        asked = {"name": f"of-{n}", "labels": [f"label {i}" for i in range(n)]}
        return client.post("/tasks", json=asked, headers=bearer(key))

    assert made(3, "bob-key").status_code == 201
    refused = made(4, "bob-key")
    assert (refused.status_code, error_of(refused)["code"]) == (403, "forbidden")
    assert client.get("/tasks/of-4", headers=bearer(ADMIN)).status_code == 404
    assert made(4, ADMIN).status_code == 201
    engine.close()


def test_what_one_person_taught_is_taken_back_at_once_after_a_look(closed: FlaskClient) -> None:
    for seed in range(4):
        taught(closed, "bob-key", seed, "ai" if seed else "real")
    kept = taught(closed, "alice-kéy", 9).get_json()
    said = {"person": "bob"}
    path, headers = "/feedback/undo_person", bearer(ADMIN)
    seen = closed.post(f"{path}?dry_run=1", json=said, headers=headers).get_json()
    PersonUndoneBody.model_validate(seen)
    assert (seen["count"], seen["labels"], seen["dry_run"]) == (4, {"ai": 3, "real": 1}, True)
    assert len([r for r in listed(closed) if r["person"] == "bob"]) == 4
    done = closed.post(path, json=said, headers=headers).get_json()
    assert (done["ids"], done["dry_run"]) == (seen["ids"], False)
    again = closed.post(path, json=said, headers=headers).get_json()
    assert again["count"] == 0
    stats = closed.get("/stats", headers=headers).get_json()
    assert (stats["corrected"], stats["samples"]["total"]) == (1, 1)
    assert closed.get(f"/feedback/{kept['id']}", headers=headers).get_json()["undone"] is False


def test_only_what_was_taught_since_a_moment_is_taken_back(closed: FlaskClient) -> None:
    first = taught(closed, "bob-key", 1).get_json()
    second = taught(closed, "bob-key", 2).get_json()
    said = {"person": "bob", "since": second["created_at"]}
    done = closed.post("/feedback/undo_person", json=said, headers=bearer(ADMIN)).get_json()
    assert done["ids"] == [second["id"]] != [first["id"]]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "person"),
        ({"person": 1}, "person"),
        ({"person": ""}, "person"),
        ({"person": None}, "person"),
        ({"person": "bob", "since": "yesterday"}, "since"),
        ({"person": "bob", "since": "2026-11-21T09:00:00"}, "since"),
        ({"person": "bob", "since": "0001-01-01T00:00:00+23:59"}, "since"),
        ({"person": "bob", "since": "9999-12-31T23:59:59-23:59"}, "since"),
        ({"person": "bob", "since": [1]}, "since"),
        ({"person": "bob", "since": 10**400}, "since"),
        ({"person": "bob", "dry_run": "no"}, "dry_run"),
        ({"person": "bob", "until": "2026-11-21T09:00:00Z"}, "until"),
        ([], "body"),
    ],
)
def test_odd_wish_to_take_back_is_refused_by_its_field(
    client: FlaskClient, said: Any, field: str
) -> None:
    response = client.post("/feedback/undo_person", json=said)
    assert (response.status_code, error_of(response)["detail"]["field"]) == (422, field)


def test_person_nobody_heard_of_has_nothing_to_take_back(client: FlaskClient) -> None:
    for person in ("nobody", "\0", "x" * 100_000):
        response = client.post("/feedback/undo_person", json={"person": person})
        assert (response.status_code, response.get_json()["count"]) == (200, 0)


def test_keys_of_persons_stay_out_of_answers(closed: FlaskClient, engine: Engine) -> None:
    answers = [
        closed.get(path, headers=bearer(ADMIN)).data
        for path in ("/config", "/health", "/feedback", "/openapi.json")
    ]
    answers.append(taught(closed, "wrong").data)
    for secret in ("bob-key", "alice-k", ADMIN, API):
        assert all(secret.encode() not in data for data in answers)
