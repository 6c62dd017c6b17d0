"""A version that got worse is said to have; one that did not is left in peace."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from domain import (
    Answer,
    Correction,
    Measurement,
    ModelVersion,
    NewCorrection,
    NewSample,
    Person,
    PictureFacts,
    Sample,
    Split,
    Task,
    TaskKind,
    Unavailable,
    VerdictSource,
)
from models.decay import FEWEST_CORRECTIONS, MONTHS, Wired, measure, readings, warnings
from models.shares import compare, interval
from storage import Promotion, Store

TASK = "things"
TRAINED = datetime(2026, 9, 20, 3, tzinfo=UTC)
PROMOTED = TRAINED + timedelta(minutes=5)
NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
EMBEDDER = "test:1"
Pictures = Sequence[tuple[str, str, int]]
"""True label, what the version says, and of how many pictures."""


class Head:
    """Says what is written into a vector: the place of a label."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes

    def predict_proba(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        rows: NDArray[np.float64] = np.eye(len(self.classes))[vectors[:, 0].astype(int)]
        return rows


@dataclass
class FakeStore:
    """What decay reads and writes, in memory."""

    task: Task
    version: ModelVersion | None
    promoted: list[Promotion] = field(default_factory=list)
    by_month: dict[str, list[Sample]] = field(default_factory=dict)
    said: dict[str, float] = field(default_factory=dict)
    corrected: list[Correction] = field(default_factory=list)
    measured: dict[tuple[str, str], Measurement] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)

    @property
    def tasks(self) -> Any:
        return SimpleNamespace(get=lambda name: self.task)

    @property
    def versions(self) -> Any:
        return SimpleNamespace(
            current=lambda task: self.version, promotions=lambda task: self.promoted
        )

    @property
    def samples(self) -> Any:
        def of_month(task: str, month: str, split: Split, limit: int) -> list[Sample]:
            self.asked.append((month, split))
            return self.by_month[month][:limit]

        return SimpleNamespace(months=lambda task: list(self.by_month), of_month=of_month)

    @property
    def vectors(self) -> Any:
        def get(embedder: str, sha256s: Collection[str]) -> tuple[list[str], Any]:
            found = [one for one in sha256s if one in self.said and embedder == EMBEDDER]
            return found, np.asarray([[self.said[one]] for one in found], np.float32)

        return SimpleNamespace(get=get)

    @property
    def corrections(self) -> Any:
        return SimpleNamespace(lately=lambda task, n: self.corrected[:n])

    @property
    def measurements(self) -> Any:
        def put(one: Measurement) -> None:
            self.measured[one.version, one.what] = one

        def all_of(task: str, version: str) -> list[Measurement]:
            return [one for (of, _), one in self.measured.items() if of == version]

        return SimpleNamespace(put=put, all=all_of)


class World:
    """A task with a version whose card says how it did on held-out pictures."""

    def __init__(
        self,
        held_out: dict[str, tuple[int, int]],
        *,
        classes: tuple[str, ...] = ("ai", "real"),
        variants: dict[str, str] | None = None,
    ) -> None:
        kind = TaskKind.AUTHENTICITY if "ai" in classes else TaskKind.PHOTO
        task = Task(1, TASK, kind, classes, True, TRAINED, variants=variants or {})
        per_class = {
            label: {"recall": right / n if n else None, "support": n}
            for label, (n, right) in held_out.items()
        }
        card = {"metrics": {"held_out": {"per_class": per_class}}}
        version = ModelVersion("v2", TASK, EMBEDDER, "svm", "0" * 64, False, TRAINED, card)
        self.store = FakeStore(task, version, [Promotion("v2", PROMOTED, "")])
        self.head = Head(classes)

    @property
    def wired(self) -> Wired:
        registry = SimpleNamespace(load=lambda version: self.head)
        return cast(Wired, SimpleNamespace(store=self.store, registry=registry))

    def month(self, month: str, pictures: Pictures, *, taught: bool = False) -> None:
        samples = self.store.by_month.setdefault(month, [])
        for true, said, n in pictures:
            for _ in range(n):
                sha256 = f"{month}-{len(samples)}"
                self.store.said[sha256] = self.head.classes.index(said)
                samples.append(sample(sha256, true, taught=taught))

    def corrected(
        self,
        label: str,
        before: str,
        n: int,
        *,
        source: VerdictSource = VerdictSource.MODEL,
        at: datetime = NOW,
        sha256: str = "0" * 64,
    ) -> None:
        for _ in range(n):
            place = len(self.store.corrected)
            answer = Answer(before, 0.9, source)
            row = Correction(f"c{place}", TASK, place, sha256, label, "me", at, before=answer)
            self.store.corrected.append(row)

    def measure(self) -> dict[str, tuple[int, int]]:
        return {one.what: (one.n, one.right) for one in measure(self.wired, TASK, NOW)}

    def warnings(self) -> list[str]:
        self.measure()
        return warnings(cast(Any, self.store), TASK)


