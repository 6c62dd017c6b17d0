"""What a flood of wrong labels from one untrusted key does, and whether undoing it undoes it.

A version is trained on `webmix`, with keys set as beyond this machine. The key `flood` then says
the opposite of what they are of pictures the version was trained on, of its golden ones, and of
others like them. Watched are the golden set, as the receipts tell it, and pictures of another
source and held-out ones, asked over HTTP. Then everything the key taught is taken back: with a
preview first, and with the answers of before, to the last digit, as the outcome.
"""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.marks import Mark, Measured
from benchmarks.schooling import Labelled, apart, ask_all, read, trained
from benchmarks.served import Client, Service, free_port
from domain import Split, TaskKind
from models.families import split_of
from terminal import progress_bar

TASK = "flooded"
PERSON = "flood"
TRAINED_ON, ELSEWHERE = "authenticity/webmix", "authenticity/stockmix"
SHARES = (0.6, 0.2, 0.2)
"""Of webmix's families: trained on, flooded with beside those, held out."""
MOST_POINTS = 2.0


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--flood", type=int, default=300, help="wrong labels (%(default)s)")
    parser.add_argument("--asked", type=int, default=200, help="pictures watched (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)


def measure(arguments: argparse.Namespace, folder: Path) -> Measured:
    """Train, flood, look, undo, look again.

    Raises
    ------
    NotEnoughData
        There are too few pictures to train on.
    """
    rng = np.random.default_rng(arguments.seed)
    kind = TaskKind.AUTHENTICITY
    taught, others, held_out = apart(read(arguments.data / TRAINED_ON, kind), SHARES, rng)
    watched = [*held_out, *read(arguments.data / ELSEWHERE, kind)][: arguments.asked]
    trained(folder, TASK, kind, taught)
    admin, flooder = secrets.token_hex(8), secrets.token_hex(8)
    keys = {"ADMIN_KEY": admin, "API_KEY": secrets.token_hex(8)}
    with Service(folder, free_port(), FEEDBACK_KEYS=f"{PERSON}={flooder}", **keys) as service:
        port, files = service.port, [picture.data for picture in watched]
        before = ask_all(port, TASK, files, admin)
        goldens = _flood(port, flooder, _wrong(taught, others, arguments.flood, rng))
        flooded = ask_all(port, TASK, files, admin)
        undone = _undo(port, admin)
        after = ask_all(port, TASK, files, admin)
    figures = {
        "flood": len(goldens),
        "golden": {
            "of": goldens[0]["of"],
            "right_before": goldens[0]["right_before"],
            "right_flooded": goldens[-1]["right_after"],
            "right_least": min(golden["right_after"] for golden in goldens),
        },
        "held_out": {
            "of": len(watched),
            "right_before": _right(before, watched),
            "right_flooded": _right(flooded, watched),
            "answers_changed": _changed(before, flooded),
            "answers_not_restored": sum(
                _said(one) != _said(other) for one, other in zip(before, after, strict=True)
            ),
        },
        "undone": undone,
    }
    return Measured(figures, _line(figures), list(_marks(figures)))


def _wrong(
    taught: Sequence[Labelled], others: Sequence[Labelled], n: int, rng: np.random.Generator
) -> list[Labelled]:
    """Pictures to lie about: of what was trained on, golden and not, and others; in turns."""
    golden = [one for one in taught if split_of(one.family) is Split.TEST]
    known = [one for one in taught if split_of(one.family) is Split.TRAIN]
    turns = [*others, *golden, *known]
    picked = [turns[at] for at in rng.permutation(len(turns))[:n]]
    other = {"ai": "real", "real": "ai"}
    return [Labelled(one.path, other[one.label], one.family) for one in picked]


def _flood(port: int, key: str, pictures: Sequence[Labelled]) -> list[dict[str, int]]:
    """The golden figures of each receipt."""
    with progress_bar("Flooding", len(pictures)) as advance, Client(port, key) as client:
        found = []
        for picture in pictures:
            receipt = client.teach(TASK, picture.data, picture.label)
            found.append(receipt["effect"]["golden"])
            advance(1)
    return found


def _undo(port: int, key: str) -> dict[str, Any]:
    """What the preview said and what was done."""
    path = f"/tasks/{TASK}/feedback/undo_person"
    with Client(port, key) as client:
        preview = client.send(path, {"person": PERSON, "dry_run": True})
        done = client.send(path, {"person": PERSON})
    same = all(preview[key] == done[key] for key in ("count", "labels", "golden"))
    return {"count": done["count"], "golden": done["golden"], "as_previewed": same}


def _right(answers: Sequence[Any], pictures: Sequence[Labelled]) -> int:
    """How often the likelier label is the right one; what is held back as unsure counts too."""
    return sum(
        max(answer["probabilities"], key=answer["probabilities"].__getitem__) == picture.label
        for answer, picture in zip(answers, pictures, strict=True)
    )


def _changed(before: Sequence[Any], after: Sequence[Any]) -> int:
    return sum(a["prediction"] != b["prediction"] for a, b in zip(before, after, strict=True))


def _said(answer: Mapping[str, Any]) -> tuple[Any, ...]:
    return answer["prediction"], answer["confidence"], answer["probabilities"]


def _points(found: Mapping[str, int], after: str) -> float:
    return round(100 * (found["right_before"] - found[after]) / max(found["of"], 1), 2)


def _marks(figures: Mapping[str, Any]) -> Iterator[Mark]:
    golden, held_out = figures["golden"], figures["held_out"]
    yield Mark("points the golden set lost", _points(golden, "right_flooded"), most=MOST_POINTS)
    lost = _points(held_out, "right_flooded")
    yield Mark("points other held-out pictures lost", lost, most=MOST_POINTS)
    yield Mark("answers not restored", held_out["answers_not_restored"], most=0)
    restored = figures["undone"]["golden"]["right_after"]
    yield Mark("golden right after undo", restored, least=golden["right_before"])


def _line(figures: Mapping[str, Any]) -> str:
    golden, held_out, undone = figures["golden"], figures["held_out"], figures["undone"]
    return (
        f"{figures['flood']} wrong labels from one untrusted key: golden "
        f"{golden['right_before']} to {golden['right_flooded']} of {golden['of']} (least "
        f"{golden['right_least']}), others held out {held_out['right_before']} to "
        f"{held_out['right_flooded']} of {held_out['of']}, {held_out['answers_changed']} answers "
        f"changed; after undoing {undone['count']} by person golden "
        f"{undone['golden']['right_after']}, {held_out['answers_not_restored']} answers not as "
        f"before, preview {'kept' if undone['as_previewed'] else 'NOT kept'}"
    )
