"""Every request has an id and one line."""

from __future__ import annotations

import json
import logging
import re

import pytest
from flask.testing import FlaskClient


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [json.loads(r.getMessage()) for r in caplog.records if r.name == "exposr.access"]


def test_one_line_a_request_whatever_comes_of_it(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="exposr.access"):
        client.get("/tasks")
        client.get("/nothing")
        client.post("/classify")
    found = lines(caplog)
    assert [(line["method"], line["path"], line["status"]) for line in found] == [
        ("GET", "/tasks", 200),
        ("GET", "/nothing", 404),
        ("POST", "/classify", 415),
    ]
    assert all(isinstance(line["ms"], float) for line in found)


def test_given_request_id_is_kept_and_a_bad_one_replaced(client: FlaskClient) -> None:
    kept = client.get("/tasks", headers={"X-Request-ID": "from-proxy.7"})
    assert kept.headers["X-Request-ID"] == "from-proxy.7"
    for bad in ("a b", "x" * 65, '{"a":1}', ""):
        made = client.get("/tasks", headers={"X-Request-ID": bad}).headers["X-Request-ID"]
        assert re.fullmatch(r"[0-9a-f]{32}", made)


def test_odd_path_stays_one_line(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="exposr.access"):
        client.get("/a%0aFAKE%0d%22")
    (record,) = [r for r in caplog.records if r.name == "exposr.access"]
    assert "\n" not in record.getMessage()
    assert lines(caplog)[0]["path"] == '/a\nFAKE\r"'
