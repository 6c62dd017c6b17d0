"""What a process has learned: a function of the version and the log, whatever came in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from domain import (
    ModelVersion,
    NewCorrection,
    NewSample,
    NotFound,
    Person,
    PictureFacts,
    Split,
    Task,
    TaskKind,
    Unavailable,
)
from models.current import Answer
from models.knowledge import REPLACES_DEMO, Knowledge
from models.learned import Learned
from models.reading import Reader
from models.shelf import Rows, Shelf
from models.taught import TaughtHead
from models.words import Mixed, TextHead
from storage import State, Store
from storage.vectors import Vectors

EMBEDDER, LIKENESS, TASK = "test:1", "likeness-of-test:1", "shapes"
ME, EVE = Person("me", trusted=True), Person("eve", trusted=False)
DIM = 24


class FixedHead:
    """Gives every picture the same."""

    classes = ("a", "b")

    def predict_proba(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.tile([0.7, 0.3], (len(vectors), 1))


class Versions:
    """The version that a process has loaded."""

    def __init__(self) -> None:
        self.answer: Answer | None = None

    def head(self, task: str, state: State | None = None) -> Answer | None:
        return self.answer

    def problem(self, task: str) -> str | None:
        return None


def no_copies(sha256s: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
    return {}


@pytest.fixture
def task(store: Store) -> Task:
    return store.tasks.create(TASK, TaskKind.PHOTO, ("a", "b"), open=True)


@pytest.fixture
def versions() -> Versions:
    return Versions()


def learned(store: Store, versions: Versions) -> Learned:
    shelf = Shelf(store, EMBEDDER, LIKENESS, no_copies)
    return Learned(store, versions, dict.fromkeys(TaskKind, shelf))  # type: ignore[arg-type]


def sha(name: str) -> str:
    return name.encode().hex().ljust(64, "0")


def vector(name: str, label: str) -> NDArray[np.float32]:
    """Pictures of one label are near each other."""
    centre = np.random.default_rng(list(label.encode())).normal(size=DIM)
    row = centre + 0.3 * np.random.default_rng(list(name.encode())).normal(size=DIM)
    return np.asarray(row / np.linalg.norm(row), np.float32)


def teach(
    store: Store, name: str, label: str, person: Person = ME, *, looks: str | None = None
) -> str:
    """Teach a picture that looks like those of `looks`; returns the correction's id."""
    store.vectors.put(EMBEDDER, [sha(name)], vector(name, looks or label)[None])
    facts = PictureFacts(sha(name), 8, 8, "PNG", 100, 0)
    new = NewCorrection(sha(name), label, person)
    return store.corrections.teach(TASK, new, facts, None).correction.id


def version(*, demo: bool = False, embedder: str = EMBEDDER) -> ModelVersion:
    made = datetime.now(UTC)
    return ModelVersion("v1", TASK, embedder, "svm", "0" * 64, demo, made, {})


def said(known: Knowledge, label: str, name: str = "unseen") -> str:
    assert known.head is not None
    scores = known.head.predict_proba(vector(name, label)[None])[0]
    return known.head.classes[int(scores.argmax())]


def arrays(known: Knowledge) -> bytes:
    assert isinstance(known.head, TaughtHead)
    return known.head.weights.tobytes() + known.head.offsets.tobytes()


def test_two_labels_make_a_head_and_one_does_not(
    store: Store, task: Task, versions: Versions
) -> None:
    mind = learned(store, versions)
    assert mind.knowledge(task).head is None
    teach(store, "1", "a")
    known = mind.knowledge(task)
    assert (known.head, known.taught) == (None, {"a": 1})
    teach(store, "2", "b")
    known = mind.knowledge(task)
    assert [said(known, label) for label in "ab"] == ["a", "b"]
    assert known.version is None


def test_nothing_new_is_nothing_to_do(store: Store, task: Task, versions: Versions) -> None:
    mind = learned(store, versions)
    teach(store, "1", "a")
    assert mind.knowledge(task) is mind.knowledge(task)


