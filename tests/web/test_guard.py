"""Hosts, origins, keys and headers. What is not declared is denied."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask import Response
from flask.testing import FlaskClient

from app import create_app
from config import Settings
from domain import DEFAULT_TASK
from engine import Engine
from tests.web.service import PUBLIC, bearer, client_of, error_of, file, jpeg, reopened
from web.guard import Level, accepted_keys
from web.routes import LEVELS, ROUTES

FORBIDDEN_HOSTS = ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.7"]


def test_every_path_has_a_declared_level(engine: Engine) -> None:
    rules = create_app(engine).url_map.iter_rules()
    assert {rule.endpoint for rule in rules} == set(LEVELS)


def test_path_without_a_level_is_denied(engine: Engine) -> None:
    app = create_app(engine)
    app.add_url_rule("/forgotten", "forgotten", lambda: Response("secret"))
    response = app.test_client().get("/forgotten")
    assert (response.status_code, error_of(response)["code"]) == (403, "forbidden")


def test_two_routes_never_share_an_endpoint() -> None:
    assert len({route.endpoint for route in ROUTES}) == len(ROUTES)


def test_what_changes_models_tasks_and_settings_needs_the_admin_key() -> None:
    changing = {r.endpoint: r.level for r in ROUTES if r.method != "GET"}
    assert changing == {
        "classify_picture": Level.READ,
        "predict": Level.READ,
        "classify_url": Level.READ,
        "batch_classify": Level.READ,
        "give_feedback": Level.FEEDBACK,
        "give_feedback_in_bulk": Level.FEEDBACK,
        "train": Level.FEEDBACK,
        "undo_feedback": Level.FEEDBACK,
        "create_task": Level.FEEDBACK,
        "save": Level.FEEDBACK,
        "undo_feedback_of_person": Level.ADMIN,
        "link_variants": Level.ADMIN,
        "unlink_variants": Level.ADMIN,
        "erase_picture": Level.ADMIN,
        "reset": Level.ADMIN,
        "restore": Level.ADMIN,
        "import_data": Level.ADMIN,
        "change_config": Level.ADMIN,
        "delete_task": Level.ADMIN,
        "retrain": Level.ADMIN,
        "cancel_job": Level.ADMIN,
        "promote_version": Level.ADMIN,
        "roll_back_version": Level.ADMIN,
        "settle_task": Level.ADMIN,
        "describe_labels": Level.ADMIN,
    }


def test_what_others_sent_and_said_is_not_public_with_public_classify() -> None:
    """Whoever knows a picture's sha256 has it already; nobody else is told it without a key."""
    shown = {r.endpoint for r in ROUTES if r.method == "GET" and r.level is Level.FEEDBACK}
    assert shown == {
        "list_feedback", "list_conflicts", "show_receipt", "show_queue", "show_quarantine",
        "export_data", "list_changes", "show_heatmap", "show_report",
    }  # fmt: skip


# (settings, level) -> keys that open it; None: open to all
@pytest.mark.parametrize(
    ("changes", "level", "expected"),
    [
        ({}, Level.ADMIN, None),
        ({}, Level.READ, None),
        ({"api_key": "r"}, Level.READ, {"r"}),
        ({"api_key": "r"}, Level.ADMIN, {"r"}),
        ({"admin_key": "a"}, Level.READ, None),
        ({"admin_key": "a"}, Level.ADMIN, {"a"}),
        ({"api_key": "r", "admin_key": "a"}, Level.FEEDBACK, {"r", "a"}),
        ({"api_key": "r", "admin_key": "a"}, Level.ADMIN, {"a"}),
        (PUBLIC, Level.READ, {"admin-key"}),
        (PUBLIC, Level.ADMIN, {"admin-key"}),
        ({**PUBLIC, "api_key": "r"}, Level.READ, {"r", "admin-key"}),
        ({**PUBLIC, "api_key": "r"}, Level.ADMIN, {"admin-key"}),
        ({**PUBLIC, "public_classify": True}, Level.READ, None),
        ({**PUBLIC, "public_classify": True}, Level.FEEDBACK, {"admin-key"}),
        (PUBLIC, Level.PUBLIC, None),
    ],
)
def test_keys_that_open_a_level(
    settings: Settings, changes: dict[str, Any], level: Level, expected: set[str] | None
) -> None:
    local = "api_host" not in changes
    keys = accepted_keys(settings.model_copy(update=changes), level, local=local)
    assert (None if keys is None else {key for key in keys if key}) == expected


@pytest.mark.parametrize("address", ["203.0.113.9", ""])
def test_a_client_elsewhere_needs_a_key_whatever_the_address_bound(
    client: FlaskClient, address: str
) -> None:
    elsewhere = {"REMOTE_ADDR": address}
    assert client.get("/stats", environ_base=elsewhere).status_code == 401
    assert client.get("/stats").status_code == 200
    assert client.get("/health", environ_base=elsewhere).status_code == 200


