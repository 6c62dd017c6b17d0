"""The JSON names of verdicts and errors that other programs know, for HTTP and commands alike."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from domain import (
    OTHER,
    Answer,
    Correction,
    ExposrError,
    Golden,
    Receipt,
    Statistics,
    Verdict,
    most_probable,
)

SHOWN_LABELS = 10
"""Past so many the others are told as one."""


def describe(verdict: Verdict) -> dict[str, Any]:
    """The verdict under the names other programs know, JSON-ready."""
    shown = most_probable(verdict.probabilities, SHOWN_LABELS)
    return {
        "id": verdict.id,
        "task": verdict.task,
        "prediction": verdict.prediction,
        "confidence": verdict.confidence,
        "none_of_these": verdict.none_of_these,
        "probabilities": shown,
        "top": [{"label": k, "probability": p} for k, p in shown.items() if k != OTHER][:3],
        "source": verdict.source.value,
        "reasons": list(verdict.reasons),
        "evidence": [asdict(piece) for piece in verdict.evidence],
        "statistics": _statistics(verdict.statistics),
        "people": asdict(verdict.people) if verdict.people else None,
        "nearest": [asdict(sample) for sample in verdict.nearest],
        "stability": asdict(verdict.stability) if verdict.stability else None,
        "explained": dict(verdict.explained) if verdict.explained is not None else None,
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


def _statistics(said: Statistics | None) -> dict[str, Any] | None:
    if said is None:
        return None
    parts = {name: most_probable(part, SHOWN_LABELS) for name, part in said.parts.items()}
    return {
        **asdict(said),
        "probabilities": most_probable(said.probabilities, SHOWN_LABELS),
        "parts": parts,
    }


def describe_error(error: ExposrError) -> dict[str, Any]:
    """What went wrong, in the one shape errors have everywhere."""
    return {"code": error.code, "message": error.message, "detail": error.detail}


def describe_correction(row: Correction) -> dict[str, Any]:
    """A row of the log, JSON-ready."""
    return {
        "id": row.id,
        "task": row.task,
        "seq": row.seq,
        "sha256": row.sha256,
        "label": row.label,
        "person": row.person,
        "trusted": row.trusted,
        "verdict_id": row.verdict_id,
        "variant_of": row.variant_of,
        "note": row.note,
        "undoes": row.undoes,
        "created_at": row.created_at.isoformat(),
    }


def describe_receipt(receipt: Receipt) -> dict[str, Any]:
    """What a correction did, under the names other programs know, JSON-ready."""
    effect = receipt.effect
    return {
        **describe_correction(receipt.correction),
        "before": _describe_answer(receipt.before),
        "after": _describe_answer(receipt.after),
        "learned_ms": round(receipt.learned_ms, 3),
        "effect": {
            "near_samples": effect.near_samples,
            "of_samples": effect.of_samples,
            "past_verdicts_flipped": effect.past_verdicts_flipped,
            "of_verdicts": effect.of_verdicts,
            "golden": describe_golden(effect.golden_before, effect.golden_after),
        },
        "undo": f"/feedback/{receipt.correction.id}",
        "undone": receipt.undone,
        "dry_run": receipt.dry_run,
    }


def describe_golden(before: Golden | None, after: Golden | None) -> dict[str, int] | None:
    """How many of the frozen held-out pictures are answered rightly, before and after."""
    if before is None or after is None:
        return None
    return {"of": after.of, "right_before": before.right, "right_after": after.right}


def _describe_answer(answer: Answer) -> dict[str, Any]:
    return {
        "prediction": answer.prediction,
        "confidence": answer.confidence,
        "source": answer.source.value,
    }
