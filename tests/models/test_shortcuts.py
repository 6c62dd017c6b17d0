from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domain import FILE_FACTS, Task, TaskKind
from embeddings.images import file_facts
from models import shortcuts
from models.shortcuts import ALIKE, Alarm, check, check_task
from storage import Store
from storage.file_facts import FileFacts
from tests.contracts.stores import facts as stored
from tests.contracts.stores import new, sha, teach

BAR = 0.75
WEBMIX = Path(__file__).resolve().parents[2].parent / "shared/data/authenticity/webmix"

Facts = dict[str, Any]


def facts(rng: np.random.Generator, **fixed: Any) -> Facts:
    """Facts of a JPEG of any size and quality, apart from what is fixed."""
    width, height = (int(side) for side in rng.integers(300, 1200, 2))
    some: Facts = {
        "format": "JPEG",
        "width": width,
        "height": height,
        "aspect": round(width / height, 4),
        "n_bytes": int(rng.integers(20_000, 300_000)),
        "bytes_per_pixel": float(rng.uniform(0.1, 0.5)),
        "jpeg_quality": int(rng.integers(70, 96)),
        "jpeg_tables": str(rng.choice(["3c", "7f", "a0"])),
        "subsampling": "4:2:0",
        "progressive": bool(rng.integers(2)),
        "exif": bool(rng.integers(2)),
    }
    return {**some, **fixed}


def alarm(each: Sequence[Facts | None], labels: Sequence[str], **other: Sequence[str]) -> Alarm:
    families = other.get("families", [str(row) for row in range(len(each))])
    return check(each, labels, families, other.get("sources", ["web"] * len(each)), bar=BAR)


def halves(n: int, seed: int = 0, **of_ai: Any) -> tuple[list[Facts], list[str]]:
    rng = np.random.default_rng(seed)
    ai = [facts(rng, **of_ai) for _ in range(n)]
    return [*ai, *(facts(rng) for _ in range(n))], ["ai"] * n + ["real"] * n


@pytest.mark.parametrize(
    ("fact", "value"),
    [("aspect", 1.0), ("format", "PNG"), ("jpeg_quality", 60), ("jpeg_tables", "ff"),
     ("subsampling", "4:4:4"), ("width", 1024)],
)  # fmt: skip
def test_a_fact_that_gives_the_label_away_is_named(fact: str, value: Any) -> None:
    found = alarm(*halves(60, **{fact: value}))

    assert found.raised
    assert [leak.fact for leak in found.leaks] == [fact]
    assert found.leaks[0].score > 0.95
    assert found.leaks[0].sentence in found.message
    assert "ai" in found.leaks[0].sentence and "real" in found.leaks[0].sentence


@pytest.mark.parametrize("n", [10, 20, 60, 200])
def test_facts_that_have_nothing_to_do_with_the_label_raise_nothing(n: int) -> None:
    found = [alarm(*halves(n, seed)) for seed in range(3)]

    assert not any(one.raised or one.message for one in found)


def test_few_pictures_raise_nothing() -> None:
    few, many = (alarm(*halves(n, aspect=1.0)) for n in (5, 30))

    assert many.raised
    assert not few.raised
    assert few.facts[0].high - few.facts[0].low > many.facts[0].high - many.facts[0].low


def votes(one: Facts) -> int:
    """Of five facts that are each the case half the time."""
    return sum(
        [one["exif"], one["progressive"], one["jpeg_quality"] > 82, one["aspect"] > 1,
         one["bytes_per_pixel"] > 0.3]
    )  # fmt: skip


def test_a_leak_through_no_single_fact_is_found() -> None:
    rng = np.random.default_rng(0)
    each = [facts(rng) for _ in range(400)]
    labels = ["ai" if votes(one) >= 3 else "real" for one in each]

    found = alarm(each, labels)

    assert found.raised and not found.leaks
    assert found.together is not None and found.together.score == found.score
    assert "together" in found.message


