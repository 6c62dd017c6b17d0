"""After a promotion it is known which verdicts would be others now, and told once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from classify import classify
from config import Settings
from domain import (
    UNSURE,
    Delivered,
    Evidence,
    ModelVersion,
    NewCorrection,
    NewSample,
    NotFound,
    Person,
    PictureFacts,
    Split,
    Stability,
    Statistics,
    TaskKind,
    Verdict,
    VerdictSource,
)
from embeddings.images import decode
from engine import Engine, open_engine
from feedback import correct
from given import Given
from models.current import Current
from models.learned import Learned
from rescore import BATCH, EVENT, MOST_TOLD, announce, rescore
from storage import State, Store
from tests.pictures import encode, photo

TASK = "things"
ASKED = datetime(2026, 11, 20, 12, tzinfo=UTC)
ME = Person("local", trusted=True)


@dataclass
class Signs:
    """A head that goes by the sign of one place of a vector."""

    place: int = 0
    classes: tuple[str, ...] = ("a", "b")
    seen: int = 0

    def predict_proba(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        self.seen += len(vectors)
        likely = 0.5 + 0.4 * np.tanh(vectors[:, self.place].astype(np.float64))
        return np.column_stack([likely, 1 - likely])


@dataclass
class Loaded:
    """The version that a process has loaded."""

    answer: tuple[ModelVersion, Signs] | None = None

    def head(self, task: str, state: State | None = None) -> tuple[ModelVersion, Signs] | None:
        return self.answer if self.answer and self.answer[0].task == task else None

    def problem(self, task: str) -> str | None:
        return None


class World:
    """A task, verdicts of an old version on pictures with vectors, and a new version."""

    def __init__(self, engine: Engine) -> None:
        self.loaded = Loaded()
        shelves = {kind: engine.learned.shelf(kind) for kind in TaskKind}
        learned = Learned(engine.store, cast(Current, self.loaded), shelves)
        self.engine = replace(engine, learned=learned)
        self.store: Store = engine.store
        self.embedder = engine.embedders[TaskKind.PHOTO].id
        self.store.tasks.create(TASK, TaskKind.PHOTO, ("a", "b"), open=True)
        self.version("v1")
        self.promote("v1")

    def version(self, version_id: str) -> ModelVersion:
        card = {"metrics": {"held_out": {"n": 40, "accuracy": 0.9, "balanced_accuracy": 0.9}}}
        made = ModelVersion(
            version_id, TASK, self.embedder, "svm", "0" * 64, False, datetime.now(UTC), card
        )
        self.store.versions.add(made)
        return made

    def promote(self, version_id: str, place: int = 0) -> Signs:
        self.store.versions.promote(TASK, version_id, "no worse")
        head = Signs(place)
        self.loaded.answer = self.store.versions.get(TASK, version_id), head
        return head

    def ask(
        self,
        name: str,
        prediction: str,
        vector: Sequence[float] | None,
        *,
        version: str = "v1",
        minute: int = 0,
        source: VerdictSource = VerdictSource.MODEL,
    ) -> Verdict:
        """A verdict that was given, and the picture's vector if it has one."""
        facts = PictureFacts(sha(name), 8, 8, "PNG", 100, 0)
        if vector is not None:
            row = np.asarray([vector], np.float32)
            self.store.vectors.put(self.embedder, [facts.sha256], row)
        verdict = Verdict(
            id=f"{name}-{minute}",
            task=TASK,
            prediction=prediction,
            confidence=0.9,
            probabilities={"a": 0.5, "b": 0.5},
            source=source,
            reasons=(),
            evidence=(),
            nearest=(),
            model_version=version,
            embedder=self.embedder,
            trained_at=ASKED,
            corrections=0,
            picture=facts,
            timing_ms={},
            created_at=ASKED + timedelta(minutes=minute),
        )
        self.store.verdicts.add(verdict)
        return verdict

    def ask_many(self, vectors: Sequence[Sequence[float]]) -> None:
        """Verdicts on p0, p1 and so on, all of them `a`."""
        first = self.ask("first", "a", None)
        names = [sha(f"p{i}") for i in range(len(vectors))]
        self.store.vectors.put(self.embedder, names, np.asarray(vectors, np.float32))
        self.store.verdicts.add_many(
            [
                replace(first, id=f"p{i}", picture=replace(first.picture, sha256=name))
                for i, name in enumerate(names)
            ]
        )

    def rescore(self, version_id: str = "v2", **options: Any) -> dict[str, tuple[str, str]]:
        changes = rescore(self.engine, TASK, version_id, **options)
        return {one.sha256: (one.before, one.after) for one in changes}