def test_whatever_came_in_between_the_head_is_the_same_to_a_bit(
    store: Store, task: Task, versions: Versions
) -> None:
    one_by_one = learned(store, versions)
    for i in range(12):
        teach(store, f"p{i}", "abc"[i % 3])
        wrong = teach(store, f"q{i}", "ab"[i % 2], looks="c")
        one_by_one.knowledge(task)
        store.corrections.undo(TASK, [wrong], "me", trusted=True)
        one_by_one.knowledge(task)
    at_once = learned(store, versions).knowledge(task)
    assert arrays(one_by_one.knowledge(task)) == arrays(at_once)
    assert set(at_once.opinions) == {sha(f"p{i}") for i in range(12)}


def test_what_is_supposed_leaves_no_trace(store: Store, task: Task, versions: Versions) -> None:
    mind = learned(store, versions)
    for i in range(6):
        teach(store, f"p{i}", "ab"[i % 2])
    before = mind.knowledge(task)
    row = store.corrections.since(TASK, 0)[0]
    store.vectors.put(EMBEDDER, [sha("new")], vector("new", "c")[None])
    supposed = mind.suppose(task, [replace(row, id="x", seq=7, sha256=sha("new"), label="c")])
    assert supposed.head is not None and "c" in supposed.head.classes
    undone = mind.suppose(task, [replace(row, id="y", seq=7, undoes=row.id)])
    assert sha("p0") not in undone.opinions
    assert mind.knowledge(task) is before
    teach(store, "p6", "a")
    assert arrays(mind.knowledge(task)) == arrays(learned(store, versions).knowledge(task))


def test_what_is_supposed_is_what_comes(store: Store, task: Task, versions: Versions) -> None:
    mind = learned(store, versions)
    for i in range(6):
        teach(store, f"p{i}", "ab"[i % 2])
    store.vectors.put(EMBEDDER, [sha("new")], vector("new", "b")[None])
    row = store.corrections.since(TASK, 0)[0]
    supposed = mind.suppose(task, [replace(row, id="x", seq=7, sha256=sha("new"), label="b")])
    teach(store, "new", "b")
    assert arrays(mind.knowledge(task)) == arrays(supposed)


def test_a_version_is_adjusted_by_corrections(store: Store, task: Task, versions: Versions) -> None:
    samples(store, 40)
    versions.answer = version(), FixedHead()
    mind = learned(store, versions)
    assert said(mind.knowledge(task), "b") == "a"
    teach(store, "1", "b")
    known = mind.knowledge(task)
    assert (known.version, said(known, "b", "1")) == (versions.answer[0], "b")
    assert said(known, "a") == "a"


def test_a_version_without_pictures_left_keeps_its_head(
    store: Store, task: Task, versions: Versions
) -> None:
    versions.answer = version(), FixedHead()
    teach(store, "1", "b")
    known = learned(store, versions).knowledge(task)
    assert known.head is versions.answer[1]
    assert set(known.opinions) == {sha("1")}


def test_what_was_taught_replaces_the_demonstration_once_it_is_enough(
    store: Store, task: Task, versions: Versions
) -> None:
    versions.answer = version(demo=True), FixedHead()
    mind = learned(store, versions)
    for i in range(REPLACES_DEMO - 1):
        for label in "ab":
            teach(store, f"{label}{i}", label)
    assert mind.knowledge(task).version is not None
    for label in "ab":
        teach(store, f"{label} last", label)
    known = mind.knowledge(task)
    assert known.version is None
    assert [said(known, label) for label in "ab"] == ["a", "b"]


def test_vectors_of_another_embedder_are_not_asked_of_a_version(
    store: Store, task: Task, versions: Versions
) -> None:
    versions.answer = version(embedder="other:1"), FixedHead()
    known = learned(store, versions).knowledge(task)
    assert (known.version, known.head) == (None, None)
    assert "other:1" in str(known.problem) and EMBEDDER in str(known.problem)


