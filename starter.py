"""The starter lesson: a small demonstration, made offline, so that the first request is answered.

Photographs that come inside scikit-image and scikit-learn stand for `real`; pictures computed
here stand for `ai`. It teaches the service to answer, not to know AI pictures: its samples and
its version carry `demo`, which every verdict says, and they never mix with the user's own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from config import Settings
from domain import DEFAULT_TASK, NewSample
from embeddings.images import Limits, decode, encode_jpeg, resize
from embeddings.job import embed_missing
from engine import Engine, open_engine
from models.families import split_of
from train import train

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

SIDES = (256, 320, 400)
"""Pixels a side of the lesson's pictures, drawn alike for both labels: size tells nothing."""
CROPS = 6
VARIANTS = 15
TRAINING_SECONDS = 10.0
PHOTOGRAPHS = (
    "astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel",
    "hubble_deep_field", "immunohistochemistry", "moon", "retina", "rocket",
)  # fmt: skip
SAMPLE_IMAGES = ("china.jpg", "flower.jpg")

log = logging.getLogger(__name__)


def ensure(settings: Settings) -> None:
    """Make, embed and train the lesson if nobody has brought or trained anything yet."""
    if not settings.starter_lesson:
        return
    engine = open_engine(settings)
    try:
        embedder = engine.embedders[engine.store.tasks.get(DEFAULT_TASK).kind]
        if not _wanted(engine, embedder.id):
            return
        log.info("Making the demonstration lesson ...")
        _store_lesson(engine)
        embed_missing(engine.store, embedder, DEFAULT_TASK, settings=settings, demo=True)
        result = train(
            engine,
            DEFAULT_TASK,
            classifier="logistic_regression",
            time_budget=TRAINING_SECONDS,
            demo=True,
            why="starter lesson",
        )
        log.info("The demonstration lesson is ready: version %s.", result.version.id)
    finally:
        engine.close()


def _wanted(engine: Engine, embedder_id: str) -> bool:
    """Whether nobody has brought anything, and no demonstration of this embedder answers yet."""
    if engine.store.samples.counts(DEFAULT_TASK):
        return False
    current = engine.store.versions.current(DEFAULT_TASK)
    return current is None or (current.demo and current.embedder != embedder_id)


def _store_lesson(engine: Engine) -> None:
    limits = Limits.of(engine.settings)
    found = []
    for label, family, pixels in lesson():
        data = encode_jpeg(pixels, quality=90)
        engine.store.blobs.put(data)
        sample = NewSample(
            label=label,
            source=f"starter-{label}",
            family=family,
            split=split_of(family),
            license="see scikit-image and scikit-learn" if label == "real" else "MIT",
            demo=True,
        )
        found.append((decode(data, limits).facts, sample))
    engine.store.samples.add_many(DEFAULT_TASK, found)


def lesson(seed: int = 0) -> Iterator[tuple[str, str, Pixels]]:
    """Every picture of the lesson.

    Yields
    ------
    tuple[str, str, NDArray[np.uint8]]
        Label, family (crops of one photograph are one) and (side, side, 3) pixels in [0, 255].
    """
    rng = np.random.default_rng(seed)
    for name, photograph in photographs():
        for _ in range(CROPS):
            yield "real", f"starter-{name}", _crop(photograph, int(rng.choice(SIDES)), rng)
    for compute in COMPUTED:
        for variant in range(VARIANTS):
            family = f"starter-{compute.__name__}-{variant}"
            yield "ai", family, _to_pixels(compute(int(rng.choice(SIDES)), rng))


def photographs() -> Iterator[tuple[str, Pixels]]:
    """The photographs inside scikit-image and scikit-learn: name and (h, w, 3) pixels."""
    from skimage import data as skimage_data
    from sklearn.datasets import load_sample_image

    for name in PHOTOGRAPHS:
        pixels = np.asarray(getattr(skimage_data, name)())
        yield name, np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels
    for name in SAMPLE_IMAGES:
        yield name.removesuffix(".jpg"), np.asarray(load_sample_image(name))


def _crop(photograph: Pixels, scaled_to: int, rng: np.random.Generator) -> Pixels:
    """A square part of a photograph; every second one as it is, the others scaled."""
    height, width = photograph.shape[:2]
    largest = min(height, width)
    side = int(rng.integers(min(SIDES[0], largest), largest + 1))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    part = np.ascontiguousarray(photograph[top : top + side, left : left + side])
    return part if rng.random() < 0.5 else resize(part, scaled_to, scaled_to)


def _to_pixels(values: Floats) -> Pixels:
    return (np.clip(values, 0, 1) * 255).round().astype(np.uint8)