def sha(name: str) -> str:
    return name.encode().hex().ljust(64, "0")


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    opened = open_engine(settings.model_copy(update={"webhook_url": "http://127.0.0.1:9/"}))
    yield opened
    opened.close()


@pytest.fixture
def world(engine: Engine) -> World:
    made = World(engine)
    made.version("v2")
    return made


def test_verdicts_that_the_new_version_gives_otherwise_are_noted(world: World) -> None:
    world.ask("same", "a", [1, 1])
    verdict = world.ask("other", "a", [1, -1])
    world.promote("v2", place=1)
    assert world.rescore() == {sha("other"): ("a", "b")}
    (noted,) = world.store.changes.all(TASK, "v2")
    assert noted.verdict_id == verdict.id
    assert noted.confidence == pytest.approx(0.5 + 0.4 * np.tanh(1.0))
    assert world.store.changes.all(TASK, "v1") == []


def test_only_the_latest_verdict_on_a_picture_counts(world: World) -> None:
    world.ask("p", "a", [1, -1], minute=1)
    world.ask("p", "b", None, minute=2)
    world.promote("v2", place=1)
    assert world.rescore() == {}


def test_a_picture_without_a_vector_of_this_embedder_is_left_out(world: World) -> None:
    world.ask("p", "a", None)
    world.store.vectors.put("another:1", [sha("p")], np.asarray([[-1, -1]], np.float32))
    world.promote("v2", place=1)
    assert world.rescore() == {}


def test_what_the_new_version_said_itself_is_no_change(world: World) -> None:
    world.ask("p", "a", [1, -1], version="v2")
    world.promote("v2", place=1)
    assert world.rescore() == {}


def test_what_a_file_decided_no_version_decides(world: World) -> None:
    world.ask("p", "a", [1, -1], source=VerdictSource.EVIDENCE)
    world.promote("v2", place=1)
    assert world.rescore() == {}


def test_what_words_answered_a_version_answers_from_now_on(world: World) -> None:
    world.ask("p", "a", [1, -1], source=VerdictSource.TEXT)
    world.ask("q", "a", [1, 1], source=VerdictSource.TEXT)
    world.promote("v2", place=1)
    assert world.rescore() == {sha("p"): ("a", "b")}


@pytest.mark.parametrize(("believed", "after"), [(True, "ai"), (False, "real")])
def test_proof_in_a_file_counts_as_it_does_for_whoever_asks(
    world: World, believed: bool, after: str
) -> None:
    """Also where the answer came from elsewhere: files were not believed, or nobody read them."""
    name, kind = "origins", TaskKind.AUTHENTICITY
    world.store.tasks.create(name, kind, ("ai", "real"), open=False)
    embedder = world.engine.embedders[kind].id
    made = replace(world.store.versions.get(TASK, "v2"), task=name, id="o2", embedder=embedder)
    world.store.versions.add(made)
    world.store.versions.promote(name, "o2", "no worse")
    world.loaded.answer = made, Signs(0, ("ai", "real"))
    proof = Evidence("c2pa", "Signed: a generative model made it.", "valid", "ai", {})
    old = world.ask("p", "unsure", None, source=VerdictSource.NONE)
    world.store.vectors.put(embedder, [sha("p")], np.asarray([[-1, 1]], np.float32))
    world.store.verdicts.add(replace(old, id="q", task=name, evidence=(proof,), model_version=None))
    settings = world.engine.settings.model_copy(update={"evidence_decides": believed})

    changes = rescore(replace(world.engine, settings=settings), name, "o2")

    assert [(one.before, one.after) for one in changes] == [("unsure", after)]


def test_what_people_said_of_a_picture_stays_said(world: World) -> None:
    verdict = world.ask("p", "a", [1, -1], source=VerdictSource.MEMORY)
    new = NewCorrection(sha("p"), "a", ME)
    world.store.corrections.teach(TASK, new, verdict.picture, None)
    world.promote("v2", place=1)
    assert world.rescore() == {}


def test_a_label_that_was_linked_since_is_no_other_answer(world: World) -> None:
    world.store.tasks.add_label(TASK, "c")
    world.ask("p", "c", [1, -1])
    world.store.tasks.link(TASK, "b", "c")
    world.promote("v2", place=1)
    assert world.rescore() == {}