def test_linked_variants_are_known_from_the_next_look_on(
    store: Store, task: Task, versions: Versions
) -> None:
    mind = learned(store, versions)
    teach(store, "1", "a")
    teach(store, "1", "a2", EVE)
    assert mind.knowledge(task).opinions[sha("1")].disputed
    store.tasks.link(TASK, "a", "a2")
    assert not mind.knowledge(task).opinions[sha("1")].disputed
    store.tasks.unlink(TASK, "a2")
    assert mind.knowledge(task).opinions[sha("1")].disputed


def test_a_task_made_again_under_its_name_knows_nothing(
    store: Store, task: Task, versions: Versions
) -> None:
    mind = learned(store, versions)
    teach(store, "1", "a")
    mind.knowledge(task)
    archive = store.tasks.reset(TASK)
    again = store.tasks.get(TASK)
    assert not mind.knowledge(again).opinions
    store.tasks.restore(TASK, archive.id)
    assert set(mind.knowledge(store.tasks.get(TASK)).opinions) == {sha("1")}


def test_golden_pictures_are_counted_and_hold_against_strangers(
    store: Store, task: Task, versions: Versions
) -> None:
    samples(store, 40)
    versions.answer = version(), FixedHead()
    mind = learned(store, versions)
    known = mind.knowledge(task)
    assert known.golden is not None and known.golden.of == 8
    held_out = next(s for s in store.samples.all(TASK) if s.split is Split.TEST)
    other = "b" if held_out.label == "a" else "a"
    facts = PictureFacts(held_out.sha256, 8, 8, "PNG", 100, 0)
    store.corrections.teach(TASK, NewCorrection(held_out.sha256, other, EVE), facts, None)
    assert held_out.sha256 not in mind.knowledge(task).opinions
    store.corrections.teach(TASK, NewCorrection(held_out.sha256, other, ME), facts, None)
    assert mind.knowledge(task).opinions[held_out.sha256].label == other


def test_a_task_that_does_not_exist_is_not_found(
    store: Store, task: Task, versions: Versions
) -> None:
    with pytest.raises(NotFound):
        learned(store, versions).knowledge(replace(task, name="nothing"))


class Hiccups(Vectors):
    """A database that does not answer when it is told not to."""

    def __init__(self, vectors: Vectors) -> None:
        self._real = vectors
        self.down = False

    def get(self, embedder_id: str, sha256s: Sequence[str]) -> tuple[list[str], Rows]:
        if self.down:
            raise Unavailable("The database does not answer now")
        return self._real.get(embedder_id, sha256s)


@pytest.mark.parametrize("supposing", [True, False])
def test_a_database_that_was_silent_for_a_moment_costs_no_correction(
    store: Store, task: Task, versions: Versions, supposing: bool
) -> None:
    vectors = Hiccups(store.vectors)
    mind = learned(replace(store, vectors=vectors), versions)
    for i in range(6):
        teach(store, f"p{i}", "ab"[i % 2])
    mind.knowledge(task)
    vectors.down = True
    with pytest.raises(Unavailable):
        if supposing:
            row = store.corrections.since(TASK, 0)[0]
            mind.suppose(task, [replace(row, id="x", seq=7, sha256=sha("new"), label="c")])
        else:
            teach(store, "new", "c")
            mind.knowledge(task)
    vectors.down = False
    teach(store, "newer", "c")
    assert arrays(mind.knowledge(task)) == arrays(learned(store, versions).knowledge(task))


def test_two_forms_of_one_label_tell_nothing_apart(
    store: Store, task: Task, versions: Versions
) -> None:
    teach(store, "1", "a")
    teach(store, "2", "a2")
    store.tasks.link(TASK, "a", "a2")
    known = learned(store, versions).knowledge(task)
    assert (known.head, known.taught) == (None, {"a": 2})


