"""Corrected pictures: none may fall back to the answer that somebody said was wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from domain import UNSURE, ModelVersion, Task
from models import Head
from models.knowledge import Fold, Knowledge
from models.learned import Learned
from models.shelf import Rows, Shelf
from models.standing import Opinion, heard
from models.support import read_support
from storage import Store

NAMED = 5


@dataclass(frozen=True, slots=True)
class Fallen:
    """What a candidate makes of corrected pictures.

    Attributes
    ----------
    corrected
        Pictures that somebody said a wrong answer about, and what is right.
    served
        Those that would be served the wrong answer again.
    by_head
        Those whose wrong answer the head would give again and does not give now.
    risen
        Those whose wrong answer the head gives now and would no longer give.
    """

    corrected: int
    served: tuple[str, ...]
    by_head: tuple[str, ...]
    risen: int

    @property
    def message(self) -> str:
        """What speaks against it; empty when nothing does."""
        gone = tuple(dict.fromkeys((*self.served, *self.by_head)))
        if not gone:
            return ""
        named = ", ".join(sha256[:12] for sha256 in gone[:NAMED])
        more = f" and {len(gone) - NAMED} more" if len(gone) > NAMED else ""
        return (
            f"{len(gone)} of {self.corrected} corrected pictures would fall back to their wrong "
            f"answer: {named}{more}."
        )


def fallen_back(
    store: Store, learned: Learned, task: Task, version: ModelVersion, head: Head
) -> Fallen | None:
    """Look at every corrected picture with the current version and with a candidate.

    Both are asked as they answer: what corrections add to a head is added to either.

    Parameters
    ----------
    store
        The open store.
    learned
        What is known now.
    task
        Whose version it is.
    version, head
        The candidate.

    Returns
    -------
    Fallen or None
        None where no answer was corrected.
    """
    now = learned.knowledge(task)
    wrong = _wrong_answers(store, task, now)
    if not wrong:
        return None
    then = _known_with(store, task, learned.shelf(task.kind), version, head)
    by_head, risen = _by_head(learned.shelf(task.kind), task, wrong, now, then)
    served = [
        sha256
        for sha256, (right, _) in wrong.items()
        if sha256 not in then.opinions or then.opinions[sha256].label != right
    ]
    return Fallen(len(wrong), tuple(served), tuple(by_head), risen)


def _wrong_answers(store: Store, task: Task, known: Knowledge) -> dict[str, tuple[str, set[str]]]:
    """By sha256: what is right by now, and what was answered wrongly before somebody said so.

    Whoever is not trusted and contradicts what somebody brought is not counted: it waits.
    """
    if not known.opinions:
        return {}
    brought = {one.sha256: one.label for one in store.samples.all(task.name) if not one.taught}
    found = {}
    for sha256 in known.opinions:
        opinion = heard(known.standing, sha256, brought, task.variants)
        if opinion is None or opinion.label is None:
            continue
        said = _before(opinion, task) - {opinion.label, UNSURE}
        if said:
            found[sha256] = (opinion.label, said)
    return found


def _before(opinion: Opinion, task: Task) -> set[str]:
    answers = (vote.before.prediction for vote in opinion.votes if vote.before is not None)
    return {task.variants.get(answer, answer) for answer in answers}


def _known_with(
    store: Store, task: Task, shelf: Shelf, version: ModelVersion, head: Head
) -> Knowledge:
    """What would be known with another version."""
    fold = Fold(task.kind, task.variants, shelf, (version, head), read_support(store, version))
    fold.advance(store.corrections.since(task.name, 0))
    return fold.knowledge()


def _by_head(
    shelf: Shelf,
    task: Task,
    wrong: Mapping[str, tuple[str, set[str]]],
    now: Knowledge,
    then: Knowledge,
) -> tuple[list[str], int]:
    """Those whose wrong answer comes back, and how many lose it."""
    vectors = shelf.vectors(list(wrong))
    pictures = list(vectors)
    if not pictures or now.head is None or then.head is None:
        return [], 0
    rows = np.stack([vectors[sha256] for sha256 in pictures])
    before = _said(now.head, rows, task)
    after = _said(then.head, rows, task)
    fallen, risen = [], 0
    for sha256, was, will_be in zip(pictures, before, after, strict=True):
        _, answers = wrong[sha256]
        if will_be in answers and was not in answers:
            fallen.append(sha256)
        risen += was in answers and will_be not in answers
    return fallen, risen


def _said(head: Head, rows: Rows, task: Task) -> Sequence[str]:
    names = [task.variants.get(label, label) for label in head.classes]
    return [names[place] for place in head.predict_proba(rows).argmax(axis=1)]
