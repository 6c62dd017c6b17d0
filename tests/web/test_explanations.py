"""`explain=1` over HTTP, and pictures of open tasks that are none of their labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from config import Encoder, load_settings
from domain import UNSURE
from engine import Engine, open_engine
from tests.pictures import encode, letter
from tests.web.service import client_of, file
from web.payloads.verdicts import (
    ExamplesBody,
    ExplainedBody,
    FamiliarityBody,
    NearestSample,
    VerdictBody,
)

ROOT = Path(__file__).resolve().parent.parent.parent
TASK = "/tasks/letters"
LABELS = {1: "one", 2: "two", 3: "three", 4: "four"}
HANDS = 6
UNKNOWN = 12


def drawn(which: int, hand: int) -> bytes:
    return encode(letter(which, hand, 96), "PNG")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A service that was taught a few letters, each by several hands."""
    settings = load_settings(
        _env_file=None,
        data_dir=tmp_path_factory.mktemp("taught"),
        encoder=Encoder.BUILTIN,
        starter_lesson=False,
    )
    opened = open_engine(settings)
    client = client_of(opened)
    sent = {"name": "letters", "kind": "drawing", "open": True}
    assert client.post("/tasks", json=sent).status_code == 201
    for which, label in LABELS.items():
        for hand in range(HANDS):
            form = {"image": file(drawn(which, hand)), "label": label}
            assert client.post(f"{TASK}/train", data=form).status_code == 201
    yield opened
    opened.close()


@pytest.fixture
def client(engine: Engine) -> FlaskClient:
    return client_of(engine)


def asked(client: FlaskClient, picture: bytes, query: str = "", task: str = TASK) -> Any:
    response = client.post(f"{task}/predict{query}", data={"image": file(picture)})
    assert response.status_code == 200, response.data
    document = response.get_json()
    VerdictBody.model_validate(document)
    return document


def test_the_nearest_examples_are_named_when_asked_for(client: FlaskClient) -> None:
    verdict = asked(client, drawn(2, 77), "?explain=1")

    assert [one["label"] for one in verdict["nearest"]] == ["two"] * 5
    likeness = [one["similarity"] for one in verdict["nearest"]]
    assert likeness == sorted(likeness, reverse=True)
    assert 0.5 < likeness[0] <= 1
    explained = verdict["explained"]
    assert explained["examples"] == {"known": len(LABELS) * HANDS, "left_out": 0}
    assert "5 two" in explained["why"]
    assert explained["familiarity"]["chance"] > 0.05


def test_nothing_is_explained_unasked(client: FlaskClient) -> None:
    verdict = asked(client, drawn(2, 78))

    assert verdict["explained"] is None
    assert verdict["nearest"] == []


def test_an_explanation_is_kept_with_its_verdict(client: FlaskClient) -> None:
    verdict = asked(client, drawn(3, 77), "?explain=1")

    again = client.get(f"/verdicts/{verdict['id']}").get_json()

    assert again["explained"] == verdict["explained"]
    assert again["nearest"] == verdict["nearest"]


def test_a_letter_nobody_taught_is_none_of_these(client: FlaskClient) -> None:
    verdict = asked(client, drawn(UNKNOWN, 0))

    assert verdict["none_of_these"] is True
    assert verdict["prediction"] == UNSURE
    assert any("none of these" in reason for reason in verdict["reasons"])
    assert verdict["statistics"]["prediction"] in LABELS.values()
    assert client.get(f"/verdicts/{verdict['id']}").get_json()["none_of_these"] is True


def test_letters_that_were_taught_are_seldom_called_none_of_these(client: FlaskClient) -> None:
    answers = [(which, asked(client, drawn(which, hand))) for which in LABELS for hand in (50, 51)]

    told = [(which, one) for which, one in answers if not one["none_of_these"]]
    assert len(told) >= len(answers) - 1  # one in twenty is, by the rule
    assert all(one["prediction"] == LABELS[which] for which, one in told)


def test_a_label_taught_once_makes_its_letter_known(client: FlaskClient) -> None:
    fresh = drawn(UNKNOWN + 1, 0)
    before = asked(client, fresh)
    form = {"image": file(fresh), "label": "new"}
    receipt = client.post(f"{TASK}/train", data=form).get_json()

    after = asked(client, fresh)
    client.delete(f"/feedback/{receipt['id']}")

    assert receipt["before"]["prediction"] == UNSURE
    assert (before["none_of_these"], after["none_of_these"]) == (True, False)
    assert after["prediction"] == "new"
    assert asked(client, fresh)["none_of_these"] is True


def test_a_task_nobody_taught_has_nothing_to_compare_with(client: FlaskClient) -> None:
    client.post("/tasks", json={"name": "empty", "kind": "drawing", "open": True})

    verdict = asked(client, drawn(1, 0), "?explain=1", task="/tasks/empty")

    assert (verdict["source"], verdict["nearest"]) == ("none", [])
    assert verdict["explained"]["familiarity"] is None
    assert verdict["explained"]["heatmap"] is None


def test_the_page_names_every_field() -> None:
    page = (ROOT / "docs" / "explanations.md").read_text(encoding="utf-8")
    for body in (ExplainedBody, FamiliarityBody, ExamplesBody, NearestSample):
        for name in body.model_fields:
            assert name in page, name
    assert "none_of_these" in page


def test_a_batch_is_explained_one_by_one(client: FlaskClient) -> None:
    pictures = [file(drawn(which, 60), f"{which}.png") for which in LABELS]

    document = client.post(f"{TASK}/batch_classify?explain=1", data={"images": pictures})

    nearest = [one["nearest"][0]["label"] for one in document.get_json()["results"]]
    assert nearest == list(LABELS.values())
