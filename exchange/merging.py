"""Taking a lesson in: what is new is added, what is here stays, the same again changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, TypeVar

from domain import (
    Conflict,
    ExposrError,
    Limited,
    NewCorrection,
    NewSample,
    Person,
    PictureFacts,
    TeachLimits,
    Unacceptable,
)
from embeddings.cores import usable_cores
from embeddings.images import Limits, decode
from engine import Engine
from exchange.carried import Carried
from exchange.differing import Difference, Here, Votes, differences
from exchange.layout import CorrectionRow, SampleRow
from exchange.naming import Naming, prepare
from exchange.reading import LessonFile
from exchange.report import Imported, Tally
from models.families import Families, split_of

OnConflict = Literal["keep", "theirs"]
BATCH = 64
"""Rows whose pictures are looked at together, and samples that are committed together."""
NO_LIMITS = TeachLimits(per_minute=2**31 - 1, new_labels=2**31 - 1)
"""Whoever imports is trusted; those whose words come along are held to nothing any more."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wish:
    """How a lesson is to be taken in: as which task, by whom, and what where labels differ."""

    task: str
    person: Person
    dry_run: bool = False
    on_conflict: OnConflict = "keep"


def merge(
    engine: Engine, lesson: LessonFile, wish: Wish, advance: Callable[[int], None]
) -> Imported:
    """Take a lesson in.

    Killed at any moment and done again, it ends as if it had never been killed: labels and
    variants come first, then what was said, in its order, then the other samples.

    Parameters
    ----------
    engine
        The open engine.
    lesson
        The opened lesson.
    wish
        How.
    advance
        Told how many more rows are settled, whichever way.

    Raises
    ------
    BadLesson
        Its vectors are not what they should be. Nothing has been taken in then.
    Unacceptable
        The task is another one here. Nothing has been taken in then.
    """
    here = Here.of(engine.store, wish.task)
    used = {row.label for row in lesson.samples} | {row.label for row in lesson.corrections}
    naming = Naming.of(wish.task, lesson.manifest.task, here, used)
    votes = Votes(lesson.corrections)
    conflicts = differences(lesson, here, votes, naming.task.variants)
    tally = Tally(list(naming.labels), sorted(naming.variants))
    for variant, message in naming.contradicted.items():
        tally.refuse(f"variant {variant}", "contradiction", message)
    carried = Carried(engine, lesson, naming.task.kind)
    if carried.refused:
        tally.refuse("vectors", "mismatch", "They are not those of its pictures.")
    if not wish.dry_run:
        sampled = {row.label for row in lesson.samples}
        naming = prepare(engine.store, naming, here, sampled, tally)
    merging = _Merging(engine, lesson, wish, here, naming, carried, tally)
    merging.settle(conflicts)
    merging.take_corrections(votes, advance)
    merging.take_samples(advance)
    return tally.report(wish.task, conflicts, made=here.task is None, dry_run=wish.dry_run)


