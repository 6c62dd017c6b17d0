"""Whatever a client sends, it is answered below 500 and in the one shape."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app import create_app
from config import Encoder, load_settings
from engine import open_engine
from tests.web.service import jpeg
from web.route import paths_of
from web.routes import ROUTES

QUICK = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PATHS = sorted({path for route in ROUTES for path in paths_of(route)})
POSTS = sorted({path for route in ROUTES if route.method == "POST" for path in paths_of(route)})
TYPES = (
    "application/json", "application/problem+json", "multipart/form-data; boundary=b",
    "multipart/form-data", "image/png", "image/svg+xml", "application/octet-stream",
    "text/plain", "", "a/b;c", "application/x-www-form-urlencoded", "application/json; charset=x",
)  # fmt: skip
KEYS = ("url", "image", "urls", "name", "labels", "kind", "open", "prompts", "training_time",
        "log_level", "max_false_accusation", "min_images_per_class", "verdict_id", "sample_id",
        "label", "correct", "variant_of", "note", "dry_run", "char", "items", "person", "since",
        "variant", "char1", "char2", "confirm", "archive")  # fmt: skip
TEXTS = st.text(max_size=30) | st.sampled_from(
    ["http://127.0.0.1/", "file:///etc/passwd", "http://[::1]:80/", "data:image/png;base64,AAAA",
     "data:,", "photo", "ಅ", "\x00", "unsure", "../..", "http://\ud800", "a" * 5000]
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.sampled_from(KEYS) | TEXTS, VALUES, max_size=4) | VALUES


@pytest.fixture(scope="module")
def client() -> Iterator[FlaskClient]:
    """One service for all of it: what one request breaks, a later one shows."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(
            load_settings(_env_file=None, data_dir=Path(folder), encoder=Encoder.BUILTIN)
        )
        yield create_app(engine).test_client()
        engine.close()


def check(response: TestResponse) -> None:
    assert response.status_code < 500, response.data[:500]
    document = json.loads(response.data.decode("utf-8"))
    if response.status_code >= 400:
        assert set(document) == {"error"}
        assert set(document["error"]) == {"code", "message", "detail"}
        assert len(response.data) < 4000


def filled(path: str, task: str) -> str:
    return re.sub(r"<\w+>", "x", path.replace("<task>", task))


@pytest.mark.parametrize("path", POSTS)
@QUICK
@given(document=DOCUMENTS)
@example(document={"urls": [None, 1, {"a": []}]})
@example(document={"labels": [[[[]]]], "name": {"a": 1}})
@example(document={"items": [None, 1, [], {}, {"label": {}}, {"sample_id": -(10**40)}]})
@example(document={"sample_id": 10**400, "label": "ai"})
@example(document={"label": ["ai"] * 10_000})
@example(document={"label": "ai", "variant": "unsure"})
def test_any_json_is_answered(client: FlaskClient, path: str, document: Any) -> None:
    body = json.dumps(document)  # writes NaN and Infinity too, and half characters as escapes
    check(client.post(filled(path, "authenticity"), data=body, content_type="application/json"))


@pytest.mark.parametrize("path", POSTS)
@QUICK
@given(data=st.binary(max_size=300), kind=st.sampled_from(TYPES))
@example(data=b"[" * 5000, kind="application/json")
@example(data=b'{"a":' * 40 + b"1" + b"}" * 40, kind="application/json")
@example(data=b"\xef\xbb\xbf{}", kind="application/json")
@example(data=b'{"name": "a", "name": 1}', kind="application/json")
@example(data=b"1" * 4301, kind="application/json")
def test_any_bytes_of_any_type_are_answered(
    client: FlaskClient, path: str, data: bytes, kind: str
) -> None:
    headers = {"Content-Type": kind}
    check(client.post(filled(path, "authenticity"), data=data, headers=headers))


HEADS = st.sampled_from(
    [b'Content-Disposition: form-data; name="image"; filename="a"',
     b'Content-Disposition: form-data; name="images"; filename=""',
     b'Content-Disposition: form-data; name="images"', b"Content-Disposition: form-data",
     b"Content-Disposition: form-data; name*=utf-8''%ff; filename*=x", b"X: y", b"", b"\xff: \xff",
     b"Content-Type: multipart/mixed; boundary=b"]
)  # fmt: skip
CONTENTS = st.binary(max_size=60) | st.just(jpeg()) | st.just(b"\r\n--b--\r\n")


@pytest.mark.parametrize("path", ["/classify", "/batch_classify"])
@QUICK
@given(
    sections=st.lists(st.tuples(HEADS, CONTENTS), max_size=4),
    end=st.sampled_from([b"--b--\r\n", b"--b--", b"--b", b"", b"--b--\r\nepilogue"]),
)
def test_any_multipart_is_answered(
    client: FlaskClient, path: str, sections: list[tuple[bytes, bytes]], end: bytes
) -> None:
    body = b"".join(b"--b\r\n" + h + b"\r\n\r\n" + c + b"\r\n" for h, c in sections) + end
    check(client.post(path, data=body, content_type="multipart/form-data; boundary=b"))


FIELDS = st.sampled_from(
    ["label", "char", "variant_of", "note", "dry_run", "correct", "verdict_id", "sample_id", "url"]
)


@pytest.mark.parametrize("path", ["/tasks/odd/feedback", "/tasks/odd/train"])
@QUICK
@given(fields=st.dictionaries(FIELDS | TEXTS, TEXTS, max_size=5), key=st.none() | TEXTS)
@example(fields={"label": "x"}, key=None)
@example(fields={"label": "x", "variant_of": "x"}, key="1")
@example(fields={"label": "y", "variant_of": "x", "note": "\x00"}, key="1")
@example(fields={"label": "x", "variant_of": "y"}, key="\x00")
def test_anything_said_of_a_picture_is_answered(
    client: FlaskClient, path: str, fields: dict[str, str], key: str | None
) -> None:
    client.post("/tasks", json={"name": "odd", "open": True})
    written = {
        name.encode("utf-8", "ignore"): t.encode("utf-8", "replace") for name, t in fields.items()
    }
    form = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % pair
        for pair in written.items()
    )
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    body = form + head + jpeg(7) + b"\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    if key is not None:
        headers["Idempotency-Key"] = re.sub(r"[^\x20-\xff]", "?", key)
    check(client.post(path, data=body, headers=headers))


@pytest.mark.parametrize("path", [p for p in PATHS if "<" in p])
@QUICK
@given(name=st.text(min_size=1, max_size=40), method=st.sampled_from(["GET", "POST", "DELETE"]))
@example(name="\x00", method="GET")
@example(name="'; drop table tasks; --", method="GET")
@example(name="a" * 3000, method="DELETE")
def test_any_name_in_a_path_is_answered(
    client: FlaskClient, path: str, name: str, method: str
) -> None:
    check(client.open(filled(path, name), method=method))


@QUICK
@given(
    header=st.sampled_from(
        [
            "Host",
            "Origin",
            "Authorization",
            "X-Request-ID",
            "Content-Length",
            "Range",
            "Accept",
            "Idempotency-Key",
        ]
    ),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60),
)
def test_any_header_is_answered(client: FlaskClient, header: str, value: str) -> None:
    check(client.post("/tasks", data=b"{}", headers={header: value}))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "CONNECT", "FOO"])
def test_any_method_is_answered(client: FlaskClient, path: str, method: str) -> None:
    response = client.open(filled(path, "authenticity"), method=method)
    check(response)
    assert response.status_code == 405