def _grid(side: int) -> tuple[Floats, Floats]:
    y, x = np.mgrid[0:side, 0:side] / (side - 1)
    return x * 2 - 1, y * 2 - 1


def _coloured(values: Floats, rng: np.random.Generator) -> Floats:
    """Colour (h, w) values by a random smooth palette."""
    phase, speed = rng.random(3), rng.uniform(0.5, 1.5, 3)
    turns = 2 * np.pi * (values[..., None] * speed + phase)
    return np.asarray(0.5 + 0.5 * np.cos(turns))


def _noise(side: int, rng: np.random.Generator, steepness: float) -> Floats:
    """(side, side) noise in [0, 1] whose amplitude falls with frequency as f ** -steepness."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((side, side))) * frequency**-steepness
    values = np.fft.irfft2(spectrum, (side, side))
    return np.asarray((values - values.min()) / np.ptp(values))


def clouds(side: int, rng: np.random.Generator) -> Floats:
    """Fractal noise under a palette."""
    return _coloured(_noise(side, rng, rng.uniform(1.2, 2.2)), rng)


def julia(side: int, rng: np.random.Generator) -> Floats:
    """A Julia set, coloured by escape time."""
    x, y = _grid(side)
    z = (x + 1j * y) * rng.uniform(0.8, 1.5)
    turn = rng.uniform(0, 2 * np.pi)
    c = 0.7885 * np.exp(1j * turn)
    escaped = np.zeros((side, side))
    for _ in range(48):
        inside = np.abs(z) < 4
        z[inside] = z[inside] ** 2 + c
        escaped += inside
    return _coloured(np.sqrt(escaped / 48), rng)


def spheres(side: int, rng: np.random.Generator) -> Floats:
    """Shaded balls before a gradient."""
    x, y = _grid(side)
    top, bottom = rng.random(3), rng.random(3)
    picture = top + (bottom - top) * ((y + 1) / 2)[..., None]
    light = np.array([-0.5, -0.6, 0.62])
    for _ in range(int(rng.integers(2, 7))):
        cx, cy, radius = rng.uniform(-0.8, 0.8), rng.uniform(-0.8, 0.8), rng.uniform(0.15, 0.5)
        nx, ny = (x - cx) / radius, (y - cy) / radius
        inside = nx**2 + ny**2 < 1
        nz = np.sqrt(np.clip(1 - nx**2 - ny**2, 0, 1))
        lit = np.clip(nx * light[0] + ny * light[1] + nz * light[2], 0, 1)
        ball = rng.random(3) * (0.15 + 0.85 * lit)[..., None] + (lit**40)[..., None]
        picture = np.where(inside[..., None], ball, picture)
    return picture


def mosaic(side: int, rng: np.random.Generator) -> Floats:
    """Cells around random points, each of one colour that fades from its middle."""
    x, y = _grid(side)
    points = rng.uniform(-1.1, 1.1, (int(rng.integers(12, 60)), 2))
    distance = np.hypot(x[..., None] - points[:, 0], y[..., None] - points[:, 1])
    colours = rng.random((len(points), 3))
    fade = np.clip(1 - distance.min(axis=2), 0, 1)
    return np.asarray(colours[distance.argmin(axis=2)] * fade[..., None])


def ripples(side: int, rng: np.random.Generator) -> Floats:
    """Waves from several points that add up."""
    x, y = _grid(side)
    total = np.zeros((side, side))
    for _ in range(int(rng.integers(2, 6))):
        cx, cy = rng.uniform(-1.5, 1.5, 2)
        total += np.sin(np.hypot(x - cx, y - cy) * rng.uniform(5, 40))
    return _coloured(total / 8, rng)


def hills(side: int, rng: np.random.Generator) -> Floats:
    """Layers of hills that pale with distance, under a gradient sky."""
    _, y = _grid(side)
    sky, ground = rng.uniform(0.5, 1, 3), rng.uniform(0, 0.5, 3)
    picture = np.asarray(sky * (0.75 + 0.25 * y)[..., None])
    layers = int(rng.integers(3, 7))
    for layer in range(layers):
        ridge = _noise(side, rng, 1.8)[side // 2] * 0.8 - 0.6 + layer * 1.2 / layers
        near = (layer + 1) / layers
        colour = sky * (1 - near) + ground * near
        picture = np.where((y > ridge)[..., None], colour, picture)
    return picture


COMPUTED: tuple[Callable[[int, np.random.Generator], Floats], ...] = (
    clouds,
    julia,
    spheres,
    mosaic,
    ripples,
    hills,
)
