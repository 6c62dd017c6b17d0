"""Verdicts signed: what each rests on, gathered when it is given, and the document that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from config import VERSION
from domain import NotFound, Seal, Verdict
from embeddings import Embedder, weights_of
from engine import Engine
from models.knowledge import Knowledge
from records.sealing import Basis, seal, sealed
from wire import describe

REPLACED = "It answered then; another embedder is in use now."


def signed_each(
    engine: Engine, known: Knowledge, embedder: Embedder, verdicts: Sequence[Verdict]
) -> list[Verdict]:
    """Verdicts that were just given, each with its seal, as they will be read back.

    Parameters
    ----------
    engine
        The open engine: its key signs.
    known
        What was known of the task when they were given.
    embedder
        What embedded the pictures.
    verdicts
        Of one task, not stored yet.
    """
    if not verdicts:
        return []
    version = known.version
    rests_on = Basis(
        model_sha256=version.sha256 if version else None,
        data=version.card.get("fingerprint") if version else None,
        corrections=known.corrections_sha256,
        embedder_reason=embedder.reason,
        weights=weights_of(embedder),
        n_bytes=0,
        software=VERSION,
    )
    signer = engine.keys.signer()
    signed = []
    for verdict in verdicts:
        kept = engine.store.verdicts.as_kept(verdict)
        basis = replace(rests_on, n_bytes=kept.picture.n_bytes)
        shown = _document(kept, embedder.reason)
        signed.append(replace(kept, seal=seal(shown, basis, signer, kept.created_at)))
    return signed


def document(engine: Engine, verdict: Verdict) -> dict[str, Any]:
    """A verdict as the service shows it: with the embedder that answered, and why that one."""
    return _document(verdict, _reason(engine, verdict))


def signed_document(engine: Engine, verdict: Verdict) -> dict[str, Any]:
    """A verdict that was stored, with its record and its signature.

    One from before verdicts were signed is signed now, and its record says so.
    """
    made = verdict.seal or _late(engine, verdict)
    reason = str(made.record["embedder"]["reason"])
    return sealed(_document(verdict, reason), made)


def _document(verdict: Verdict, reason: str) -> dict[str, Any]:
    return {**describe(verdict), "encoder": {"id": verdict.embedder, "reason": reason}}


def _reason(engine: Engine, verdict: Verdict) -> str:
    found = (e.reason for e in engine.embedders.values() if e.id == verdict.embedder)
    return next(found, REPLACED)


def _late(engine: Engine, verdict: Verdict) -> Seal:
    """A seal of what can still be known; which corrections there were cannot."""
    model_sha256 = data = None
    if verdict.model_version is not None:
        try:
            version = engine.store.versions.get(verdict.task, verdict.model_version)
        except NotFound:  # the task was reset since
            pass
        else:
            model_sha256, data = version.sha256, version.card.get("fingerprint")
    reason = _reason(engine, verdict)
    basis = Basis(
        model_sha256=model_sha256,
        data=data,
        corrections=None,
        embedder_reason=reason,
        weights=None,
        n_bytes=verdict.picture.n_bytes,
        software=VERSION,
    )
    now = datetime.now(UTC)
    return seal(_document(verdict, reason), basis, engine.keys.signer(), now, late=True)
