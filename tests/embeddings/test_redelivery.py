from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from domain import TaskKind
from embeddings.builtin import Builtin
from embeddings.images import Picture, decode
from embeddings.redelivery import (
    DELIVERIES,
    SMALLEST,
    Delivery,
    embed_redelivered,
    redelivered,
    redelivered_id,
    redeliveries,
)
from tests.pictures import encode, letter, photo

BY_NAME = {delivery.name: delivery for delivery in DELIVERIES}


def picture(width: int = 640, height: int = 420, seed: int = 1) -> Picture:
    return decode(encode(photo(seed, width, height), "PNG"))


class Watching(Builtin):
    """The built-in embedder, which also notes how many pictures it is given at a time."""

    def __init__(self) -> None:
        super().__init__(TaskKind.PHOTO, "for a test")
        self.batches: list[int] = []

    def embed(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        self.batches.append(len(pictures))
        return super().embed(pictures)


def test_copies_have_the_sizes_that_their_names_say() -> None:
    sizes = {name: copy.pixels.shape for name, copy in redeliveries(picture())}

    same = (420, 640, 3)
    assert sizes == {
        "jpeg_85": same,
        "jpeg_60": same,
        "jpeg_40": same,
        "half_size": (210, 320, 3),
        "thumbnail": (210, 320, 3),
        "crop_95": (399, 608, 3),
        "webp": same,
    }


def test_stronger_compression_moves_more_of_the_picture() -> None:
    one = picture()

    def moved(name: str) -> float:
        copy = redelivered(one, BY_NAME[name])
        assert copy is not None
        return float(np.abs(copy.pixels.astype(int) - one.pixels).mean())

    assert 0 < moved("jpeg_85") < moved("jpeg_60") < moved("jpeg_40") < 20


def test_a_crop_is_of_the_middle() -> None:
    one = picture(200, 100)

    copy = redelivered(one, Delivery("crop", crop=0.5, coding=""))

    assert copy is not None
    np.testing.assert_array_equal(copy.pixels, one.pixels[25:75, 50:150])


def test_the_same_picture_is_always_handed_on_alike() -> None:
    for delivery in DELIVERIES:
        once, again = redelivered(picture(), delivery), redelivered(picture(), delivery)
        assert once is not None
        assert again is not None
        np.testing.assert_array_equal(once.pixels, again.pixels)


def test_copies_bear_the_facts_of_the_file_that_came() -> None:
    one = picture()

    assert all(copy.facts == one.facts for _, copy in redeliveries(one))


def test_what_is_small_already_is_not_made_smaller() -> None:
    small = {name for name, _ in redeliveries(picture(SMALLEST, SMALLEST))}

    assert small == set(BY_NAME) - {"half_size", "thumbnail"}


def test_a_picture_of_one_pixel_is_handed_on_too() -> None:
    names, vectors = embed_redelivered(picture(1, 1), Builtin(TaskKind.AUTHENTICITY, "for a test"))

    assert "jpeg_85" in names
    assert vectors.shape[0] == len(names)
    assert np.isfinite(vectors).all()


def test_a_picture_too_wide_for_webp_is_handed_on_otherwise() -> None:
    wide = {name for name, _ in redeliveries(picture(16_384, 40))}

    assert "webp" not in wide
    assert "jpeg_85" in wide


def test_a_drawing_on_a_transparent_canvas_stays_one() -> None:
    drawn = decode(encode(letter(1), "PNG"))
    alpha = np.zeros(drawn.pixels.shape[:2], np.uint8)
    alpha[10:50, 10:50] = 255
    transparent = Picture(drawn.pixels, drawn.facts, alpha)

    for _, copy in redeliveries(transparent):
        assert copy.alpha is not None
        assert copy.alpha.shape == copy.pixels.shape[:2]
        assert copy.alpha.max() > 200


def test_copies_are_embedded_in_one_batch() -> None:
    embedder = Watching()

    names, vectors = embed_redelivered(picture(), embedder)

    assert embedder.batches == [len(DELIVERIES)]
    assert names == tuple(BY_NAME)
    assert vectors.shape == (len(DELIVERIES), embedder.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_large_copies_are_not_held_all_at_once() -> None:
    embedder, one = Watching(), picture()

    names, vectors = embed_redelivered(one, embedder, pixels_at_once=2 * 640 * 420)
    together = embed_redelivered(one, embedder)[1]

    assert embedder.batches[:-1] == [2, 3, 2]
    assert names == tuple(BY_NAME)
    np.testing.assert_allclose(vectors, together, atol=1e-5)


@pytest.mark.parametrize("kind", list(TaskKind))
def test_a_copy_is_embedded_as_if_it_came_alone(kind: TaskKind) -> None:
    embedder, one = Builtin(kind, "for a test"), picture()

    names, vectors = embed_redelivered(one, embedder)

    for name, row in zip(names, vectors, strict=True):
        copy = redelivered(one, BY_NAME[name])
        assert copy is not None
        np.testing.assert_allclose(embedder.embed([copy])[0], row, atol=1e-5)


def test_copies_are_kept_apart_from_the_pictures_own_vectors() -> None:
    embedder = Builtin(TaskKind.PHOTO, "for a test")

    assert redelivered_id(embedder).startswith(embedder.id)
    assert redelivered_id(embedder) != embedder.id
