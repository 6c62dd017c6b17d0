"""Many pictures at a time: each opened on its own, gathered into groups that fit in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from domain import ExposrError
from embeddings.images import Limits, Picture, decode

Source = Callable[[], bytes]
"""Gives a picture file's bytes when called, or raises an `ExposrError`."""

WINDOW = 8
"""Files fetched at a time."""
DECODING = 2
"""Pictures decoded at a time: each may take 75 MB, and more than the cores gain nothing."""
GROUP = 64
"""Pictures embedded together at most, so that progress shows and is kept."""
GROUP_PIXELS = 50_000_000
"""Pixels held for one embedding; more than that is embedded in several groups (150 MB each)."""


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A picture, the file it came from, and the milliseconds it took to decode."""

    picture: Picture
    data: bytes
    ms: float


def open_picture(data: bytes, limits: Limits) -> Opened:
    """Decode, and say how long it took.

    Raises
    ------
    BadImage
        It is not a picture we accept.
    """
    started = time.perf_counter()
    picture = decode(data, limits)
    return Opened(picture, data, (time.perf_counter() - started) * 1000)


def open_in_groups(
    sources: Iterable[Source], limits: Limits
) -> Iterator[list[Opened | ExposrError]]:
    """Open every source, in order, a group at a time; what cannot be opened stands as its error."""
    group: list[Opened | ExposrError] = []
    pixels = 0
    for one in _open_each(sources, limits):
        group.append(one)
        if isinstance(one, Opened):
            pixels += one.picture.pixels.size // 3
        if pixels >= GROUP_PIXELS or len(group) == GROUP:
            yield group
            group, pixels = [], 0
    if group:
        yield group


def _open_each(sources: Iterable[Source], limits: Limits) -> Iterator[Opened | ExposrError]:
    def fetch(source: Source) -> bytes | ExposrError:
        try:
            return source()
        except ExposrError as error:
            return error

    def open_one(data: bytes | ExposrError) -> Opened | ExposrError:
        if isinstance(data, ExposrError):
            return data
        try:
            return open_picture(data, limits)
        except ExposrError as error:
            return error

    waiting = iter(sources)
    with ThreadPoolExecutor(WINDOW) as pool:
        while window := list(islice(waiting, WINDOW)):
            fetched = list(pool.map(fetch, window))
            for start in range(0, len(fetched), DECODING):
                yield from pool.map(open_one, fetched[start : start + DECODING])
