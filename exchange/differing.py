"""What a lesson says of pictures, and what this installation says of the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domain import Correction, NotFound, Sample, Task
from exchange.layout import CorrectionRow
from exchange.reading import LessonFile
from models.standing import Standing, opinion_of
from storage import Store

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Difference:
    """One picture that has one label here and another one in the lesson."""

    sha256: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True, eq=False)
class Here:
    """What a task holds before a lesson comes.

    Attributes
    ----------
    rows
        Its live corrections by picture, in their order.
    ids
        Of every row of its log, those that were taken back as well.
    """

    task: Task | None
    samples: Mapping[str, Sample] = field(default_factory=dict)
    standing: Standing = field(default_factory=Standing)
    rows: Mapping[str, Sequence[Correction]] = field(default_factory=dict)
    ids: frozenset[str] = frozenset()

    @classmethod
    def of(cls, store: Store, name: str) -> Here:
        """Read it; a task that does not exist holds nothing."""
        try:
            task = store.tasks.get(name)
        except NotFound:
            return cls(None)
        samples = {sample.sha256: sample for sample in store.samples.all(name)}
        log = store.corrections.since(name, 0)
        standing = Standing().after(log)
        rows: dict[str, list[Correction]] = {}
        for row in standing.live.values():
            rows.setdefault(row.sha256, []).append(row)
        return cls(task, samples, standing, rows, frozenset(row.id for row in log))

    @property
    def labels_with_examples(self) -> set[str]:
        """What somebody or something is labelled here."""
        given = {row.label for row in self.standing.live.values()}
        return given | {sample.label for sample in self.samples.values()}


class Votes:
    """Rows of a lesson by the picture they are about, and by the person who said so."""

    def __init__(self, rows: Sequence[CorrectionRow]) -> None:
        self._of: dict[str, dict[str, list[CorrectionRow]]] = {}
        for row in rows:
            self._of.setdefault(row.sha256, {}).setdefault(row.person, []).append(row)

    def is_here(self, row: CorrectionRow, here: Here) -> bool:
        """Whether what this person says of that picture in the lesson is said here already.

        By the row itself, or by as many rows of theirs, the last of which says the same.
        """
        if row.id in here.ids:
            return True
        theirs = self._of[row.sha256][row.person]
        ours = [one for one in here.rows.get(row.sha256, ()) if one.person == row.person]
        return len(ours) >= len(theirs) and ours[-1].label == theirs[-1].label

    def says(self, sha256: str, vote: Correction) -> bool:
        """Whether the lesson holds a vote that was given here."""
        rows = self._of.get(sha256, {}).get(vote.person, ())
        return any(row.label == vote.label for row in rows)


def differences(
    lesson: LessonFile, here: Here, votes: Votes, canonical: Mapping[str, str]
) -> list[Difference]:
    """The pictures that are labelled here otherwise than in the lesson.

    What an earlier import of the same lesson brought is not held against it, so that one that
    was cut off goes on as it began.

    Parameters
    ----------
    lesson
        What comes.
    here
        What was here before.
    votes
        The lesson's.
    canonical
        Variants of labels, of here and of the lesson.
    """
    said = Standing().after(_as_log(lesson.corrections))
    labelled = {row.sha256: row.label for row in lesson.samples}
    order = dict.fromkeys([*(row.sha256 for row in lesson.corrections), *labelled])
    found = []
    for sha256 in order:
        theirs = _label(said.votes(sha256), labelled.get(sha256), canonical)
        given = here.standing.votes(sha256)
        sample = here.samples.get(sha256)
        label = sample.label if sample else None
        own = tuple(vote for vote in given if not votes.says(sha256, vote))
        if theirs is None or theirs == _label(given, label, canonical) or (given and not own):
            continue
        ours = _label(own, label, canonical)
        if ours is not None and ours != theirs:
            found.append(Difference(sha256, ours, theirs))
    return found


def _label(
    votes: tuple[Correction, ...], label: str | None, canonical: Mapping[str, str]
) -> str | None:
    """What a picture is by its votes, or without any by its sample; None: nobody can tell."""
    if votes:
        return opinion_of(votes, canonical).label
    return None if label is None else canonical.get(label, label)


def _as_log(rows: Sequence[CorrectionRow]) -> list[Correction]:
    return [
        Correction(
            id=row.id,
            task="",
            seq=seq,
            sha256=row.sha256,
            label=row.label,
            person=row.person,
            created_at=LONG_AGO,
            trusted=row.trusted,
        )
        for seq, row in enumerate(rows, 1)
    ]
