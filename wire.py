"""The JSON names of verdicts and errors that other programs know, for HTTP and commands alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from domain import ExposrError, Verdict

OTHER = "(other)"
SHOWN_LABELS = 10


def describe(verdict: Verdict) -> dict[str, Any]:
    """The verdict under the names other programs know, JSON-ready."""
    shown = _shown_probabilities(verdict.probabilities)
    return {
        "id": verdict.id,
        "task": verdict.task,
        "prediction": verdict.prediction,
        "confidence": verdict.confidence,
        "probabilities": shown,
        "top": [{"label": k, "probability": p} for k, p in shown.items() if k != OTHER][:3],
        "source": verdict.source.value,
        "reasons": list(verdict.reasons),
        "evidence": [asdict(piece) for piece in verdict.evidence],
        "nearest": [asdict(sample) for sample in verdict.nearest],
        "model": {
            "version": verdict.model_version,
            "embedder": verdict.embedder,
            "trained_at": verdict.trained_at.isoformat() if verdict.trained_at else None,
            "corrections": verdict.corrections,
            "demo": verdict.demo,
        },
        "image": {
            "sha256": verdict.picture.sha256,
            "width": verdict.picture.width,
            "height": verdict.picture.height,
            "format": verdict.picture.format,
        },
        "timing_ms": dict(verdict.timing_ms),
        "created_at": verdict.created_at.isoformat(),
    }


def _shown_probabilities(probabilities: Mapping[str, float]) -> dict[str, float]:
    """The largest first; past ten labels the ten largest and the rest as one."""
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    shown = dict(ranked[:SHOWN_LABELS])
    if len(ranked) > SHOWN_LABELS:
        shown[OTHER] = sum(p for _, p in ranked[SHOWN_LABELS:])
    return shown


def describe_error(error: ExposrError) -> dict[str, Any]:
    """What went wrong, in the one shape errors have everywhere."""
    return {"code": error.code, "message": error.message, "detail": error.detail}
