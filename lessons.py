"""A task's whole knowledge into one file, and out of one into this installation; its command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from domain import DEFAULT_TASK

EXAMPLES = """examples:
  python lessons.py --export kannada.zip --task kannada
  python lessons.py --import kannada.zip --dry-run          what it would bring; nothing changes
  python lessons.py --import kannada.zip                    makes the task where there is none
  python lessons.py --import kannada.zip --task letters     as another task
  python lessons.py --import kannada.zip --on-conflict theirs

Importing the same file again changes nothing; one that was stopped goes on when done again.
Pictures that are labelled otherwise here are listed, and keep their label unless --on-conflict
theirs gives them the file's, in the name of whoever imports. A file has people's names and
notes in it.

exit codes: 0 done; 1 the file was refused, or something in it; 2 wrong usage or settings, or no
such task; 130 stopped by Ctrl-C
"""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python lessons.py",
        description="Put all that a task knows into one file, or take such a file in: pictures, "
        "labels, variants, corrections, vectors and the card of its version.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--export", type=Path, metavar="FILE.zip", help="write the task's lesson")
    what.add_argument(
        "--import", type=Path, metavar="FILE.zip", help="take a lesson in", dest="import_"
    )
    parser.add_argument(
        "--task", metavar="T", help=f"default: {DEFAULT_TASK}; of --import: what the file says"
    )
    parser.add_argument("--dry-run", action="store_true", help="with --import: only tell")
    parser.add_argument(
        "--on-conflict",
        choices=["keep", "theirs"],
        default="keep",
        help="with --import: whose label counts where they differ; default: %(default)s",
    )
    parser.add_argument("--json", action="store_true", help="JSON on stdout, for programs")
    arguments = parser.parse_args(argv)
    if arguments.export and (arguments.dry_run or arguments.on_conflict != "keep"):
        parser.error("--dry-run and --on-conflict belong to --import")
    return arguments


if __name__ == "__main__":
    # before the imports below, which take a second: --help and a wrong option answer at once
    ARGUMENTS = parse_arguments()

# ruff: noqa: E402
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from typing import BinaryIO, cast

from config import load_settings
from domain import ExposrError, NotFound, Person, Unacceptable, Unavailable
from engine import Engine, open_engine
from exchange.differing import Difference
from exchange.gathering import LessonCounts, write_lesson
from exchange.layout import BadLesson
from exchange.merging import OnConflict, Wish, merge
from exchange.reading import Sizes, open_lesson
from exchange.report import Imported, Refusal
from feedback import LOCAL
from terminal import progress_bar

__all__ = [
    "BadLesson",
    "Difference",
    "Imported",
    "LessonCounts",
    "Refusal",
    "export_lesson",
    "import_lesson",
]


def export_lesson(
    engine: Engine,
    task: str,
    file: BinaryIO,
    *,
    progress: Callable[[int], Callable[[int], None]] = lambda total: lambda n: None,
) -> LessonCounts:
    """Write all that a task knows as a zip.

    Parameters
    ----------
    engine
        The open engine.
    task
        Whose lesson.
    file
        Where it goes, a picture at a time; need not be seekable.
    progress
        Told the number of pictures, then how many more are written.

    Raises
    ------
    NotFound
        No such task.
    Unacceptable
        It has more rows than a lesson may have.
    """
    return write_lesson(engine, task, file, progress)


def import_lesson(
    engine: Engine,
    task: str | None,
    file: BinaryIO,
    person: Person,
    *,
    dry_run: bool = False,
    on_conflict: OnConflict = "keep",
    progress: Callable[[int], Callable[[int], None]] = lambda total: lambda n: None,
) -> Imported:
    """Take a lesson in. The same again changes nothing; one that was cut off goes on.

    Parameters
    ----------
    engine
        The open engine.
    task
        As which task; None: the one it names. It is made where there is none.
    file
        The zip, seekable.
    person
        Who brings it; must be trusted, as its samples and the words of others come along.
    dry_run
        Only tell what it would bring.
    on_conflict
        `keep`: pictures that are labelled otherwise here are left alone; `theirs`: they get the
        lesson's label in the importer's name.
    progress
        Told the number of rows, then how many more are settled.

    Raises
    ------
    BadLesson
        It is no lesson, damaged, or made to do harm. Nothing has been taken in then.
    Unacceptable
        It is too large or too new, the task is of another kind here, or closed and without one
        of its labels, or the person is not trusted. Nothing has been taken in then.
    """
    if not person.trusted:
        raise Unacceptable("person", person.name, "somebody who may do what admins may")
    if on_conflict not in ("keep", "theirs"):
        raise Unacceptable("on_conflict", on_conflict, "keep or theirs")
    settings = engine.settings
    with open_lesson(file, Sizes(settings.max_lesson_bytes, settings.max_image_bytes)) as lesson:
        wish = Wish(task or lesson.manifest.task.name, person, dry_run, on_conflict)
        advance = progress(len(lesson.corrections) + len(lesson.samples))
        return merge(engine, lesson, wish, advance)


# --- the command ---


def main(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    try:
        engine = open_engine(load_settings())
    except ExposrError as error:
        print(error.message, file=sys.stderr)
        return 2
    try:
        if arguments.export:
            return _export(engine, arguments)
        return _import(engine, arguments)
    except (NotFound, Unavailable) as error:
        print(error.message, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except ExposrError as error:
        print(error.message, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; do it again to go on.", file=sys.stderr)
        return 130
    finally:
        engine.close()


def _export(engine: Engine, arguments: argparse.Namespace) -> int:
    task = arguments.task or DEFAULT_TASK
    with _written(arguments.export) as file, ExitStack() as bars:
        counts = export_lesson(engine, task, file, progress=partial(_bar, bars, "export"))
    if arguments.json:
        print(json.dumps(asdict(counts), ensure_ascii=False, indent=2))
        return 0
    print(
        f"{arguments.export}: {counts.samples} samples and {counts.corrections} corrections of "
        f"{counts.task}, {counts.pictures} pictures, {counts.vectors} of them with a vector."
    )
    if counts.left_out:
        print(f"{counts.left_out} samples are left out: their pictures are not kept here whole.")
    return 0


def _import(engine: Engine, arguments: argparse.Namespace) -> int:
    with arguments.import_.open("rb") as file, ExitStack() as bars:
        imported = import_lesson(
            engine,
            arguments.task,
            file,
            LOCAL,
            dry_run=arguments.dry_run,
            on_conflict=arguments.on_conflict,
            progress=partial(_bar, bars, "import"),
        )
    if arguments.json:
        print(json.dumps(asdict(imported), ensure_ascii=False, indent=2))
    else:
        _tell(imported)
    return 1 if imported.n_refused else 0


def _bar(bars: ExitStack, what: str, total: int) -> Callable[[int], None]:
    return bars.enter_context(progress_bar(what, total))


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    """A file that is there under its name once it is whole."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        try:
            yield cast(BinaryIO, file)
            file.flush()
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _tell(imported: Imported) -> None:
    would = "would be" if imported.dry_run else "were"
    made = " (a new task)" if imported.made else ""
    print(
        f"{imported.task}{made}: {imported.samples} samples and {imported.corrections} "
        f"corrections {would} added; {imported.samples_here} and {imported.corrections_here} "
        "are here already."
    )
    for what, names in (("labels", imported.labels_added), ("variants", imported.variants_added)):
        if names:
            print(f"new {what}: {', '.join(names)}")
    for one in imported.conflicts:
        print(f"conflict: {one.sha256[:12]} is {one.ours} here, {one.theirs} in the lesson")
    _tell_rest(imported.n_conflicts - len(imported.conflicts))
    if imported.adopted:
        print(f"{imported.adopted} of them {would} labelled as the lesson says.")
    for refusal in imported.refused:
        print(f"refused: {refusal.what}: {refusal.message}")
    _tell_rest(imported.n_refused - len(imported.refused))
    if imported.without_vectors:
        print(
            f"{imported.without_vectors} have no vector of the embedder in use yet: run "
            f"`python -m embeddings --task {imported.task}`."
        )


def _tell_rest(n: int) -> None:
    if n:
        print(f"... and {n} more")


if __name__ == "__main__":
    sys.exit(main(ARGUMENTS))
