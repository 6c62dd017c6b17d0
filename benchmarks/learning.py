"""Whether it learns: taught and asked over HTTP, as a program that uses the service would.

Each protocol starts real services as processes on this machine, with the built-in embedder and
data folders of their own, and ends them. Five protocols:

  kshot       teach k pictures a label, ask the rest: learning curves, and a plot of them
  latency     from a correction to its receipt, with 100 to 100,000 corrections before it;
              memory a remembered picture takes
  copies      correct 500 pictures, ask them again, and altered copies, and unrelated pictures
  forgetting  one untrusted key floods a trained task with wrong labels; then all of it is undone
  together    four processes correct at once, on SQLite and on PostgreSQL; and kill -9 at random
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from rich.console import Console

from benchmarks import altered, corrections, flood, kshot, together
from benchmarks.ledger import record
from benchmarks.marks import MISSED, show
from domain import ExposrError

PROTOCOLS: dict[str, ModuleType] = {
    "kshot": kshot,
    "latency": corrections,
    "copies": altered,
    "forgetting": flood,
    "together": together,
}
EXAMPLES = """examples:
  python -m benchmarks.learning kshot
  python -m benchmarks.learning kshot --courses kannada --seeds 2
  python -m benchmarks.learning latency --sizes 100 1000 --kinds drawing
  python -m benchmarks.learning copies --pictures 60
  python -m benchmarks.learning together --each 50 --kills 5
  python -m benchmarks.learning latency --help        what that protocol lets you choose

Writes benchmarks/out/learning-PROTOCOL.json and a line in benchmarks/LOG.md.
exit codes: 0 every mark is reached; 1 one is missed, or something is lacking; 2 wrong usage
"""
DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learning",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    protocols = parser.add_subparsers(dest="protocol", required=True, metavar="PROTOCOL")
    for name, module in PROTOCOLS.items():
        one = protocols.add_parser(
            name, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        one.add_argument(
            "--data", type=Path, default=DATA, help="where the picture sets lie (%(default)s)"
        )
        module.options(one)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one protocol; returns the exit code."""
    arguments = parse_arguments(argv)
    with tempfile.TemporaryDirectory(prefix="exposr-learning-") as folder:
        try:
            measured = PROTOCOLS[arguments.protocol].measure(arguments, Path(folder))
        except ExposrError as error:
            Console(stderr=True).print(error.message, style="red", markup=False)
            return MISSED
    kept = record(f"learning-{arguments.protocol}", measured.document(), measured.line)
    show(measured)
    Console(stderr=True).print(f"Kept in {kept}", markup=False, soft_wrap=True)
    return MISSED if measured.missed() else 0


if __name__ == "__main__":
    sys.exit(main())