def sample(sha256: str, label: str, *, taught: bool = False, family: str = "") -> Sample:
    return Sample(
        id=1,
        task=TASK,
        sha256=sha256,
        label=label,
        source="here",
        family=family or sha256,
        split=Split.TEST,
        license="",
        author="",
        page_url="",
        demo=False,
        phash=0,
        added_at=NOW,
        taught=taught,
    )


def good() -> World:
    """Right on 95 % of ai and 95 % of real."""
    return World({"ai": (200, 190), "real": (200, 190)})


# --- months ---


def test_a_month_counts_what_the_version_says_of_it() -> None:
    world = good()
    world.month("2026-11", [("ai", "ai", 7), ("ai", "real", 3), ("real", "real", 5)])
    measured = world.measure()
    assert measured["2026-11"] == (15, 12)
    assert measured["2026-11:ai"] == (10, 7)
    assert measured["2026-11:real"] == (5, 5)
    assert world.store.asked == [("2026-11", Split.TEST)], "what it was trained on says nothing"


def test_a_month_far_under_what_was_promised_is_a_warning() -> None:
    world = good()
    world.month("2026-10", [("ai", "ai", 95), ("ai", "real", 5), ("real", "real", 95)])
    world.month("2026-11", [("ai", "ai", 60), ("ai", "real", 40), ("real", "real", 95)])
    (said,) = world.warnings()
    assert "held-out pictures of 2026-11" in said
    assert "155 of 195 (79%" in said
    assert "promised 95%" in said


def test_a_month_of_few_pictures_does_not_warn() -> None:
    world = good()
    world.month("2026-11", [("ai", "ai", 4), ("ai", "real", 2)])
    assert world.warnings() == []


def test_a_promise_made_on_few_pictures_does_not_warn() -> None:
    world = World({"ai": (4, 4), "real": (4, 4)})
    world.month("2026-11", [("ai", "ai", 80), ("ai", "real", 20), ("real", "real", 100)])
    assert world.warnings() == []


def test_a_month_of_hard_labels_is_no_decay() -> None:
    world = World({"ai": (200, 120), "real": (200, 196)})
    world.month("2026-11", [("ai", "ai", 180), ("ai", "real", 120)])
    assert world.warnings() == []
    (reading,) = readings(cast(Any, world.store), TASK)
    assert reading.expected == pytest.approx(0.6)


def test_a_month_before_the_training_is_part_of_what_was_promised() -> None:
    world = good()
    world.month("2026-08", [("ai", "real", 100), ("real", "real", 100)])
    assert world.warnings() == []
    (reading,) = readings(cast(Any, world.store), TASK)
    assert (reading.what, reading.n, reading.right) == ("2026-08", 200, 100)


def test_of_many_months_one_is_a_little_worse_by_chance() -> None:
    world = good()
    unlucky = [("ai", "ai", 87), ("ai", "real", 13)]
    world.month("2026-11", unlucky)
    assert len(world.warnings()) == 1, "alone it would be a warning"
    for month in range(1, 10):
        world.month(f"2027-{month:02}", [("ai", "ai", 95), ("ai", "real", 5)])
    assert world.warnings() == []


def test_pictures_that_only_corrections_brought_are_no_fair_set() -> None:
    world = good()
    world.month("2026-11", [("ai", "real", 100)], taught=True)
    world.month("2026-11", [("ai", "ai", 10)])
    assert world.measure()["2026-11"] == (10, 10)


def test_near_duplicates_count_as_one() -> None:
    world = good()
    world.month("2026-11", [("ai", "ai", 10)])
    for i in range(50):
        world.store.said[f"burst-{i}"] = 1
        world.store.by_month["2026-11"].append(sample(f"burst-{i}", "ai", family="burst"))
    assert world.measure()["2026-11"] == (11, 10)


def test_pictures_without_a_vector_are_left_out() -> None:
    world = good()
    world.month("2026-11", [("ai", "ai", 10)])
    world.store.by_month["2026-11"].append(sample("no vector", "ai"))
    assert world.measure()["2026-11"] == (10, 10)


