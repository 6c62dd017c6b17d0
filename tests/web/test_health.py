"""Health tells what a classify would meet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray

from domain import TaskKind, Unavailable
from engine import Engine, wired
from tests.web.service import (
    CountingEmbedder,
    FixedHead,
    FixedLearned,
    answering,
    client_of,
    file,
    jpeg,
    promoted,
    with_learned,
)
from web.payloads.service import HealthBody


def test_fresh_installation_is_healthy_and_says_that_nothing_is_taught(client: FlaskClient) -> None:
    response = client.get("/health")
    document = response.get_json()
    HealthBody.model_validate(document)
    assert (response.status_code, document["status"]) == (200, "ok")
    assert document["canary"]["ok"] is True
    assert document["canary"]["ms"] > 0
    assert document["tasks"]["authenticity"] == {
        "kind": "authenticity", "trained": False, "demo": False, "version": None, "samples": 0,
        "corrections": 0, "problem": None,
    }  # fmt: skip
    assert document["embedder"]["id"] == "builtin-authenticity:2"
    assert set(document["embedders"]) == {"photo", "drawing", "authenticity"}
    assert document["scheduler"] == {"last_run": None, "next_run": None, "running": 0}
    assert document["version"]


def test_canary_is_really_embedded_each_time_and_leaves_nothing_behind(engine: Engine) -> None:
    embedder = CountingEmbedder()
    client = client_of(replace(engine, embedders=dict.fromkeys(TaskKind, embedder)))
    client.get("/health")
    client.get("/health")
    assert embedder.batches == [1, 1]
    assert engine.store.verdicts.count("authenticity") == 0
    assert engine.store.vectors.count(embedder.id) == 0


def test_every_kind_of_task_is_tried(engine: Engine) -> None:
    embedders = {kind: CountingEmbedder(f"{kind}:1") for kind in TaskKind}
    client = client_of(replace(engine, embedders=embedders))
    client.post("/tasks", json={"name": "letters", "kind": "drawing"})
    client.post("/tasks", json={"name": "more-letters", "kind": "drawing"})
    document = client.get("/health").get_json()
    assert set(document["tasks"]) == {"authenticity", "letters", "more-letters"}
    assert embedders[TaskKind.DRAWING].batches == [1]
    assert embedders[TaskKind.PHOTO].batches == []


def test_demonstration_is_named(engine: Engine) -> None:
    document = client_of(answering(engine, demo=True)).get("/health").get_json()
    assert document["status"] == "ok"
    assert document["tasks"]["authenticity"]["demo"] is True
    assert "demonstration" in document["notes"][0]


def test_current_version_without_its_file_is_degraded_and_classify_goes_on(engine: Engine) -> None:
    promoted(engine)  # a row in the store whose model file does not exist
    client = client_of(engine)
    response = client.get("/health")
    document = response.get_json()
    assert (response.status_code, document["status"]) == (200, "degraded")
    assert "20261121T000000-abcdef" in document["tasks"]["authenticity"]["problem"]
    assert document["problems"][0].startswith("authenticity: ")
    verdict = client.post("/classify", data={"image": file(jpeg())})
    assert (verdict.status_code, verdict.get_json()["prediction"]) == (200, "unsure")


def test_last_good_version_answering_for_a_broken_one_is_degraded(engine: Engine) -> None:
    version = promoted(engine)
    learned = FixedLearned((version, FixedHead(("ai", "real"), (0.2, 0.8))), "v2 is broken.")
    document = client_of(with_learned(engine, learned)).get("/health").get_json()
    assert document["status"] == "degraded"
    assert document["problems"] == ["authenticity: v2 is broken."]


def test_vectors_of_another_embedder_are_degraded(engine: Engine) -> None:
    learned = FixedLearned((promoted(engine), FixedHead(("ai", "real"), (0.2, 0.8))))
    other = wired(
        engine.settings, engine.store, dict.fromkeys(TaskKind, CountingEmbedder("clip:other"))
    )
    client = client_of(with_learned(other, learned))
    document = client.get("/health").get_json()
    assert document["status"] == "degraded"
    assert "clip:other" in document["problems"][0]


@dataclass
class Broken:
    """An embedder that fails in its own way."""

    error: Exception | None = None
    vector: float = 0.5
    id: str = "broken:1"
    dim: int = 4
    device: str = "cpu"
    runtime: str = "none"
    reason: str = "A test asks for it."

    def embed(self, pictures: Any) -> NDArray[np.float32]:
        if self.error:
            raise self.error
        return np.full((len(pictures), self.dim), self.vector, np.float32)


@pytest.mark.parametrize(
    "embedder",
    [
        Broken(Unavailable("The weights are gone.")),
        Broken(RuntimeError("secret at /srv")),
        Broken(vector=float("nan")),
        Broken(vector=3.0),
    ],
)
def test_broken_embedder_is_503(engine: Engine, embedder: Broken) -> None:
    client = client_of(replace(engine, embedders=dict.fromkeys(TaskKind, embedder)))
    response = client.get("/health")
    document = response.get_json()
    HealthBody.model_validate(document)
    assert (response.status_code, document["status"]) == (503, "unavailable")
    assert document["canary"]["ok"] is False
    assert document["error"]["code"] == "unavailable"
    assert document["problems"]
    assert b"secret" not in response.data


def test_head_that_gives_no_probabilities_is_503(engine: Engine) -> None:
    head = FixedHead(("ai", "real"), (float("nan"), 0.5))
    learned = FixedLearned((promoted(engine), head))
    assert client_of(with_learned(engine, learned)).get("/health").status_code == 503


class SilentTasks:
    """A database that does not answer."""

    def all(self) -> None:
        raise Unavailable("The database does not answer now; the log says why")


def test_silent_database_is_503(engine: Engine) -> None:
    store = replace(engine.store, tasks=cast(Any, SilentTasks()))
    silent = wired(engine.settings, store, engine.embedders)
    response = client_of(silent).get("/health")
    assert response.status_code == 503
    assert response.get_json()["error"]["message"].startswith("The database")
