"""Many corrections in one request: each on its own, in order."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.service import error_of, file, jpeg
from web.feedback import MOST_ITEMS
from web.payloads.feedback import ReceiptsBody


def asked(client: FlaskClient, seed: int) -> str:
    verdict = client.post("/classify", data={"image": file(jpeg(seed))}).get_json()
    found: str = verdict["id"]
    return found


def test_order_is_kept_and_a_bad_item_spoils_only_its_own_answer(client: FlaskClient) -> None:
    good = [asked(client, seed) for seed in range(3)]
    items: list[Any] = [
        {"verdict_id": good[0], "label": "ai"},
        {"verdict_id": "0" * 32, "label": "ai"},
        None,
        [],
        "ai",
        {"verdict_id": good[1], "label": "real"},
        {"verdict_id": good[1], "label": "painting"},
        {"verdict_id": good[1], "label": {"deep": [1]}},
        {"verdict_id": good[1], "image": "data:,", "label": "ai"},
        {"label": "ai"},
        {"sample_id": 10**30, "label": "ai"},
        {"verdict_id": good[0], "correct": True},
        {"verdict_id": good[2], "label": "ai\0"},
        {"verdict_id": good[2], "label": "ai"},
    ]
    response = client.post("/feedback/bulk", json={"items": items})
    document = response.get_json()
    ReceiptsBody.model_validate(document)
    assert (response.status_code, document["total_items"]) == (200, len(items))
    outcomes = [
        result["error"]["code"] if "error" in result else result["label"]
        for result in document["results"]
    ]
    assert outcomes == [
        "ai", "not_found", "unacceptable", "unacceptable", "unacceptable", "real", "unacceptable",
        "unacceptable", "unacceptable", "malformed", "not_found", "unacceptable", "unacceptable",
        "ai",
    ]  # fmt: skip
    assert client.get("/feedback").get_json()["total"] == 3


def test_same_request_with_its_key_again_changes_nothing_more(client: FlaskClient) -> None:
    items = [{"verdict_id": asked(client, seed), "label": "ai"} for seed in range(2)]
    first, again = (
        client.post("/feedback/bulk", json={"items": items}, headers={"Idempotency-Key": "k" * 240})
        for _ in range(2)
    )
    assert again.get_json() == first.get_json()
    assert len({result["id"] for result in first.get_json()["results"]}) == 2
    assert client.get("/feedback").get_json()["total"] == 2


@pytest.mark.parametrize(
    ("path", "more"), [("/feedback/bulk", {"dry_run": True}), ("/feedback/bulk?dry_run=1", {})]
)
def test_dry_run_teaches_nothing(client: FlaskClient, path: str, more: dict[str, bool]) -> None:
    items = [{"verdict_id": asked(client, 1), "label": "ai"}]
    (result,) = client.post(path, json={"items": items, **more}).get_json()["results"]
    assert (result["dry_run"], result["after"]["prediction"]) == (True, "ai")
    assert client.get("/feedback").get_json()["total"] == 0


@pytest.mark.parametrize("n", [MOST_ITEMS + 1, 10_000])
def test_too_many_items_are_refused_whole(client: FlaskClient, n: int) -> None:
    items = [{"verdict_id": "0" * 32, "label": "ai"}] * n
    response = client.post("/feedback/bulk", json={"items": items})
    error = error_of(response)
    assert (response.status_code, error["code"]) == (413, "too_large")
    assert error["detail"]["allowed"] == MOST_ITEMS


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "items"),
        ({"items": []}, "items"),
        ({"items": {}}, "items"),
        ({"items": "ai"}, "items"),
        ({"items": None}, "items"),
        ({"items": [{}], "dry_run": "no"}, "dry_run"),
        ({"items": [{}], "label": "ai"}, "label"),
        ([], "body"),
    ],
)
def test_what_is_no_list_of_items_is_refused(
    client: FlaskClient, document: Any, field: str
) -> None:
    response = client.post("/feedback/bulk", json=document)
    assert (response.status_code, error_of(response)["detail"]["field"]) == (422, field)


def test_bulk_under_a_task_teaches_that_task(client: FlaskClient) -> None:
    client.post("/tasks", json={"name": "any"})
    verdict = client.post("/tasks/any/predict", data={"image": file(jpeg())}).get_json()["id"]
    items = {"items": [{"verdict_id": verdict, "label": "cat"}]}
    (wrong,) = client.post("/feedback/bulk", json=items).get_json()["results"]
    assert wrong["error"]["code"] == "not_found"
    (right,) = client.post("/tasks/any/feedback/bulk", json=items).get_json()["results"]
    assert (right["task"], right["label"]) == ("any", "cat")