def test_a_copy_of_a_golden_picture_is_not_contradicted_by_strangers(
    store: Store, task: Task, versions: Versions
) -> None:
    samples(store, 40)
    versions.answer = version(), FixedHead()
    mind = learned(store, versions)
    held_out = next(s for s in store.samples.all(TASK) if s.split is Split.TEST)
    other = "b" if held_out.label == "a" else "a"
    store.vectors.put(EMBEDDER, [sha("copy")], vector("copy", "a")[None])
    facts = PictureFacts(sha("copy"), 8, 8, "PNG", 100, held_out.phash ^ 1)
    for person, heard in ((EVE, False), (ME, True)):
        store.corrections.teach(TASK, NewCorrection(sha("copy"), other, person), facts, None)
        assert (sha("copy") in mind.knowledge(task).opinions) is heard


def samples(store: Store, n: int) -> None:
    """Samples of both labels from before the version, a fifth of them held out."""
    for i in range(n):
        name, label = f"s{i}", "ab"[i % 2]
        store.vectors.put(EMBEDDER, [sha(name)], vector(name, label)[None])
        phash = int(np.random.default_rng(i).integers(1, 2**63))
        facts = PictureFacts(sha(name), 8, 8, "PNG", 100, phash)
        split = Split.TEST if i % 5 == 0 else Split.TRAIN
        store.samples.add(TASK, facts, NewSample(label, "test", sha(name), split))


# --- words ---


class Encoder:
    """Gives each text a vector of its own."""

    id = EMBEDDER

    def embed_text(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([vector("text", text) for text in prompts])

    def text_scale(self) -> float:
        return 10.0

    def forget_text(self) -> None:
        """Nothing is held."""


@pytest.fixture
def worded(store: Store, versions: Versions) -> Learned:
    """A process whose embedder reads texts."""
    shelves = dict.fromkeys(TaskKind, Shelf(store, EMBEDDER, LIKENESS, no_copies))
    readers = dict.fromkeys(TaskKind, Reader(store, Encoder()))
    return Learned(store, versions, shelves, readers)  # type: ignore[arg-type]


def test_words_answer_where_nobody_taught_anything(task: Task, worded: Learned) -> None:
    known = worded.knowledge(task)
    assert isinstance(known.head, TextHead)
    assert known.words == 1
    assert worded.knowledge(task).head is known.head


def test_words_answer_beside_what_was_taught(store: Store, task: Task, worded: Learned) -> None:
    for n in range(3):
        teach(store, f"one {n}", "a")
        teach(store, f"other {n}", "b")
    known = worded.knowledge(task)
    assert isinstance(known.head, Mixed)
    assert 0 < known.words < 1
    assert known.taught == {"a": 3, "b": 3}


def test_words_are_silent_where_a_version_answers(
    task: Task, versions: Versions, worded: Learned
) -> None:
    versions.answer = version(), FixedHead()
    known = worded.knowledge(task)
    assert isinstance(known.head, FixedHead)
    assert known.words == 0


def test_what_would_be_known_has_its_words_too(store: Store, task: Task, worded: Learned) -> None:
    teach(store, "one", "a")
    known = worded.knowledge(task)
    assert isinstance(worded.suppose(task, ()).head, TextHead)
    assert worded.suppose(task, ()).head is known.head


def test_a_process_that_starts_now_has_the_same_words(
    store: Store, versions: Versions, task: Task, worded: Learned
) -> None:
    for n in range(4):
        teach(store, f"one {n}", "a")
        teach(store, f"other {n}", "b")
        worded.knowledge(task)
    shelves = dict.fromkeys(TaskKind, Shelf(store, EMBEDDER, LIKENESS, no_copies))
    readers = dict.fromkeys(TaskKind, Reader(store, Encoder()))
    fresh = Learned(store, versions, shelves, readers)  # type: ignore[arg-type]
    heads = [mind.knowledge(task).head for mind in (worded, fresh)]
    rows = np.stack([vector("x", "a"), vector("y", "b")])
    chances = [head.predict_proba(rows).tobytes() for head in heads if head is not None]
    assert len(chances) == 2
    assert chances[0] == chances[1]
