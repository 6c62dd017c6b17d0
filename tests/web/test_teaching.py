"""Teachable tasks over HTTP: taught, linked, counted."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from config import Settings
from tests.pictures import encode, letter
from tests.web.service import client_of, error_of, file, jpeg, reopened
from web.payloads.feedback import ReceiptBody
from web.payloads.tasks import StatsBody, VariantsBody

TASK = "/tasks/letters"
OPEN = {"name": "letters", "kind": "drawing", "open": True}


def drawn(which: int, hand: int = 0) -> bytes:
    return encode(letter(which, hand, 96), "PNG")


def teach(client: FlaskClient, which: int, label: str, hand: int = 0, **more: str) -> Any:
    form = {"image": file(drawn(which, hand)), "label": label, **more}
    response = client.post(f"{TASK}/train", data=form)
    assert response.status_code == 201, response.data
    return response.get_json()


def predicted(client: FlaskClient, which: int, hand: int = 9) -> Any:
    form = {"image": file(drawn(which, hand))}
    return client.post(f"{TASK}/predict", data=form).get_json()


@pytest.fixture
def letters(client: FlaskClient) -> FlaskClient:
    """A client of a service with an open task for drawn letters."""
    assert client.post("/tasks", json=OPEN).status_code == 201
    return client


def test_two_taught_letters_are_told_apart_at_once(letters: FlaskClient) -> None:
    receipt = teach(letters, 1, "ಅ")
    ReceiptBody.model_validate(receipt)
    assert receipt["task"] == "letters"
    for hand in range(3):
        teach(letters, 1, "ಅ", hand)
        teach(letters, 2, "ಕ್ಷ", hand)
    for which, label in ((1, "ಅ"), (2, "ಕ್ಷ")):
        verdict = predicted(letters, which)
        assert verdict["prediction"] == label
        assert verdict["source"] in ("model", "similar")


def test_examples_come_as_json_too(letters: FlaskClient) -> None:
    url = "data:image/png;base64," + base64.b64encode(drawn(1)).decode()
    for name in ("label", "char"):
        said = {"image": url, name: "ಅ", "note": "by hand"}
        response = letters.post(f"{TASK}/train", json=said)
        assert (response.status_code, response.get_json()["label"]) == (201, "ಅ")
    both = letters.post(f"{TASK}/train", json={"image": url, "label": "ಅ", "char": "ಅ"})
    assert both.status_code == 201


@pytest.mark.parametrize(
    ("form", "status", "field"),
    [
        ({"label": "ಅ"}, 400, None),
        ({"image": "PICTURE"}, 400, None),
        ({"image": "PICTURE", "label": "ಅ", "char": "ಆ"}, 422, "char"),
        ({"image": "PICTURE", "char": ""}, 422, "label"),
        ({"image": "PICTURE", "label": ""}, 422, "label"),
        ({"image": "PICTURE", "label": "ಅ", "verdict_id": "0" * 32}, 422, "verdict_id"),
        ({"image": "PICTURE", "label": "ಅ", "variant_of": "ಆ"}, 422, "variant_of"),
    ],
)
def test_example_that_will_not_do_is_refused(
    letters: FlaskClient, form: dict[str, Any], status: int, field: str | None
) -> None:
    sent = {k: file(drawn(1)) if v == "PICTURE" else v for k, v in form.items()}
    response = letters.post(f"{TASK}/train", data=sent, content_type="multipart/form-data")
    assert response.status_code == status, response.data
    assert error_of(response)["detail"].get("field") == field
    assert letters.get(f"{TASK}/stats").get_json()["corrections"] == 0


def test_closed_task_takes_its_own_labels_only(client: FlaskClient) -> None:
    client.post("/tasks", json={**OPEN, "labels": ["ಅ", "ಆ"], "open": False})
    teach(client, 1, "ಅ")
    response = client.post(f"{TASK}/train", data={"image": file(drawn(1)), "label": "ಇ"})
    error = error_of(response)
    assert (response.status_code, error["detail"]["field"]) == (422, "label")
    assert "ಅ" in error["detail"]["allowed"]


def test_unknown_task_is_404(client: FlaskClient) -> None:
    for path in ("train", "link_variants", "unlink_variants", "save", "reset", "feedback"):
        response = client.post(f"/tasks/nobody/{path}", json={})
        assert (response.status_code, error_of(response)["code"]) == (404, "not_found")
    for path in ("feedback", "archives", "quarantine"):
        assert client.get(f"/tasks/nobody/{path}").status_code == 404


def test_variant_answers_as_its_label_while_it_is_linked(letters: FlaskClient) -> None:
    for hand in range(2):
        teach(letters, 1, "ಅ", hand)
        teach(letters, 2, "ಆ", hand)
        teach(letters, 3, "ಅ looped", hand)
    assert predicted(letters, 3)["prediction"] == "ಅ looped"
    response = letters.post(f"{TASK}/link_variants", json={"label": "ಅ", "variant": "ಅ looped"})
    linked = response.get_json()
    VariantsBody.model_validate(linked)
    assert (response.status_code, linked) == (
        200,
        {"task": "letters", "label": "ಅ", "variants": ["ಅ looped"]},
    )
    assert predicted(letters, 3)["prediction"] == "ಅ"
    assert letters.get(TASK).get_json()["labels"] == ["ಅ", "ಆ"]
    response = letters.post(f"{TASK}/unlink_variants", json={"variant": "ಅ looped"})
    assert response.get_json() == {"task": "letters", "label": "ಅ", "variants": []}
    assert predicted(letters, 3)["prediction"] == "ಅ looped"


def test_variant_may_come_with_its_first_example(letters: FlaskClient) -> None:
    teach(letters, 1, "ಅ")
    teach(letters, 3, "ಅ looped", variant_of="ಅ")
    assert letters.get(TASK).get_json()["variants"] == {"ಅ looped": "ಅ"}
    verdict = letters.post(f"{TASK}/predict", data={"image": file(drawn(3))}).get_json()
    assert verdict["prediction"] == "ಅ"


def test_characters_are_linked_under_their_other_names_and_in_chains(letters: FlaskClient) -> None:
    for which, label in enumerate("ಅಆಇ"):
        teach(letters, which, label)
    assert (
        letters.post(f"{TASK}/link_variants", json={"char1": "ಆ", "char2": "ಇ"}).status_code == 200
    )
    linked = letters.post(f"{TASK}/link_variants", json={"char1": "ಅ", "char2": "ಆ"}).get_json()
    assert (linked["label"], linked["variants"]) == ("ಅ", ["ಆ", "ಇ"])
    response = letters.post(f"{TASK}/link_variants", json={"label": "ಇ", "variant": "ಅ"})
    assert (response.status_code, error_of(response)["code"]) == (409, "conflict")


def test_blanks_of_no_width_around_a_linked_form_are_taken_off(letters: FlaskClient) -> None:
    teach(letters, 1, "ಅ")
    said = {"label": "\ufeff ಅ\u200b", "variant": " \u200bಅ looped \ufeff"}
    linked = letters.post(f"{TASK}/link_variants", json=said).get_json()
    assert (linked["label"], linked["variants"]) == ("ಅ", ["ಅ looped"])
    said = {"variant": "\u200bಅ looped"}
    alone = letters.post(f"{TASK}/unlink_variants", json=said).get_json()
    assert (alone["label"], alone["variants"]) == ("ಅ", [])


@pytest.mark.parametrize(
    ("path", "said", "status"),
    [
        ("link_variants", {}, 422),
        ("link_variants", {"label": "ಅ"}, 422),
        ("link_variants", {"label": "ಅ", "char2": "ಆ"}, 422),
        ("link_variants", {"label": "ಅ", "variant": "x", "char1": "ಅ", "char2": "x"}, 422),
        ("link_variants", {"label": "ಅ", "variant": "x", "char1": "ಅ"}, 422),
        ("link_variants", {"label": "nobody", "variant": "x"}, 422),
        ("link_variants", {"label": "ಅ", "variant": ""}, 422),
        ("link_variants", {"label": "ಅ", "variant": "\0"}, 422),
        ("link_variants", {"label": "", "variant": "ಅ"}, 422),
        ("link_variants", {"label": "ಅ", "variant": "x" * 900_000}, 422),
        ("link_variants", {"label": ["ಅ"], "variant": "x"}, 422),
        ("link_variants", {"label": "ಅ", "variant": "ಅ"}, 409),
        ("link_variants", [["ಅ", "x"]], 422),
        ("unlink_variants", {}, 422),
        ("unlink_variants", {"variant": 1}, 422),
        ("unlink_variants", {"variant": ""}, 422),
        ("unlink_variants", {"variant": "ಅ"}, 409),
        ("unlink_variants", {"variant": "nobody"}, 409),
        ("unlink_variants", {"label": "ಅ", "variant": "x"}, 422),
    ],
)
def test_odd_links_are_refused(letters: FlaskClient, path: str, said: Any, status: int) -> None:
    teach(letters, 1, "ಅ")
    response = letters.post(f"{TASK}/{path}", json=said)
    assert response.status_code == status, response.data
    assert error_of(response)["message"]
    assert len(response.data) < 4000
    assert letters.get(TASK).get_json()["variants"] == {}


@pytest.fixture
def named(settings: Settings) -> Iterator[FlaskClient]:
    """A client of a service where bob has a key, with an open task."""
    engine = reopened(settings, feedback_keys=(("bob", "b"),), feedback_new_labels=2)
    client = client_of(engine)
    client.post("/tasks", json=OPEN)
    yield client
    engine.close()


def test_link_beside_the_log_needs_the_admin_key(named: FlaskClient) -> None:
    teach(named, 1, "ಅ")
    teach(named, 2, "ಆ")
    bob = {"Authorization": "Bearer b"}
    for path, said in (
        ("link_variants", {"label": "ಅ", "variant": "ಆ"}),
        ("link_variants", {"label": "ಅ", "variant": "ಅ looped"}),
        ("unlink_variants", {"variant": "ಆ"}),
    ):
        response = named.post(f"{TASK}/{path}", json=said, headers=bob)
        assert (response.status_code, error_of(response)["code"]) == (403, "forbidden")
    assert named.get(TASK).get_json()["variants"] == {}
    form = {"image": file(drawn(3)), "label": "ಅ looped", "variant_of": "ಅ"}
    receipt = named.post(f"{TASK}/train", data=form, headers=bob).get_json()
    assert (receipt["person"], receipt["variant_of"]) == ("bob", "ಅ")
    assert named.get(TASK).get_json()["variants"] == {"ಅ looped": "ಅ"}
    said = {"label": "ಅ", "variant": "ಆ"}
    assert named.post(f"{TASK}/link_variants", json=said).status_code == 200


def test_stats_tell_what_was_taught_and_how_right_the_answers_were(letters: FlaskClient) -> None:
    empty = letters.get(f"{TASK}/stats").get_json()
    StatsBody.model_validate(empty)
    assert (empty["accuracy_last_corrections"], empty["last_corrections"]) == (None, 0)
    assert empty["memory"]["size"] == 0
    first = teach(letters, 1, "ಅ")
    teach(letters, 2, "ಆ")
    for which in (1, 2):
        verdict = letters.post(f"{TASK}/predict", data={"image": file(drawn(which))}).get_json()
        letters.post(f"{TASK}/feedback", json={"verdict_id": verdict["id"], "correct": True})
    stats = letters.get(f"{TASK}/stats").get_json()
    StatsBody.model_validate(stats)
    assert stats["taught"] == {"ಅ": 1, "ಆ": 1}
    assert (stats["corrections"], stats["corrected"], stats["verdicts"]) == (4, 2, 2)
    assert (stats["accuracy_last_corrections"], stats["last_corrections"]) == (0.5, 4)
    assert stats["samples"]["labels"] == {"ಅ": 1, "ಆ": 1}
    assert stats["memory"]["size"] == 2
    assert 0 < stats["memory"]["bytes"] < 100_000
    letters.delete(first["undo"])
    assert letters.get(f"{TASK}/stats").get_json()["last_corrections"] == 3


def test_ten_letters_a_restart_and_ten_more_are_twenty(settings: Settings) -> None:
    for start in (0, 10):
        engine = reopened(settings)
        client = client_of(engine)
        client.post("/tasks", json=OPEN)
        for which in range(start, start + 10):
            for hand in range(2):
                teach(client, which, f"letter {which}", hand)
        engine.close()
    engine = reopened(settings)
    client = client_of(engine)
    right = [predicted(client, which)["prediction"] == f"letter {which}" for which in range(20)]
    assert sum(right) >= 18
    assert len(client.get(TASK).get_json()["labels"]) == 20
    engine.close()


def test_default_task_is_taught_at_the_root(client: FlaskClient) -> None:
    response = client.post("/link_variants", json={"label": "ai", "variant": "generated"})
    assert response.get_json()["variants"] == ["generated"]
    form = {"image": file(jpeg()), "label": "generated"}
    receipt = client.post("/tasks/authenticity/train", data=form).get_json()
    assert receipt["after"]["prediction"] == "ai"
