"""What a person says of a picture, made ready to be committed and learned."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from classify import evidence_of, look
from decision import Sight
from domain import UNSURE, Malformed, NotFound, Person, PictureFacts, Task, Unacceptable, Verdict
from embeddings.images import Limits, Picture, decode
from embeddings.likeness import LIKENESS
from embeddings.teaching import copies_id, copies_of, load_copies
from engine import Engine
from models.shelf import Fresh
from storage.labels import clean_label

LONGEST_NOTE = 2_000


@dataclass(frozen=True, slots=True)
class Given:
    """What a person says of one picture: named by a verdict or a sample, or there as a file."""

    task: str
    person: Person
    label: str | None = None
    correct: bool = False
    verdict_id: str | None = None
    sample_id: int | None = None
    picture: bytes | None = None
    variant_of: str | None = None
    note: str = ""
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """The picture that is spoken of.

    Attributes
    ----------
    data
        Its file; None where that is not kept.
    fresh
        What a head learns from, made of the file; None where the store has what there is.
    """

    facts: PictureFacts
    sight: Sight
    data: bytes | None
    fresh: Fresh | None


def verdict_of(engine: Engine, given: Given) -> Verdict | None:
    """The verdict that is spoken of, if one is.

    Raises
    ------
    NotFound
        The task gave no such verdict.
    """
    if given.verdict_id is None:
        return None
    verdict = engine.store.verdicts.get(given.verdict_id)
    if verdict.task != given.task:
        raise NotFound(f"There is no verdict of that id in the task {given.task}.")
    return verdict


def label_of(given: Given, verdict: Verdict | None) -> str:
    """What the person says the picture is.

    Raises
    ------
    Malformed, Unacceptable
        Nothing is said, it cannot be a label, or it contradicts itself.
    """
    if len(given.note) > LONGEST_NOTE:
        raise Unacceptable("note", f"{len(given.note)} characters", f"at most {LONGEST_NOTE}")
    if not given.correct:
        if given.label is None:
            raise Malformed("Say what the picture is: `label`, or `correct`: true.")
        return clean_label(given.label)
    if verdict is None:
        raise Malformed("`correct` needs the `verdict_id` of the answer that was right.")
    if verdict.prediction == UNSURE:
        raise Unacceptable("correct", True, "a `label`: the answer was unsure")
    if given.label is not None and clean_label(given.label) != verdict.prediction:
        raise Unacceptable("label", given.label, f"{verdict.prediction}, or no `correct`")
    return verdict.prediction


def subject_of(engine: Engine, task: Task, given: Given, verdict: Verdict | None) -> Subject:
    """The picture that is spoken of; nothing of it is kept by this.

    Raises
    ------
    Malformed
        Not exactly one picture is named.
    NotFound
        No such sample.
    BadImage
        The file is no picture.
    Unacceptable
        The file is not the picture of the verdict.
    """
    named = (given.picture is not None) + (given.sample_id is not None) + (verdict is not None)
    if named != 1 and not (named == 2 and given.sample_id is None):
        raise Malformed("Name one picture: by `verdict_id`, by `sample_id`, or as a file.")
    if given.picture is not None:
        data = given.picture
    else:
        sha256 = verdict.picture.sha256 if verdict else _sampled(engine, given)
        if not engine.store.blobs.exists(sha256):
            return _unkept(engine, task, sha256, verdict)
        data = engine.store.blobs.get(sha256)
    picture = decode(data, Limits.of(engine.settings))
    if verdict is not None and picture.facts.sha256 != verdict.picture.sha256:
        raise Unacceptable("image", picture.facts.sha256, "the picture of that verdict")
    (sight,) = look(engine, engine.embedders[task.kind], [picture], keep=False)
    sight = replace(sight, evidence=evidence_of(engine, task, [data])[0])
    return Subject(picture.facts, sight, data, _fresh(engine, task, picture, sight))


def keep(engine: Engine, task: Task, subject: Subject) -> None:
    """Put the file and what a head learns from into the store."""
    if subject.data is None or subject.fresh is None:
        return
    engine.store.blobs.put(subject.data)
    sha256, fresh = subject.facts.sha256, subject.fresh
    embedder = engine.embedders[task.kind]
    engine.store.vectors.put(embedder.id, [sha256], fresh.vector[None])
    engine.store.vectors.put(LIKENESS, [sha256], fresh.likeness[None])
    if len(fresh.copies):
        name = copies_id(embedder, task.kind)
        engine.store.vectors.put(name, [sha256], fresh.copies.reshape(1, -1))


def _fresh(engine: Engine, task: Task, picture: Picture, sight: Sight) -> Fresh:
    if sight.vector is None or sight.likeness is None:
        raise AssertionError("a picture that was looked at has both")
    embedder = engine.embedders[task.kind]
    copies = np.zeros((0, embedder.dim), np.float32)
    version = engine.store.versions.current(task.name)
    if version is None or version.demo:  # a trained version's head learns without copies
        known = load_copies(engine.store, embedder, task.kind, [sight.sha256])
        made = known.get(sight.sha256)
        copies = copies_of(picture, task.kind, embedder) if made is None else made
    return Fresh(sight.vector, sight.likeness, copies)


def stored_sight(engine: Engine, task: Task, sha256: str, phash: int) -> Sight:
    """A picture as the decision sees it, by what the store has of it."""
    shelf, blobs = engine.learned.shelf(task.kind), engine.store.blobs
    files = [blobs.get(sha256)] if blobs.exists(sha256) else []
    return Sight(
        sha256,
        phash,
        shelf.vectors([sha256]).get(sha256),
        shelf.likenesses([sha256])[0],
        next(iter(evidence_of(engine, task, files)), ()),
    )


def _sampled(engine: Engine, given: Given) -> str:
    if given.sample_id is None:
        raise AssertionError("a picture is named by a file, a verdict or a sample")
    return engine.store.samples.by_id(given.task, given.sample_id).sha256


def _unkept(engine: Engine, task: Task, sha256: str, verdict: Verdict | None) -> Subject:
    """A picture whose file is gone: it is recognised and learned by its stored vector."""
    if verdict is None:
        raise NotFound("The file of this sample is gone; send it again as a picture.")
    sight = stored_sight(engine, task, sha256, verdict.picture.phash)
    return Subject(verdict.picture, sight, None, None)
