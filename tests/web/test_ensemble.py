"""CLIP and hand-made features serve together, and each part's own answer is told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from config import Encoder, Settings
from domain import DEFAULT_TASK, NewSample, PictureFacts, Split, TaskKind
from embeddings.images import decode
from engine import Engine, open_engine
from tests import tiny_clip
from tests.models.made import unit
from tests.web.service import client_of, file, jpeg
from train import train
from web.payloads.verdicts import VerdictBody

PICTURES = 96


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip.write_config(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def engine(settings: Settings, model: Path) -> Iterator[Engine]:
    """A service of both embedders, taught vectors in which each part knows something."""
    chosen = {"clip_model_name": str(model), "clip_pretrained": "random"}
    opened = open_engine(settings.model_copy(update={"encoder": Encoder.ENSEMBLE, **chosen}))
    embedder = opened.embedders[TaskKind.AUTHENTICITY]
    random = np.random.default_rng(0)
    rows = random.standard_normal((PICTURES, embedder.dim)) * 0.3
    facts, new = [], []
    for i in range(PICTURES):
        rows[i, [0, -1]] += 0.5 if i % 2 else -0.5
        name = hashlib.sha256(f"{i}".encode()).hexdigest()
        facts.append(PictureFacts(name, 64, 64, "PNG", 100, i))
        split = Split.TEST if i % 5 == 0 else Split.TRAIN
        new.append(NewSample("ai" if i % 2 else "real", f"source {i % 4 // 2}", name, split))
    opened.store.samples.add_many(DEFAULT_TASK, list(zip(facts, new, strict=True)))
    opened.store.vectors.put(embedder.id, [one.sha256 for one in facts], unit(rows))
    yield opened
    opened.close()


def test_a_verdict_tells_what_each_part_says(engine: Engine) -> None:
    result = train(engine, DEFAULT_TASK, classifier="logistic_regression", time_budget=60)
    engine.store.versions.promote(DEFAULT_TASK, result.version.id, "a test asks for it")
    client = client_of(engine)
    verdict = client.post("/classify", data={"image": file(jpeg())}).get_json()
    VerdictBody.model_validate(verdict)
    assert verdict["source"] == "model"
    parts = verdict["statistics"]["parts"]
    assert set(parts) == {"clip", "builtin"}
    assert all(sum(part.values()) == pytest.approx(1) for part in parts.values())
    ensemble = client.get("/model_info").get_json()["card"]["ensemble"]
    assert ensemble["answers"] in ("both", "clip", "builtin")
    assert ensemble["why"]
    assert set(ensemble["compared"]) == {"clip", "builtin", "both"}


def test_health_names_both_embedders_for_authenticity_alone(engine: Engine) -> None:
    body = client_of(engine).get("/health").get_json()
    photo = body["embedders"]["photo"]["id"]
    assert photo.startswith("clip:tiny")
    assert body["embedder"]["id"].startswith(f"{photo}+builtin-authenticity:")
    assert body["embedders"]["drawing"]["id"].startswith(f"{photo}+drawn")


def test_words_are_read_by_the_part_that_reads(engine: Engine) -> None:
    """The sum over both parts is scaled so that words say what they say to CLIP alone."""
    task = engine.store.tasks.get(DEFAULT_TASK)
    both = engine.embedders[TaskKind.AUTHENTICITY]
    alone = engine.embedders[TaskKind.PHOTO]
    reader = engine.learned.reader(TaskKind.AUTHENTICITY)
    lone = engine.learned.reader(TaskKind.PHOTO)
    assert reader is not None
    assert lone is not None
    picture = [decode(jpeg())]
    heads = reader.words(task).head, lone.words(task).head
    assert heads[0] is not None
    assert heads[1] is not None
    said = heads[0].predict_proba(both.embed(picture)), heads[1].predict_proba(alone.embed(picture))
    assert said[0] == pytest.approx(said[1], abs=1e-4)