def test_a_label_that_came_later_says_nothing_of_the_version() -> None:
    world = good()
    world.month("2026-11", [("ai", "ai", 10)])
    world.store.said["new"] = 0
    world.store.by_month["2026-11"].append(sample("new", "painted"))
    assert world.measure()["2026-11"] == (10, 10)


def test_a_label_linked_since_is_the_one_it_is_linked_to() -> None:
    world = World(
        {"colour": (100, 95), "color": (100, 95), "grey": (200, 190)},
        classes=("colour", "color", "grey"),
        variants={"color": "colour"},
    )
    world.month("2026-11", [("color", "colour", 6), ("colour", "color", 5), ("grey", "grey", 1)])
    assert world.measure()["2026-11"] == (12, 12)
    (reading,) = readings(cast(Any, world.store), TASK)
    assert reading.expected == pytest.approx(0.95)


def test_a_month_that_was_erased_is_forgotten() -> None:
    world = good()
    world.month("2026-11", [("ai", "real", 100)])
    assert world.warnings()
    world.store.by_month.clear()
    assert world.warnings() == []
    assert readings(cast(Any, world.store), TASK) == []


def test_only_the_latest_months_are_asked_about_and_others_stay_as_they_were() -> None:
    world = good()
    for month in range(1, MONTHS + 1):
        world.month(f"2025-{month:02}", [("ai", "ai", 1)])
    world.measure()
    world.store.asked.clear()
    world.month("2026-01", [("ai", "ai", 1)])
    world.measure()
    assert len(world.store.asked) == MONTHS
    assert world.store.measured["v2", "2025-01"].n == 1


def test_a_task_of_many_labels_is_compared_as_a_whole() -> None:
    labels = tuple(f"letter {i:02}" for i in range(40))
    world = World(dict.fromkeys(labels, (10, 9)), classes=labels)
    world.month("2026-11", [(label, label, 5) for label in labels])
    world.month("2026-12", [(label, labels[i - 1], 3) for i, label in enumerate(labels)])
    assert set(world.measure()) == {"2026-11", "2026-12", "corrections"}
    (said,) = world.warnings()
    assert "2026-12" in said and "promised 90%" in said


# --- corrections ---


def test_corrections_count_what_the_version_said_before_them() -> None:
    world = good()
    world.corrected("ai", "real", 12)
    world.corrected("real", "real", 20)
    assert world.measure()["corrections"] == (32, 20)
    (said,) = world.warnings()
    assert "20 of 32 (62%" in said
    assert "People correct what is wrong, so this counts too many mistakes" in said


def test_a_handful_of_corrections_is_no_warning() -> None:
    world = good()
    world.corrected("ai", "real", FEWEST_CORRECTIONS - 1)
    assert world.warnings() == []


def test_answers_of_an_earlier_version_say_nothing_of_this_one() -> None:
    world = good()
    world.corrected("ai", "real", 50, at=PROMOTED - timedelta(seconds=1))
    assert world.measure()["corrections"] == (0, 0)


def test_a_version_that_is_current_again_is_measured_from_then_on() -> None:
    world = good()
    world.corrected("ai", "real", 50, at=NOW - timedelta(days=1))
    world.store.promoted = [
        Promotion("v2", NOW - timedelta(hours=1), "rolled back"),
        Promotion("v3", NOW - timedelta(days=2), ""),
        Promotion("v2", PROMOTED, ""),
    ]
    assert world.measure()["corrections"] == (0, 0)


@pytest.mark.parametrize("source", [one for one in VerdictSource if one is not VerdictSource.MODEL])
def test_what_the_version_did_not_say_is_not_counted(source: VerdictSource) -> None:
    world = good()
    world.corrected("ai", "real", 50, source=source)
    assert world.measure()["corrections"] == (0, 0)


def test_where_it_stayed_unsure_its_head_is_asked_for_the_likeliest() -> None:
    world = good()
    world.store.said["f" * 64] = 0.0
    world.corrected("ai", "unsure", 3, sha256="f" * 64)
    world.corrected("real", "unsure", 2, sha256="f" * 64)
    world.corrected("real", "unsure", 4, sha256="e" * 64)  # of which there is no vector
    assert world.measure()["corrections"] == (5, 3)


# --- over a database ---