class _Merging:
    """A lesson being taken into a task that has its labels."""

    def __init__(
        self,
        engine: Engine,
        lesson: LessonFile,
        wish: Wish,
        here: Here,
        naming: Naming,
        carried: Carried,
        tally: Tally,
    ) -> None:
        self._store = engine.store
        self._limits = Limits.of(engine.settings)
        self._lesson = lesson
        self._wish = wish
        self._here = here
        self._task = naming.task
        self._carried = carried
        self._tally = tally
        self._families = Families.of(naming.task.kind, here.samples.values())
        self._family_of = {sample.sha256: sample.family for sample in here.samples.values()}
        self._files = lesson.pictures
        # without a file there is only what the lesson says; None: the picture is refused
        self._facts: dict[str, PictureFacts | None] = {
            row.sha256: row.facts for row in lesson.corrections if row.facts is not None
        }
        self._left: set[str] = set()
        self._contradicted = naming.contradicted.keys()

    def settle(self, conflicts: Sequence[Difference]) -> None:
        """Leave pictures that are labelled otherwise here, or give them the lesson's label.

        In the importer's name, and before what the lesson says of them: so it is not a conflict
        any longer when the import is done again.
        """
        if self._wish.on_conflict == "keep":
            self._left = {one.sha256 for one in conflicts}
            return
        families = {row.sha256: row.family for row in self._lesson.corrections}
        families |= {row.sha256: row.family for row in self._lesson.samples}
        for batch in _batches(conflicts):
            self._bring([one.sha256 for one in batch], to_learn=True)
            for one in batch:
                new = NewCorrection(
                    sha256=one.sha256,
                    label=one.theirs,
                    person=self._wish.person,
                    note=f"A lesson said so; it was {one.ours} here.",
                    idempotency_key=f"import:{one.sha256}:{one.theirs}",
                )
                self._tally.adopted += bool(self._teach(new, families[one.sha256]))

    def take_corrections(self, votes: Votes, advance: Callable[[int], None]) -> None:
        """Take in what was said, in its order."""
        for batch in _batches(self._lesson.corrections):
            rows = [row for row in batch if row.sha256 not in self._left]
            new = [row for row in rows if not votes.is_here(row, self._here)]
            self._tally.corrections_here += len(rows) - len(new)
            self._bring([row.sha256 for row in new], to_learn=True)
            for row in new:
                fresh = self._teach(self._said(row), row.family)
                if fresh is not None:
                    self._tally.corrections += fresh
                    self._tally.corrections_here += not fresh
            advance(len(batch))

    def _said(self, row: CorrectionRow) -> NewCorrection:
        return NewCorrection(
            sha256=row.sha256,
            label=row.label,
            person=Person(row.person, row.trusted and self._wish.person.trusted),
            before=row.before,
            variant_of=None if row.label in self._contradicted else row.variant_of,
            note=row.note,
            idempotency_key=f"import:{row.id}",
        )

    def take_samples(self, advance: Callable[[int], None]) -> None:
        """Take in the samples that do not rest on corrections."""
        own = {sha256 for sha256, one in self._here.samples.items() if not one.taught}
        for batch in _batches(self._lesson.samples):
            rows = [row for row in batch if row.sha256 not in self._left]
            new = [row for row in rows if row.sha256 not in own]
            self._tally.samples_here += len(rows) - len(new)
            self._bring([row.sha256 for row in new])
            self._add([row for row in new if self._facts[row.sha256] is not None])
            advance(len(batch))

    def _add(self, rows: Sequence[SampleRow]) -> None:
        if self._wish.dry_run or not rows:
            self._tally.samples += len(rows)
            return
        found = ((row, self._facts[row.sha256]) for row in rows)
        pictures = [(facts, self._sample(row, facts)) for row, facts in found if facts]
        try:
            kept = self._store.samples.add_many(self._task.name, pictures)
        except Unacceptable:  # a variant that never was a label here
            as_here = [(facts, self._by_canonical(sample)) for facts, sample in pictures]
            kept = self._store.samples.add_many(self._task.name, as_here)
        self._tally.samples += len(kept) - kept.count(None)
        self._tally.samples_here += kept.count(None)
        self._tally.without_vectors += self._carried.without([row.sha256 for row in rows])

    def _sample(self, row: SampleRow, facts: PictureFacts) -> NewSample:
        family = self._family(facts, row.family)
        return NewSample(
            label=row.label,
            source=row.source,
            family=family,
            split=split_of(family),
            license=row.license,
            author=row.author,
            page_url=row.page_url if row.page_url.startswith(("http://", "https://")) else "",
        )

    def _by_canonical(self, sample: NewSample) -> NewSample:
        return replace(sample, label=self._task.variants.get(sample.label, sample.label))

    def _family(self, facts: PictureFacts, named: str) -> str:
        """The family of near-duplicates here, or the one it has in the lesson."""
        known = self._family_of.get(facts.sha256) or self._families.find(facts.phash)
        family = known or self._families.found(named or facts.sha256, facts.phash)
        self._family_of[facts.sha256] = family
        return family

    def _teach(self, new: NewCorrection, family: str) -> bool | None:
        """Whether the log has a row more; None when the correction is refused."""
        facts = self._facts[new.sha256]
        if facts is None:
            return None
        if self._wish.dry_run:
            return True
        sample = None
        if new.sha256 in self._files:
            family = self._family(facts, family)
            source = f"feedback:{new.person.name}"
            sample = NewSample(new.label, source, family, split_of(family))
        try:
            taught = self._store.corrections.teach(self._task.name, new, facts, sample, NO_LIMITS)
        except (Conflict, Unacceptable, Limited) as error:
            self._tally.refuse(f"correction of {new.sha256}", error.code, error.message)
            return None
        return taught.fresh

    def _bring(self, sha256s: Collection[str], *, to_learn: bool = False) -> None:
        """Have the files and the vectors of pictures in the store, and know their facts."""
        wanted = list(dict.fromkeys(sha256s))
        new = [sha256 for sha256 in wanted if sha256 not in self._facts]
        with ThreadPoolExecutor(usable_cores()) as pool:
            for sha256, read in zip(new, pool.map(self._read, new), strict=True):
                self._facts[sha256] = read if isinstance(read, PictureFacts) else None
                if isinstance(read, ExposrError):
                    reason = read.detail.get("reason", read.code)
                    self._tally.refuse(f"picture {sha256}", reason, read.message)
        taken = [sha256 for sha256 in wanted if self._facts[sha256] is not None]
        if self._wish.dry_run or not taken:
            return
        self._carried.put(taken)
        if to_learn:
            for sha256 in self._carried.lacking([one for one in taken if one in self._files]):
                self._carried.complete(decode(self._lesson.picture(sha256), self._limits))

    def _read(self, sha256: str) -> PictureFacts | ExposrError:
        try:
            data = self._lesson.picture(sha256)
            facts = decode(data, self._limits).facts
        except ExposrError as error:
            return error
        if not self._wish.dry_run:
            self._store.blobs.put(data)
        return facts


def _batches(rows: Iterable[T]) -> Iterator[list[T]]:
    waiting = iter(rows)
    while batch := list(islice(waiting, BATCH)):
        yield batch
