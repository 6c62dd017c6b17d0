r"""What is read from files about their origin, and what that costs beside decoding them.

    python -m benchmarks.origins ../shared/data/provenance \
        ../shared/data/authenticity/webmix/real --odd ../shared/data/badinputs

The first folder has one folder for each kind of file; the second has plain pictures; what is odd,
broken or hostile lies anywhere below the third. Hostile metadata is made up here, too. A file's
time is the processor's, that of the process which reads manifests included, and the least of some
rounds: nearest to what it takes when nothing else runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.hostile import hostile_files
from benchmarks.ledger import record
from embeddings.images import decode
from provenance import AI, REAL, collect, contradiction

ROUNDS = 5
LIMIT_MS = 15.0
"""What a file may take beside decoding."""


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.origins", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("kinds", type=Path, help="a folder of folders of files")
    parser.add_argument("plain", type=Path, help="a folder of pictures that say nothing")
    parser.add_argument("--odd", type=Path, help="a folder of odd, broken and hostile files")
    parser.add_argument("--at-most", type=int, default=200, help="plain pictures that are timed")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Read everything, time what is plain, record both."""
    arguments = parse_arguments(argv)
    load = os.getloadavg()[0]
    collect(b"")
    kinds = {each.name: tell(each) for each in sorted(arguments.kinds.iterdir()) if each.is_dir()}
    files = [path.read_bytes() for path in pictures(arguments.plain)[: arguments.at_most]]
    cost = time_beside_decoding(files)
    made_up = slowest(hostile_files())
    odd = slowest(below(arguments.odd)) if arguments.odd else None
    read = "; ".join(
        f"{name} {one['rules_out_real']} of {one['files']} not real, {one['slowest_ms']} ms at most"
        for name, one in kinds.items()
    )
    line = (
        f"`{command(argv)}` (load {load:.1f} before): {read}; beside decoding {len(files)} plain"
        f" pictures +{cost['share']:.1%}; hostile metadata made up: {told(made_up)}"
        + (f"; odd, broken and hostile files: {told(odd)}" if odd else "")
    )
    figures = {"kinds": kinds, "cost": cost, "made_up": made_up, "odd": odd, "load": load}
    out = record("origins", figures, line)
    print(line, out, sep="\n")
    return 0


def command(argv: Sequence[str] | None) -> str:
    """What was run, as it may be run again."""
    return " ".join(["python -m benchmarks.origins", *(sys.argv[1:] if argv is None else argv)])


def below(folder: Path) -> dict[str, bytes]:
    """The files anywhere below a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def least_ms(data: bytes) -> float:
    """Milliseconds of the processor that reading a file takes."""
    spent = []
    for _ in range(ROUNDS):
        started = processor_ns()
        collect(data)
        spent.append(processor_ns() - started)
    return min(spent) / 1e6


def processor_ns() -> int:
    """Nanoseconds that this process and its children have had the processor."""
    spent = time.process_time_ns()
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            spent += int(Path(f"/proc/{child}/schedstat").read_text().split()[0])
    return spent


def slowest(files: Mapping[str, bytes]) -> dict[str, Any]:
    """How long the files take, and which take longest."""
    spent = {name: round(least_ms(data), 1) for name, data in files.items()}
    ranked = sorted(spent, key=lambda name: -spent[name])
    return {
        "files": len(files),
        "over_limit": sum(each > LIMIT_MS for each in spent.values()),
        "slowest": {name: spent[name] for name in ranked[:10]},
    }


def told(cost: Mapping[str, Any]) -> str:
    """The same as a few words."""
    worst, spent = next(iter(cost["slowest"].items()))
    return (
        f"{cost['over_limit']} of {cost['files']} over {LIMIT_MS:g} ms,"
        f" {spent} ms at most ({worst})"
    )


def pictures(folder: Path) -> list[Path]:
    """The files of a folder, in order."""
    return sorted(path for path in folder.iterdir() if path.is_file())


def tell(folder: Path) -> dict[str, Any]:
    """How many files say what, and which label they rule out."""
    said: Counter[str] = Counter()
    ruled_out: Counter[str] = Counter()
    files = pictures(folder)
    longest = 0.0
    for path in files:
        data = path.read_bytes()
        found = collect(data)
        longest = max(longest, least_ms(data))
        said.update({f"{one.kind} {one.status} {one.points_to}" for one in found} or {"nothing"})
        ruled_out.update(label for label in (AI, REAL) if contradiction(found, label))
    return {
        "files": len(files),
        "said": dict(sorted(said.items())),
        "rules_out_real": ruled_out[REAL],
        "rules_out_ai": ruled_out[AI],
        "slowest_ms": round(longest, 1),
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