def test_what_is_read_and_kept_is_what_the_store_has(any_store: Store) -> None:
    any_store.tasks.create(TASK, TaskKind.PHOTO, ("ai", "real"), open=True)
    now, world = datetime.now(UTC), good()
    assert world.store.version is not None
    version = replace(world.store.version, created_at=now)
    any_store.versions.add(version)
    any_store.versions.promote(TASK, version.id, "a test asks for it")
    names = [f"{i:064x}" for i in range(60)]
    added = [
        (facts(name), NewSample("ai", "here", name, Split.TEST if i < 40 else Split.TRAIN))
        for i, name in enumerate(names)
    ]
    any_store.samples.add_many(TASK, added)
    says_real = np.ones((len(names), 1), np.float32)
    any_store.vectors.put(EMBEDDER, names, says_real)
    for i in range(FEWEST_CORRECTIONS):
        sha256 = f"{1000 + i:064x}"
        before = Answer("real", 0.9, VerdictSource.MODEL)
        new = NewCorrection(sha256, "ai", Person("me", trusted=True), before)
        any_store.corrections.teach(TASK, new, facts(sha256), None)
    registry = SimpleNamespace(load=lambda version: world.head)
    wired = cast(Wired, SimpleNamespace(store=any_store, registry=registry))
    for _ in range(2):
        made = {one.what: (one.n, one.right) for one in measure(wired, TASK, now)}
    assert made[f"{now:%Y-%m}"] == (40, 0)
    assert made["corrections"] == (FEWEST_CORRECTIONS, 0)
    assert len(any_store.measurements.all(TASK, version.id)) == len(made)
    assert [one.what for one in readings(any_store, TASK)] == ["corrections", f"{now:%Y-%m}"]
    assert len(warnings(any_store, TASK)) == 2


def facts(sha256: str) -> PictureFacts:
    return PictureFacts(sha256, 8, 8, "PNG", 100, 0)


# --- which version ---


def test_without_a_version_there_is_nothing_to_measure() -> None:
    world = good()
    version = world.store.version
    assert version is not None
    for other in (None, replace(version, demo=True)):
        world.store.version = other
        world.month("2026-11", [("ai", "real", 100)])
        assert world.measure() == {}
        assert world.warnings() == []


def test_a_version_that_cannot_be_loaded_is_not_measured() -> None:
    world = good()
    world.month("2026-11", [("ai", "real", 100)])

    def load(version: ModelVersion) -> Head:
        raise Unavailable("The file is broken.")

    wired = SimpleNamespace(store=world.store, registry=SimpleNamespace(load=load))
    assert measure(cast(Wired, wired), TASK, NOW) == []


def test_what_another_version_was_measured_at_does_not_warn_of_this_one() -> None:
    world = good()
    world.month("2026-11", [("ai", "real", 100)])
    assert world.warnings()
    assert world.store.version is not None
    world.store.version = replace(world.store.version, id="v3")
    assert warnings(cast(Any, world.store), TASK) == []


def test_a_version_without_held_out_figures_promised_nothing() -> None:
    world = World({})
    world.month("2026-11", [("ai", "real", 100)])
    assert world.warnings() == []
    (reading,) = readings(cast(Any, world.store), TASK)
    assert reading.expected is None


# --- how sure ---


@pytest.mark.parametrize("n", [30, 100, 400])
@pytest.mark.parametrize("share", [0.75, 0.9, 0.98])
def test_a_version_that_has_not_changed_is_hardly_ever_warned_of(n: int, share: float) -> None:
    random = np.random.default_rng(7)
    months, rounds = 6, 1_000
    warned = 0
    for _ in range(rounds):
        promised = {label: (n, int(random.binomial(n, share))) for label in ("ai", "real")}
        sets = [
            {label: (n, int(random.binomial(n, share))) for label in ("ai", "real")}
            for _ in range(months)
        ]
        found = [compare(one, promised, months) for one in sets]
        warned += any(one is not None and one.at_best < 0 for one in found)
    assert warned / rounds < 0.05


def test_ten_points_lost_are_seen_in_a_few_hundred_pictures() -> None:
    random = np.random.default_rng(7)
    seen = 0
    for _ in range(500):
        promised = {"ai": (300, int(random.binomial(300, 0.95)))}
        now = {"ai": (300, int(random.binomial(300, 0.85)))}
        found = compare(now, promised, 3)
        seen += found is not None and found.at_best < 0
    assert seen > 400


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 5
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684)],
)
def test_intervals_are_those_of_the_literature(right: int, n: int, low: float, high: float) -> None:
    assert interval(right, n) == pytest.approx((low, high), abs=5e-5)


def test_of_nothing_seen_nothing_is_known() -> None:
    assert interval(0, 0) == (0.0, 1.0)
    assert compare({}, {"ai": (9, 9)}) is None
    assert compare({"ai": (9, 9)}, {}) is None
