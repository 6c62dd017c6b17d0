"""Correction to log, then learned: committed before it is answered, with a receipt; its command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from domain import DEFAULT_TASK

EXAMPLES = """examples:
  python feedback.py --image photo.jpg --label ai
  python feedback.py --image letter.png --label ಅ --task kannada
  python feedback.py --image letter.png --label ಅ2 --variant-of ಅ --task kannada
  python feedback.py --image photo.jpg --label real --dry-run     what would change; nothing does
  python feedback.py --list --task kannada
  python feedback.py --undo 3f0c...                               as if it had never been said

exit codes: 0 done; 1 the correction was refused; 2 wrong usage or settings
"""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python feedback.py",
        description="Correct an answer, or teach a task an example. Every process of the service "
        "answers accordingly from its next request on.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--image", type=Path, metavar="F", help="the picture file to label")
    what.add_argument("--verdict", metavar="ID", help="label the picture of this verdict")
    what.add_argument("--undo", metavar="ID", help="take a correction back")
    what.add_argument("--list", action="store_true", help="the latest corrections")
    parser.add_argument("--label", metavar="L", help="what it is")
    parser.add_argument("--variant-of", metavar="L", help="the label is another form of this one")
    parser.add_argument("--note", default="", help="why, for those who read it later")
    parser.add_argument("--task", default=DEFAULT_TASK, help="default: %(default)s")
    parser.add_argument("--dry-run", action="store_true", help="show the effect without teaching")
    parser.add_argument("--json", action="store_true", help="JSON on stdout, for programs")
    arguments = parser.parse_args(argv)
    if (arguments.image or arguments.verdict) and not arguments.label:
        parser.error("--label is needed with --image and --verdict")
    return arguments


if __name__ == "__main__":
    # before the imports below, which take a second: --help and a wrong option answer at once
    ARGUMENTS = parse_arguments()

# ruff: noqa: E402
import json
import logging
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime

from config import load_settings
from decision import Policy, Sight, decide_each
from domain import (
    Answer,
    Conflict,
    Correction,
    Erased,
    ExposrError,
    Golden,
    NewCorrection,
    NewSample,
    NotFound,
    Person,
    Receipt,
    Task,
    Taught,
    TeachLimits,
    Unacceptable,
)
from effect import described, effect_of, restored
from engine import Engine, open_engine
from given import Given, Subject, keep, label_of, stored_sight, subject_of, verdict_of
from models.families import split_of
from models.knowledge import Knowledge
from terminal import print_corrections, print_receipt
from wire import describe_correction, describe_receipt

LOCAL = Person("local", trusted=True)
"""Who uses the commands: whoever may read the data may teach."""
LISTED = 50

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PersonUndone:
    """What taking back everything one person taught does, or would do."""

    person: str
    ids: tuple[str, ...]
    labels: dict[str, int]
    golden_before: Golden | None
    golden_after: Golden | None
    dry_run: bool


def correct(engine: Engine, given: Given, *, dry_run: bool = False) -> Receipt:
    """Put a label on a picture: into the log, then learned.

    Parameters
    ----------
    engine
        The open engine.
    given
        What is said, and by whom.
    dry_run
        Show what would change; nothing goes into the log and nothing is learned.

    Raises
    ------
    NotFound
        No such task, verdict or sample.
    BadImage
        The picture cannot be read.
    Malformed, Unacceptable
        The label cannot be one of this task, or what is given contradicts itself.
    Conflict
        The idempotency key was used for something else.
    Limited
        That person has taught too much for now.
    """
    task = engine.store.tasks.get(given.task)
    verdict = verdict_of(engine, given)
    label = label_of(given, verdict)
    subject = subject_of(engine, task, given, verdict)
    known = engine.learned.knowledge(task)
    before = _answer(engine, task, known, subject.sight)
    new = NewCorrection(
        sha256=subject.facts.sha256,
        label=label,
        person=given.person,
        before=before,
        verdict_id=given.verdict_id,
        variant_of=given.variant_of,
        note=given.note,
        idempotency_key=given.idempotency_key,
    )
    # refused before anything of it is kept, so that refusals fill no disk
    taught = engine.store.corrections.rehearse(task.name, new, subject.facts, limits_of(engine))
    if taught.fresh and not dry_run:
        taught = _commit(engine, task, new, subject)
    row = taught.correction
    if not taught.fresh:
        return receipt(engine, task.name, row.id)
    started = time.perf_counter()
    if dry_run:
        row = _supposed(task, row, known.standing.seq + 1, subject.facts.phash)
        fresh = {row.sha256: subject.fresh} if subject.fresh else {}
        later = engine.learned.suppose(task, [row], fresh)
    else:
        task = engine.store.tasks.get(given.task)  # it may have a label more
        later = engine.learned.knowledge(task)
    learned_ms = (time.perf_counter() - started) * 1000
    after = _answer(engine, task, later, subject.sight)
    # what is only rehearsed is in no table yet
    shown = subject.sight.vector if dry_run and subject.data is not None else None
    supposed = [] if shown is None else [shown]
    effect = effect_of(engine, task, known, later, [subject.sight], supposed)
    made = Receipt(row, before, after, learned_ms, effect, dry_run=dry_run)
    if not dry_run:
        _keep_receipt(engine, made)
    return made


def _keep_receipt(engine: Engine, made: Receipt) -> None:
    """The correction stands without it: whoever asks for the receipt then hears what is so now."""
    try:
        engine.store.receipts.put(made.correction.id, described(made))
    except ExposrError:
        log.exception("The receipt of %s is not kept", made.correction.id)


def correct_many(
    engine: Engine, givens: Sequence[Given], *, dry_run: bool = False
) -> list[Receipt | ExposrError]:
    """Each correction on its own, in order: a receipt, or why there is none."""
    made: list[Receipt | ExposrError] = []
    for given in givens:
        try:
            made.append(correct(engine, given, dry_run=dry_run))
        except ExposrError as error:
            made.append(error)
    return made


def undo(
    engine: Engine, task_name: str, correction_id: str, person: Person, *, dry_run: bool = False
) -> Receipt:
    """Take a correction back: what is known then is as if it had never been said.

    Raises
    ------
    NotFound
        No such task or correction.
    Unacceptable
        It is itself an undo.
    Conflict
        It was taken back already.
    """
    task = engine.store.tasks.get(task_name)
    row = engine.store.corrections.get(task_name, correction_id)
    sight = stored_sight(engine, task, row.sha256, row.phash)
    known = engine.learned.knowledge(task)
    before = _answer(engine, task, known, sight)
    started = time.perf_counter()
    if dry_run:
        _check_undoable(engine, row)
        later = engine.learned.suppose(task, [_undoing(row, known.standing.seq + 1)])
    else:
        engine.store.corrections.undo(task_name, [correction_id], person.name, person.trusted)
        task = engine.store.tasks.get(task_name)  # a label only it had is gone
        later = engine.learned.knowledge(task)
    return Receipt(
        correction=row,
        before=before,
        after=_answer(engine, task, later, sight),
        learned_ms=(time.perf_counter() - started) * 1000,
        effect=effect_of(engine, task, known, later, [sight]),
        dry_run=dry_run,
        undone=not dry_run,
    )


def undo_person(
    engine: Engine,
    task_name: str,
    whom: str,
    since: datetime | None,
    person: Person,
    *,
    dry_run: bool = False,
) -> PersonUndone:
    """Take back everything one person taught a task, since a moment or ever.

    Raises
    ------
    NotFound
        No such task.
    """
    task = engine.store.tasks.get(task_name)
    rows = engine.store.corrections.of_person(task_name, whom, since)
    known = later = engine.learned.knowledge(task)
    if rows and dry_run:
        undone = [_undoing(row, known.standing.seq + i) for i, row in enumerate(rows, 1)]
        later = engine.learned.suppose(task, undone)
    elif rows:
        ids = [row.id for row in rows]
        engine.store.corrections.undo(task_name, ids, person.name, person.trusted)
        later = engine.learned.knowledge(engine.store.tasks.get(task_name))
    return PersonUndone(
        person=whom,
        ids=tuple(row.id for row in rows),
        labels=dict(Counter(row.label for row in rows)),
        golden_before=known.golden,
        golden_after=later.golden,
        dry_run=dry_run,
    )


def receipt(engine: Engine, task_name: str, correction_id: str) -> Receipt:
    """The receipt of a correction made before.

    Raises
    ------
    NotFound
        No such task or correction.
    """
    row = engine.store.corrections.get(task_name, correction_id)
    undone = engine.store.corrections.undone_by(task_name, correction_id) is not None
    kept = engine.store.receipts.get(correction_id)
    if kept is not None:
        return restored(row, kept, undone=undone)
    # the process died between the log and the receipt: say what is so now
    task = engine.store.tasks.get(task_name)
    known = engine.learned.knowledge(task)
    now = _answer(engine, task, known, stored_sight(engine, task, row.sha256, row.phash))
    effect = effect_of(engine, task, known, known, [])
    return Receipt(row, row.before or now, now, 0.0, effect, undone=undone)


def erase(engine: Engine, sha256: str) -> Erased:
    """Remove a picture, everywhere: file, vectors, what was said of it, and what that changed.

    Raises
    ------
    NotFound
        Nothing is known of such a picture.
    """
    gone = engine.store.erase(sha256)
    if not (gone.file or gone.vectors or gone.samples or gone.corrections or gone.verdicts):
        raise NotFound(f"Nothing is known of a picture {sha256}.", sha256=sha256)
    return gone


def _commit(engine: Engine, task: Task, new: NewCorrection, subject: Subject) -> Taught:
    """Write it into the log; what it speaks of is on the disk before."""
    keep(engine, task, subject)
    sample = None
    if subject.data is not None:
        family = engine.samplebook.family(task, new.sha256, subject.facts.phash)
        sample = NewSample(
            label=new.label,
            source=f"feedback:{new.person.name}",
            family=family,
            split=split_of(family),
        )
    return engine.store.corrections.teach(task.name, new, subject.facts, sample, limits_of(engine))


def limits_of(engine: Engine) -> TeachLimits:
    """What a person who is not trusted may do."""
    settings = engine.settings
    return TeachLimits(settings.feedback_per_minute, settings.feedback_new_labels)


def _supposed(task: Task, row: Correction, seq: int, phash: int) -> Correction:
    """The row as the log would have it; a link to another label is not made by a rehearsal."""
    label = row.variant_of or row.label
    return replace(row, seq=seq, label=task.variants.get(label, label), phash=phash)


def _undoing(row: Correction, seq: int) -> Correction:
    return replace(row, id=f"undo of {row.id}", seq=seq, undoes=row.id)


def _check_undoable(engine: Engine, row: Correction) -> None:
    """Refuse what an undo would refuse."""
    if row.undoes is not None:
        raise Unacceptable("id", row.id, "a correction that gives a label")
    if engine.store.corrections.undone_by(row.task, row.id) is not None:
        raise Conflict(f"the correction {row.id} is undone already", id=row.id)


def _answer(engine: Engine, task: Task, known: Knowledge, sight: Sight) -> Answer:
    (near,) = engine.neighbours.familiarities(task, known, [(sight.sha256, sight.vector)])
    asked = [replace(sight, familiarity=near)]
    (decision,) = decide_each(task, known, asked, policy=Policy.of(engine.settings))
    return Answer(decision.prediction, decision.confidence, decision.source)


# --- the command ---


def main(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    try:
        engine = open_engine(load_settings())
    except ExposrError as error:
        print(error.message, file=sys.stderr)
        return 2
    try:
        if arguments.list:
            _list(engine, arguments)
        else:
            _tell(arguments, _change(engine, arguments))
    except ExposrError as error:
        print(error.message, file=sys.stderr)
        return 1
    finally:
        engine.close()
    return 0


def _change(engine: Engine, arguments: argparse.Namespace) -> Receipt:
    if arguments.undo:
        return undo(engine, arguments.task, arguments.undo, LOCAL, dry_run=arguments.dry_run)
    given = Given(
        task=arguments.task,
        person=LOCAL,
        label=arguments.label,
        verdict_id=arguments.verdict,
        picture=_read(arguments.image) if arguments.image else None,
        variant_of=arguments.variant_of,
        note=arguments.note,
    )
    return correct(engine, given, dry_run=arguments.dry_run)


def _tell(arguments: argparse.Namespace, made: Receipt) -> None:
    document = describe_receipt(made)
    if arguments.json:
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        print_receipt(document)


def _list(engine: Engine, arguments: argparse.Namespace) -> None:
    rows = engine.store.corrections.page(arguments.task, limit=LISTED)
    documents = [describe_correction(row) for row in rows]
    if arguments.json:
        print(json.dumps(documents, ensure_ascii=False, indent=2))
    else:
        print_corrections(documents)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path}: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main(ARGUMENTS))
