"""Sealing: a verdict's document with what it rests on, signed when the verdict is given."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from records.canonical import canonical, digest, plain
from records.keys import ALGORITHM, Signer

FORMAT = "exposr-record/1"
RECORD, SIGNATURE = "record", "signature"


@dataclass(frozen=True, slots=True)
class Basis:
    """What a verdict rests on, beside the picture and what its document says.

    Attributes
    ----------
    model_sha256, data
        Of the version that answered: its saved file, and the fingerprint of the pictures, labels
        and settings it was trained from. None where no version answered, or none was kept.
    corrections
        Of the corrections that counted, in their order: the sha256 of their ids.
    embedder_reason, weights
        Why this embedder answered, and the sha256 of its weights; None where it has no file.
    n_bytes
        Size of the picture's file.
    software
        Version of Exposr.
    """

    model_sha256: str | None
    data: str | None
    corrections: str | None
    embedder_reason: str
    weights: str | None
    n_bytes: int
    software: str


def seal(
    document: Mapping[str, Any], basis: Basis, signer: Signer, now: datetime, *, late: bool = False
) -> dict[str, Any]:
    """Sign a verdict's document together with what it rests on; returns the signed document.

    Parameters
    ----------
    document
        The verdict under the names other programs know.
    basis
        What it rests on.
    signer
        The key.
    now
        The present moment, aware.
    late
        The verdict was given without a record, so this one is made when somebody asks for it.
    """
    document = plain(document)
    said = {**document, RECORD: plain(record_of(document, basis, now, late=late))}
    signature = {
        "alg": ALGORITHM,
        "key_id": signer.public.id,
        "public_key": signer.public.text,
        "value": base64.b64encode(signer.sign(signed_bytes(said))).decode("ascii"),
    }
    return {**said, SIGNATURE: signature}


def record_of(
    document: Mapping[str, Any], basis: Basis, now: datetime, *, late: bool
) -> dict[str, Any]:
    """The part of a signed document that says what the verdict rests on."""
    model, image = document["model"], document["image"]
    return {
        "format": FORMAT,
        "picture": {"sha256": image["sha256"], "bytes": basis.n_bytes},
        "model": {
            "version": model["version"],
            "sha256": basis.model_sha256,
            "data": basis.data,
        },
        "corrections": {"up_to": model["corrections"], "sha256": basis.corrections},
        "embedder": {
            "id": model["embedder"],
            "weights": basis.weights,
            "reason": basis.embedder_reason,
        },
        "evidence": {"pieces": len(document["evidence"]), "sha256": digest(document["evidence"])},
        "software": {"name": "Exposr", "version": basis.software},
        "answered_at": document["created_at"],
        "signed_at": now.isoformat(),
        "late": late,
    }


def signed_bytes(document: Mapping[str, Any]) -> bytes:
    """What a signature is made of: the whole document but for the signature itself."""
    return canonical({name: value for name, value in document.items() if name != SIGNATURE})
