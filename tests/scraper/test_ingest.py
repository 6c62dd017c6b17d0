from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from config import Settings
from domain import (
    BadImage,
    NewCorrection,
    NewSample,
    NotFound,
    Person,
    Split,
    TaskKind,
    Unacceptable,
)
from embeddings.images import decode, encode_jpeg, resize
from models.families import split_of
from scraper.ingest import Request, Summary, in_order, ingest_folder
from scraper.intake import Offer, Outcome
from storage import Store
from tests.pictures import encode, photo
from tests.scraper.taking import take_one


@dataclass(frozen=True)
class Opened:
    settings: Settings
    store: Store


@pytest.fixture
def opened(settings: Settings, store: Store) -> Opened:
    return Opened(settings, store)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def png(seed: int) -> bytes:
    return encode(photo(seed), "PNG")


def copy_of(seed: int) -> bytes:
    return encode_jpeg(resize(photo(seed), 120, 90), 60)


def fill(folder: Path, **files: bytes) -> Path:
    """Files by name; `__` stands for a folder's slash and `_` for the suffix's dot."""
    for name, data in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def take(opened: Opened, folder: Path, **options: object) -> Summary:
    return ingest_folder(opened, Request(folder, **options))  # type: ignore[arg-type]


# --- what is stored ---


def test_pictures_become_samples_with_their_bytes(opened: Opened, tmp_path: Path) -> None:
    folder = fill(tmp_path / "set", ai__1_png=png(1), real__2_png=png(2))
    summary = take(opened, folder, license="CC0")
    samples = opened.store.samples.all("authenticity")
    assert [(s.label, s.source, s.license, s.demo) for s in samples] == [
        ("ai", "set", "CC0", False),
        ("real", "set", "CC0", False),
    ]
    assert [opened.store.blobs.get(s.sha256) for s in samples] == [png(1), png(2)]
    assert samples[0].phash == decode(png(1)).facts.phash
    assert (summary.kept, summary.source, summary.task) == (2, "set", "authenticity")


def test_the_source_can_be_named(opened: Opened, tmp_path: Path) -> None:
    take(opened, fill(tmp_path / "set", x_png=png(1)), label="ai", source="webmix")
    assert opened.store.samples.counts("authenticity") == [("ai", "webmix", 1)]