@pytest.mark.parametrize(("prediction", "changes"), [("a", 0), ("b", 1)])
def test_unsure_because_it_wavered_is_no_other_answer(
    world: World, prediction: str, changes: int
) -> None:
    asked = world.ask("p", "unsure", [-1, 1])
    alone = Statistics(prediction, 0.9, {"a": 0.5, "b": 0.5}, VerdictSource.MODEL)
    wavering = Stability("a", 0.2, 0.9, True, (Delivered("webp", "unsure", 0.2),))
    later = asked.created_at + timedelta(minutes=1)
    world.store.verdicts.add(
        replace(asked, id="later", created_at=later, statistics=alone, stability=wavering)
    )
    world.promote("v2", place=1)

    assert len(world.rescore()) == changes


def test_a_first_answer_is_a_change(world: World) -> None:
    world.ask("p", "unsure", [1, 1], source=VerdictSource.NONE)
    world.promote("v2", place=1)
    assert world.rescore() == {sha("p"): ("unsure", "a")}


def test_done_again_it_notes_nothing_twice_and_forgets_nothing(world: World) -> None:
    world.ask("p", "a", [1, -1])
    world.promote("v2", place=1)
    first = rescore(world.engine, TASK, "v2", now=datetime.now(UTC))
    assert rescore(world.engine, TASK, "v2", now=datetime.now(UTC)) != []
    assert world.store.changes.count(TASK, "v2") == 1
    world.ask("p", "b", None, version="v2", minute=5)
    again = rescore(world.engine, TASK, "v2")
    assert [one.verdict_id for one in again] == [one.verdict_id for one in first]


def test_a_version_promoted_again_starts_anew(world: World) -> None:
    world.ask("p", "a", [1, -1])
    world.promote("v2", place=1)
    assert world.rescore()
    world.promote("v1")
    world.ask("p", "b", None, minute=9)
    world.promote("v2", place=1)
    assert world.rescore() == {}
    assert world.store.changes.count(TASK, "v2") == 0


