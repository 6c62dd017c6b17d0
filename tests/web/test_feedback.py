"""Corrections over HTTP: given in every form, answered with a receipt, listed, taken back."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from config import Settings
from engine import Engine
from tests.scraper.servers import answer, serving
from tests.web.service import client_of, error_of, file, jpeg, reopened
from web.payloads.feedback import CorrectionsBody, ReceiptBody

CONTRACT = {
    "id", "task", "verdict_id", "label", "before", "after", "learned_ms", "effect", "undo",
}  # fmt: skip
NOBODY = "0" * 32


def data_url(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def asked(client: FlaskClient, seed: int = 0, task: str = "authenticity") -> dict[str, Any]:
    """The verdict on a picture."""
    response = client.post(f"/tasks/{task}/classify", data={"image": file(jpeg(seed))})
    assert response.status_code == 200, response.data
    document: dict[str, Any] = response.get_json()
    return document


def taught(client: FlaskClient, seed: int = 0, label: str = "ai", **more: Any) -> dict[str, Any]:
    """The receipt of a picture and its label."""
    response = client.post("/feedback", data={"image": file(jpeg(seed)), "label": label, **more})
    assert response.status_code == 201, response.data
    document: dict[str, Any] = response.get_json()
    return document


def corrections(client: FlaskClient, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/feedback{query}").get_json()["corrections"]
    return found


def refused(response: TestResponse, status: int, field: str | None = None) -> None:
    error = error_of(response)
    assert response.status_code == status, response.data
    assert error["detail"].get("field") == field or field is None, error


def test_receipt_has_the_names_of_the_contract(client: FlaskClient) -> None:
    verdict = asked(client)
    response = client.post("/feedback", json={"verdict_id": verdict["id"], "label": "ai"})
    assert response.status_code == 201
    receipt = response.get_json()
    assert set(receipt) >= CONTRACT
    ReceiptBody.model_validate(receipt)
    assert (receipt["task"], receipt["label"]) == ("authenticity", "ai")
    assert (receipt["verdict_id"], receipt["person"]) == (verdict["id"], "local")
    assert receipt["before"]["prediction"] == "unsure"
    assert (receipt["after"]["prediction"], receipt["after"]["source"]) == ("ai", "memory")
    assert set(receipt["effect"]) >= {"near_samples", "past_verdicts_flipped"}
    assert receipt["undo"] == f"/feedback/{receipt['id']}"
    assert client.get(response.headers["Location"]).get_json() == receipt


def test_corrected_picture_is_answered_rightly_by_every_worker_and_after_a_restart(
    client: FlaskClient, settings: Settings
) -> None:
    other = reopened(settings)
    worker = client_of(other)
    assert asked(worker)["prediction"] == "unsure"
    taught(client)
    for one in (client, worker):
        verdict = asked(one)
        assert (verdict["prediction"], verdict["source"]) == ("ai", "memory")
        assert "local" in verdict["reasons"][0]
    other.close()
    restarted = reopened(settings)
    assert asked(client_of(restarted))["prediction"] == "ai"
    restarted.close()


def test_every_form_says_the_same_of_the_same_picture(settings: Settings) -> None:
    data = jpeg(3)
    with serving(answer(data, Content_Type="image/jpeg")) as server:
        engine = reopened(
            settings, fetch_allowed_networks=("127.0.0.1/32",), fetch_ports=(server.port,)
        )
        client = client_of(engine)
        verdict = asked(client, 3)["id"]
        first = taught(client, 3)
        (sample,) = engine.store.samples.all("authenticity")
        forms: list[dict[str, Any]] = [
            {"json": {"verdict_id": verdict, "label": "ai"}},
            {"json": {"verdict_id": asked(client, 3)["id"], "correct": True}},
            {"json": {"sample_id": sample.id, "label": "ai"}},
            {"json": {"image": data_url(data), "label": "ai"}},
            {"json": {"url": server.url, "label": "ai"}},
            {"data": {"image": file(data), "label": "ai"}},
            {"data": {"image": file(data), "label": "ai", "verdict_id": verdict}},
            {"data": {"sample_id": str(sample.id), "label": "ai"}},
            {"data": {"verdict_id": verdict, "label": "ai", "variant_of": "", "note": ""}},
        ]
        for form in forms:
            kind = {"content_type": "multipart/form-data"} if "data" in form else {}
            response = client.post("/tasks/authenticity/feedback", **form, **kind)
            assert response.status_code == 201, response.data
            assert response.get_json()["sha256"] == first["sha256"]
            assert response.get_json()["label"] == "ai"
        engine.close()


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/feedback?dry_run=1", {}),
        ("/feedback?dry_run=TRUE", {}),
        ("/feedback", {"dry_run": "yes"}),
        ("/tasks/authenticity/train", {"dry_run": "1"}),
    ],
)
def test_dry_run_shows_what_would_change_and_changes_nothing(
    client: FlaskClient, path: str, form: dict[str, str]
) -> None:
    before = asked(client)
    response = client.post(path, data={"image": file(jpeg()), "label": "ai", **form})
    receipt = response.get_json()
    ReceiptBody.model_validate(receipt)
    assert (response.status_code, receipt["dry_run"]) == (200, True)
    assert (receipt["id"], receipt["undo"]) == (None, None)
    assert "Location" not in response.headers
    assert receipt["after"]["prediction"] == "ai"
    assert corrections(client) == []
    assert asked(client)["probabilities"] == before["probabilities"]


def test_dry_run_in_json(client: FlaskClient) -> None:
    body = {"verdict_id": asked(client)["id"], "label": "ai", "dry_run": True}
    assert client.post("/feedback", json=body).status_code == 200
    assert corrections(client) == []


def test_answer_confirmed_as_right_counts_as_its_label(client: FlaskClient) -> None:
    taught(client)
    said = {"verdict_id": asked(client)["id"], "correct": True}
    assert client.post("/feedback", json=said).get_json()["label"] == "ai"
    assert client.post("/feedback", json={**said, "label": "ai"}).status_code == 201
    refused(client.post("/feedback", json={**said, "label": "real"}), 422, "label")


def test_unsure_answer_cannot_be_right(client: FlaskClient) -> None:
    said = {"verdict_id": asked(client)["id"], "correct": True}
    refused(client.post("/feedback", json=said), 422, "correct")


def test_verdict_and_picture_that_disagree_are_refused(client: FlaskClient) -> None:
    form = {"verdict_id": asked(client, 1)["id"], "image": file(jpeg(2)), "label": "ai"}
    refused(client.post("/feedback", data=form), 422, "image")
    assert corrections(client) == []


def test_verdict_of_another_task_is_not_found(client: FlaskClient) -> None:
    client.post("/tasks", json={"name": "letters", "kind": "drawing"})
    verdict = asked(client, task="letters")["id"]
    refused(client.post("/feedback", json={"verdict_id": verdict, "label": "ai"}), 404)


def test_correction_by_verdict_works_when_files_are_not_kept(settings: Settings) -> None:
    engine = reopened(settings, keep_pictures=False)
    client = client_of(engine)
    verdict = asked(client)
    assert not engine.store.blobs.exists(verdict["image"]["sha256"])
    said = {"verdict_id": verdict["id"], "label": "real"}
    assert client.post("/feedback", json=said).status_code == 201
    assert asked(client)["prediction"] == "real"
    engine.close()


def test_asked_pictures_are_kept_for_corrections(client: FlaskClient, engine: Engine) -> None:
    assert engine.store.blobs.exists(asked(client, 1)["image"]["sha256"])
    batch = client.post("/batch_classify", data={"images": [file(jpeg(2))]}).get_json()
    assert engine.store.blobs.exists(batch["results"][0]["image"]["sha256"])


def test_repeated_request_with_its_key_changes_nothing_more(client: FlaskClient) -> None:
    first, again = (
        client.post(
            "/feedback",
            data={"image": file(jpeg()), "label": "ai"},
            headers={"Idempotency-Key": "one request, 1"},
        )
        for _ in range(2)
    )
    assert again.get_json() == first.get_json()
    assert len(corrections(client)) == 1
    other = client.post(
        "/feedback",
        data={"image": file(jpeg(1)), "label": "ai"},
        headers={"Idempotency-Key": "one request, 1"},
    )
    refused(other, 409)


@pytest.mark.parametrize("key", ["", "a" * 241, "\xe4", "\x7f"])
def test_odd_idempotency_key_is_refused(client: FlaskClient, key: str) -> None:
    form = {"image": file(jpeg()), "label": "ai"}
    response = client.post("/feedback", data=form, headers={"Idempotency-Key": key})
    refused(response, 422, "Idempotency-Key")
    assert corrections(client) == []


@pytest.mark.parametrize(
    ("said", "status", "field"),
    [
        ({}, 400, None),
        ({"label": "ai"}, 400, None),
        ({"label": None}, 400, None),
        ({"correct": True}, 400, None),
        ({"correct": False, "verdict_id": "VERDICT"}, 400, None),
        ({"verdict_id": "VERDICT"}, 400, None),
        ({"verdict_id": "VERDICT", "sample_id": 1, "label": "ai"}, 400, None),
        ({"image": "IMAGE", "sample_id": 1, "label": "ai"}, 400, None),
        ({"image": "IMAGE", "url": "http://a.example", "label": "ai"}, 400, None),
        ({"image": "IMAGE"}, 400, None),
        ({"verdict_id": NOBODY, "label": "ai"}, 404, None),
        ({"verdict_id": "\0", "label": "ai"}, 404, None),
        ({"verdict_id": "", "label": "ai"}, 404, None),
        ({"verdict_id": "a" * 500_000, "label": "ai"}, 404, None),
        ({"sample_id": 0, "label": "ai"}, 404, None),
        ({"sample_id": -(10**300), "label": "ai"}, 404, None),
        ({"sample_id": 2**63, "label": "ai"}, 404, None),
        ({"verdict_id": 5, "label": "ai"}, 422, "verdict_id"),
        ({"verdict_id": ["VERDICT"], "label": "ai"}, 422, "verdict_id"),
        ({"sample_id": "1", "label": "ai"}, 422, "sample_id"),
        ({"sample_id": True, "label": "ai"}, 422, "sample_id"),
        ({"sample_id": 1.5, "label": "ai"}, 422, "sample_id"),
        ({"verdict_id": "VERDICT", "label": 1}, 422, "label"),
        ({"verdict_id": "VERDICT", "label": ["ai"]}, 422, "label"),
        ({"verdict_id": "VERDICT", "label": ""}, 422, "label"),
        ({"verdict_id": "VERDICT", "label": " \u00a0 "}, 422, "label"),
        ({"verdict_id": "VERDICT", "label": "a\0i"}, 422, "label"),
        ({"verdict_id": "VERDICT", "label": "ai\n"}, 201, None),
        ({"verdict_id": "VERDICT", "label": "a\ni"}, 422, "label"),
        ({"verdict_id": "VERDICT", "label": "unsure"}, 422, "label"),
        ({"verdict_id": "VERDICT", "label": "(other)"}, 422, "label"),
        ({"verdict_id": "VERDICT", "label": "x" * 65}, 422, "label"),
        ({"verdict_id": "VERDICT", "label": "x" * 500_000}, 422, "label"),
        ({"verdict_id": "VERDICT", "label": "painting"}, 422, "label"),
        ({"verdict_id": "VERDICT", "label": "ai", "correct": "yes"}, 422, "correct"),
        ({"verdict_id": "VERDICT", "label": "ai", "correct": 1}, 422, "correct"),
        ({"verdict_id": "VERDICT", "label": "ai", "note": 1}, 422, "note"),
        ({"verdict_id": "VERDICT", "label": "ai", "note": "x" * 2001}, 422, "note"),
        ({"verdict_id": "VERDICT", "label": "ai", "variant_of": 1}, 422, "variant_of"),
        ({"verdict_id": "VERDICT", "label": "ai", "variant_of": ""}, 422, "variant_of"),
        ({"verdict_id": "VERDICT", "label": "ai2", "variant_of": "cat"}, 422, "variant_of"),
        ({"verdict_id": "VERDICT", "label": "ai", "variant_of": "real"}, 409, None),
        ({"verdict_id": "VERDICT", "label": "ai", "variant_of": "ai"}, 409, None),
        ({"verdict_id": "VERDICT", "label": "ai", "dry_run": 1}, 422, "dry_run"),
        ({"verdict_id": "VERDICT", "label": "ai", "dryrun": True}, 422, "dryrun"),
        ({"verdict_id": "VERDICT", "char": "ai"}, 422, "char"),
        ({"image": "no data URL", "label": "ai"}, 422, "image"),
        ({"image": "data:image/png;base64,AAAA", "label": "ai"}, 415, None),
        ({"image": "data:image/png;base64,", "label": "ai"}, 422, None),
        ({"url": "http://127.0.0.1/x", "label": "ai"}, 422, None),
        ({"url": "x" * 9000, "label": "ai"}, 422, "url"),
        ([], 422, "body"),
        ([{"verdict_id": "VERDICT", "label": "ai"}], 422, "body"),
        ("ai", 422, "body"),
    ],
)
def test_what_says_nothing_or_too_much_is_refused_by_its_field(
    client: FlaskClient, said: Any, status: int, field: str | None
) -> None:
    names = {"VERDICT": asked(client)["id"], "IMAGE": data_url(jpeg())}
    if isinstance(said, dict):
        said = {k: names.get(v, v) if isinstance(v, str) else v for k, v in said.items()}
    response = client.post("/feedback", json=said)
    if status == 201:
        assert response.status_code == 201
    else:
        refused(response, status, field)
        assert corrections(client) == []
        assert len(response.data) < 4000


@pytest.mark.parametrize(
    ("form", "status", "field"),
    [
        ({"label": "ai"}, 400, None),
        ({"image": "text", "label": "ai"}, 400, None),
        ({"image": [file(b"x"), file(b"y")], "label": "ai"}, 400, None),
        ({"image": file(jpeg()), "label": ["ai", "real"]}, 400, None),
        ({"image": file(jpeg()), "label": file(b"ai")}, 400, None),
        ({"image": file(jpeg())}, 400, None),
        ({"image": file(jpeg()), "label": "ai", "url": "http://a.example"}, 400, None),
        ({"image": file(b"no picture"), "label": "ai"}, 415, None),
        ({"image": file(b""), "label": "ai"}, 422, None),
        ({"image": file(jpeg()), "label": ""}, 422, "label"),
        ({"image": file(jpeg()), "label": "x" * 20_000}, 422, "label"),
        ({"image": file(jpeg()), "label": "ai", "dry_run": "perhaps"}, 422, "dry_run"),
        ({"image": file(jpeg()), "label": "ai", "correct": "perhaps"}, 422, "correct"),
        ({"image": file(jpeg()), "label": "ai", "sample_id": "one"}, 422, "sample_id"),
        ({"image": file(jpeg()), "label": "ai", "sample_id": "9" * 30}, 422, "sample_id"),
        ({"image": file(jpeg()), "label": "ai", "lable": "ai"}, 422, "lable"),
    ],
)
def test_form_that_will_not_do_is_refused_by_its_field(
    client: FlaskClient, form: dict[str, Any], status: int, field: str | None
) -> None:
    response = client.post("/feedback", data=form, content_type="multipart/form-data")
    refused(response, status, field)
    assert corrections(client) == []


def test_other_content_types_are_refused(client: FlaskClient) -> None:
    for kind in ("image/jpeg", "text/plain", "application/x-www-form-urlencoded"):
        refused(client.post("/feedback", data=jpeg(), content_type=kind), 415)


@pytest.mark.parametrize("query", ["?dry_run=perhaps", "?dry_run=%00"])
def test_odd_dry_run_is_refused_and_teaches_nothing(client: FlaskClient, query: str) -> None:
    form = {"image": file(jpeg()), "label": "ai"}
    refused(client.post(f"/feedback{query}", data=form), 422, "dry_run")
    assert corrections(client) == []


@pytest.mark.parametrize(
    "label",
    [
        "ಕ್ಷ",
        "👩🏽‍🚀",
        "שלום",
        "مرحبا",
        "e\u0301",
        "../../etc/passwd",
        "a/b?c#d",
        "<b>",
        "'; --",
        "a,b",
    ],
)
def test_labels_of_any_script_come_back_as_they_went_in(client: FlaskClient, label: str) -> None:
    client.post("/tasks", json={"name": "any", "open": True})
    form = {"image": file(jpeg()), "label": label, "note": f"noted {label} \0"}
    receipt = client.post("/tasks/any/feedback", data=form).get_json()
    again = client.get(f"/tasks/any/feedback/{receipt['id']}")
    assert again.get_json()["label"] == receipt["label"]
    assert receipt["label"] == ("é" if label == "e\u0301" else label)
    assert asked(client, task="any")["prediction"] == receipt["label"]
    assert client.get("/tasks/any").get_json()["labels"] == [receipt["label"]]


def test_log_is_listed_newest_first_in_pages(client: FlaskClient) -> None:
    ids = [taught(client, seed)["id"] for seed in range(5)]
    listed = client.get("/feedback").get_json()
    CorrectionsBody.model_validate(listed)
    assert [row["id"] for row in listed["corrections"]] == ids[::-1]
    assert (listed["total"], listed["next"]) == (5, None)
    found, before = [], ""
    for _ in range(3):
        page = client.get(f"/feedback?n=2{before}").get_json()
        found += [row["id"] for row in page["corrections"]]
        before = f"&before={page['next']}"
    assert found == ids[::-1]
    assert page["next"] is None


def test_log_is_listed_by_picture_and_by_person(client: FlaskClient) -> None:
    receipt = taught(client, 1)
    taught(client, 2)
    listed = corrections(client, f"?sha256={receipt['sha256']}")
    assert [row["id"] for row in listed] == [receipt["id"]]
    assert len(corrections(client, "?person=local")) == 2
    assert corrections(client, "?person=nobody%00") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("n=0", "n"),
        ("n=501", "n"),
        ("n=", "n"),
        ("n=-1", "n"),
        ("n=1e3", "n"),
        ("n=%D9%A3", "n"),
        ("before=x", "before"),
        ("before=" + "9" * 5000, "before"),
        ("sha256=x", "sha256"),
        ("sha256=", "sha256"),
    ],
)
def test_odd_question_to_the_log_is_refused_by_its_field(
    client: FlaskClient, query: str, field: str
) -> None:
    refused(client.get(f"/feedback?{query}"), 422, field)


def test_undo_makes_it_as_if_it_had_never_been_said(client: FlaskClient) -> None:
    client.post("/tasks", json={"name": "any", "open": True})
    path = "/tasks/any/feedback"
    for seed, label in ((1, "cat"), (2, "dog")):
        client.post(path, data={"image": file(jpeg(seed)), "label": label})
    before = [asked(client, seed, "any") for seed in (1, 2, 3)]
    receipt = client.post(path, data={"image": file(jpeg(3)), "label": "owl"}).get_json()
    assert asked(client, 3, "any")["prediction"] == "owl"
    response = client.delete(receipt["undo"])
    undone = response.get_json()
    ReceiptBody.model_validate(undone)
    assert (response.status_code, undone["id"], undone["undone"]) == (200, receipt["id"], True)
    after = [asked(client, seed, "any") for seed in (1, 2, 3)]
    for one, other in zip(before, after, strict=True):
        for name in ("prediction", "probabilities", "source", "reasons"):
            assert one[name] == other[name]
    assert client.get("/tasks/any").get_json()["labels"] == ["cat", "dog"]
    assert client.get(f"{path}/{receipt['id']}").get_json()["undone"] is True


def test_undo_is_refused_twice_and_of_an_undo(client: FlaskClient) -> None:
    receipt = taught(client)
    assert client.delete(receipt["undo"]).status_code == 200
    refused(client.delete(receipt["undo"]), 409)
    (undo, _) = corrections(client)
    assert undo["undoes"] == receipt["id"]
    refused(client.delete(f"/feedback/{undo['id']}"), 422)


def test_undo_can_be_tried_first(client: FlaskClient) -> None:
    receipt = taught(client)
    response = client.delete(receipt["undo"] + "?dry_run=1").get_json()
    assert (response["dry_run"], response["undone"]) == (True, False)
    assert response["after"]["prediction"] == "unsure"
    assert asked(client)["prediction"] == "ai"


@pytest.mark.parametrize("name", [NOBODY, "x", "%00", "ä", "0" * 500])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("root", ["", "/tasks/authenticity"])
def test_unknown_correction_is_404(client: FlaskClient, name: str, method: str, root: str) -> None:
    refused(client.open(f"{root}/feedback/{name}", method=method), 404)


def test_correction_is_not_found_under_another_task(client: FlaskClient) -> None:
    client.post("/tasks", json={"name": "other"})
    receipt = taught(client)
    refused(client.get(f"/tasks/other/feedback/{receipt['id']}"), 404)
    refused(client.delete(f"/tasks/other/feedback/{receipt['id']}"), 404)
    assert client.get(f"/feedback/{receipt['id']}").get_json() == receipt


def test_people_at_odds_are_a_conflict_that_the_answer_tells(settings: Settings) -> None:
    keys = (("alice", "a"), ("bob", "b"))
    engine = reopened(settings, feedback_keys=keys)
    client = client_of(engine)
    for (_, key), label in zip(keys, ("ai", "real"), strict=True):
        form = {"image": file(jpeg()), "label": label}
        client.post("/feedback", data=form, headers={"Authorization": f"Bearer {key}"})
    verdict = asked(client)
    assert verdict["prediction"] == "unsure"
    assert "alice says ai" in verdict["reasons"][0]
    assert client.get("/stats").get_json()["queues"]["conflict"] == 1
    engine.close()
