"""Texts are read once and kept, by whichever process; a tower that cannot be had is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from domain import Task, TaskKind, Unavailable
from models.reading import AT_ONCE, TRY_AGAIN_SECONDS, Reader
from models.words import texts_of
from storage import Store
from tests.models.made import unit

DIM = 8


@dataclass
class Encoder:
    """Gives each text a row of its own; remembers what it was asked."""

    id: str = "reads:1"
    scale: float = 14.0
    broken: bool = False
    asked: list[str] = field(default_factory=list)
    held: bool = False
    tried: int = 0

    def embed_text(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        self.tried += 1
        if self.broken:
            raise Unavailable("The text tower does not load.")
        self.held = True
        self.asked.extend(prompts)
        seeds = [list(text.encode()) for text in prompts]
        rows = [np.random.default_rng(seed).standard_normal(DIM) for seed in seeds]
        return unit(np.stack(rows))

    def text_scale(self) -> float:
        return self.scale

    def forget_text(self) -> None:
        self.held = False


@pytest.fixture
def task(store: Store) -> Task:
    return store.tasks.create("smile", TaskKind.PHOTO, ("yes", "no"), open=True)


def test_the_texts_of_a_task_make_a_head(store: Store, task: Task) -> None:
    head = Reader(store, Encoder()).words(task).head
    assert head is not None
    assert head.classes == ("yes", "no")
    assert head.weights.shape == (DIM, 2)
    assert head.scale == 14.0


def test_a_text_is_read_once_for_all_processes_and_the_encoder_let_go(
    store: Store, task: Task
) -> None:
    first, second = Encoder(), Encoder(broken=True)
    one = Reader(store, first).words(task).head
    other = Reader(store, second).words(task).head
    assert len(first.asked) == len(set(first.asked)) > 0
    assert not first.held
    assert one is not None
    assert other is not None
    assert other.weights.tobytes() == one.weights.tobytes()
    assert other.scale == one.scale


def test_the_same_words_are_the_same_head(store: Store, task: Task) -> None:
    reader = Reader(store, Encoder())
    assert reader.words(task) is reader.words(store.tasks.get("smile"))


def test_other_prompts_are_heard_at_once_and_only_they_are_read(store: Store, task: Task) -> None:
    encoder = Encoder()
    reader = Reader(store, encoder)
    before = reader.words(task).head
    encoder.asked.clear()
    after = reader.words(store.tasks.describe("smile", {"yes": "a smiling face"})).head
    assert encoder.asked == ["a smiling face"]
    assert before is not None
    assert after is not None
    assert after.weights[:, 0].tolist() != before.weights[:, 0].tolist()
    assert after.weights[:, 1].tolist() == before.weights[:, 1].tolist()


def test_a_new_label_has_its_words(store: Store, task: Task) -> None:
    reader = Reader(store, Encoder())
    reader.words(task)
    head = reader.words(store.tasks.add_label("smile", "perhaps")).head
    assert head is not None
    assert head.classes == ("yes", "no", "perhaps")


def test_vectors_of_texts_do_not_count_as_pictures(store: Store, task: Task) -> None:
    encoder = Encoder()
    Reader(store, encoder).words(task)
    assert store.vectors.count(encoder.id) == 0


def test_one_label_alone_has_nothing_to_be_told_from(store: Store) -> None:
    lone = store.tasks.create("lone", TaskKind.PHOTO, ("only",), open=True)
    encoder = Encoder()
    words = Reader(store, encoder).words(lone)
    assert (words.head, words.problem, encoder.asked) == (None, None, [])


@dataclass
class Clock:
    """Seconds that a test lets pass."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_tower_that_does_not_load_is_said_and_tried_again_after_a_while(
    store: Store, task: Task
) -> None:
    encoder, clock = Encoder(broken=True), Clock()
    reader = Reader(store, encoder, clock=clock)
    words = reader.words(task)
    assert words.head is None
    assert words.problem == "The text tower does not load."
    encoder.broken = False
    clock.now += TRY_AGAIN_SECONDS - 1
    assert reader.words(task) is words
    clock.now += 1
    assert reader.words(task).head is not None


def test_no_request_waits_for_a_tower_that_just_failed(store: Store, task: Task) -> None:
    encoder = Encoder(broken=True)
    reader = Reader(store, encoder, clock=Clock())
    for _ in range(5):
        assert reader.words(task).problem is not None
    assert encoder.tried == 1


def test_other_words_are_looked_at_at_once_though_the_last_ones_failed(
    store: Store, task: Task
) -> None:
    encoder = Encoder(broken=True)
    reader = Reader(store, encoder, clock=Clock())
    assert reader.words(task).problem is not None
    encoder.broken = False
    assert reader.words(store.tasks.add_label("smile", "perhaps")).head is not None


def test_more_texts_than_anybody_waits_for_are_left_to_the_embedding_job(store: Store) -> None:
    labels = [f"label {i}" for i in range(AT_ONCE + 1)]
    many = store.tasks.create("many", TaskKind.PHOTO, labels, open=True)
    encoder = Encoder()
    reader = Reader(store, encoder)
    problem = reader.words(many).problem
    assert problem is not None
    assert "python -m embeddings --task many" in problem
    assert encoder.asked == []
    assert reader.read(many) == sum(len(texts) for texts in texts_of(many).values())
    assert reader.read(many) == 0
    assert reader.words(many).head is not None
