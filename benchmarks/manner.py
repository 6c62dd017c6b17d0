"""How often `embeddings.manner` is right, as delivered and as handed on.

    python -m benchmarks.manner photo=DIR photo=DIR drawn=DIR screen=DIR

Every picture under each folder counts as of the manner before it. Handed on: at half its size as
a JPEG of quality 80, where a half is 48 pixels or more.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ledger import record
from domain import BadImage
from embeddings.images import Picture, decode, encode_jpeg, resize
from embeddings.manner import DRAWN, PHOTO, SCREEN, manner
from models.shares import interval
from scraper.folders import survey

FORMS = ("as delivered", "handed on")
LEAST_SIDE = 48


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=_folder, metavar="MANNER=DIR")
    parser.add_argument("--most", type=int, default=400, help="pictures of a folder")
    parser.add_argument("--skip", type=int, default=0, help="pictures of each folder passed over")
    arguments = parser.parse_args(argv)
    seconds: list[float] = []
    found: list[dict[str, Any]] = []
    for expected, folder in arguments.folders:
        said: dict[str, Counter[str]] = {form: Counter() for form in FORMS}
        for picture in _pictures(folder, arguments.most, arguments.skip):
            started = time.process_time()
            said[FORMS[0]][manner(picture.pixels)] += 1
            seconds.append(time.process_time() - started)
            handed = _handed_on(picture)
            if handed is not None:
                said[FORMS[1]][manner(handed.pixels)] += 1
        found.extend(_figures(folder, expected, form, said[form]) for form in FORMS)
    ms = {"p50": 1000 * float(np.median(seconds)), "p99": 1000 * float(np.quantile(seconds, 0.99))}
    lines = [
        f"{row['folder']} ({row['expected']}, {row['form']}) {row['wrong']} of {row['n']} wrong"
        for row in found
        if row["n"]
    ]
    speed = f"{ms['p50']:.1f} ms of processor a picture, {ms['p99']:.1f} at 99 %"
    load = f"load {os.getloadavg()[0]:.1f}"
    record("manner", {"rows": found, "ms": ms}, f"{'; '.join(lines)}; {speed} ({load})")
    print("\n".join([*lines, speed]))


def _folder(text: str) -> tuple[str, Path]:
    expected, _, folder = text.partition("=")
    if expected not in (PHOTO, DRAWN, SCREEN) or not Path(folder).is_dir():
        raise argparse.ArgumentTypeError(
            f"got {text}, allowed: photo, drawn or screen, =, a folder"
        )
    return expected, Path(folder)


def _pictures(folder: Path, most: int, skip: int) -> list[Picture]:
    """So many of a folder, drawn by a fixed seed."""
    paths = [one.path for one in survey(folder, label="any").pictures]
    order = np.random.default_rng(0).permutation(len(paths))
    found = []
    for place in order[skip : skip + most]:
        try:
            found.append(decode(paths[place].read_bytes()))
        except BadImage:
            continue
    return found


def _handed_on(picture: Picture) -> Picture | None:
    height, width = picture.pixels.shape[:2]
    if min(height, width) < 2 * LEAST_SIDE:
        return None
    half = resize(picture.pixels, width // 2, height // 2)
    return decode(encode_jpeg(half, 80))


def _figures(folder: Path, expected: str, form: str, said: Counter[str]) -> dict[str, Any]:
    n = said.total()
    wrong = n - said[expected]
    low, high = interval(wrong, n) if n else (0.0, 1.0)
    name = "/".join(folder.resolve().parts[-2:])
    return {
        "folder": name, "expected": expected, "form": form, "n": n, "wrong": wrong,
        "error": wrong / n if n else None, "low": low, "high": high, "said": dict(said),
    }  # fmt: skip


if __name__ == "__main__":
    main()
