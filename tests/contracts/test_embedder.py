"""What every embedder promises, over every embedder there is."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from domain import TaskKind
from embeddings import Embedder
from embeddings.builtin import Builtin
from embeddings.clip import Clip
from embeddings.drawn import DrawnClip
from embeddings.ensemble import Ensemble
from embeddings.images import Picture, decode, encode_png
from embeddings.weights import find_weights
from tests import tiny_clip
from tests.pictures import encode, photo

MAKERS = (
    "builtin-photo",
    "builtin-drawing",
    "builtin-authenticity",
    "clip-random",
    "clip-checkpoint",
    "clip-safetensors",
    "clip-drawn",
    "clip+builtin",
)


@pytest.fixture(scope="module")
def clip_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    config = tiny_clip.write_config(tmp_path_factory.mktemp("clip"))
    return {
        "clip-random": (str(config), "random"),
        "clip-checkpoint": (str(config), str(tiny_clip.write_checkpoint(config))),
        "clip-safetensors": (
            str(config),
            str(tiny_clip.write_checkpoint(config, seed=2, suffix=".safetensors")),
        ),
    }


@pytest.fixture(scope="module", params=MAKERS)
def make(
    request: pytest.FixtureRequest, clip_files: dict[str, tuple[str, str]]
) -> Callable[[], Embedder]:
    """Make one more of the embedder under test, as another process would."""
    name: str = request.param
    if name == "clip-drawn":
        files = clip_files["clip-random"]
        return lambda: DrawnClip(Clip(find_weights(*files), batch_size=4))
    if name == "clip+builtin":
        files = clip_files["clip-random"]
        return lambda: Ensemble(
            Clip(find_weights(*files), batch_size=4), Builtin(TaskKind.AUTHENTICITY), "a test"
        )
    if name in clip_files:
        return lambda: Clip(find_weights(*clip_files[name]), batch_size=4)
    return lambda: Builtin(TaskKind(name.removeprefix("builtin-")))


@pytest.fixture(scope="module")
def embedder(make: Callable[[], Embedder]) -> Embedder:
    return make()


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    return [decode(encode(photo(seed, 90 + 7 * seed, 120), "JPEG")) for seed in range(9)]


def of(pixels: NDArray[np.uint8]) -> Picture:
    return decode(encode_png(pixels))


def plain(height: int, width: int, value: int = 200) -> Picture:
    return of(np.full((height, width, 3), value, np.uint8))


ODD: dict[str, Callable[[], Picture]] = {
    "one pixel": lambda: plain(1, 1),
    "a row": lambda: of(photo(1, 500, 1)),
    "a column": lambda: of(photo(2, 1, 500)),
    "two by two": lambda: of(photo(3, 2, 2)),
    "smaller than any window": lambda: of(photo(4, 7, 5)),
    "a long strip": lambda: of(photo(5, 4000, 3)),
    "white": lambda: plain(64, 64, 255),
    "black": lambda: plain(64, 64, 0),
    "one colour, odd size": lambda: plain(33, 517),
    "a checkerboard": lambda: of(
        np.indices((64, 64)).sum(0).astype(np.uint8)[..., None].repeat(3, 2) % 2 * 255
    ),
    "large": lambda: of(photo(6, 1500, 1100)),
}


def test_rows_are_float32_of_unit_length(embedder: Embedder, pictures: list[Picture]) -> None:
    rows = embedder.embed(pictures)

    assert rows.dtype == np.float32
    assert rows.shape == (len(pictures), embedder.dim)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_no_pictures_are_no_rows(embedder: Embedder) -> None:
    rows = embedder.embed([])

    assert rows.shape == (0, embedder.dim)
    assert rows.dtype == np.float32


def test_a_picture_has_the_same_row_in_any_batch(
    embedder: Embedder, pictures: list[Picture]
) -> None:
    together = embedder.embed(pictures)

    alone = np.concatenate([embedder.embed([picture]) for picture in pictures])
    backwards = embedder.embed(pictures[::-1])[::-1]
    twice = embedder.embed([pictures[0], *pictures])

    assert np.abs(together - alone).max() <= 1e-5
    assert np.abs(together - backwards).max() <= 1e-5
    assert np.abs(together - twice[1:]).max() <= 1e-5
    assert np.abs(twice[0] - twice[1]).max() <= 1e-5


def test_another_one_made_alike_gives_the_same(
    make: Callable[[], Embedder], embedder: Embedder, pictures: list[Picture]
) -> None:
    other = make()

    assert other.id == embedder.id
    assert other.dim == embedder.dim
    assert np.abs(other.embed(pictures[:3]) - embedder.embed(pictures[:3])).max() <= 1e-5


def test_unlike_pictures_have_unlike_rows(embedder: Embedder, pictures: list[Picture]) -> None:
    rows = embedder.embed(pictures)

    likeness = rows @ rows.T
    np.fill_diagonal(likeness, 0)
    assert likeness.max() < 0.9999


@pytest.mark.parametrize("name", ODD)
def test_odd_pictures_have_a_unit_row_too(embedder: Embedder, name: str) -> None:
    picture = ODD[name]()

    first, again = embedder.embed([picture]), embedder.embed([picture])

    assert np.isfinite(first).all()
    assert abs(float(np.linalg.norm(first)) - 1) < 1e-5
    assert np.abs(first - again).max() <= 1e-5


def test_odd_pictures_spoil_no_other(embedder: Embedder, pictures: list[Picture]) -> None:
    expected = embedder.embed(pictures[:2])

    mixed = embedder.embed([pictures[0], *(make() for make in ODD.values()), pictures[1]])

    assert np.abs(mixed[[0, -1]] - expected).max() <= 1e-5


def test_pixels_are_left_alone(embedder: Embedder) -> None:
    pixels = photo(9)
    picture = Picture(pixels.copy(), decode(encode_png(pixels)).facts)

    embedder.embed([picture])

    np.testing.assert_array_equal(picture.pixels, pixels)


def test_read_only_and_strided_pixels_are_fine(embedder: Embedder) -> None:
    picture = of(photo(10))
    turned = Picture(picture.pixels[:, ::-1], picture.facts)  # a view, not contiguous
    copied = Picture(np.ascontiguousarray(turned.pixels), picture.facts)
    copied.pixels.flags.writeable = False

    assert np.abs(embedder.embed([turned]) - embedder.embed([copied])).max() <= 1e-5


def test_threads_share_one(make: Callable[[], Embedder], pictures: list[Picture]) -> None:
    fresh, start = make(), threading.Barrier(4)
    results: dict[int, NDArray[np.float32]] = {}

    def ask(number: int) -> None:
        start.wait(10)  # so that the first use, too, happens in all of them at once
        for _ in range(3):
            results[number] = fresh.embed(pictures[number : number + 4])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    expected = make().embed(pictures)
    assert sorted(results) == [0, 1, 2, 3]
    for number, rows in results.items():
        assert np.abs(rows - expected[number : number + 4]).max() <= 1e-5


def test_it_says_what_it_is(embedder: Embedder) -> None:
    assert embedder.id.startswith(("builtin-", "clip:"))
    assert set(embedder.runtime.split("+")) <= {"numpy", "torch"}
    assert embedder.device


def test_ids_tell_all_embedders_apart(clip_files: dict[str, tuple[str, str]]) -> None:
    ids = [Builtin(kind).id for kind in TaskKind]
    ids += [find_weights(*files).id for files in clip_files.values()]
    clip = Clip(find_weights(*clip_files["clip-random"]))
    ids += [DrawnClip(clip).id, Ensemble(clip, Builtin(TaskKind.AUTHENTICITY), "a test").id]

    assert len(set(ids)) == len(MAKERS)