@pytest.fixture
def guarded(settings: Settings) -> FlaskClient:
    """A client of a service bound publicly, with both keys set."""
    return client_of(reopened(settings, **PUBLIC, api_key="read-kéy"))


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("GET", "/health", None, 200),
        ("GET", "/", None, 200),
        ("GET", "/openapi.json", None, 200),
        ("GET", "/stats", None, 401),
        ("GET", "/stats", "wrong", 401),
        ("GET", "/stats", "", 401),
        ("GET", "/stats", "read-kéy", 200),
        ("GET", "/stats", "admin-key", 200),
        ("POST", "/classify", None, 401),
        ("POST", "/classify", "read-kéy", 415),
        ("POST", "/tasks", "read-kéy", 415),
        ("POST", "/config", "read-kéy", 403),
        ("POST", "/config", "admin-key", 415),
        ("DELETE", f"/tasks/{DEFAULT_TASK}", "read-kéy", 403),
        ("DELETE", f"/tasks/{DEFAULT_TASK}", "admin-key", 409),
        ("GET", "/nothing", None, 404),
        ("OPTIONS", "/stats", None, 200),
    ],
)
def test_keys_are_enforced_when_bound_publicly(
    guarded: FlaskClient, method: str, path: str, key: str | None, status: int
) -> None:
    headers = {} if key is None else bearer(key.encode().decode("latin-1"))
    response = guarded.open(path, method=method, headers=headers)
    assert response.status_code == status
    if status == 401:
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert error_of(response)["code"] == "unauthorized"


@pytest.mark.parametrize(
    "header", ["Basic cmVhZA==", "read-kéy", "Bearer", "bearer  ", "Bearer a b"]
)
def test_other_authorisation_is_no_key(guarded: FlaskClient, header: str) -> None:
    headers = {"Authorization": header.encode().decode("latin-1")}
    assert guarded.get("/stats", headers=headers).status_code == 401


def test_the_scheme_is_read_in_any_case(guarded: FlaskClient) -> None:
    headers = {"Authorization": "bEARER admin-key"}
    assert guarded.get("/stats", headers=headers).status_code == 200


def test_public_classify_opens_reading_only(settings: Settings) -> None:
    client = client_of(reopened(settings, **PUBLIC, public_classify=True))
    assert client.post("/classify", data={"image": file(jpeg())}).status_code == 200
    assert client.post("/tasks", json={"name": "x"}).status_code == 401
    assert client.post("/config", json={}).status_code == 401


@pytest.mark.parametrize("host", FORBIDDEN_HOSTS)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_foreign_host_is_refused_on_loopback(client: FlaskClient, host: str, method: str) -> None:
    response = client.open("/config", method=method, headers={"Host": host})
    assert (response.status_code, error_of(response)["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:5000", "127.0.0.1:5000", "127.8.8.8", "[::1]:5000", "localhost."],
)
def test_own_host_is_served(client: FlaskClient, host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code == 200


def test_allowed_host_is_served_and_others_then_refused_publicly(settings: Settings) -> None:
    client = client_of(reopened(settings, **PUBLIC, allowed_hosts=("Exposr.example",)))
    assert client.get("/health", headers={"Host": "exposr.example:8443"}).status_code == 200
    assert client.get("/health", headers={"Host": "127.0.0.1"}).status_code == 200
    assert client.get("/health", headers={"Host": "other.example"}).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://localhost"}, 201),
        ({"Origin": "https://news.example"}, 201),
        ({}, 201),
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({"Sec-Fetch-Site": "none"}, 201),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost:8080"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "https://news.example.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_changes_from_other_sites_pages_are_refused(
    settings: Settings, headers: dict[str, str], status: int
) -> None:
    client = client_of(reopened(settings, cors_origins=("https://news.example",)))
    response = client.post("/tasks", json={"name": "x"}, headers=headers)
    assert response.status_code == status
    assert client.get("/tasks/x").status_code == (200 if status == 201 else 404)


def test_only_listed_origins_may_read_answers(settings: Settings) -> None:
    origins = ("https://news.example", "http://[::1]:3000")
    client = client_of(reopened(settings, cors_origins=origins))
    for origin in origins:
        response = client.get("/health", headers={"Origin": origin})
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert "Origin" in response.headers["Vary"]
    for origin in (
        "https://newsXexample",
        "https://news.example.evil.example",
        "null",
        "http://1:3000",
    ):
        headers = client.get("/health", headers={"Origin": origin}).headers
        assert "Access-Control-Allow-Origin" not in headers, origin
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_errors_can_be_read_by_listed_origins_too(settings: Settings) -> None:
    client = client_of(reopened(settings, cors_origins=("https://news.example",)))
    response = client.get("/nothing", headers={"Origin": "https://news.example"})
    assert response.status_code == 404
    assert response.headers["Access-Control-Allow-Origin"] == "https://news.example"


def test_browser_may_ask_before_it_sends_a_key(settings: Settings) -> None:
    client = client_of(
        reopened(settings, **PUBLIC, api_key="k", cors_origins=("https://news.example",))
    )
    asked = {
        "Origin": "https://news.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, x-evil",
    }
    response = client.options("/classify", headers=asked)
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Headers"] == "authorization"


def test_no_cors_unless_origins_are_listed(client: FlaskClient) -> None:
    headers = client.get("/health", headers={"Origin": "http://localhost"}).headers
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("path", ["/", "/docs", "/health", "/nothing", "/static/home.js"])
def test_every_answer_has_the_safe_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path, buffered=True).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_keys_and_queries_stay_out_of_the_log(
    guarded: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        guarded.get("/stats?token=query-secret", headers=bearer("admin-key"))
        guarded.get("/stats", headers=bearer("wrong-secret"))
    assert '"path": "/stats"' in caplog.text
    for secret in ("admin-key", "query-secret", "wrong-secret"):
        assert secret not in caplog.text
