"""A verdict to a heat map: where the score comes from, drawn only when that beats chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from config import VERSION
from domain import BY_HEAD, UNSURE, Conflict, NotFound, Task, Verdict, VerdictSource
from drawn import Drawn
from embeddings import Embedder
from embeddings.clip import Clip, Patches
from embeddings.covering import Coverable, Grid
from embeddings.images import Limits, Picture, decode, within
from embeddings.overlay import draw_heat
from engine import Engine
from models import Head
from models.chances import chances_of
from models.heat import (
    SHUFFLES,
    WINDOW,
    Cells,
    Heat,
    Score,
    Trial,
    heat_by_covering,
    log_odds,
    try_heat,
)
from models.knowledge import Knowledge
from turns import Turn

AT_ONCE = 32
AT_ONCE_PIXELS = 24_000_000
"""Covered copies of a picture that are in memory together: so many, and of so many pixels."""
MOST_PIXELS = 2_000_000
"""Larger pictures are made smaller first: a map takes up to 150 embeddings of the picture."""
RETRY_SECONDS = 10
KEPT, KEPT_BYTES = 64, 64_000_000
"""Answers held in memory, and bytes of their files: a map asked for again costs nothing."""

MAKING = Turn("Another heat map is being made.", retry_seconds=RETRY_SECONDS)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A map that was looked for, where it lies, and whether it holds.

    Attributes
    ----------
    pixels
        (height, width, 3) the picture as it was looked at.
    heat
        (rows, columns); positive where the picture speaks for the label.
    grid
        Where on the picture the map lies, in the cells that it was tried in.
    how
        What found it.
    """

    pixels: NDArray[np.uint8]
    heat: Heat
    grid: Grid
    how: str
    trial: Trial


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """A map that holds: `png` is the picture with it, as a file; `how` is what found it."""

    png: bytes
    label: str
    how: str
    trial: Trial


@dataclass(frozen=True, slots=True)
class NoMap:
    """Why there is no map of an answer: what a `Conflict` says of it."""

    message: str
    detail: Mapping[str, Any]

    @classmethod
    def of(cls, conflict: Conflict) -> NoMap:
        """What was said; the error itself holds on to all that was at hand when it was raised."""
        return cls(conflict.message, conflict.detail)


_made: Drawn[HeatMap | NoMap] = Drawn(
    lambda made: len(made.png) if isinstance(made, HeatMap) else 0,
    most=KEPT,
    most_bytes=KEPT_BYTES,
)


class Asked(NamedTuple):
    """Whose score is looked at: a label by a head, of a picture by an embedder."""

    task: Task
    head: Head
    label: str
    embedder: Embedder
    picture: Picture


def heat_map(engine: Engine, verdict: Verdict, data: bytes | None = None) -> HeatMap:
    """Draw what in its picture a verdict rests on.

    Parameters
    ----------
    engine
        The open engine.
    verdict
        One that was given by a model, by what was taught, or by the labels' words.
    data
        The picture's file; the one that is kept when left out.

    Raises
    ------
    NotFound
        Its picture's file is not kept, or its task is gone.
    Conflict
        It rests on something else than what the picture shows, what gave it answers no longer, or
        no map is better than chance.
    Limited
        Another map is being made.
    """
    task = engine.store.tasks.get(verdict.task)
    if engine.store.verdicts.task_id(verdict.id) != task.id:
        raise NotFound("The task of this verdict was reset since.")
    if verdict.source not in BY_HEAD:
        raise Conflict(_no_model(verdict), source=verdict.source.value)
    # read before what is known: a map of what was learned meanwhile is never taken for an older
    state = engine.store.versions.state(task.name)
    known = engine.learned.knowledge(task)
    head = _head_of(engine, task, known, verdict)
    if data is None and not engine.store.blobs.exists(verdict.picture.sha256):
        raise NotFound("The file of this picture is not kept, so no heat map can be made of it.")
    key = verdict.id, state.task_id, state.counter
    made = _made.get(key)
    if made is None:
        with MAKING:
            file = engine.store.blobs.get(verdict.picture.sha256) if data is None else data
            made = _tried(engine, task, known, head, verdict, file)
            _made.put(key, made)
    if isinstance(made, NoMap):
        raise Conflict(made.message, **made.detail)
    return made


