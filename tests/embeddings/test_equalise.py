from __future__ import annotations

from collections import Counter
from hashlib import sha256

import numpy as np
import pytest

from config import Settings
from domain import EQUALISED, FILE_FACTS, NewSample, Split, TaskKind
from embeddings.builtin import Builtin
from embeddings.equalise import ASPECTS, equalised, equalised_file, form_of
from embeddings.images import Picture, decode, file_facts
from embeddings.job import embed_equalised, embed_missing
from embeddings.noting import note_facts
from embeddings.work import Pace
from models.shortcuts import check
from storage import Store
from tests.pictures import encode, letter, photo

TASK = "things"


def pictures(n: int, width: int, height: int, **options: object) -> list[Picture]:
    return [decode(encode(photo(seed, width, height), "JPEG", **options)) for seed in range(n)]


def test_forms_are_drawn_alike_by_any_names() -> None:
    forms = [form_of(sha256(str(n).encode()).hexdigest()) for n in range(4_000)]

    shapes = Counter(form.aspect for form in forms)
    assert set(shapes) == set(ASPECTS)
    assert all(
        shapes[shape] == pytest.approx(500 * ASPECTS.count(shape), rel=0.2) for shape in shapes
    )
    assert {form.quality for form in forms} == set(range(75, 96))
    sides = [form.short_side for form in forms]
    assert (min(sides), max(sides)) == (224, 448)
    assert np.median(sides) == pytest.approx(317, abs=12)


def test_files_of_any_form_come_out_alike() -> None:
    wide = pictures(1, 900, 300, quality=95) + pictures(1, 60, 40, quality=50)
    names = [picture.facts.sha256 for picture in wide]

    made = [file_facts(equalised_file(picture, TaskKind.PHOTO)) for picture in wide]

    for name, found in zip(names, made, strict=True):
        form = form_of(name)
        assert found["aspect"] == pytest.approx(form.aspect, abs=0.02)
        assert min(found["width"], found["height"]) == form.short_side
        assert found["jpeg_quality"] == pytest.approx(form.quality, abs=1)
        assert (found["format"], found["exif"]) == ("JPEG", False)


def test_the_same_picture_always_gets_the_same_form() -> None:
    picture = pictures(1, 300, 200)[0]

    once, again = (equalised(picture, TaskKind.AUTHENTICITY) for _ in range(2))

    np.testing.assert_array_equal(once.pixels, again.pixels)
    assert once.facts == picture.facts


def test_the_middle_of_a_picture_is_kept() -> None:
    pixels = np.zeros((300, 300, 3), np.uint8)
    pixels[130:170, 130:170] = 255

    made = equalised(decode(encode(pixels, "PNG")), TaskKind.PHOTO).pixels

    height, width = made.shape[:2]
    assert made[height // 2, width // 2].min() > 200
    assert made[0, 0].max() < 50


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 2)])
def test_pictures_of_any_size_can_be_made_alike(size: tuple[int, int]) -> None:
    made = equalised(decode(encode(np.zeros((*size, 3), np.uint8), "PNG")), TaskKind.PHOTO)

    assert min(made.pixels.shape[:2]) >= 224


def test_nothing_of_a_drawing_is_cut() -> None:
    sheet = np.full((200, 900, 3), 255, np.uint8)
    sheet[20:180, 20:180] = letter(1)
    sheet[20:180, 720:880] = letter(1)

    made = equalised(decode(encode(sheet, "PNG")), TaskKind.DRAWING).pixels

    ink = made[..., 0] < 128
    middle = made.shape[1] // 2
    assert ink[:, :middle].sum() == pytest.approx(ink[:, middle:].sum(), rel=0.2)
    assert ink.sum() > 0


def test_a_transparent_canvas_keeps_its_white_strokes() -> None:
    canvas = np.full((100, 100, 4), 255, np.uint8)
    canvas[..., 3] = 0
    canvas[40:60, 20:80, 3] = 255

    made = equalised(decode(encode(canvas, "PNG")), TaskKind.DRAWING)

    assert (made.pixels[..., 0] < 128).any()


def test_nothing_of_the_form_tells_labels_apart_any_more() -> None:
    files = [
        *(decode(encode(photo(seed, 96, 96), "PNG")) for seed in range(40)),
        *(decode(encode(photo(seed, 150, 100), "JPEG", quality=60)) for seed in range(40, 80)),
    ]
    labels = ["ai"] * 40 + ["real"] * 40
    names = [picture.facts.sha256 for picture in files]

    made = [file_facts(equalised_file(picture, TaskKind.PHOTO)) for picture in files]

    alarm = check(made, labels, names, ["web"] * 80, bar=0.75)
    assert not alarm.raised, alarm.message


# --- the jobs ---


@pytest.fixture
def names(store: Store) -> list[str]:
    """The sha256 of six pictures of one task."""
    store.tasks.create(TASK, TaskKind.AUTHENTICITY, ["a"], open=True)
    found = []
    for seed in range(6):
        data = encode(photo(seed, 90, 60), "JPEG")
        picture = decode(data)
        store.blobs.put(data)
        new = NewSample("a", "tests", picture.facts.sha256, Split.TRAIN)
        store.samples.add(TASK, picture.facts, new)
        found.append(picture.facts.sha256)
    return found


def test_equalised_vectors_are_kept_apart(
    store: Store, settings: Settings, names: list[str]
) -> None:
    embedder = Builtin(TaskKind.AUTHENTICITY)
    embed_missing(store, embedder, TASK, settings=settings)
    told: list[int] = []

    summary = embed_equalised(store, embedder, TASK, settings=settings, progress=told.append)

    assert (summary.embedded, sum(told)) == (6, 6)
    plain, alike = (
        store.vectors.get(name, names) for name in (embedder.id, embedder.id + EQUALISED)
    )
    assert plain[0] == alike[0] == names
    expected = embedder.embed(
        [equalised(decode(store.blobs.get(name)), TaskKind.AUTHENTICITY) for name in names]
    )
    np.testing.assert_allclose(alike[1], expected, atol=1e-6)
    assert np.abs(alike[1] - plain[1]).max() > 0.01
    assert embed_equalised(store, embedder, TASK, settings=settings).wanted == 0


def test_facts_of_files_are_noted_once(store: Store, settings: Settings, names: list[str]) -> None:
    told: list[int] = []

    first = note_facts(store, TASK, settings=settings, progress=told.append)

    assert (first.wanted, first.noted, first.unreadable, sum(told)) == (6, 6, 0, 6)
    known = store.file_facts.get(FILE_FACTS, names)
    assert {name: known[name] for name in names} == {
        name: file_facts(store.blobs.get(name)) for name in names
    }
    assert note_facts(store, TASK, settings=settings).wanted == 0


def test_a_file_that_is_gone_or_broken_holds_up_no_other(
    store: Store, settings: Settings, names: list[str]
) -> None:
    store.blobs.path(names[0]).unlink()
    store.blobs.path(names[1]).write_bytes(b"no picture")

    noted = note_facts(store, TASK, settings=settings)

    assert (noted.noted, noted.unreadable) == (4, 2)
    assert set(store.file_facts.get(FILE_FACTS, names)) == set(names[2:])


def test_noting_facts_can_be_ended_early_and_goes_on(
    store: Store, settings: Settings, names: list[str]
) -> None:
    early = Pace(batch_size=2, stop=lambda: True)

    assert note_facts(store, TASK, settings=settings, pace=early).noted == 2
    assert note_facts(store, TASK, settings=settings).noted == 4
