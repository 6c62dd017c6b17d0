r"""What signing a verdict and packing it for its row cost, and checking one.

    python -m benchmarks.sealing

Verdicts of three sizes are signed, packed and checked as the service does it, without the
database: the milliseconds of processor each takes, the median of some rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.ledger import record
from records.canonical import canonical
from records.checking import Result, check, read_record
from records.keys import Keys
from records.packing import pack
from records.sealing import Basis, seal

ROUNDS = 200
NOW = datetime(2026, 11, 21, tzinfo=UTC)
BASIS = Basis("ab" * 32, "cd" * 32, "ef" * 32, "It is at hand.", None, 1234, "0")
SIZES = {"plain": (2, 0), "explained": (10, 4), "much evidence": (10, 40)}
"""Labels and pieces of evidence."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and record."""
    summary = (__doc__ or "").partition("\n")[0]
    argparse.ArgumentParser(prog="python -m benchmarks.sealing", description=summary).parse_args(
        argv
    )
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        keys = Keys(Path(folder) / "keys")
        figures = {name: _cost(keys, *size) for name, size in SIZES.items()}
    told = "; ".join(
        f"{name} ({one['bytes']} bytes, {one['kept_bytes']} kept) {one['sign_ms']:.2f} ms signed "
        f"and packed, {one['check_ms']:.2f} ms checked"
        for name, one in figures.items()
    )
    line = f"`python -m benchmarks.sealing` (load {load:.1f} before): {told}"
    out = record("sealing", {"sizes": figures, "load": load}, line)
    print(line, out, sep="\n")
    return 0


def _cost(keys: Keys, labels: int, pieces: int) -> dict[str, float]:
    document = _verdict(labels, pieces)
    data = canonical(seal(document, BASIS, keys.signer(), NOW))
    trusted = keys.public()

    def checking() -> None:
        if check(read_record(data), trusted).result is not Result.VALID:
            raise SystemExit("A record that was just signed is not valid.")

    return {
        "bytes": len(data),
        "kept_bytes": len(pack(seal(document, BASIS, keys.signer(), NOW))),
        "sign_ms": _ms(lambda: pack(seal(document, BASIS, keys.signer(), NOW))),
        "check_ms": _ms(checking),
    }


def _ms(do: Callable[[], object]) -> float:
    spent = []
    for _ in range(ROUNDS):
        started = time.thread_time_ns()
        do()
        spent.append(time.thread_time_ns() - started)
    return statistics.median(spent) / 1e6


def _verdict(labels: int, pieces: int) -> dict[str, Any]:
    shares = {f"label {i}": 1 / (i + 3) for i in range(labels)}
    piece = {
        "kind": "generator",
        "claim": "Its text names a generator and its settings. " * 3,
        "status": "unsigned",
        "points_to": "ai",
        "detail": {"forging": "easy", "steps": 20, "sampler": "Euler a", "seed": 12345},
    }
    return {
        "id": "0" * 32,
        "prediction": "real",
        "confidence": 1 / 3,
        "probabilities": shares,
        "top": [{"label": label, "probability": p} for label, p in list(shares.items())[:3]],
        "reasons": ["A reason of a usual length, which says what an answer is worth here."] * 3,
        "evidence": [piece] * pieces,
        "statistics": {"probabilities": shares, "calibrated": True},
        "model": {"version": "v", "embedder": "e:1", "corrections": 0},
        "image": {"sha256": "12" * 32, "width": 640, "height": 480, "format": "JPEG"},
        "timing_ms": {"decode": 12.345, "embed": 23.456, "decide": 1.234, "total": 37.035},
        "created_at": NOW.isoformat(),
    }


if __name__ == "__main__":
    sys.exit(main())
