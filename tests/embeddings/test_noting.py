from __future__ import annotations

import pytest

from config import Settings
from domain import LOOKS, NewSample, Split, TaskKind
from embeddings.builtin import Builtin
from embeddings.images import decode
from embeddings.job import embed_missing
from embeddings.manner import looks
from embeddings.noting import note_looks
from embeddings.work import Pace
from storage import Store
from tests.pictures import encode, letter, photo

TASK = "things"


@pytest.fixture
def names(store: Store) -> list[str]:
    """The sha256 of three photographs and three drawings."""
    store.tasks.create(TASK, TaskKind.PHOTO, ["a"], open=True)
    found = []
    for seed in range(6):
        data = encode(photo(seed) if seed % 2 else letter(seed), "PNG")
        facts = decode(data).facts
        store.blobs.put(data)
        store.samples.add(TASK, facts, NewSample("a", "tests", facts.sha256, Split.TRAIN))
        found.append(facts.sha256)
    return found


def test_looks_are_noted_with_the_first_vector(
    store: Store, settings: Settings, names: list[str]
) -> None:
    embed_missing(store, Builtin(TaskKind.PHOTO), TASK, settings=settings)

    assert store.file_facts.get(LOOKS, names) == {
        name: looks(decode(store.blobs.get(name))) for name in names
    }
    assert note_looks(store, TASK, settings=settings).wanted == 0


def test_pictures_that_came_with_their_vectors_are_looked_at_later(
    store: Store, settings: Settings, names: list[str]
) -> None:
    store.blobs.path(names[0]).write_bytes(b"no picture")
    told: list[int] = []

    noted = note_looks(store, TASK, settings=settings, progress=told.append)

    assert (noted.wanted, noted.noted, noted.unreadable, sum(told)) == (6, 5, 1, 6)
    known = store.file_facts.get(LOOKS, names)
    assert [known[name]["manner"] for name in names[1:]] == ["photo", "drawn"] * 2 + ["photo"]


def test_noting_looks_can_be_ended_early_and_goes_on(
    store: Store, settings: Settings, names: list[str]
) -> None:
    early = Pace(batch_size=2, stop=lambda: True)

    assert note_looks(store, TASK, settings=settings, pace=early).noted == 2
    assert note_looks(store, TASK, settings=settings).noted == 4
