"""A rollback lasts: what somebody went back from does not return with a picture more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from domain import ModelVersion
from models.changes import CHANGED, changed_pictures, paired_answers
from models.evidence import form_of
from models.gate import Gate
from models.registry import Registry
from storage import Promotion, Store

MUCH_NEW = 0.1
"""Of a candidate's pictures: with more that is new it is no longer what was gone back from."""


def held_against_rejected(
    store: Store, registry: Registry, version: ModelVersion, gate: Gate
) -> Gate:
    """The gate's decision, unless the candidate is too much like a version gone back from.

    It has to be better than that, picture by picture, or made from other pictures.

    Parameters
    ----------
    store, registry
        Where versions are, and their files.
    version
        The candidate.
    gate
        What was decided about it and the current version.
    """
    if not gate.promoted:
        return gate
    for rejected, rollback in _rejected(store, version.task):
        against = _too_much_like(registry, version, rejected)
        if against is not None:
            reason = (
                f"The version {rejected.id} was gone back from ({rollback.why.rstrip('.')}), and "
                f"{against} `POST /models/{version.id}/promote` has it answer all the same."
            )
            figures = {**gate.figures, "rejected": rejected.id}
            return replace(gate, promoted=False, reason=reason, figures=figures)
    return gate


def _rejected(store: Store, task: str) -> Iterator[tuple[ModelVersion, Promotion]]:
    """What the rollbacks that led to the current version went back from, the latest first."""
    for later, earlier in pairwise(store.versions.promotions(task)):
        if not later.back:
            return
        yield store.versions.get(task, earlier.version), later


def _too_much_like(registry: Registry, version: ModelVersion, rejected: ModelVersion) -> str | None:
    """Why a candidate is no answer to the rollback; None if it is one."""
    if version.id == rejected.id:
        return "this is that version."
    if version.embedder + form_of(version) != rejected.embedder + form_of(rejected):
        return None  # it sees every picture in another way
    after, before = registry.answers(version), registry.answers(rejected)
    if after is None or before is None:
        return "what one of the two answered cannot be read, so that nothing shows this is better."
    changes = changed_pictures(after, before, rejected.id)
    new = sum(changes[how] for how in CHANGED)
    if new > MUCH_NEW * len(after):
        return None
    overall, _ = paired_answers(before, after)
    if overall is not None and overall.low > 0:
        return None
    told = f"{new} of {len(after)} pictures are other than those that it was made from"
    if overall is None:
        return f"{told}, and there is nothing to compare the two on."
    return (
        f"{told}; on the {overall.n} that both know this one is not clearly better: balanced "
        f"accuracy is {overall.after:.1%}, that version's {overall.before:.1%}."
    )
