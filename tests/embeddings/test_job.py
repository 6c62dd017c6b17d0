from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from config import Settings
from domain import NewCorrection, NewSample, Person, Split, TaskKind, Unavailable
from embeddings.builtin import Builtin
from embeddings.images import Picture, decode
from embeddings.job import embed_missing, embed_teaching, missing_teaching
from embeddings.likeness import LIKENESS
from embeddings.teaching import copies_id, load_copies, store_teaching
from embeddings.work import JobSummary, Pace
from storage import Store
from tests.pictures import encode, photo

TASK = "things"


class Counting:
    """An embedder that remembers what it was given. A row tells the picture it is of."""

    device, runtime, reason = "cpu", "numpy", "for tests"

    def __init__(self, name: str = "counting:1") -> None:
        self.id, self.dim = name, 4
        self.batches: list[list[str]] = []

    @property
    def seen(self) -> list[str]:
        return [name for batch in self.batches for name in batch]

    def embed(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        self.batches.append([picture.facts.sha256 for picture in pictures])
        return np.stack([row_of(picture.facts.sha256) for picture in pictures])


def row_of(name: str) -> NDArray[np.float32]:
    row = np.frombuffer(bytes.fromhex(name[:8]), np.uint8).astype(np.float32) + 1
    return row / np.linalg.norm(row)


def add(store: Store, data: bytes, *, task: str = TASK, demo: bool = False) -> str:
    picture = decode(data)
    store.blobs.put(data)
    new = NewSample("a", "tests", picture.facts.sha256, Split.TRAIN, demo=demo)
    assert store.samples.add(task, picture.facts, new)
    return picture.facts.sha256


@pytest.fixture
def pictures(store: Store) -> list[str]:
    """The sha256 of ten pictures of one task."""
    store.tasks.create(TASK, TaskKind.PHOTO, ["a"], open=True)
    return [add(store, encode(photo(seed, 40, 30), "PNG")) for seed in range(10)]


def test_everything_gets_its_own_vector(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    embedder = Counting()

    summary = embed_missing(store, embedder, TASK, settings=settings, pace=Pace(batch_size=3))

    found, rows = store.vectors.get(embedder.id, pictures)
    assert found == pictures
    np.testing.assert_allclose(rows, [row_of(name) for name in pictures])
    assert (summary.wanted, summary.embedded, summary.left) == (10, 10, 0)
    assert sorted(embedder.seen) == sorted(pictures)
    assert max(map(len, embedder.batches)) == 3


def test_a_second_run_has_nothing_to_do(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    embed_missing(store, Counting(), TASK, settings=settings)
    again = Counting()

    summary = embed_missing(store, again, TASK, settings=settings)

    assert again.batches == []
    assert (summary.wanted, summary.embedded) == (0, 0)


def test_another_embedder_starts_over_and_leaves_the_first_alone(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    embed_missing(store, Counting("one:1"), TASK, settings=settings)

    summary = embed_missing(store, Counting("two:1"), TASK, settings=settings)

    assert summary.embedded == 10
    assert store.vectors.count("one:1") == store.vectors.count("two:1") == 10


def test_the_real_embedder_goes_through(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    embedder = Builtin(TaskKind.PHOTO)

    embed_missing(store, embedder, TASK, settings=settings)

    first = decode(store.blobs.get(pictures[4]))
    np.testing.assert_array_equal(
        store.vectors.get(embedder.id, [pictures[4]])[1], embedder.embed([first])
    )


@pytest.mark.parametrize(
    ("demo", "embedded"), [(None, {"mine", "demo"}), (True, {"demo"}), (False, {"mine"})]
)
def test_the_demonstration_can_be_embedded_apart(
    store: Store, settings: Settings, demo: bool | None, embedded: set[str]
) -> None:
    store.tasks.create(TASK, TaskKind.PHOTO, ["a"], open=True)
    names = {
        "mine": add(store, encode(photo(1), "PNG")),
        "demo": add(store, encode(photo(2), "PNG"), demo=True),
    }
    embedder = Counting()

    embed_missing(store, embedder, TASK, settings=settings, demo=demo)

    assert {kind for kind, name in names.items() if name in embedder.seen} == embedded


def spoil(store: Store, name: str, change: Callable[[Path], object]) -> None:
    change(store.blobs.path(name))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "truncated"),
        (lambda path: path.write_bytes(b"no picture" * 9), "unsupported_format"),
        (lambda path: path.write_bytes(encode(photo(99), "PNG")), "changed"),
    ],
)
def test_a_bad_picture_is_put_aside_with_its_reason_and_stops_nothing(
    store: Store,
    settings: Settings,
    pictures: list[str],
    change: Callable[[Path], object],
    reason: str,
) -> None:
    spoil(store, pictures[5], change)
    embedder = Counting()

    summary = embed_missing(store, embedder, TASK, settings=settings, pace=Pace(batch_size=3))

    assert [(a.sha256, a.reason) for a in summary.quarantined] == [(pictures[5], reason)]
    assert summary.embedded == 9
    assert summary.left == 0
    assert pictures[5] not in embedder.seen
    (row,) = store.samples.quarantined(TASK)
    assert (row.sha256, row.reason) == (pictures[5], reason)
    assert row.message
    assert pictures[5] not in [sample.sha256 for sample in store.samples.all(TASK)]
    assert embed_missing(store, Counting(), TASK, settings=settings).wanted == 0


def test_a_file_the_disk_does_not_give_is_left_for_later(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    path = store.blobs.path(pictures[2])
    data = path.read_bytes()
    path.unlink()
    path.mkdir()  # reading a folder fails as a faulty disk does: with an OSError

    summary = embed_missing(store, Counting(), TASK, settings=settings)
    path.rmdir()
    path.write_bytes(data)
    mended = embed_missing(store, Counting(), TASK, settings=settings)

    assert [a.sha256 for a in summary.failed] == [pictures[2]]
    assert (summary.quarantined, summary.embedded, summary.left) == ([], 9, 1)
    assert mended.embedded == 1


def test_pictures_whose_volume_is_not_mounted_are_left_for_later(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    folder = settings.data_dir / "pictures"
    away = folder.rename(settings.data_dir / "elsewhere")
    missing = embed_missing(store, Counting(), TASK, settings=settings)
    away.rename(folder)
    mended = embed_missing(store, Counting(), TASK, settings=settings)

    assert (missing.embedded, missing.quarantined, missing.left) == (0, [], 10)
    assert mended.embedded == 10


def test_a_picture_that_breaks_the_embedder_holds_up_no_other(
    store: Store, settings: Settings, pictures: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    class Fragile(Counting):
        def embed(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
            if any(p.facts.sha256 == bad for p in pictures):
                raise ArithmeticError("division of something by nothing")
            return super().embed(pictures)

    bad = pictures[7]
    with caplog.at_level(logging.ERROR):
        summary = embed_missing(store, Fragile(), TASK, settings=settings, pace=Pace(batch_size=4))

    assert [a.sha256 for a in summary.failed] == [bad]
    assert "division of something" in summary.failed[0].message
    assert (summary.embedded, summary.left) == (9, 1)
    assert store.samples.missing_vectors(TASK, "counting:1") == [bad]
    assert "Traceback" in caplog.text


def test_an_embedder_that_fails_on_everything_stops_the_job(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    class Broken(Counting):
        def embed(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
            super().embed(pictures)
            raise ArithmeticError("always")

    broken = Broken()
    with pytest.raises(ArithmeticError):
        embed_missing(store, broken, TASK, settings=settings, pace=Pace(batch_size=4))

    assert len(broken.batches) == 5  # one batch, and its four pictures one by one
    assert len(store.samples.missing_vectors(TASK, broken.id)) == 10
    assert store.samples.quarantined(TASK) == []


def test_an_embedder_that_does_not_load_stops_the_job_at_once(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    class Unloadable(Counting):
        def embed(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
            super().embed(pictures)
            raise Unavailable("does not load")

    embedder = Unloadable()
    with pytest.raises(Unavailable, match="does not load"):
        embed_missing(store, embedder, TASK, settings=settings, pace=Pace(batch_size=4))

    assert len(embedder.batches) == 1


def test_each_batch_is_committed_before_the_next_is_embedded(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    committed = []

    class Looking(Counting):
        def embed(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
            committed.append(store.vectors.count(self.id))
            return super().embed(pictures)

    embed_missing(store, Looking(), TASK, settings=settings, pace=Pace(batch_size=4))

    assert committed == [0, 4, 8]


def test_asked_to_stop_it_finishes_the_batch_and_later_goes_on(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    first, second = Counting(), Counting()

    stopped = embed_missing(
        store, first, TASK, settings=settings, pace=Pace(batch_size=4, stop=lambda: True)
    )
    resumed = embed_missing(store, second, TASK, settings=settings)

    assert stopped.stopped
    assert (stopped.embedded, stopped.left) == (4, 6)
    assert (resumed.embedded, resumed.stopped) == (6, False)
    assert sorted(first.seen + second.seen) == sorted(pictures)


def test_what_another_run_embeds_meanwhile_is_passed_over(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    class Overtaken(Counting):
        def embed(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
            if not self.batches:
                rows = [row_of(name) for name in others]
                store.vectors.put(self.id, others, np.stack(rows))
            return super().embed(pictures)

    others = [add(store, encode(photo(seed, 40, 30), "PNG")) for seed in range(50, 90)]
    embedder = Overtaken()
    settled: list[int] = []

    summary = embed_missing(
        store,
        embedder,
        TASK,
        settings=settings,
        progress=settled.append,
        pace=Pace(batch_size=2, workers=1),
    )

    assert summary.done_elsewhere > 0
    assert summary.embedded + summary.done_elsewhere == summary.wanted == 50 == sum(settled)
    assert summary.left == 0
    assert len(embedder.seen) == summary.embedded


def test_two_runs_at_once_harm_nothing(store: Store, settings: Settings) -> None:
    store.tasks.create(TASK, TaskKind.PHOTO, ["a"], open=True)
    names = [add(store, encode(photo(seed, 24, 18), "PNG")) for seed in range(60)]
    embedders, start = [Counting(), Counting()], threading.Barrier(2)

    def run(embedder: Counting) -> None:
        start.wait(10)
        embed_missing(store, embedder, TASK, settings=settings, pace=Pace(batch_size=4))

    threads = [threading.Thread(target=run, args=(embedder,)) for embedder in embedders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    found, rows = store.vectors.get("counting:1", names)
    assert found == names
    np.testing.assert_allclose(rows, [row_of(name) for name in names])
    assert store.samples.quarantined(TASK) == []


def test_large_pictures_make_small_batches(
    store: Store, settings: Settings, pictures: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embeddings.work.BATCH_BYTES", 2 * 40 * 30 * 3)
    embedder = Counting()

    embed_missing(store, embedder, TASK, settings=settings)

    assert [len(batch) for batch in embedder.batches] == [2] * 5


def test_a_sample_taken_away_meanwhile_stops_nothing(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    class Forgetful:
        """The samples as they were a moment ago: with one that is gone since."""

        def missing_vectors(self, *args: Any, **options: Any) -> list[str]:
            return [*store.samples.missing_vectors(*args, **options), gone]

        def quarantine_sample(self, *args: Any) -> None:
            store.samples.quarantine_sample(*args)

    class Catalogue:
        samples, vectors, blobs = Forgetful(), store.vectors, store.blobs
        file_facts = store.file_facts

    gone = sha256(b"gone").hexdigest()
    summary = embed_missing(Catalogue(), Counting(), TASK, settings=settings)

    assert summary.embedded == 10
    assert [(a.sha256, a.reason) for a in summary.failed] == [(gone, "missing")]


# --- what teaching needs ---

SAM = Person("sam", trusted=True)


def correct(store: Store, name: str, *, label: str = "a") -> str:
    """Put a label on a sample; returns the correction's id."""
    facts = decode(store.blobs.get(name)).facts
    new = NewCorrection(sha256=name, label=label, person=SAM)
    return store.corrections.teach(TASK, new, facts, None).correction.id


def teach(store: Store, embedder: Counting, settings: Settings, **options: Any) -> JobSummary:
    return embed_teaching(store, embedder, TASK, TaskKind.PHOTO, settings=settings, **options)


def test_corrected_samples_get_copies_and_likenesses(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    corrected = pictures[2:5]
    for name in corrected:
        correct(store, name)
    embedder = Counting()

    summary = teach(store, embedder, settings)

    assert (summary.wanted, summary.embedded, summary.left) == (3, 3, 0)
    assert sorted(load_copies(store, embedder, TaskKind.PHOTO, pictures)) == sorted(corrected)
    assert store.vectors.get(LIKENESS, pictures)[0] == corrected
    assert teach(store, embedder, settings).wanted == 0


def test_what_a_correction_made_itself_is_the_same_and_not_made_again(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    correct(store, pictures[0])
    embedder = Counting()
    theirs = store_teaching(store, embedder, decode(store.blobs.get(pictures[0])), TaskKind.PHOTO)
    embedder.batches.clear()

    summary = teach(store, embedder, settings)

    assert embedder.batches == []
    assert summary.embedded == 1, "its likeness was still missing"
    again = Counting("another:1")
    teach(store, again, settings)
    made = load_copies(store, again, TaskKind.PHOTO, [pictures[0]])[pictures[0]]
    np.testing.assert_array_equal(made, theirs)


def test_nothing_is_made_for_what_was_taken_back(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    undone, kept = correct(store, pictures[0]), correct(store, pictures[1])
    store.corrections.undo(TASK, [undone], SAM.name, SAM.trusted)

    assert kept
    assert missing_teaching(store, Counting(), TASK, TaskKind.PHOTO) == [pictures[1]]


def test_another_embedder_lacks_its_copies_but_not_the_likenesses(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    correct(store, pictures[0])
    one, two = Counting("one:1"), Counting("two:1")
    teach(store, one, settings)

    assert teach(store, two, settings).embedded == 1

    assert store.vectors.count(copies_id(one, TaskKind.PHOTO)) == 1
    assert store.vectors.count(copies_id(two, TaskKind.PHOTO)) == 1
    assert store.vectors.count(LIKENESS) == 1


def test_authenticity_needs_likenesses_alone(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    correct(store, pictures[0])
    embedder = Counting()

    summary = embed_teaching(store, embedder, TASK, TaskKind.AUTHENTICITY, settings=settings)

    assert (summary.embedded, embedder.batches) == (1, [])
    assert store.vectors.count(LIKENESS) == 1
    assert missing_teaching(store, embedder, TASK, TaskKind.AUTHENTICITY) == []


def test_teaching_work_is_committed_by_batches_and_goes_on(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    for name in pictures:
        correct(store, name)
    pace = Pace(batch_size=4, stop=lambda: True)

    stopped = teach(store, Counting(), settings, pace=pace)
    resumed = teach(store, Counting(), settings)

    assert stopped.stopped
    assert (stopped.embedded, stopped.left) == (4, 6)
    assert (resumed.wanted, resumed.embedded, resumed.stopped) == (6, 6, False)


def test_a_corrected_picture_that_cannot_be_read_stops_nothing(
    store: Store, settings: Settings, pictures: list[str]
) -> None:
    for name in pictures[:3]:
        correct(store, name)
    spoil(store, pictures[1], lambda path: path.write_bytes(b""))

    summary = teach(store, Counting(), settings)

    assert (summary.embedded, [a.sha256 for a in summary.quarantined]) == (2, [pictures[1]])
