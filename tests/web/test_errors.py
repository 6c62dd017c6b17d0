"""One table from error to status; one shape for all that goes wrong."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import TooManyRequests

from app import create_app
from domain import (
    BadImage,
    BadImageReason,
    Conflict,
    ExposrError,
    FetchRefused,
    Limited,
    Malformed,
    NotEnoughData,
    NotFound,
    Unacceptable,
    Unavailable,
)
from engine import Engine
from tests.web.service import error_of
from web.errors import STATUS, status_of
from web.guard import Level
from web.routes import LEVELS


@pytest.fixture
def failing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Failing:
    """An app with a path that raises what it is given."""
    app = create_app(engine)
    raiser = Failing(app, RuntimeError())

    def fail() -> str:
        raise raiser.error

    app.add_url_rule("/fail", "fail", fail)
    monkeypatch.setitem(LEVELS, "fail", Level.PUBLIC)
    return raiser


@dataclass
class Failing:
    """What will be raised; asks for it."""

    app: Flask
    error: Exception

    def ask(self, error: Exception) -> FlaskClient:
        self.error = error
        return self.app.test_client()


def test_every_error_of_the_domain_has_a_status() -> None:
    # what a command alone raises is none of the service's, whether or not it was imported here
    kinds = {kind for kind in ExposrError.__subclasses__() if kind.__module__ == "domain"}
    assert kinds == set(STATUS)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Malformed("m"), 400, "malformed"),
        (NotFound("m"), 404, "not_found"),
        (Conflict("m"), 409, "conflict"),
        (Unacceptable("f", 1, "2"), 422, "unacceptable"),
        (NotEnoughData("m", counts={"ai": 1}), 422, "not_enough_data"),
        (FetchRefused("dns", "m"), 422, "fetch_refused"),
        (FetchRefused("too_large", "m"), 413, "fetch_refused"),
        (BadImage(BadImageReason.CORRUPT, "m"), 422, "bad_image"),
        (BadImage(BadImageReason.TOO_LARGE, "m"), 413, "bad_image"),
        (BadImage(BadImageReason.TOO_MANY_PIXELS, "m"), 413, "bad_image"),
        (BadImage(BadImageReason.UNSUPPORTED_FORMAT, "m"), 415, "bad_image"),
        (Limited("m", retry_after=7), 429, "limited"),
        (Unavailable("m"), 503, "unavailable"),
    ],
)
def test_status_of_each_error(failing: Failing, error: ExposrError, status: int, code: str) -> None:
    assert status_of(error) == status
    response = failing.ask(error).get("/fail")
    assert (response.status_code, error_of(response)["code"]) == (status, code)
    assert response.headers.get("Retry-After") == {429: "7", 503: "5"}.get(status)


def test_unexpected_failure_shows_no_trace_and_names_its_log_line(
    failing: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    client = failing.ask(RuntimeError("secret at /srv/exposr/data"))
    with caplog.at_level(logging.ERROR):
        response = client.get("/fail", headers={"X-Request-ID": "abc.123"})
    error = error_of(response)
    assert (response.status_code, error["code"]) == (500, "internal")
    assert b"secret" not in response.data
    assert b"Traceback" not in response.data
    assert error["detail"] == {"request_id": "abc.123"}
    assert "abc.123" in caplog.text
    assert "secret at /srv/exposr/data" in caplog.text


def test_framework_errors_keep_their_headers(failing: Failing) -> None:
    response = failing.ask(TooManyRequests(retry_after=7)).get("/fail")
    assert (response.status_code, error_of(response)["code"]) == (429, "too_many_requests")
    assert response.headers["Retry-After"] == "7"


@pytest.mark.parametrize("path", ["/nothing", "/Health", "/health/", "/tasks//", "/%ff", "/tasks/"])
def test_unknown_path_is_404(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, error_of(response)["code"]) == (404, "not_found")


def test_other_method_is_405_and_names_the_right_ones(client: FlaskClient) -> None:
    response = client.get("/classify")
    assert (response.status_code, error_of(response)["code"]) == (405, "method_not_allowed")
    assert "POST" in response.headers["Allow"]


def test_what_json_has_no_word_for_becomes_null(failing: Failing) -> None:
    response = failing.ask(Unacceptable("share", float("nan"), "less than 0.5")).get("/fail")
    assert error_of(response)["detail"]["got"] is None


def test_half_a_character_does_not_break_the_answer(failing: Failing) -> None:
    response = failing.ask(NotFound("there is no task \ud800")).get("/fail")
    assert response.status_code == 404
    response.data.decode("utf-8")


def test_any_script_is_sent_as_it_is(failing: Failing) -> None:
    assert "ಅ".encode() in failing.ask(NotFound("ಅ")).get("/fail").data
