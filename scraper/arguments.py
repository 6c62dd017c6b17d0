"""The command line of `python -m scraper`; loads nothing, so that --help answers at once."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

SIDES = {
    "ai": ("commons-ai", "civitai", "lexica"),
    "real": ("commons", "openverse", "unsplash", "pexels"),
}
"""The sources of each side of the task authenticity, in the order they are asked."""

OVERVIEW = """examples:
  python -m scraper --list
        the sources, which of them need a key, their terms, and what they brought today
  python -m scraper ai --count 200
        200 generated pictures, from all sources that have them
  python -m scraper commons --count 100 --query lighthouse
  python -m scraper page https://example.org/gallery --label real --license CC-BY-4.0
  python -m scraper folder pictures/ai --label ai
"""

FOLDER = """Take every picture of a folder, also of its subfolders, into a task.

Pictures are copied into DATA_DIR; the folder stays as it is. Doing it again does no harm: what
is there already is counted and left alone, and a run that was stopped goes on. A file that is
no picture (text, JSON, .DS_Store) is passed over. A picture that cannot be decoded, that the
task has under another label, or whose file says otherwise of its origin is put aside with its
reason. Pictures that look alike are kept as one family, so that training never tests on a copy
of what it learnt from."""

FOLDER_EXAMPLES = """examples:
  python -m scraper folder pictures/ai --label ai
        one label for all, for the task authenticity
  python -m scraper folder pictures --labels-from-folders --source webmix
        pictures/ai/... are ai, pictures/real/... are real
  python -m scraper folder faces --task smile --labels-from-folders
        makes the task smile with a label for each subfolder
  python -m scraper folder letters --task kannada --labels-from-folders --kind drawing
        for handwriting and line drawings
  python -m scraper folder pictures/real --label real --license CC-BY-4.0 --json

Name where pictures come from with --source: training keeps sources apart to say how well it
does on one that it has never seen. Then run `python -m embeddings` and `python train.py`.

exit codes: 0 every picture is taken or was there; 1 some were put aside or had no label;
2 wrong usage or settings, or the database does not work; 130 stopped by Ctrl-C
"""

COLLECT = """Collect new pictures, each with its licence, author and page.

It goes on where the last run ended: what was looked at before is not fetched again. robots.txt,
noai headers, rate limits and Retry-After are kept; a picture without a licence that the
source's rule takes is refused. See `python -m scraper --list` for rules and terms. A run ends
early when most of what is listed is here already. Ctrl-C finishes what is under way."""

COLLECT_EXIT = """exit codes: 0 collected, or there is no more; 1 a source failed;
2 wrong usage or settings, a missing key, or the database does not work; 130 stopped by Ctrl-C
"""


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}: allowed: 1 or more")
    return number


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m scraper",
        description="Bring pictures into a task.",
        epilog=OVERVIEW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--list", action="store_true", help="show the sources and today's ledger")
    parser.add_argument("--json", action="store_true", help="the same as JSON on stdout")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_folder(commands)
    for side, sources in SIDES.items():
        _add_source(commands, side, f"from {', '.join(sources)}")
    for side, sources in SIDES.items():
        for source in sources:
            _add_source(commands, source, f"{side} pictures from {source}")
    _add_page(commands)
    arguments = parser.parse_args(argv)
    if arguments.list == (arguments.command is not None):
        parser.error("allowed: --list, or a COMMAND")
    return arguments


def _add_folder(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    folder = commands.add_parser(
        "folder",
        help="from a folder on this machine; see `python -m scraper folder --help`",
        description=FOLDER,
        epilog=FOLDER_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    folder.add_argument("folder", type=Path, metavar="DIR", help="where the pictures are")
    label = folder.add_mutually_exclusive_group(required=True)
    label.add_argument("--label", metavar="L", help="what every picture is")
    label.add_argument(
        "--labels-from-folders",
        action="store_true",
        help="the subfolder a picture lies in is its label",
    )
    folder.add_argument(
        "--source", default="", metavar="NAME", help="where they come from; default: DIR's name"
    )
    folder.add_argument("--license", default="", metavar="TEXT", help="under which terms")
    folder.add_argument(
        "--kind", choices=["photo", "drawing"], help="of a task that is made; default: photo"
    )
    folder.add_argument(
        "--workers", type=_positive, metavar="N", help="threads that decode; default: one a core"
    )
    _add_shared(folder)


def _add_shared(command: argparse.ArgumentParser) -> None:
    command.add_argument("--task", default="authenticity", metavar="T", help="default: %(default)s")
    # no default of its own, which would win over what stands before the command
    command.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="JSON on stdout, for programs",
    )


def _collecting(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, words: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=words,
        description=COLLECT,
        epilog=COLLECT_EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--count", type=_positive, default=100, metavar="N", help="new pictures; default: 100"
    )
    _add_shared(command)
    return command


def _add_source(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, words: str
) -> None:
    command = _collecting(commands, name, words)
    command.add_argument(
        "--query", default="", metavar="Q", help="only what is found by these words"
    )
    command.add_argument(
        "--label", default="", metavar="L", help="what the pictures are in another task"
    )
    command.set_defaults(url="", license="")


def _add_page(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _collecting(commands, "page", "the pictures of a web page that you name")
    command.add_argument("url", metavar="URL", help="a page with pictures")
    command.add_argument("--label", required=True, metavar="L", help="what every picture is")
    command.add_argument(
        "--license", required=True, metavar="TEXT", help="under which terms, as the page says"
    )
    command.set_defaults(query="")