def test_a_task_is_made_when_there_is_none(opened: Opened, tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", ಅ__1_png=png(1), ಆ__2_png=png(2))
    take(opened, folder, task="kannada", kind=TaskKind.DRAWING)
    task = opened.store.tasks.get("kannada")
    assert (task.kind, task.open, sorted(task.labels)) == (TaskKind.DRAWING, True, ["ಅ", "ಆ"])


def test_a_made_task_is_of_photographs_unless_said(opened: Opened, tmp_path: Path) -> None:
    take(opened, fill(tmp_path / "f", x_png=png(1)), task="t", label="a")
    assert opened.store.tasks.get("t").kind is TaskKind.PHOTO


def test_an_open_task_gets_new_labels(opened: Opened, tmp_path: Path) -> None:
    opened.store.tasks.create("t", TaskKind.PHOTO, ("a",), open=True)
    take(opened, fill(tmp_path / "f", b__1_png=png(1)), task="t")
    assert opened.store.tasks.get("t").labels == ("a", "b")


# --- duplicates ---


def test_the_same_again_adds_nothing(opened: Opened, tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", ai__1_png=png(1), ai__2_png=png(2), real__3_png=png(3))
    take(opened, folder)
    again = take(opened, folder)
    assert (again.kept, again.duplicates) == (0, 3)
    assert len(opened.store.samples.all("authenticity")) == 3


def test_a_duplicate_within_a_folder_is_stored_once(opened: Opened, tmp_path: Path) -> None:
    summary = take(opened, fill(tmp_path / "f", ai__1_png=png(1), ai__2_png=png(1)))
    assert (summary.kept, summary.duplicates) == (1, 1)


def test_a_duplicate_of_a_flat_picture_founds_no_family(opened: Opened, tmp_path: Path) -> None:
    white = encode(np.full((8, 8, 3), 255, np.uint8), "PNG")
    summary = take(opened, fill(tmp_path / "f", ai__1_png=white, ai__2_png=white))
    assert (summary.kept, summary.duplicates, summary.families) == (1, 1, 1)


def test_what_is_there_is_not_decoded_again(opened: Opened, tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", ai__1_png=png(1))
    take(opened, folder)
    strict = opened.settings.model_copy(update={"max_image_pixels": 1000})
    again = ingest_folder(Opened(strict, opened.store), Request(folder))
    assert (again.duplicates, again.unreadable) == (1, 0)


@pytest.mark.parametrize("together", [True, False])
def test_a_contradiction_is_reported_and_not_stored(
    opened: Opened, tmp_path: Path, together: bool
) -> None:
    if together:
        summary = take(opened, fill(tmp_path / "f", ai__1_png=png(1), real__2_png=png(1)))
    else:
        take(opened, fill(tmp_path / "e", ai__1_png=png(1)))
        summary = take(opened, fill(tmp_path / "f", real__2_png=png(1)))
    assert summary.contradicted == 1
    assert [s.label for s in opened.store.samples.all("authenticity")] == ["ai"]
    (aside,) = opened.store.samples.quarantined("authenticity")
    assert (aside.reason, aside.name, aside.sha256) == ("contradiction", "real/2.png", sha(png(1)))
    assert "ai" in aside.message
    assert [refused.label for refused in summary.refused] == ["real"]


def test_a_sample_put_aside_as_unreadable_comes_back_with_its_picture(
    opened: Opened, tmp_path: Path
) -> None:
    folder = fill(tmp_path / "f", ai__1_png=png(1))
    take(opened, folder)
    opened.store.samples.quarantine_sample("authenticity", sha(png(1)), "corrupt", "odd")
    assert opened.store.samples.all("authenticity") == []
    assert take(opened, folder).kept == 1
    assert [s.label for s in opened.store.samples.all("authenticity")] == ["ai"]
    assert take(opened, folder).duplicates == 1


def test_the_demonstration_is_replaced_and_not_counted(opened: Opened, tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", ai__1_png=png(1))
    assert take(opened, folder, demo=True).kept == 1
    near = fill(tmp_path / "g", ai__1_png=png(1), ai__2_jpg=copy_of(1))
    summary = take(opened, near)
    assert (summary.kept, summary.near_duplicates) == (2, 1)
    assert opened.store.samples.all("authenticity", demo=True) == []


# --- families ---


def test_near_duplicates_are_one_family_on_one_side(opened: Opened, tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", ai__1_png=png(1), ai__2_jpg=copy_of(1), real__3_png=png(3))
    summary = take(opened, folder)
    assert (summary.kept, summary.near_duplicates, summary.families) == (3, 1, 2)
    by_sha = {s.sha256: s for s in opened.store.samples.all("authenticity")}
    founder, member = by_sha[sha(png(1))], by_sha[sha(copy_of(1))]
    assert founder.family == member.family == founder.sha256
    assert founder.split is member.split is split_of(founder.sha256)
    assert by_sha[sha(png(3))].family == sha(png(3))


def test_families_go_on_over_runs(opened: Opened, tmp_path: Path) -> None:
    take(opened, fill(tmp_path / "e", ai__1_png=png(1)))
    summary = take(opened, fill(tmp_path / "f", real__2_jpg=copy_of(1)))
    assert summary.near_duplicates == 1
    assert {s.family for s in opened.store.samples.all("authenticity")} == {sha(png(1))}


def test_tasks_have_families_of_their_own(opened: Opened, tmp_path: Path) -> None:
    take(opened, fill(tmp_path / "e", ai__1_png=png(1)))
    summary = take(opened, fill(tmp_path / "f", x__2_jpg=copy_of(1)), task="other")
    assert summary.near_duplicates == 0


def test_families_do_not_depend_on_the_threads(
    opened: Opened, tmp_path: Path, settings: Settings
) -> None:
    files = {f"a__{i:03}_jpg": copy_of(i // 3) if i % 3 else png(i // 3) for i in range(90)}
    folder = fill(tmp_path / "f", **files)
    for task, workers in (("one", 1), ("many", 8)):
        take(opened, folder, task=task, workers=workers)
    first, second = (
        [(s.sha256, s.family, s.split) for s in opened.store.samples.all(task)]
        for task in ("one", "many")
    )
    assert first == second
    assert len({family for _, family, _ in first}) == 30


def test_both_sides_are_used(opened: Opened, tmp_path: Path) -> None:
    take(opened, fill(tmp_path / "f", **{f"ai__{i}_png": png(i) for i in range(30)}))
    assert {s.split for s in opened.store.samples.all("authenticity")} == set(Split)


# --- what cannot be taken ---


def test_an_unreadable_picture_is_put_aside(opened: Opened, tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", ai__1_png=png(1), ai__2_png=png(2)[:-300], ai__3_txt=b"no")
    summary = take(opened, folder)
    assert (summary.kept, summary.unreadable, summary.others) == (1, 1, 1)
    (aside,) = opened.store.samples.quarantined("authenticity")
    assert (aside.name, aside.source, aside.reason) == ("ai/2.png", "f", "truncated")
    assert not opened.store.blobs.exists(sha(png(2)[:-300]))


def test_a_file_that_cannot_be_read_is_put_aside(opened: Opened, tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", ai__1_png=png(1))
    (folder / "ai/gone.png").symlink_to(tmp_path / "nowhere")
    summary = take(opened, folder)
    assert (summary.kept, summary.unreadable) == (1, 1)
    assert summary.refused[0].reason == "unreadable"


def test_a_file_that_is_too_large_is_not_read_whole(opened: Opened, tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", ai__1_png=png(1))
    with (folder / "ai/huge.png").open("wb") as huge:
        huge.truncate(50_000_000_000)  # sparse
    assert [r.reason for r in take(opened, folder).refused] == ["too_large"]


def test_pictures_without_a_label_are_told_of(opened: Opened, tmp_path: Path) -> None:
    summary = take(opened, fill(tmp_path / "f", x_png=png(1), ai__2_png=png(2)))
    assert (summary.kept, summary.unlabelled) == (1, ["x.png"])


def test_a_label_that_a_closed_task_has_not_is_refused_before_anything(
    opened: Opened, tmp_path: Path
) -> None:
    folder = fill(tmp_path / "f", ai__1_png=png(1), painting__2_png=png(2))
    with pytest.raises(Unacceptable, match=r"painting.*ai or real"):
        take(opened, folder)
    assert opened.store.samples.all("authenticity") == []


def test_another_kind_than_the_tasks_is_refused(opened: Opened, tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", x_png=png(1))
    with pytest.raises(Unacceptable, match="kind"):
        take(opened, folder, label="ai", kind=TaskKind.DRAWING)


@pytest.mark.parametrize("files", [{}, {"a_txt": b"x"}, {"x_png": b"x"}])
def test_a_folder_without_labelled_pictures_makes_no_task(
    opened: Opened, tmp_path: Path, files: dict[str, bytes]
) -> None:
    folder = fill(tmp_path / "f", **files)
    folder.mkdir(exist_ok=True)
    with pytest.raises(Unacceptable, match="folder"):
        take(opened, folder, task="new")
    with pytest.raises(NotFound):
        opened.store.tasks.get("new")


# --- stopping ---


def test_an_interruption_keeps_what_was_read(opened: Opened, tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", **{f"ai__{i:02}_png": png(i) for i in range(20)})
    summary = Summary("", "")

    class Bar:
        def __call__(self, n: int) -> None:
            raise KeyboardInterrupt

    fill(folder, ai__10a_png=b"broken")  # the first progress comes in the middle of a batch
    with pytest.raises(KeyboardInterrupt):
        ingest_folder(opened, Request(folder), summary=summary, progress=lambda total: Bar())
    assert summary.stopped
    stored = len(opened.store.samples.all("authenticity"))
    assert stored >= 10
    again = take(opened, folder)
    assert (again.kept, again.duplicates) == (20 - stored, stored)


def test_progress_tells_of_every_picture(opened: Opened, tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", ai__1_png=png(1), ai__2_png=b"bad", real__3_png=png(1))
    totals: list[int] = []
    moved: list[int] = []

    def progress(total: int) -> object:
        totals.append(total)
        return moved.append

    ingest_folder(opened, Request(folder), progress=progress)  # type: ignore[arg-type]
    assert totals == [3]
    assert sum(moved) == 3


def test_work_ahead_is_bounded_and_in_order() -> None:
    begun: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            begun.append(number)
            yield number

    results = in_order(items(), lambda number: number * 2, workers=2)
    assert next(results) == (0, 0)
    assert len(begun) <= 10
    assert [result for _, result in results] == [n * 2 for n in range(1, 100)]


def test_an_error_of_the_work_is_raised() -> None:
    def work(number: int) -> float:
        return 1 / number

    with pytest.raises(ZeroDivisionError):
        list(in_order([1, 0, 2], work, workers=2))


# --- one picture ---


def test_one_picture_is_taken(opened: Opened) -> None:
    offer = Offer("ai", "feedback", license="CC0", author="me", page_url="https://example.com/p")
    outcome, sample = take_one(opened, png(1), "authenticity", offer)
    assert outcome is Outcome.KEPT and sample is not None
    assert (sample.author, sample.page_url, sample.sha256) == (
        "me",
        "https://example.com/p",
        sha(png(1)),
    )
    again = take_one(opened, png(1), "authenticity", offer)
    assert again == (Outcome.DUPLICATE, None)
    other = take_one(opened, png(1), "authenticity", Offer("real", "feedback"))
    assert other == (Outcome.CONTRADICTED, None)
    near, kept = take_one(opened, copy_of(1), "authenticity", offer)
    assert near is Outcome.NEAR_DUPLICATE and kept is not None
    assert kept.family == sample.sha256


def test_a_picture_that_was_taught_first_becomes_the_users_own(opened: Opened) -> None:
    facts = decode(png(1)).facts
    new = NewCorrection(facts.sha256, "ai", Person("me", trusted=True))
    brought = NewSample("ai", "feedback:me", facts.sha256, split_of(facts.sha256))
    correction = opened.store.corrections.teach("authenticity", new, facts, brought).correction
    outcome, sample = take_one(opened, png(1), "authenticity", Offer("ai", "mine"))
    assert outcome is not Outcome.DUPLICATE and sample is not None and not sample.taught
    opened.store.corrections.undo("authenticity", [correction.id], "me", trusted=True)
    assert [one.source for one in opened.store.samples.all("authenticity")] == ["mine"]


def test_one_bad_picture_is_refused(opened: Opened) -> None:
    with pytest.raises(BadImage):
        take_one(opened, b"no", "authenticity", Offer("ai", "s"))
    with pytest.raises(Unacceptable):
        take_one(opened, png(1), "authenticity", Offer("cat", "s"))
    with pytest.raises(NotFound):
        take_one(opened, png(1), "nowhere", Offer("ai", "s"))
    assert opened.store.samples.all("authenticity") == []
