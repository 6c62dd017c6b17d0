"""A task that nobody taught answers by its labels' words, and by examples as they come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from config import Encoder, Settings
from engine import Engine, open_engine
from tests import tiny_clip
from tests.pictures import encode, photo
from tests.web.service import PUBLIC, bearer, client_of, error_of, file, jpeg
from web.payloads.tasks import TaskBody
from web.payloads.verdicts import VerdictBody

SMILE = {
    "name": "smile",
    "labels": ["yes", "no"],
    "prompts": {"yes": ["a smiling face", "a laugh"], "no": "a serious face | a frown"},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny CLIP, untrained: its words mean nothing, but they go the whole way."""
    return tiny_clip.write_config(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def with_clip(settings: Settings, model: Path) -> Settings:
    return settings.model_copy(
        update={"encoder": Encoder.CLIP, "clip_model_name": str(model), "clip_pretrained": "random"}
    )


@pytest.fixture
def engine(with_clip: Settings) -> Iterator[Engine]:
    opened = open_engine(with_clip)
    yield opened
    opened.close()


@pytest.fixture
def smile(client: FlaskClient) -> FlaskClient:
    assert client.post("/tasks", json=SMILE).status_code == 201
    return client


def asked(client: FlaskClient, task: str = "smile", seed: int = 1) -> Any:
    response = client.post(f"/tasks/{task}/predict", data={"image": file(jpeg(seed))})
    assert response.status_code == 200, response.data
    VerdictBody.model_validate(response.get_json())
    return response.get_json()


def teach(client: FlaskClient, label: str, seed: int) -> None:
    form = {"image": file(jpeg(seed)), "label": label}
    assert client.post("/tasks/smile/train", data=form).status_code == 201


def test_a_new_task_answers_at_once_by_its_words(smile: FlaskClient) -> None:
    verdict = asked(smile)
    assert verdict["source"] == "text"
    assert verdict["prediction"] in ("yes", "no")
    assert sum(verdict["probabilities"].values()) == pytest.approx(1)
    assert "words" in verdict["reasons"][0]


def test_it_is_never_shown_as_calibrated(smile: FlaskClient) -> None:
    verdict = asked(smile)
    assert verdict["statistics"]["calibrated"] is False
    assert any("held against no picture" in reason for reason in verdict["reasons"])
    for seed in range(10, 14):
        teach(smile, "yes" if seed % 2 else "no", seed)
    assert asked(smile)["statistics"]["calibrated"] is False


def test_texts_come_as_a_list_or_parted_by_bars(smile: FlaskClient) -> None:
    kept = smile.get("/tasks/smile").get_json()["prompts"]
    assert kept == {"yes": "a smiling face | a laugh", "no": "a serious face | a frown"}


def test_labels_without_texts_speak_by_their_names(client: FlaskClient) -> None:
    client.post("/tasks", json={"name": "plain", "labels": ["cat", "dog"]})
    assert asked(client, "plain")["source"] == "text"


def test_other_texts_change_the_answer_at_once(smile: FlaskClient) -> None:
    before = asked(smile)["probabilities"]
    changed = {"prompts": {"yes": "a cup of tea on a table"}}
    response = smile.post("/tasks/smile/prompts", json=changed)
    assert response.status_code == 200
    TaskBody.model_validate(response.get_json())
    assert response.get_json()["prompts"]["yes"] == "a cup of tea on a table"
    assert response.get_json()["prompts"]["no"] == "a serious face | a frown"
    assert asked(smile)["probabilities"] != pytest.approx(before)
    smile.post("/tasks/smile/prompts", json={"prompts": {"yes": SMILE["prompts"]["yes"]}})  # type: ignore[index]
    assert asked(smile)["probabilities"] == pytest.approx(before)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"prompts": {}},
        {"prompts": {"perhaps": "neither"}},
        {"prompts": {"yes": 3}},
        {"prompts": {"yes": [f"text {n}" for n in range(17)]}},
        {"prompts": {"yes": "x" * 1001}},
        {"prompts": {"yes": "a\u202eb"}},
        {"prompts": {"unsure": "a"}},
    ],
)
def test_texts_that_cannot_be_are_refused(smile: FlaskClient, body: Any) -> None:
    response = smile.post("/tasks/smile/prompts", json=body)
    assert response.status_code == 422
    error_of(response)
    assert smile.get("/tasks/smile").get_json()["prompts"]["no"] == "a serious face | a frown"