def _tried(
    engine: Engine, task: Task, known: Knowledge, head: Head, verdict: Verdict, data: bytes
) -> HeatMap | NoMap:
    picture = decode(data, Limits.of(engine.settings))
    try:
        asked = _asked(engine, task, head, verdict, within(picture, MOST_PIXELS))
        return _drawn(asked, verdict, known.standing.seq)
    except Conflict as conflict:
        return NoMap.of(conflict)


def _no_model(verdict: Verdict) -> str:
    if verdict.source in (VerdictSource.MEMORY, VerdictSource.SIMILAR):
        return "This answer rests on what people said of the picture, not on where one looks in it."
    if verdict.source is VerdictSource.EVIDENCE:
        return "This answer rests on what the file says of its origin, not on what it shows."
    return "No model gave this answer, so there is nothing to draw."


def _head_of(engine: Engine, task: Task, known: Knowledge, verdict: Verdict) -> Head:
    """What gave the verdict, if it still answers."""
    version = known.version.id if known.version else None
    embedder = engine.embedders[task.kind].id
    if known.head is None or version != verdict.model_version or embedder != verdict.embedder:
        raise Conflict("What gave this answer answers no longer. Ask about the picture again.")
    return known.head


def _asked(engine: Engine, task: Task, head: Head, verdict: Verdict, picture: Picture) -> Asked:
    """The label that the head likes best, which must still be the verdict's."""
    embedder = engine.embedders[task.kind]
    scores = head.predict_proba(embedder.embed([picture]))[0]
    chances = chances_of(head.classes, scores, task.variants)
    best = max(chances, key=lambda label: chances[label])
    if verdict.prediction not in (UNSURE, best):
        raise Conflict(_otherwise(picture))
    return Asked(task, head, best, embedder, picture)


def _otherwise(picture: Picture) -> str:
    if _is_smaller(picture):
        return (
            "This picture is too large to be tried part by part, and made smaller it is answered "
            "otherwise. So no map would be one of this answer."
        )
    return "What was learned since answers otherwise. Ask about the picture again."


def _is_smaller(picture: Picture) -> bool:
    """Whether it is looked at smaller than its file shows it."""
    return picture.pixels[..., 0].size < picture.facts.width * picture.facts.height


def look_for(asked: Asked) -> Found:
    """Find what a score rests on, and try whether that is better than chance.

    Raises
    ------
    Conflict
        The picture is too small to have parts.
    """
    coverable = Coverable.of(asked.picture, asked.task.kind)
    heat, grid, how = _by_parts(asked, coverable) or _by_covering(asked, coverable)
    seed = int(asked.picture.facts.sha256[:8], 16)
    trial = try_heat(_on(grid, heat), tested_score(asked, coverable, grid), seed=seed)
    return Found(coverable.picture.pixels, heat, grid, how, trial)


def tested_score(asked: Asked, coverable: Coverable, grid: Grid) -> Score:
    """The score by what is covered, with the cover that maps are tried with."""
    return partial(_scores, asked, coverable, grid, testing=True)


def _drawn(asked: Asked, verdict: Verdict, corrections: int) -> HeatMap:
    found = look_for(asked)
    if not found.trial.holds:
        raise Conflict(
            "No heat map of this answer is better than chance: covering what it marks lowers the "
            "score no more than covering as much elsewhere does. So none is drawn.",
            chance=round(found.trial.chance, 3),
            drop=round(found.trial.drop, 3),
        )
    texts = _texts(asked, verdict, found, corrections)
    png = draw_heat(found.pixels, found.heat, found.grid, asked.label, texts)
    return HeatMap(png, asked.label, found.how, found.trial)


def _by_covering(asked: Asked, coverable: Coverable) -> tuple[Heat, Grid, str]:
    grid = Grid.over(*coverable.picture.pixels.shape[:2])
    if min(grid.shape) < WINDOW:
        raise Conflict("The picture is too small to have parts.")
    score = partial(_scores, asked, coverable, grid, testing=False)
    return heat_by_covering(score, grid.shape), grid, "by covering its parts in turn"


