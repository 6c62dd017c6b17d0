"""Many pictures in one request: each opened on its own, embedded together, answered in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from classify import classify
from config import Settings
from domain import ExposrError
from embeddings.images import Limits, Picture, decode
from engine import Engine
from web.errors import describe_briefly
from web.payloads.verdicts import verdict_document

WINDOW = 8
"""Pictures fetched and opened at a time."""
GROUP_PIXELS = 50_000_000
"""Pixels held for one embedding; more than that is embedded in several groups (150 MB each)."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A picture, or why there is none; and the milliseconds it took to decode."""

    picture: Picture | ExposrError
    ms: float = 0.0


def open_picture(data: bytes, settings: Settings) -> tuple[Picture, float]:
    """Decode, and say how many milliseconds it took.

    Raises
    ------
    BadImage
        It is not a picture we accept.
    """
    started = time.perf_counter()
    picture = decode(data, Limits.of(settings))
    return picture, (time.perf_counter() - started) * 1000


def answer_each(
    engine: Engine, task: str, sources: Iterable[Callable[[], bytes]]
) -> list[dict[str, Any]]:
    """A verdict or an error for each source, in order.

    Parameters
    ----------
    engine
        The open engine.
    task
        Which task is asked.
    sources
        Each gives a picture file's bytes when called, or raises an `ExposrError`.
    """
    results: list[dict[str, Any]] = []
    for group in _groups(_opened(sources, engine.settings)):
        results.extend(_answer_group(engine, task, group))
    return results


def _opened(sources: Iterable[Callable[[], bytes]], settings: Settings) -> Iterator[Opened]:
    def open_one(source: Callable[[], bytes]) -> Opened:
        try:
            return Opened(*open_picture(source(), settings))
        except ExposrError as error:
            return Opened(error)

    waiting = iter(sources)
    with ThreadPoolExecutor(WINDOW) as pool:
        while window := list(islice(waiting, WINDOW)):
            yield from pool.map(open_one, window)


def _groups(opened: Iterable[Opened]) -> Iterator[list[Opened]]:
    group: list[Opened] = []
    pixels = 0
    for one in opened:
        group.append(one)
        if isinstance(one.picture, Picture):
            pixels += one.picture.pixels.size // 3
        if pixels >= GROUP_PIXELS:
            yield group
            group, pixels = [], 0
    if group:
        yield group


def _answer_group(engine: Engine, task: str, group: Sequence[Opened]) -> Iterator[dict[str, Any]]:
    good = [one for one in group if isinstance(one.picture, Picture)]
    pictures = [one.picture for one in good if isinstance(one.picture, Picture)]
    verdicts = iter(classify(engine, task, pictures, decode_ms=[one.ms for one in good]))
    for one in group:
        if isinstance(one.picture, ExposrError):
            yield {"error": describe_briefly(one.picture)}
        else:
            yield verdict_document(engine, next(verdicts))
