"""Which pictures are worth a person's look next: disputed, unsure, or unlike what is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from domain import BY_HEAD, Correction, Task, Unacceptable, Verdict, VerdictSource
from engine import Engine
from models.chances import chances_of
from models.families import Families
from models.knowledge import Knowledge
from models.standing import Canonical, opinion_of, overruled

ORDERS = ("uncertain", "diverse", "conflict")
MOST = 200
LATEST = 500
"""Of how many pictures, the latest that were asked about, the queue is made."""
LABELLED = 500
"""Of how many labelled pictures `diverse` keeps away."""
ANSWERED_ANEW = BY_HEAD | {VerdictSource.NONE}
"""Answers that what is known by now may give otherwise, or where it gives a first one."""
COMPARED = 100
"""Pictures that are looked up in memory; each lookup goes through all of it."""

Row = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Vote:
    """What one person says a picture is."""

    person: str
    label: str
    trusted: bool
    correction_id: str


@dataclass(frozen=True, slots=True)
class Queued:
    """A picture worth a look.

    Attributes
    ----------
    prediction, confidence
        What the task answers for it: now, or when it was asked about last.
    verdict_id
        That last answer, by which the picture can be labelled; None of a dispute.
    votes
        What people say, of a dispute; in the order they said it.
    count
        Pictures of the queue that it stands for: near-duplicates, itself among them.
    kept
        Whether its file is here to be shown.
    """

    sha256: str
    prediction: str | None
    confidence: float | None
    verdict_id: str | None = None
    votes: tuple[Vote, ...] = ()
    count: int = 1
    kept: bool = False


def queue(engine: Engine, task_name: str, order: str = "uncertain", n: int = 20) -> list[Queued]:
    """Pictures worth a look, the most worthwhile first; near-duplicates stand as one.

    Parameters
    ----------
    engine
        The open engine.
    task_name
        Whose pictures.
    order
        `uncertain`: asked about lately and labelled by nobody, least sure first. `diverse`: of
        the same, those unlike each other and unlike what is labelled. `conflict`: pictures that
        people are at odds about, or somebody not trusted with a held-out label; latest first.
    n
        At most so many, 1 to `MOST`.

    Raises
    ------
    NotFound
        No such task.
    Unacceptable
        Another order, or another number.
    """
    if order not in ORDERS:
        raise Unacceptable("order", order, " or ".join(ORDERS))
    if not 1 <= n <= MOST:
        raise Unacceptable("n", n, f"1 to {MOST}")
    task = engine.store.tasks.get(task_name)
    if order == "conflict":
        found = _disputes(engine, task)[:n]
    else:
        found = _unlabelled(engine, task, order, n)
    return [replace(one, kept=engine.store.blobs.exists(one.sha256)) for one in found]


# --- disputes ---


def _disputes(engine: Engine, task: Task) -> list[Queued]:
    known = engine.learned.knowledge(task)
    golden = known.support.golden_pictures if known.support else {}
    standing = known.standing
    found = {
        opinion.vote.sha256: _dispute(
            opinion.votes, opinion.label, opinion.shares.get(opinion.label or "")
        )
        for opinion in standing.disputed(task.variants)
    }
    for sha256 in golden.keys() - found.keys():
        votes = standing.votes(sha256)
        if any(overruled(vote, golden, task.variants) for vote in votes):
            found[sha256] = _against_golden(votes, golden, task.variants)
    latest = sorted(found.values(), key=lambda one: -one[1].seq)
    return _folded(task, [(queued, vote.phash) for queued, vote in latest])


def _dispute(
    votes: Sequence[Correction], label: str | None, share: float | None
) -> tuple[Queued, Correction]:
    """A disputed picture and the latest vote on it."""
    told = tuple(Vote(one.person, one.label, one.trusted, one.id) for one in votes)
    return Queued(votes[-1].sha256, label, share, votes=told), votes[-1]


def _against_golden(
    votes: tuple[Correction, ...], golden: Mapping[str, str], canonical: Canonical
) -> tuple[Queued, Correction]:
    """A held-out picture whose label somebody not trusted contradicts: it keeps that label."""
    counted = tuple(vote for vote in votes if not overruled(vote, golden, canonical))
    if not counted:
        label = golden[votes[-1].sha256]
        return _dispute(votes, canonical.get(label, label), None)
    opinion = opinion_of(counted, canonical)
    return _dispute(votes, opinion.label, opinion.shares.get(opinion.label or ""))


# --- pictures nobody labelled ---


def _unlabelled(engine: Engine, task: Task, order: str, n: int) -> list[Queued]:
    known = engine.learned.knowledge(task)
    verdicts = [
        verdict
        for verdict in engine.store.verdicts.latest(task.name, LATEST)
        if verdict.picture.sha256 not in known.opinions
        and engine.store.samples.get(task.name, verdict.picture.sha256) is None
    ]
    shelf = engine.learned.shelf(task.kind)
    vectors = shelf.vectors([verdict.picture.sha256 for verdict in verdicts])
    now = _answers(known, task.variants, verdicts, vectors)
    asked = [
        Queued(verdict.picture.sha256, *answer, verdict_id=verdict.id)
        for verdict, answer in zip(verdicts, now, strict=True)
    ]
    pairs = list(zip(asked, (one.picture.phash for one in verdicts), strict=True))
    if order == "uncertain":
        pairs.sort(key=lambda pair: pair[0].confidence or 0.0)
        return _new_to(engine, task, known, pairs, n)
    having = [queued for queued in _folded(task, pairs) if queued.sha256 in vectors]
    if not having:
        return []
    rows = np.stack([vectors[queued.sha256] for queued in having])
    return [having[i] for i in _spread(rows, _labelled(engine, task, known), n)]


def _answers(
    known: Knowledge, canonical: Canonical, verdicts: Sequence[Verdict], vectors: Mapping[str, Row]
) -> list[tuple[str, float]]:
    """What the head gives now; what was answered where it cannot tell, or did not decide."""
    answers = [(verdict.prediction, verdict.confidence) for verdict in verdicts]
    places = [
        i
        for i, verdict in enumerate(verdicts)
        if verdict.source in ANSWERED_ANEW and verdict.picture.sha256 in vectors
    ]
    if known.head is None or not places:
        return answers
    rows = np.stack([vectors[verdicts[i].picture.sha256] for i in places])
    for i, scores in zip(places, known.head.predict_proba(rows), strict=True):
        chances = chances_of(known.head.classes, scores, canonical)
        best = max(chances, key=lambda label: chances[label])
        answers[i] = (best, chances[best])
    return answers


def _new_to(
    engine: Engine, task: Task, known: Knowledge, pairs: Sequence[tuple[Queued, int]], n: int
) -> list[Queued]:
    """Without those that memory takes for copies of what was corrected, as far as it is asked."""
    shelf = engine.learned.shelf(task.kind)
    phashes = {queued.sha256: phash for queued, phash in pairs}
    folded = _folded(task, pairs)
    first = [queued.sha256 for queued in folded[:COMPARED]]
    seen = dict(zip(first, shelf.likenesses(first), strict=True))
    new = (
        queued
        for queued in folded
        if queued.sha256 not in seen or not known.near(phashes[queued.sha256], seen[queued.sha256])
    )
    return list(islice(new, n))


def _labelled(engine: Engine, task: Task, known: Knowledge) -> NDArray[np.float32]:
    """(m, dim) vectors of pictures whose labels are known, the latest of them."""
    corrected = sorted(known.opinions.values(), key=lambda one: -one.vote.seq)[:LABELLED]
    sampled = [sha256 for sha256, _ in engine.samplebook.latest(task)]
    names = dict.fromkeys([*(one.vote.sha256 for one in corrected), *sampled])
    found = list(engine.learned.shelf(task.kind).vectors(list(names)).values())
    return np.stack(found) if found else np.zeros((0, 0), np.float32)


def _spread(rows: NDArray[np.float32], known: NDArray[np.float32], n: int) -> list[int]:
    """Places of rows, each the farthest from what is known and from those before it.

    Greedy k-centre: the row that is left farthest from all chosen ones is at most twice as far as
    with the best choice of as many.

    Parameters
    ----------
    rows
        (m, dim) unit vectors; of equally far ones the first is taken.
    known
        (k, dim) unit vectors to keep away from, or none.
    n
        How many.

    References
    ----------
    Gonzalez 1985, Clustering to minimize the maximum intercluster distance. As a way to choose
    what to label: Sener & Savarese 2018, Active Learning for CNNs: A Core-Set Approach.
    """
    nearest = np.full(len(rows), -np.inf)
    if len(known):
        nearest = (rows @ known.T).max(axis=1).astype(np.float64)
    chosen: list[int] = []
    while len(chosen) < min(n, len(rows)):
        place = int(nearest.argmin())
        chosen.append(place)
        nearest = np.maximum(nearest, rows @ rows[place])
        nearest[chosen] = np.inf
    return chosen


def _folded(task: Task, pairs: Iterable[tuple[Queued, int]]) -> list[Queued]:
    """One picture for each family of near-duplicates, the first, with how many there are."""
    families = Families(task.kind)
    first: dict[str, Queued] = {}
    for queued, phash in pairs:
        family = families.find(phash)
        if family is None:
            families.found(queued.sha256, phash)
            first[queued.sha256] = queued
        else:
            first[family] = replace(first[family], count=first[family].count + 1)
    return list(first.values())