def _by_parts(asked: Asked, coverable: Coverable) -> tuple[Heat, Grid, str] | None:
    """By the vectors of the parts, of a model that has such."""
    embedder = asked.embedder
    patches = embedder.patches(coverable.picture) if isinstance(embedder, Clip) else None
    if patches is None:
        return None
    rows, columns, dim = patches.vectors.shape
    heat = log_odds(asked.head, _columns(asked), patches.vectors.reshape(-1, dim))
    # what a part says, against what the parts say on average: all may say the same
    heat = (heat - heat.mean()).reshape(rows, columns)
    return heat, _grid_of(patches), "by what the model makes of each of its parts"


def _grid_of(patches: Patches) -> Grid:
    whole = Grid.over(patches.height, patches.width)
    rows, columns = (
        min(fine, coarse) for fine, coarse in zip(patches.vectors.shape, whole.shape, strict=False)
    )
    return Grid(rows, columns, patches.top, patches.left, patches.height, patches.width)


def _on(grid: Grid, heat: Heat) -> Heat:
    """The map with no more cells than are tried: the mean of those in each."""
    if heat.shape == grid.shape:
        return heat
    down = np.arange(heat.shape[0]) * grid.rows // heat.shape[0]
    along = np.arange(heat.shape[1]) * grid.columns // heat.shape[1]
    cell = (down[:, None] * grid.columns + along[None, :]).ravel()
    sums = np.bincount(cell, heat.ravel(), minlength=grid.rows * grid.columns)
    return np.asarray((sums / np.bincount(cell, minlength=len(sums))).reshape(grid.shape))


def _scores(
    asked: Asked, coverable: Coverable, grid: Grid, cells: Cells, *, testing: bool
) -> NDArray[np.float64]:
    """(n,) log-odds of the label with (n, rows, columns) cells covered."""
    columns = _columns(asked)
    scores = []
    for some in _in_groups(cells, coverable.picture.pixels[..., 0].size):
        covered = [coverable.covered(grid, one, testing=testing) for one in some]
        scores.append(log_odds(asked.head, columns, asked.embedder.embed(covered)))
    return np.concatenate(scores)


def _in_groups(cells: Cells, pixels: int) -> Iterator[Cells]:
    size = min(max(AT_ONCE_PIXELS // pixels, 1), AT_ONCE)
    return (cells[start : start + size] for start in range(0, len(cells), size))


def _columns(asked: Asked) -> Sequence[int]:
    """Where the head has the label, and what counts as it."""
    variants, classes = asked.task.variants, asked.head.classes
    return [i for i, name in enumerate(classes) if variants.get(name, name) == asked.label]


def _texts(asked: Asked, verdict: Verdict, found: Found, corrections: int) -> dict[str, str]:
    trial = found.trial
    return {
        "Title": f"What speaks for {asked.label} in this picture, as far as it can be told",
        "Description": (
            "A hint, no proof. Bright parts are those without which the model would be less sure "
            f"of {asked.label}; found {found.how}. Covering them lowers the log-odds by "
            f"{trial.drop:.2f}; as much covered by chance by {trial.permuted:.2f}, and the same "
            f"map laid elsewhere by {trial.shifted:.2f} ({SHUFFLES} of each, p = "
            f"{trial.chance:.2f}). It says where this score comes from, not why, nor that it is "
            "right: a model that knows nothing has such maps as well. Some models look more "
            "closely at the middle, whatever is there."
            f"{_scale_told(asked.picture)}"
        ),
        "Source": f"verdict {verdict.id}, model {verdict.model_version or 'taught'}, "
        f"{verdict.corrections} corrections (drawn after {corrections}), "
        f"embedder {verdict.embedder}",
        "Software": f"Exposr {VERSION}",
    }


def _scale_told(picture: Picture) -> str:
    height, width = picture.pixels.shape[:2]
    return f" It was looked at made smaller, to {width} x {height}." if _is_smaller(picture) else ""