def test_a_rescore_that_breaks_off_is_gone_on_with(world: World) -> None:
    world.ask_many([(1, -1)] * (BATCH + 4))  # and one that has no vector
    world.promote("v2", place=1)

    def break_off(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rescore(world.engine, TASK, "v2", progress=break_off)
    told: list[tuple[int, int]] = []
    changes = rescore(
        world.engine, TASK, "v2", progress=lambda done, total: told.append((done, total))
    )
    assert len(changes) == world.store.changes.count(TASK, "v2") == BATCH + 4
    assert told == [(0, BATCH + 5), (BATCH, BATCH + 5), (BATCH + 5, BATCH + 5)]


def test_the_latest_pictures_are_looked_at_first(world: World) -> None:
    for i in range(6):
        world.ask(f"p{i}", "a", [1, -1], minute=i)
    world.promote("v2", place=1)
    assert set(world.rescore(limit=2)) == {sha("p5"), sha("p4")}


def test_when_another_version_answers_by_now_nothing_is_noted(world: World) -> None:
    world.ask("p", "a", [1, -1])
    world.promote("v2", place=1)
    world.promote("v1", place=1)
    assert world.rescore("v2") == {}


def test_an_unknown_version_or_task_is_said(world: World) -> None:
    with pytest.raises(NotFound, match="no version v9"):
        rescore(world.engine, TASK, "v9")
    with pytest.raises(NotFound):
        rescore(world.engine, "nothing", "v1")
    with pytest.raises(NotFound, match="no version v9"):
        announce(world.engine, TASK, "v9", "", [])


def test_an_erased_picture_is_not_listed(world: World) -> None:
    world.ask("p", "a", [1, -1])
    world.ask("q", "a", [1, -1])
    world.promote("v2", place=1)
    world.rescore()
    world.store.erase(sha("p"))
    assert set(world.rescore()) == {sha("q")}
    assert world.store.changes.count(TASK, "v2") == 1


def test_a_picture_erased_meanwhile_does_not_come_back(world: World) -> None:
    world.ask_many([(1, -1)] * (BATCH + 4))
    world.promote("v2", place=1)

    def erase(done: int, total: int) -> None:
        if done == BATCH:
            for i in range(BATCH + 4):
                if i % 100 == 0:
                    world.store.erase(sha(f"p{i}"))

    changes = rescore(world.engine, TASK, "v2", progress=erase)
    assert sha("p100") not in {one.sha256 for one in changes}
    assert len(changes) == world.store.changes.count(TASK, "v2") == BATCH + 4 - 6


def test_answers_are_those_that_a_request_would_get(engine: Engine) -> None:
    """Copies of corrected pictures, too, are decided as they are for whoever asks."""
    world = World(engine)
    world.version("v2")
    pixels = photo(3, 160, 120)
    files = [encode(pixels, "JPEG", quality=70), encode(photo(4, 160, 120), "PNG")]
    for data in files:
        classify(world.engine, TASK, [decode(data)], files=[data])
    correct(world.engine, Given(TASK, ME, "b", picture=encode(pixels, "PNG")))
    world.promote("v2", place=1)
    noted = world.rescore()
    for data in files:
        (verdict,) = classify(world.engine, TASK, [decode(data)])
        _, after = noted.get(verdict.picture.sha256, ("", verdict.prediction))
        assert after == verdict.prediction
    copy, _ = (decode(data).facts.sha256 for data in files)
    assert noted[copy][1] == "b"


# --- what is told ---


def test_a_promotion_is_told_with_the_verdicts_it_changes(world: World) -> None:
    verdict = world.ask("p", "a", [1, -1])
    world.promote("v2", place=1)
    changes = rescore(world.engine, TASK, "v2")
    made = announce(world.engine, TASK, "v2", "No worse.", changes)
    assert made is not None and made.event == EVENT
    body = dict(made.body)
    promoted = world.store.versions.promotions(TASK)[0].at
    assert body.pop("changes") == [
        {
            "sha256": sha("p"),
            "verdict_id": verdict.id,
            "before": "a",
            "after": "b",
            "confidence": changes[0].confidence,
        }
    ]
    assert body == {
        "task": TASK,
        "version": "v2",
        "previous": "v1",
        "reason": "No worse.",
        "promoted_at": promoted.isoformat(),
        "held_out": {"n": 40, "accuracy": 0.9, "balanced_accuracy": 0.9},
        "changes_count": 1,
        "changes_url": f"/tasks/{TASK}/models/v2/changes",
    }


def test_of_very_many_changes_the_surest_are_named_and_all_are_counted(world: World) -> None:
    world.ask_many([(1, -1 - i / 1000) for i in range(MOST_TOLD + 7)])
    world.promote("v2", place=1)
    changes = rescore(world.engine, TASK, "v2")
    made = announce(world.engine, TASK, "v2", "", changes)
    assert made is not None
    assert made.body["changes_count"] == MOST_TOLD + 7
    named = made.body["changes"]
    assert len(named) == MOST_TOLD
    assert named[0]["confidence"] == max(one.confidence for one in changes)
    left_out = changes[MOST_TOLD:]
    assert max(one.confidence for one in left_out) <= min(one["confidence"] for one in named)


def test_a_promotion_is_told_once_and_the_next_one_again(world: World) -> None:
    world.promote("v2", place=1)
    first = announce(world.engine, TASK, "v2", "", [])
    assert announce(world.engine, TASK, "v2", "", []) == first
    world.promote("v1")
    back = announce(world.engine, TASK, "v1", "", [])
    world.promote("v2", place=1)
    again = announce(world.engine, TASK, "v2", "", [])
    assert first and back and again
    assert len({first.id, back.id, again.id}) == 3
    assert back.body["previous"] == "v2" and again.body["previous"] == "v1"


def test_a_version_promoted_twice_in_a_row_came_after_another(world: World) -> None:
    world.promote("v2", place=1)
    world.promote("v2", place=1)
    made = announce(world.engine, TASK, "v2", "", [])
    assert made is not None and made.body["previous"] == "v1"


def test_where_nobody_is_to_be_told_nothing_is_written(settings: Settings) -> None:
    engine = open_engine(settings)
    try:
        world = World(engine)
        assert announce(world.engine, TASK, "v1", "", []) is None
        assert world.store.deliveries.all() == []
    finally:
        engine.close()


def test_what_was_none_of_these_and_still_is_has_not_changed(world: World) -> None:
    angles = np.linspace(0, 0.5, 24)
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    facts = [PictureFacts(sha(f"known-{i}"), 8, 8, "PNG", 100, 0) for i in range(len(rows))]
    new = [NewSample("ab"[i % 2], "web", one.sha256, Split.TRAIN) for i, one in enumerate(facts)]
    world.store.samples.add_many(TASK, list(zip(facts, new, strict=True)))
    world.store.vectors.put(world.embedder, [one.sha256 for one in facts], rows)
    world.ask("strange", UNSURE, [-1.0, 0.0])
    world.ask("usual", "b", [1.0, 0.1])
    world.promote("v2")

    assert world.rescore() == {sha("usual"): ("b", "a")}
