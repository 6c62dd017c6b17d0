"""What is read from files about their origin, and what that costs beside decoding them.

    python -m benchmarks.origins ../shared/data/provenance ../shared/data/authenticity/webmix/real

The first folder has one folder for each kind of file; the second has plain pictures.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.ledger import record
from embeddings.images import decode
from provenance import AI, REAL, collect, contradiction

ROUNDS = 5


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.origins", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("kinds", type=Path, help="a folder of folders of files")
    parser.add_argument("plain", type=Path, help="a folder of pictures that say nothing")
    parser.add_argument("--at-most", type=int, default=200, help="plain pictures that are timed")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Read everything, time what is plain, record both."""
    arguments = parse_arguments(argv)
    kinds = {each.name: tell(each) for each in sorted(arguments.kinds.iterdir()) if each.is_dir()}
    files = [path.read_bytes() for path in pictures(arguments.plain)[: arguments.at_most]]
    cost = time_beside_decoding(files)
    read = "; ".join(
        f"{name} {one['rules_out_real']} of {one['files']} not real" for name, one in kinds.items()
    )
    line = f"{read}; beside decoding {len(files)} plain pictures +{cost['share']:.1%}"
    out = record("origins", {"kinds": kinds, "cost": cost}, line)
    print(line, out, sep="\n")
    return 0


def pictures(folder: Path) -> list[Path]:
    """The files of a folder, in order."""
    return sorted(path for path in folder.iterdir() if path.is_file())


def tell(folder: Path) -> dict[str, Any]:
    """How many files say what, and which label they rule out."""
    said: Counter[str] = Counter()
    ruled_out: Counter[str] = Counter()
    files = pictures(folder)
    slowest = 0.0
    for path in files:
        data = path.read_bytes()
        started = time.perf_counter()
        found = collect(data)
        slowest = max(slowest, time.perf_counter() - started)
        said.update({f"{one.kind} {one.status} {one.points_to}" for one in found} or {"nothing"})
        ruled_out.update(label for label in (AI, REAL) if contradiction(found, label))
    return {
        "files": len(files),
        "said": dict(sorted(said.items())),
        "rules_out_real": ruled_out[REAL],
        "rules_out_ai": ruled_out[AI],
        "slowest_ms": round(1000 * slowest, 1),
    }


def time_beside_decoding(files: Sequence[bytes]) -> dict[str, float]:
    """Milliseconds a picture for either, by turns; the median of the rounds."""
    decoding, reading = [], []
    for _ in range(ROUNDS):
        spent = [0.0, 0.0]
        for data in files:
            started = time.perf_counter()
            decode(data)
            decoded = time.perf_counter()
            collect(data)
            spent[0] += decoded - started
            spent[1] += time.perf_counter() - decoded
        decoding.append(1000 * spent[0] / len(files))
        reading.append(1000 * spent[1] / len(files))
    decode_ms, read_ms = statistics.median(decoding), statistics.median(reading)
    return {"decode_ms": decode_ms, "read_ms": read_ms, "share": read_ms / decode_ms}


if __name__ == "__main__":
    sys.exit(main())
