"""Verdicts signed: what each rests on, gathered when it is given, and the document that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from config import VERSION
from domain import Conflict, NotFound, Verdict
from embeddings import Embedder, weights_of
from engine import Engine
from models.knowledge import Knowledge
from records.packing import pack, unpack
from records.sealing import Basis, seal
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
        document = seal(shown, basis, signer, kept.created_at)
        signed.append(replace(kept, seal=pack(document)))
    return signed


def document(engine: Engine, verdict: Verdict) -> dict[str, Any]:
    """A verdict as the service shows it: with the embedder that answered, and why that one."""
    return _document(verdict, _reason(engine, verdict))


def signed_document(engine: Engine, verdict: Verdict) -> dict[str, Any]:
    """A verdict that was stored, as it was signed: with its record and its signature.

    One from before verdicts were signed is signed when it is first asked for, and its record
    says so.

    Raises
    ------
    Conflict
        It was signed, and its signed document is gone or another verdict's.
    """
    kept = verdict.seal
    if kept is None:
        kept = engine.store.verdicts.keep_seal(verdict.id, pack(_late(engine, verdict)))
    try:
        signed = unpack(kept)
    except ValueError:
        raise _no_record(verdict) from None
    if signed.get("id") != verdict.id:
        raise _no_record(verdict)
    return signed


def _document(verdict: Verdict, reason: str) -> dict[str, Any]:
    return {**describe(verdict), "encoder": {"id": verdict.embedder, "reason": reason}}


def _reason(engine: Engine, verdict: Verdict) -> str:
    found = (e.reason for e in engine.embedders.values() if e.id == verdict.embedder)
    return next(found, REPLACED)


def _no_record(verdict: Verdict) -> Conflict:
    return Conflict(
        "The signed record of this verdict is missing or damaged: it was changed in the database, "
        "and nothing that it says there can be relied on.",
        id=verdict.id,
    )


def _late(engine: Engine, verdict: Verdict) -> dict[str, Any]:
    """A record of what can still be known; which corrections there were cannot.

    Since there is a key, every verdict is signed when it is given. One of that time without a
    signature has lost it, and whoever took it away may have changed more.
    """
    signer = engine.keys.signer()
    since = engine.keys.since()
    if since is None or verdict.created_at >= since:
        raise _no_record(verdict)
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
    return seal(_document(verdict, reason), basis, signer, now, late=True)
