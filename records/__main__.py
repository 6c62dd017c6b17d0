"""The keys of this installation, shown or renewed on the command line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from domain import ExposrError
from records.command import keys_of_installation

EXAMPLES = """examples:
  python -m records                 the public keys, the one that signs now first
  python -m records > keys.json     as `classify.py --verify --key` takes them
  python -m records --renew         sign with a new key from now on

exit codes: 0 done; 2 wrong usage or settings, or the keys cannot be used
"""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m records",
        description="Show the public keys that verdicts are signed with, or make a new one.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--renew",
        action="store_true",
        help="make a new key; of the one before only its public half is kept, which goes on "
        "checking what it signed",
    )
    return parser.parse_args(argv)


def main(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    try:
        keys = keys_of_installation()
        if arguments.renew:
            keys.renew()
        else:
            keys.signer()
        print(json.dumps(keys.describe(), indent=1))
    except ExposrError as error:
        print(error.message, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(parse_arguments()))
