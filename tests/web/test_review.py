"""What is worth a look: the queue, disputes, what was refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from config import Settings
from engine import Engine
from tests.web.service import client_of, error_of, file, jpeg, reopened
from web.payloads.review import QuarantineBody, QueueBody


@pytest.fixture
def queued(settings: Settings) -> Iterator[FlaskClient]:
    """A client of a service that was asked about four pictures; two people differ about one."""
    keys = (("alice", "a"), ("bob", "b"))
    engine = reopened(settings, feedback_keys=keys)
    client = client_of(engine)
    for seed in range(4):
        client.post("/classify", data={"image": file(jpeg(seed))})
    for (_, key), label in zip(keys, ("ai", "real"), strict=True):
        form = {"image": file(jpeg(0)), "label": label}
        client.post("/feedback", data=form, headers={"Authorization": f"Bearer {key}"})
    yield client
    engine.close()


def items(client: FlaskClient, path: str) -> list[dict[str, Any]]:
    document = client.get(path).get_json()
    QueueBody.model_validate(document)
    found: list[dict[str, Any]] = document["items"]
    return found


def test_queue_has_what_nobody_labelled(queued: FlaskClient) -> None:
    for order in ("uncertain", "diverse"):
        found = items(queued, f"/queue?order={order}")
        assert len(found) == 3
        assert all(one["kept"] for one in found)
        assert all(queued.get(f"/pictures/{one['sha256']}").status_code == 200 for one in found)
    first = items(queued, "/queue?n=1")
    assert len(first) == 1
    said = {"verdict_id": first[0]["verdict_id"], "label": "ai"}
    assert queued.post("/feedback", json=said).status_code == 201
    assert first[0]["sha256"] not in {one["sha256"] for one in items(queued, "/queue")}


def test_disputes_are_listed_with_who_says_what(queued: FlaskClient) -> None:
    (dispute,) = items(queued, "/queue?order=conflict")
    assert [(vote["person"], vote["label"]) for vote in dispute["votes"]] == [
        ("alice", "ai"),
        ("bob", "real"),
    ]
    for path in ("/feedback/conflicts", "/tasks/authenticity/feedback/conflicts"):
        assert items(queued, path) == [dispute]
    queues = queued.get("/stats").get_json()["queues"]
    assert (queues["conflict"], queues["uncertain"]) == (1, 3)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/queue?order=random", "order"),
        ("/queue?order=", "order"),
        ("/queue?n=0", "n"),
        ("/queue?n=201", "n"),
        ("/queue?n=ten", "n"),
        ("/feedback/conflicts?n=-1", "n"),
        ("/quarantine?n=0", "n"),
    ],
)
def test_odd_question_is_refused_by_its_field(client: FlaskClient, path: str, field: str) -> None:
    response = client.get(path)
    assert (response.status_code, error_of(response)["detail"]["field"]) == (422, field)


def test_refused_pictures_are_listed_newest_first(client: FlaskClient, engine: Engine) -> None:
    for i in range(3):
        engine.store.samples.quarantine(
            "authenticity", f"bad {i}.jpg", "corrupt", "It is damaged.", "webmix", None
        )
    document = client.get("/quarantine?n=2").get_json()
    QuarantineBody.model_validate(document)
    assert document["total"] == 3
    assert [item["name"] for item in document["items"]] == ["bad 2.jpg", "bad 1.jpg"]
    assert document["items"][0]["reason"] == "corrupt"
    assert client.get("/stats").get_json()["queues"]["quarantine"] == 3
