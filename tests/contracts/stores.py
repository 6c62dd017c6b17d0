"""What the store's contract suites build on: nouns with every field set."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from domain import (
    Correction,
    Evidence,
    ModelVersion,
    Nearest,
    NewCorrection,
    NewSample,
    Person,
    PictureFacts,
    Run,
    Split,
    Verdict,
    VerdictSource,
)
from storage import Store

KATHMANDU = timezone(timedelta(hours=5, minutes=45))
NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=KATHMANDU)

WRITINGS = (
    "ಕನ್ನಡ",
    "हिन्दी",
    "العربية",
    "עִבְרִית",
    "中文字",
    "日本語",
    "ไทย",
    "👩🏽‍🚀",
    "🏳️‍🌈",
    "𝒳\N{DESERET CAPITAL LETTER LONG I}",
    "naïve café",
    "'; DROP TABLE tasks; --",
    '%s {} \\ " ` $1 :name',
)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def facts(text: str, *, phash: int = 7) -> PictureFacts:
    return PictureFacts(
        sha256=sha(text), width=640, height=480, format="JPEG", n_bytes=12_345, phash=phash
    )


def new(label: str = "ai", **fields: Any) -> NewSample:
    values: dict[str, Any] = {
        "label": label,
        "source": "webmix",
        "family": "f",
        "split": Split.TRAIN,
        **fields,
    }
    return NewSample(**values)


def teach(
    store: Store,
    text: str,
    label: str = "ai",
    person: str = "me",
    *,
    task: str = "authenticity",
    trusted: bool = True,
    **fields: Any,
) -> Correction:
    """Correct the picture of a text, and keep it."""
    said = NewCorrection(sha(text), label, Person(person, trusted), **fields)
    return store.corrections.teach(task, said, facts(text), new(label, source="taught")).correction


def version(name: str, task: str = "authenticity", **fields: Any) -> ModelVersion:
    values: dict[str, Any] = {
        "id": name,
        "task": task,
        "embedder": "builtin-authenticity:2",
        "classifier": "logistic_regression",
        "sha256": sha(name),
        "demo": False,
        "created_at": NOON,
        "card": {"accuracy": 0.9, "labels": {"ai": 3, "real": 4}},
        **fields,
    }
    return ModelVersion(**values)


def verdict(name: str, task: str = "authenticity", **fields: Any) -> Verdict:
    values: dict[str, Any] = {
        "id": name,
        "task": task,
        "prediction": "ai",
        "confidence": 0.1 + 0.2,
        "probabilities": {"real": 0.7, "ai": 0.1 + 0.2},
        "source": VerdictSource.MODEL,
        "reasons": ("because", "and as well"),
        "evidence": (Evidence("c2pa", "made by a camera", "valid", "real", {"issuer": "x"}),),
        "nearest": (Nearest(3, "real", 0.5),),
        "model_version": "v1",
        "embedder": "builtin-authenticity:2",
        "trained_at": NOON,
        "corrections": 4,
        "picture": facts(name, phash=2**64 - 1),
        "timing_ms": {"decode": 1.5, "total": 2.0},
        "created_at": NOON,
        "demo": True,
        **fields,
    }
    return Verdict(**values)


def run(name: str, started_at: datetime = NOON, **fields: Any) -> Run:
    values: dict[str, Any] = {
        "id": name,
        "task": "authenticity",
        "why": "asked",
        "started_at": started_at,
        "finished_at": started_at + timedelta(seconds=9),
        "counts": {"ai": 250, "real": 250},
        "metrics": {"accuracy": 0.9},
        "gate": "promoted",
        "reason": "better than before",
        "version": None,
        **fields,
    }
    return Run(**values)


def in_utc(moment: datetime) -> bool:
    return moment.tzinfo is UTC
