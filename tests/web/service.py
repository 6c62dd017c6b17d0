"""A service to ask: an app on an engine of its own, and a head that answers as it is told."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
from flask.testing import FlaskClient
from numpy.typing import NDArray
from werkzeug.test import TestResponse

from app import create_app
from config import Settings
from domain import ModelVersion, TaskKind
from engine import Engine, open_engine
from models.current import Current
from models.learned import Learned
from storage import State
from tests.pictures import encode, photo


def jpeg(seed: int = 0, width: int = 96, height: int = 64) -> bytes:
    """A small picture file."""
    return encode(photo(seed, width, height), "JPEG")


def file(data: bytes, name: str = "picture.jpg") -> tuple[io.BytesIO, str]:
    """A part for the test client."""
    return io.BytesIO(data), name


def client_of(engine: Engine) -> FlaskClient:
    """A client of an app on this engine."""
    return create_app(engine).test_client()


def reopened(settings: Settings, **changes: Any) -> Engine:
    """An engine with some settings changed."""
    return open_engine(settings.model_copy(update=changes))


PUBLIC: Mapping[str, Any] = {"api_host": "0.0.0.0", "admin_key": "admin-key"}  # noqa: S104
"""Settings of a service that others reach."""


def bearer(key: str) -> dict[str, str]:
    """The header that holds a key."""
    return {"Authorization": f"Bearer {key}"}


def error_of(response: TestResponse) -> Mapping[str, Any]:
    """The error in a response, which has the one shape."""
    document = response.get_json()
    assert set(document) == {"error"}, document
    assert set(document["error"]) == {"code", "message", "detail"}
    assert document["error"]["code"] and document["error"]["message"]
    error: Mapping[str, Any] = document["error"]
    return error


@dataclass(frozen=True)
class FixedHead:
    """A head that gives every picture the same probabilities."""

    classes: tuple[str, ...]
    scores: tuple[float, ...]

    def predict_proba(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.tile(np.asarray(self.scores, np.float64), (len(vectors), 1))


@dataclass(frozen=True)
class FixedLearned:
    """The version that a worker would have loaded of one task."""

    known: tuple[ModelVersion, FixedHead] | None = None
    trouble: str | None = None

    def head(self, task: str, state: State | None = None) -> tuple[ModelVersion, FixedHead] | None:
        return self.known if self.known and self.known[0].task == task else None

    def problem(self, task: str) -> str | None:
        return self.trouble


@dataclass
class CountingEmbedder:
    """Vectors without work; remembers how many pictures came at a time."""

    id: str = "counting:1"
    dim: int = 4
    device: str = "cpu"
    runtime: str = "none"
    reason: str = "A test asks for it."
    batches: list[int] = field(default_factory=list)

    def embed(self, pictures: Sequence[Any]) -> NDArray[np.float32]:
        self.batches.append(len(pictures))
        return np.full((len(pictures), self.dim), 0.5, np.float32)


def with_learned(engine: Engine, learned: FixedLearned) -> Engine:
    """The engine with this as its version; corrections are learned over it."""
    shelves = {kind: engine.learned.shelf(kind) for kind in TaskKind}
    return replace(engine, learned=Learned(engine.store, cast(Current, learned), shelves))


def promoted(
    engine: Engine,
    *,
    demo: bool = False,
    accuse: float | None = 0.5,
    version_id: str = "20261121T000000-abcdef",
    slices: Mapping[str, Any] | None = None,
) -> ModelVersion:
    """A current version of the default task in the store; its file is nowhere."""
    version = ModelVersion(
        id=version_id,
        task="authenticity",
        embedder=engine.embedders[TaskKind.AUTHENTICITY].id,
        classifier="logistic_regression",
        sha256="0" * 64,
        demo=demo,
        created_at=datetime(2026, 11, 21, tzinfo=UTC),
        card={
            "thresholds": {"accuse": accuse, "budget": 0.01, "n_real": 200},
            "slices": slices or {},
        },
    )
    engine.store.versions.add(version)
    engine.store.versions.promote(version.task, version.id, "a test asks for it")
    return version


def answering(
    engine: Engine,
    *,
    real: float = 0.9,
    demo: bool = False,
    accuse: float | None = 0.5,
    version_id: str = "20261121T000000-abcdef",
    slices: Mapping[str, Any] | None = None,
) -> Engine:
    """The engine with a head that gives `real` this probability."""
    version = promoted(engine, demo=demo, accuse=accuse, version_id=version_id, slices=slices)
    head = FixedHead(("ai", "real"), (1 - real, real))
    return with_learned(engine, FixedLearned((version, head)))