def test_only_who_may_change_a_task_changes_its_texts(with_clip: Settings) -> None:
    engine = open_engine(with_clip.model_copy(update={**PUBLIC, "api_key": "some-key"}))
    client = client_of(engine)
    client.post("/tasks", json=SMILE, headers=bearer("admin-key"))
    changed = {"prompts": {"yes": "a frown"}}
    path = "/tasks/smile/prompts"
    assert client.post(path, json=changed, headers=bearer("some-key")).status_code == 403
    assert client.post(path, json=changed, headers=bearer("admin-key")).status_code == 200
    engine.close()


def test_words_accuse_no_picture(client: FlaskClient) -> None:
    for seed in range(2):
        verdict = asked(client, "authenticity", seed)
        assert (verdict["source"], verdict["prediction"]) == ("text", "unsure")
        assert any("stays unsure" in reason for reason in verdict["reasons"])


def test_examples_take_over_as_they_come(smile: FlaskClient) -> None:
    def dark(seed: int) -> dict[str, Any]:
        return {"image": file(encode(photo(seed) // 4, "PNG"))}

    before = smile.post("/tasks/smile/predict", data=dark(1)).get_json()
    wrong = before["prediction"]
    truth = "no" if wrong == "yes" else "yes"
    for n in range(8):
        bright = {"image": file(encode(255 - photo(50 + n) // 4, "PNG"))}
        for form, label in ((dark(10 + n), truth), (bright, wrong)):
            response = smile.post("/tasks/smile/train", data={**form, "label": label})
            assert response.status_code == 201
    after = smile.post("/tasks/smile/predict", data=dark(1)).get_json()
    assert (before["source"], after["source"]) == ("text", "model")
    assert after["prediction"] == truth
    assert "words of the labels by" in after["reasons"][0]


def test_another_process_needs_no_text_tower(
    smile: FlaskClient, with_clip: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    before = asked(smile)["probabilities"]
    other = open_engine(with_clip)
    caplog.set_level("INFO")
    assert asked(client_of(other))["probabilities"] == pytest.approx(before)
    assert not [row for row in caplog.records if "Reading" in row.getMessage()]
    other.close()


def test_the_builtin_embedder_reads_nothing_and_says_what_would_help(settings: Settings) -> None:
    engine = open_engine(settings)
    client = client_of(engine)
    client.post("/tasks", json=SMILE)
    verdict = asked(client)
    assert (verdict["source"], verdict["prediction"]) == ("none", "unsure")
    assert "/tasks/smile/train" in verdict["reasons"][0]
    assert "CLIP" in " ".join(verdict["reasons"])
    engine.close()


def test_health_is_well_with_words_alone(smile: FlaskClient) -> None:
    asked(smile)
    body = smile.get("/health").get_json()
    assert body["status"] == "ok"
    assert body["tasks"]["smile"]["problem"] is None


@pytest.mark.parametrize("kind", ["photo", "drawing"])
def test_answers_by_words_can_be_explained(client: FlaskClient, kind: str) -> None:
    client.post("/tasks", json={**SMILE, "kind": kind})
    form = {"image": file(jpeg(1))}
    verdict = client.post("/tasks/smile/predict?explain=1", data=form).get_json()
    assert (verdict["source"], verdict["none_of_these"]) == ("text", False)

    response = client.get(verdict["explained"]["heatmap"])

    # words that mean nothing look nowhere: mostly no map is better than chance
    assert response.status_code in (200, 409)
    if response.status_code == 409:
        assert "better than chance" in error_of(response)["message"]