def test_near_duplicates_count_once() -> None:
    rng = np.random.default_rng(0)
    first = [facts(rng, aspect=1.0 if n < 4 else 1.5) for n in range(8)]
    copies = [dict(one) for one in first for _ in range(50)]
    labels = ["ai"] * 200 + ["real"] * 200

    found = alarm(copies, labels, families=[str(n // 50) for n in range(400)])

    assert found.pictures == 8
    assert not found.raised


def test_one_label_a_source_is_told_but_raises_nothing() -> None:
    each, labels = halves(60)

    found = alarm(each, labels, sources=["civitai" if one == "ai" else "commons" for one in labels])

    assert not found.raised
    assert found.source is not None and found.source.score == 1.0
    assert "source" in found.source.sentence
    assert alarm(each, labels).source is None


def test_sizes_of_files_alike_in_form_are_content() -> None:
    rng = np.random.default_rng(0)
    one = facts(rng)
    each = [{**one, "n_bytes": 9_000 + n, "bytes_per_pixel": 0.1 + n / 1e3} for n in range(200)]

    found = alarm(each, ["thin"] * 100 + ["fat"] * 100)

    assert found.facts[0].score > 0.95
    assert (found.raised, found.leaks, found.note) == (False, (), ALIKE)


def test_sizes_of_files_count_where_these_hide_how_they_were_compressed() -> None:
    each, labels = halves(60, bytes_per_pixel=2.5)
    hiding = [{**one, "format": "WEBP"} for one in each]

    plain, found = alarm(each, labels), alarm(hiding, labels)

    assert [leak.fact for leak in found.leaks] == ["bytes_per_pixel"]
    assert (plain.raised, plain.note) == (False, ALIKE)


def test_sizes_of_files_count_beside_another_difference_in_form() -> None:
    found = alarm(*halves(60, bytes_per_pixel=2.5, format="PNG"))

    assert [leak.fact for leak in found.leaks] == ["format", "bytes_per_pixel"]


def test_one_label_of_many_that_stands_out_is_named() -> None:
    rng = np.random.default_rng(0)
    labels = [label for label in "abcdef" for _ in range(40)]
    each = [facts(rng, **({"format": "PNG"} if label == "d" else {})) for label in labels]

    found = alarm(each, labels)

    assert found.raised
    assert [(leak.fact, leak.label) for leak in found.leaks] == [("format", "d")]
    assert "the others" in found.leaks[0].sentence


def test_pictures_without_facts_are_left_out_and_counted() -> None:
    each, labels = halves(40, format="PNG")
    some = [None if row % 4 == 0 else one for row, one in enumerate(each)]

    found = alarm(some, labels)

    assert found.raised
    assert (found.pictures, found.without_facts) == (60, 20)


@pytest.mark.parametrize(
    ("each", "labels"),
    [
        ([], []),
        ([None, None], ["ai", "real"]),
        ([{}, {}], ["ai", "ai"]),
        ([{}, {}], ["ai", "real"]),
    ],
)
def test_what_cannot_be_measured_raises_nothing_and_says_why(
    each: list[Facts | None], labels: list[str]
) -> None:
    found = alarm(each, labels)

    assert (found.score, found.raised, found.message) == (None, False, "")
    assert found.note


def test_an_alarm_goes_into_json() -> None:
    found = alarm(*halves(40, aspect=1.0))

    told = json.loads(json.dumps(found.as_json(), allow_nan=False))

    assert told["raised"] is True
    assert told["leaks"][0]["fact"] == "aspect"
    assert told["message"] == found.message


def test_the_same_pictures_give_the_same_alarm() -> None:
    assert alarm(*halves(40, aspect=1.0)) == alarm(*halves(40, aspect=1.0))


def test_a_larger_collection_is_looked_at_in_part() -> None:
    rng = np.random.default_rng(0)
    some = [facts(rng, **({"aspect": 1.0} if n % 2 else {})) for n in range(200)]

    found = alarm(some * 100, ["ai" if n % 2 else "real" for n in range(200)] * 100)

    assert found.pictures == 6_000
    assert [leak.fact for leak in found.leaks] == ["aspect"]


@pytest.mark.skipif(not WEBMIX.exists(), reason="NOT TESTED ON WEBMIX: ../shared is not there")
def test_square_generated_pictures_against_web_photographs_raise_it_for_the_aspect_ratio() -> None:
    files = sorted(WEBMIX.glob("*/*"))

    found = alarm(
        [file_facts(one.read_bytes()) for one in files], [one.parent.name for one in files]
    )

    assert found.raised
    assert found.leaks[0].fact == "aspect"


# --- of a task ---

TASK = "things"


@pytest.fixture
def task(store: Store) -> Task:
    """Forty pictures of two labels; of one, all are square."""
    made = store.tasks.create(TASK, TaskKind.PHOTO, ("a", "b"), open=False)
    rng = np.random.default_rng(0)
    for row in range(40):
        name, label = str(row), "ab"[row % 2]
        store.samples.add(TASK, stored(name), new(label, family=name))
        store.file_facts.put_many(
            FILE_FACTS, {sha(name): facts(rng, **({"aspect": 1.0} if label == "a" else {}))}
        )
    return made


def test_a_task_is_checked_by_the_facts_kept_of_its_files(store: Store, task: Task) -> None:
    found = check_task(store, task, bar=BAR)

    assert found.raised
    assert (found.leaks[0].fact, found.pictures, found.without_facts) == ("aspect", 40, 0)


def test_a_task_whose_files_nobody_looked_at_raises_nothing(store: Store, task: Task) -> None:
    store.samples.add(TASK, stored("new"), new("a", family="new"))

    assert check_task(store, task, bar=BAR).without_facts == 1
    assert check_task(store, task, bar=BAR, demo=True).score is None


def test_what_people_say_of_a_picture_counts(store: Store, task: Task) -> None:
    for row in range(0, 40, 4):
        teach(store, str(row), "b", "admin", task=TASK, trusted=True)

    assert not check_task(store, task, bar=BAR).raised


class CountingFacts:
    """Facts of files that remember how many were asked for."""

    def __init__(self, facts: FileFacts) -> None:
        self._facts = facts
        self.asked = 0

    def get(self, recipe: str, sha256s: Collection[str]) -> dict[str, Facts]:
        self.asked += len(sha256s)
        return self._facts.get(recipe, sha256s)


def test_facts_are_read_of_no_more_pictures_than_are_needed(
    store: Store, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortcuts, "MOST_PICTURES", 4)
    monkeypatch.setattr(shortcuts, "LEAST_OF_A_LABEL", 8)
    counting = CountingFacts(store.file_facts)

    found = check_task(replace(store, file_facts=counting), task, bar=BAR)  # type: ignore[arg-type]

    assert (found.pictures, counting.asked) == (16, 32)
