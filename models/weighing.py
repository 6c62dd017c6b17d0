"""What a candidate is held against: the version that answers now, and those gone back from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from domain import ModelVersion, Unavailable
from models import Head
from models.evidence import Evidence, Side, form_of
from models.fallen import fallen_back
from models.floor import no_better_than_chance
from models.gate import MARGIN, Gate, decide
from models.gathering import asked_now, gather_evidence
from models.learned import Learned
from models.registry import Registry
from models.rejected import held_against_rejected
from storage import Store

AS_DELIVERED = "held-out pictures as they were delivered"
MADE_ALIKE = "held-out pictures made alike in form"


@dataclass(frozen=True, slots=True)
class Here:
    """What answers in this process: the embedder's id, and whether somebody chose it.

    What nobody chose is what could be loaded, which may be something else on another machine.
    """

    embedder: str
    chosen: bool


def weigh(
    store: Store, registry: Registry, learned: Learned, version: ModelVersion, here: Here
) -> Gate:
    """Whether a candidate, saved but not current, takes the place of the current version.

    Raises
    ------
    Unavailable
        The candidate cannot be loaded, or not be asked here: its embedder is not in use.
    """
    if version.embedder != here.embedder:
        raise Unavailable(
            f"The version {version.id} was trained on vectors of {version.embedder}, but "
            f"{here.embedder} answers here, so that it cannot be judged."
        )
    current = store.versions.current(version.task)
    if current is None:
        return _first(registry, version, "It is the first version of this task.")
    gate = _weighed(store, registry, learned, version, current, here)
    return replace(gate, against=current.id)


def _weighed(
    store: Store,
    registry: Registry,
    learned: Learned,
    version: ModelVersion,
    current: ModelVersion,
    here: Here,
) -> Gate:
    if current.id == version.id:
        return Gate(True, "It answers already.")
    if version.demo and not current.demo:
        return Gate(False, "The demonstration never replaces a version trained on your pictures.")
    if current.demo and not version.demo:
        gate = _first(registry, version, "It replaces the demonstration.")
        return held_against_rejected(store, registry, version, gate)
    try:
        theirs = registry.load(current)
    except Unavailable as error:
        return Gate(True, f"The current one cannot answer. {error.message}")
    ours, answers = registry.load(version), registry.answers(version)
    if answers is None:
        return Gate(
            False, "What it answered when it was made cannot be read, so it stays unjudged."
        )
    side = Side(version, ours, answers, version.embedder)
    evidence = _evidence(store, side, current, theirs, registry)
    fallen = fallen_back(store, learned, store.tasks.get(version.task), version, ours)
    if current.embedder == version.embedder:
        gate = decide(evidence, fallen)
    elif here.chosen or _family(current.embedder) == _family(version.embedder):
        return _chosen(version, current, decide(evidence, fallen))
    else:
        doubt = (
            f"it was trained on vectors of {version.embedder}, the current version on those of "
            f"{current.embedder}"
        )
        gate = _explained(version, current, decide(evidence, fallen, {doubt: MARGIN}))
    return held_against_rejected(store, registry, version, gate)


def _family(embedder: str) -> str:
    """What settings choose between; which one of a family is the software's matter."""
    return "clip" if embedder.startswith("clip:") else "builtin"


def _chosen(version: ModelVersion, current: ModelVersion, gate: Gate) -> Gate:
    """The current version does not answer with what was chosen, whichever is better."""
    reason = (
        f"The current version was trained on vectors of {current.embedder} and does not answer "
        f"any more; this one was trained on those of {version.embedder}, which ENCODER and the "
        f"release in use say. Beside each other all the same: {gate.reason} "
        f"{_held_out(version, current)}"
    )
    return Gate(True, reason.strip(), gate.figures)


def _explained(version: ModelVersion, current: ModelVersion, gate: Gate) -> Gate:
    """What to do about a candidate of another embedder that nobody chose, if it is kept."""
    if gate.promoted:
        return gate
    parts = (
        gate.reason,
        _held_out(version, current),
        f"ENCODER=auto takes what a process can load, and others may load {current.embedder}: "
        "set ENCODER to clip or builtin for all of them. If this version is wanted then, "
        f"`POST /models/{version.id}/promote` has it answer.",
    )
    return replace(gate, reason=" ".join(part for part in parts if part))


def _held_out(version: ModelVersion, current: ModelVersion) -> str:
    """The cards' own figures, which are of other pictures each."""
    ours, theirs = (
        one.card.get("metrics", {}).get("held_out", {}).get("balanced_accuracy")
        for one in (version, current)
    )
    if ours is None or theirs is None:
        return ""
    return (
        f"On what each held out itself its balanced accuracy is {ours:.1%}, the current "
        f"version's {theirs:.1%}."
    )


def _evidence(
    store: Store, candidate: Side, current: ModelVersion, head: Head, registry: Registry
) -> Evidence:
    """Both versions' answers; where the current one kept none that help, it is asked now."""
    task = store.tasks.get(current.task)
    kept = registry.answers(current)
    if kept is None:
        kept = asked_now(store, candidate.answers, head, embedder=current.embedder)
    side = Side(current, head, kept, current.embedder)
    evidence = gather_evidence(store, task, candidate, side)
    form = form_of(candidate.version)
    alike = form == form_of(current)
    if alike and len(evidence.shared):
        return evidence
    # answers out of fold to pictures in other forms are no match: ask both heads about the same
    again = gather_evidence(
        store,
        task,
        *(
            replace(
                one,
                embedder=one.embedder + form,
                answers=asked_now(store, candidate.answers, one.head, embedder=one.embedder + form),
            )
            for one in (candidate, side)
        ),
    )
    if not len(again.shared):
        return evidence
    same_pictures = replace(
        evidence, shared=again.shared, unseen=again.unseen, widened=again.widened
    )
    return same_pictures if alike else _in_one_form(same_pictures, made_alike=bool(form))


def _in_one_form(evidence: Evidence, *, made_alike: bool) -> Evidence:
    """Say in which form both were asked, and why."""
    forms = ["pictures made alike in form", "pictures as they were delivered"]
    ours, theirs = forms if made_alike else reversed(forms)
    note = (
        f"The candidate was trained on {ours}, the current version on {theirs}, so both were "
        "asked anew about the candidate's."
    )
    return replace(evidence, seen=MADE_ALIKE if made_alike else AS_DELIVERED, note=note)


def _first(registry: Registry, version: ModelVersion, reason: str) -> Gate:
    """Nothing is compared; but what does no better than guessing answers nobody."""
    answers = None if version.demo else registry.answers(version)
    against = no_better_than_chance(answers) if answers is not None else ""
    return Gate(not against, against or reason)
