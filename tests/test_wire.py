"""The JSON names of a verdict are a contract."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from domain import OTHER, PictureFacts, TaskKind, Unacceptable, Verdict, VerdictSource
from storage import Store
from wire import describe, describe_error


def a_verdict(probabilities: dict[str, float]) -> Verdict:
    return Verdict(
        id="v1",
        task="letters",
        prediction=max(probabilities, key=lambda label: probabilities[label]),
        confidence=max(probabilities.values()),
        probabilities=probabilities,
        source=VerdictSource.MODEL,
        reasons=("The model gives ಅ 90%.",),
        evidence=(),
        nearest=(),
        model_version="20261121T000000-abc",
        embedder="builtin-drawing:1",
        trained_at=datetime(2026, 11, 21, tzinfo=UTC),
        corrections=3,
        picture=PictureFacts("ab" * 32, 4, 5, "PNG", 99, 7),
        timing_ms={"decode": 1.0, "embed": 2.0, "decide": 0.5, "total": 3.5},
        created_at=datetime(2026, 11, 21, tzinfo=UTC),
    )


def test_verdict_has_the_names_of_the_contract() -> None:
    document = describe(a_verdict({"ಅ": 0.9, "ಆ": 0.1}))
    assert set(document) >= {
        "id", "task", "prediction", "confidence", "probabilities", "top", "source", "reasons",
        "evidence", "nearest", "model", "image", "timing_ms",
    }  # fmt: skip
    assert set(document["model"]) >= {"version", "embedder", "trained_at", "corrections"}
    assert document["image"] == {"sha256": "ab" * 32, "width": 4, "height": 5, "format": "PNG"}
    assert document["top"][0] == {"label": "ಅ", "probability": 0.9}
    assert json.loads(json.dumps(document)) == document


def test_large_vocabulary_shows_ten_and_the_rest_as_one() -> None:
    probabilities = {f"label{i:02}": (40 - i) / 780 for i in range(1, 40)}
    shown = describe(a_verdict(probabilities))["probabilities"]
    assert len(shown) == 11
    assert sum(shown.values()) == pytest.approx(1)
    assert shown[OTHER] == pytest.approx(sum(sorted(probabilities.values())[:-10]))
    assert next(iter(shown)) == "label01"


def test_verdict_of_thousands_of_labels_reads_the_same_when_it_was_kept(store: Store) -> None:
    weights = [1 / (1 + (i * 7919) % 5000) for i in range(5000)]
    chances = {f"label {i}": weight / sum(weights) for i, weight in enumerate(weights)}
    fresh = a_verdict(chances)
    store.tasks.create(fresh.task, TaskKind.DRAWING, open=True)
    store.verdicts.add(fresh)
    told, kept = describe(fresh), describe(store.verdicts.get(fresh.id))
    assert list(kept["probabilities"]) == list(told["probabilities"])
    assert kept["probabilities"] == pytest.approx(told["probabilities"], abs=1e-12)
    assert sum(kept["probabilities"].values()) == pytest.approx(1)
    assert kept["top"] == told["top"]


def test_rest_of_a_kept_verdict_is_never_among_its_labels() -> None:
    labels = {f"label {i}": 0.02 for i in range(20)}
    shown = describe(a_verdict({**labels, OTHER: 0.6}))
    assert list(shown["probabilities"]) == [*list(labels)[:10], OTHER]
    assert shown["probabilities"][OTHER] == pytest.approx(0.8)
    assert [one["label"] for one in shown["top"]] == ["label 0", "label 1", "label 2"]


def test_error_carries_code_message_and_detail() -> None:
    document = describe_error(Unacceptable("label", 3, "text"))
    assert document == {
        "code": "unacceptable",
        "message": "label: got 3, allowed: text",
        "detail": {"field": "label", "got": 3, "allowed": "text"},
    }
