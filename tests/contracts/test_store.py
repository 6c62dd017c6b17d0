"""What a store promises of tasks, versions, verdicts, runs and settings, on each database."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from domain import (
    OTHER,
    Conflict,
    NotFound,
    Split,
    Statistics,
    Task,
    TaskKind,
    Unacceptable,
    VerdictSource,
)
from storage import State, Store, schema
from tests.contracts.stores import (
    NOON,
    WRITINGS,
    facts,
    in_utc,
    new,
    run,
    sha,
    teach,
    verdict,
    version,
)

UNKNOWN = ("none", "a\0b", "\ud800", "x" * 5000)


def state_of(
    store: Store, counter: int, current: str | None, *, task: str = "authenticity"
) -> State:
    """The state of a task that nobody has taught."""
    return State(store.tasks.get(task).id, counter, epoch=0, corrections=0, current=current)


# --- tasks ---


def test_the_default_task_is_there_from_the_start(any_store: Store) -> None:
    (task,) = any_store.tasks.all()
    assert (task.name, task.kind, task.labels, task.open) == (
        "authenticity",
        TaskKind.AUTHENTICITY,
        ("ai", "real"),
        False,
    )


def test_opening_again_keeps_what_is_there(
    any_store: Store, open_another: Callable[[], Store]
) -> None:
    made = any_store.tasks.create("smile", TaskKind.PHOTO, ("no", "yes"), open=True)
    assert open_another().tasks.all() == [any_store.tasks.get("authenticity"), made]


SMILE = {"max_false": {"yes": 0.02}, "unsure_below": 0.6}


def test_a_tasks_own_settings_are_kept_changed_one_by_one_and_taken_away(
    any_store: Store,
) -> None:
    tasks = any_store.tasks
    tasks.create("smile", TaskKind.PHOTO, ("no", "yes"), open=False, settings=SMILE)
    assert tasks.get("smile").settings == SMILE
    counter = any_store.versions.state("smile").counter

    assert tasks.settle("smile", {"unsure_below": None}).settings == {"max_false": {"yes": 0.02}}
    both = {"max_false": {"yes": 0.02, "no": 0.1}}
    assert tasks.settle("smile", {"max_false": {"no": 0.1}}).settings == both
    assert any_store.versions.state("smile").counter == counter + 2
    assert tasks.settle("smile", {"max_false": {}}).settings == both
    assert tasks.settle("smile", {}).settings == tasks.get("smile").settings
    assert any_store.versions.state("smile").counter == counter + 2
    without = tasks.settle("smile", {"max_false": {"yes": None}})
    assert without.settings == {"max_false": {"no": 0.1}}
    assert tasks.settle("smile", {"max_false": None}).settings == {}


def test_settings_of_a_label_outlive_its_becoming_a_variant(any_store: Store) -> None:
    tasks, labels = any_store.tasks, ("a", "b", "c")
    tasks.create("three", TaskKind.PHOTO, labels, open=False, settings={"max_false": {"c": 0.1}})
    tasks.link("three", "a", "c")
    assert tasks.settle("three", {"unsure_below": 0.5}).settings == {
        "max_false": {"c": 0.1}, "unsure_below": 0.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("own", "field"),
    [
        ({"max_false": {"maybe": 0.1}}, "max_false.maybe"),
        ({"max_false": {"yes": 0}}, "max_false.yes"),
        ({"max_false": {"yes": 1e-7}}, "max_false.yes"),
        ({"max_false": {"yes": 0.5}}, "max_false.yes"),
        ({"max_false": {"yes": True}}, "max_false.yes"),
        ({"max_false": {"yes": float("nan")}}, "max_false.yes"),
        ({"max_false": [0.1]}, "max_false"),
        ({"unsure_below": 1.1}, "unsure_below"),
        ({"unsure_below": "often"}, "unsure_below"),
        ({"sure_above": 0.1}, "settings.sure_above"),
    ],
)
def test_settings_that_are_none_are_refused_by_their_field(
    any_store: Store, own: dict[str, Any], field: str
) -> None:
    any_store.tasks.create("smile", TaskKind.PHOTO, ("no", "yes"), open=False)
    with pytest.raises(Unacceptable) as refused:
        any_store.tasks.settle("smile", own)
    assert refused.value.detail["field"] == field
    assert any_store.tasks.get("smile").settings == {}


def test_an_open_task_promises_nothing_of_a_label(any_store: Store) -> None:
    any_store.tasks.create("letters", TaskKind.DRAWING, ("a", "b"), open=True)
    with pytest.raises(Unacceptable, match="open task"):
        any_store.tasks.settle("letters", {"max_false": {"a": 0.1}})
    assert any_store.tasks.settle("letters", {"unsure_below": 0.3}).settings == {
        "unsure_below": 0.3
    }


def test_task_comes_back_as_made(any_store: Store) -> None:
    before = datetime.now(UTC)
    prompts = {"yes": "a smiling face"}
    made = any_store.tasks.create(
        "smile", TaskKind.PHOTO, ("no", "yes"), open=False, prompts=prompts
    )
    assert before <= made.created_at <= datetime.now(UTC)
    assert made == Task(
        id=made.id,
        name="smile",
        kind=TaskKind.PHOTO,
        labels=("no", "yes"),
        open=False,
        created_at=made.created_at,
        prompts=prompts,
        variants={},
    )
    assert any_store.tasks.get("smile") == made


def test_a_name_is_taken_once(any_store: Store) -> None:
    any_store.tasks.create("smile", TaskKind.PHOTO, open=True)
    with pytest.raises(Conflict):
        any_store.tasks.create("smile", TaskKind.DRAWING, open=True)
    assert any_store.tasks.get("smile").kind is TaskKind.PHOTO


@pytest.mark.parametrize(
    "name", ["", "Smile", "a b", "a/b", "..", "smile\n", "x" * 65, "ಕ", "a\0b"]
)
def test_bad_task_name_is_refused(store: Store, name: str) -> None:
    with pytest.raises(Unacceptable) as caught:
        store.tasks.create(name, TaskKind.PHOTO, open=True)
    assert caught.value.detail["field"] == "name"


@pytest.mark.parametrize("name", ["x", "a_b-9", "0", "x" * 64])
def test_good_task_name_is_taken(store: Store, name: str) -> None:
    assert store.tasks.create(name, TaskKind.PHOTO, open=True).name == name


@pytest.mark.parametrize("name", ["none", "a\0b \ud800" + "x" * 5000], ids=["plain", "hostile"])
def test_unknown_task_is_not_found_everywhere(any_store: Store, name: str) -> None:
    s = any_store
    for ask in (
        lambda: s.tasks.get(name),
        lambda: s.tasks.delete(name),
        lambda: s.tasks.add_label(name, "x"),
        lambda: s.tasks.link(name, "x", "y"),
        lambda: s.tasks.unlink(name, "x"),
        lambda: s.tasks.renew(name),
        lambda: s.tasks.reset(name),
        lambda: s.tasks.restore(name, 1),
        lambda: s.samples.add(name, facts("a"), new()),
        lambda: s.samples.get(name, "x"),
        lambda: s.samples.by_id(name, 1),
        lambda: s.samples.after(name, 0),
        lambda: s.samples.all(name),
        lambda: s.samples.counts(name),
        lambda: s.samples.months(name),
        lambda: s.samples.of_month(name, "2026-03", Split.TEST, 3),
        lambda: s.samples.missing_vectors(name, "e"),
        lambda: s.samples.quarantine(name, "f", "corrupt", "m", "s", None),
        lambda: s.samples.quarantined(name),
        lambda: s.samples.count_quarantined(name),
        lambda: teach(s, "a", task=name),
        lambda: s.corrections.undo(name, ["x"], "me", True),
        lambda: s.corrections.get(name, "x"),
        lambda: s.corrections.undone_by(name, "x"),
        lambda: s.corrections.page(name, limit=3),
        lambda: s.corrections.of_person(name, "me"),
        lambda: s.corrections.last_befores(name, 3),
        lambda: s.corrections.lately(name, 3),
        lambda: s.corrections.since(name, 0),
        lambda: s.corrections.count(name),
        lambda: s.versions.add(version("v1", name)),
        lambda: s.versions.get(name, "v1"),
        lambda: s.versions.all(name),
        lambda: s.versions.current(name),
        lambda: s.versions.promote(name, "v1", "why"),
        lambda: s.versions.settle(name, "v1", run("r"), promote=True, why="why", against=None),
        lambda: s.versions.promotions(name),
        lambda: s.versions.previous(name),
        lambda: s.versions.state(name),
        lambda: s.verdicts.add(verdict("x", name)),
        lambda: s.verdicts.count(name),
        lambda: s.verdicts.recent(name, 3),
        lambda: s.verdicts.latest(name, 3),
        lambda: s.runs.add(run("r", task=name)),
        lambda: s.runs.all(name),
        lambda: s.runs.latest(name),
        lambda: s.runs.latest_trained(name),
        lambda: s.runs.of_version(name, "v1"),
    ):
        with pytest.raises(NotFound):
            ask()


def test_deleted_task_gives_its_name_back_and_nothing_else(any_store: Store) -> None:
    s = any_store
    first = s.tasks.create("smile", TaskKind.PHOTO, ("no", "yes"), open=False)
    s.samples.add("smile", facts("a"), new("yes"))
    s.versions.add(version("v1", "smile"))
    s.versions.promote("smile", "v1", "asked")
    s.verdicts.add(verdict("old", "smile"))

    s.tasks.delete("smile")

    with pytest.raises(NotFound):
        s.tasks.get("smile")
    assert [task.name for task in s.tasks.all()] == ["authenticity"]
    second = s.tasks.create("smile", TaskKind.DRAWING, ("a", "b"), open=False)
    assert second.id != first.id
    assert s.tasks.get("smile").labels == ("a", "b")
    assert s.samples.all("smile") == []
    assert s.versions.all("smile") == []
    assert s.versions.state("smile") == State(
        second.id, counter=0, epoch=0, corrections=0, current=None
    )
    assert s.samples.add("smile", facts("a"), new("b")) is not None
    assert s.verdicts.get("old").task == "smile"  # archived, not destroyed


def test_a_name_can_be_deleted_twice(any_store: Store) -> None:
    for _ in range(2):
        any_store.tasks.create("smile", TaskKind.PHOTO, open=True)
        any_store.tasks.delete("smile")
    assert [task.name for task in any_store.tasks.all()] == ["authenticity"]


def test_the_default_task_cannot_be_deleted(any_store: Store) -> None:
    with pytest.raises(Conflict):
        any_store.tasks.delete("authenticity")
    assert any_store.tasks.get("authenticity")


def test_renewed_task_is_read_anew_by_every_worker(
    any_store: Store, open_another: Callable[[], Store]
) -> None:
    elsewhere = open_another().versions
    before = elsewhere.state("authenticity")
    any_store.tasks.renew("authenticity")
    after = elsewhere.state("authenticity")
    assert after == replace(before, counter=before.counter + 1, epoch=before.epoch + 1)


# --- labels ---


def test_labels_of_any_script_survive(any_store: Store) -> None:
    any_store.tasks.create("letters", TaskKind.DRAWING, open=True)
    for label in WRITINGS:
        any_store.tasks.add_label("letters", label)
        assert any_store.samples.add("letters", facts(label), new(label)) is not None
    assert any_store.tasks.get("letters").labels == WRITINGS
    assert [s.label for s in any_store.samples.all("letters")] == list(WRITINGS)
    counted = [label for label, _, _ in any_store.samples.counts("letters")]
    assert counted == sorted(WRITINGS)


def test_two_spellings_of_one_label_are_one(any_store: Store) -> None:
    composed, decomposed = (
        "caf\N{LATIN SMALL LETTER E WITH ACUTE}",
        "cafe\N{COMBINING ACUTE ACCENT}",
    )
    any_store.tasks.create("drinks", TaskKind.PHOTO, (decomposed,), open=True)
    assert any_store.tasks.add_label("drinks", f" {composed} ").labels == (composed,)
    sample = any_store.samples.add("drinks", facts("a"), new(decomposed))
    assert sample is not None
    assert sample.label == composed
    assert teach(any_store, "x", decomposed, task="drinks").label == composed


def test_labels_keep_the_order_they_came_in(any_store: Store) -> None:
    any_store.tasks.create("letters", TaskKind.DRAWING, ("z", "a"), open=True)
    for label in ("m", "b", "z", "y"):
        any_store.tasks.add_label("letters", label)
    assert any_store.tasks.get("letters").labels == ("z", "a", "m", "b", "y")


@pytest.mark.parametrize(
    "label", ["", "  ", "a\nb", "\0", "a\x7f", "\ud83d", "x" * 65, "unsure", "(other)"]
)
def test_bad_label_is_refused(store: Store, label: str) -> None:
    with pytest.raises(Unacceptable):
        store.tasks.create("letters", TaskKind.DRAWING, ("good", label), open=True)
    with pytest.raises(NotFound):
        store.tasks.get("letters")


def test_longest_label_counts_characters_not_bytes(any_store: Store) -> None:
    any_store.tasks.create("letters", TaskKind.DRAWING, ("ಕ" * 64,), open=True)
    assert any_store.tasks.get("letters").labels == ("ಕ" * 64,)


def test_closed_task_takes_no_new_label(any_store: Store) -> None:
    with pytest.raises(Unacceptable, match="one of ai, real"):
        any_store.tasks.add_label("authenticity", "edited")
    assert any_store.tasks.add_label("authenticity", "ai").labels == ("ai", "real")


def test_closed_task_of_fewer_than_two_labels_is_refused(store: Store) -> None:
    with pytest.raises(Unacceptable, match="two or more"):
        store.tasks.create("letters", TaskKind.DRAWING, ("a",), open=False)


def test_label_named_twice_is_refused(store: Store) -> None:
    with pytest.raises(Unacceptable, match="once"):
        store.tasks.create("letters", TaskKind.DRAWING, ("a", "a "), open=True)


def test_variant_counts_as_its_label(any_store: Store) -> None:
    tasks = any_store.tasks
    tasks.create("letters", TaskKind.DRAWING, ("ka", "kha"), open=True)
    linked = tasks.link("letters", "ka", "ಕ")
    assert linked.variants == {"ಕ": "ka"}
    assert tasks.get("letters") == linked
    assert tasks.link("letters", "ka", "ಕ") == linked
    with pytest.raises(Conflict):
        tasks.link("letters", "kha", "ಕ")
    with pytest.raises(Conflict):
        tasks.link("letters", "ka", "ka")
    with pytest.raises(Conflict):
        tasks.add_label("letters", "ಕ")
    with pytest.raises(Unacceptable):
        tasks.link("letters", "ga", "ಗ")


# --- versions ---


def test_version_comes_back_as_saved(any_store: Store) -> None:
    saved = version("v1", card={"a": [1, 2.5, None, True, "ಕ\0"], "b": {"c": -1e300}}, demo=True)
    any_store.versions.add(saved)
    found = any_store.versions.get("authenticity", "v1")
    assert found == saved
    assert in_utc(found.created_at)


def test_what_json_has_no_number_for_becomes_null(any_store: Store) -> None:
    card = {"auc": math.nan, "per_label": [{"f1": math.inf}, {"f1": 0.5}]}
    any_store.versions.add(version("v1", card=card))
    found = any_store.versions.get("authenticity", "v1").card
    assert found == {"auc": None, "per_label": [{"f1": None}, {"f1": 0.5}]}


def test_version_id_is_taken_once_in_a_task(any_store: Store) -> None:
    any_store.tasks.create("smile", TaskKind.PHOTO, open=True)
    any_store.versions.add(version("v1"))
    any_store.versions.add(version("v1", "smile"))
    with pytest.raises(Conflict):
        any_store.versions.add(version("v1"))


def test_unknown_version_is_not_found(any_store: Store) -> None:
    any_store.versions.add(version("v1"))
    for name in UNKNOWN:
        with pytest.raises(NotFound):
            any_store.versions.get("authenticity", name)
        with pytest.raises(NotFound):
            any_store.versions.promote("authenticity", name, "why")
    assert any_store.versions.state("authenticity").counter == 0


def test_versions_come_newest_first(any_store: Store) -> None:
    for i, name in enumerate(["b", "c", "a"]):
        any_store.versions.add(version(name, created_at=NOON + timedelta(hours=i)))
    assert [v.id for v in any_store.versions.all("authenticity")] == ["a", "c", "b"]


def test_saving_a_version_promotes_nothing(any_store: Store) -> None:
    any_store.versions.add(version("v1"))
    assert any_store.versions.current("authenticity") is None
    assert any_store.versions.state("authenticity") == state_of(any_store, 0, None)


def test_promotion_moves_pointer_and_counter_and_is_remembered(
    any_store: Store, open_another: Callable[[], Store]
) -> None:
    versions, elsewhere = any_store.versions, open_another().versions
    versions.add(version("v1"))
    versions.add(version("v2"))
    seen = [elsewhere.state("authenticity")]
    for name, why in [("v1", "first"), ("v2", "better"), ("v1", "rolled back")]:
        before = datetime.now(UTC)
        versions.promote("authenticity", name, why)
        seen.append(elsewhere.state("authenticity"))
        current = elsewhere.current("authenticity")
        assert current is not None
        assert current.id == name
        latest = elsewhere.promotions("authenticity")[0]
        assert (latest.version, latest.why) == (name, why)
        assert before <= latest.at <= datetime.now(UTC)
    assert seen == [
        state_of(any_store, counter, current)
        for counter, current in [(0, None), (1, "v1"), (2, "v2"), (3, "v1")]
    ]
    assert [p.why for p in versions.promotions("authenticity")] == [
        "rolled back",
        "better",
        "first",
    ]


def test_tasks_do_not_share_a_current_version(any_store: Store) -> None:
    any_store.tasks.create("smile", TaskKind.PHOTO, open=True)
    any_store.versions.add(version("v1"))
    any_store.versions.promote("authenticity", "v1", "why")
    assert any_store.versions.current("smile") is None
    assert any_store.versions.state("smile") == state_of(any_store, 0, None, task="smile")
    assert any_store.versions.promotions("smile") == []


# --- verdicts ---


def test_verdict_comes_back_as_given(any_store: Store) -> None:
    given = verdict("a" * 32, reasons=WRITINGS)
    any_store.verdicts.add(given)
    found = any_store.verdicts.get("a" * 32)
    assert found == given
    assert list(found.probabilities) == ["real", "ai"]
    assert in_utc(found.created_at)


def test_verdict_is_known_as_it_will_be_read_back(any_store: Store) -> None:
    weights = [1 / (1 + (i * 7919) % 5000) for i in range(5000)]
    given = verdict(
        "b" * 32,
        prediction="nul \0, half \ud800",
        probabilities={f"label {i}": w / math.fsum(weights) for i, w in enumerate(weights)},
        reasons=(*WRITINGS, "\0\ud800"),
        seal="1:what was signed",
    )
    known = any_store.verdicts.as_kept(given)
    any_store.verdicts.add(given)
    found = any_store.verdicts.get("b" * 32)
    assert found == known
    assert str(found.created_at) == str(known.created_at)
    assert str(found.trained_at) == str(known.trained_at)


def test_verdict_of_thousands_of_labels_keeps_the_most_probable_and_the_sum(
    any_store: Store,
) -> None:
    weights = [1 / (1 + (i * 7919) % 5000) for i in range(5000)]
    chances = {f"label {i}": w / math.fsum(weights) for i, w in enumerate(weights)}
    given = verdict("many", probabilities=chances)
    any_store.verdicts.add(given)
    kept = any_store.verdicts.get("many").probabilities
    best = sorted(chances, key=lambda label: -chances[label])[:20]
    assert set(kept) == {*best, OTHER}
    assert {label: kept[label] for label in best} == {label: chances[label] for label in best}
    assert math.fsum(kept.values()) == pytest.approx(1, abs=1e-12)
    (again,) = any_store.verdicts.latest("authenticity", 1)
    assert again.probabilities == kept
    with any_store.database.reading() as connection:
        detail = connection.execute(select(schema.verdicts.c.detail)).scalar_one()
    assert len(json.dumps(detail)) < 3000


@pytest.mark.parametrize("labels", [20, 21, 50])
def test_verdict_that_was_cut_to_what_is_kept_is_kept_as_it_is(
    any_store: Store, labels: int
) -> None:
    chances = {f"label {i}": (i + 1) * 2 / (labels * (labels + 1)) for i in range(labels)}
    said = Statistics(
        "label 1", 0.5, chances, VerdictSource.MODEL, parts={"clip": chances, "builtin": chances}
    )
    cut = any_store.verdicts.as_kept(verdict("cut", probabilities=chances, statistics=said))
    assert any_store.verdicts.as_kept(cut) == cut
    any_store.verdicts.add(cut)
    found = any_store.verdicts.get("cut")
    assert found == cut
    assert found.statistics is not None
    for told in (
        found.probabilities,
        found.statistics.probabilities,
        found.statistics.parts["clip"],
    ):
        assert math.fsum(told.values()) == pytest.approx(1, abs=1e-12)


def test_verdict_of_twenty_labels_is_kept_whole(any_store: Store) -> None:
    given = verdict("twenty", probabilities={f"label {i}": 0.05 for i in range(20)})
    any_store.verdicts.add(given)
    assert any_store.verdicts.get("twenty") == given


def test_verdict_of_nothing_trained_comes_back(any_store: Store) -> None:
    given = verdict("x", model_version=None, trained_at=None, evidence=(), nearest=(), reasons=())
    any_store.verdicts.add(given)
    assert any_store.verdicts.get("x") == given


def test_verdicts_are_counted_by_task(any_store: Store) -> None:
    any_store.tasks.create("smile", TaskKind.PHOTO, open=True)
    any_store.verdicts.add_many([verdict("a"), verdict("b", "smile"), verdict("c")])
    any_store.verdicts.add_many([])
    assert any_store.verdicts.count("authenticity") == 2
    assert any_store.verdicts.count("smile") == 1


def test_recent_pictures_come_newest_first_with_their_latest_answer(any_store: Store) -> None:
    any_store.tasks.create("smile", TaskKind.PHOTO, open=True)
    given = [("a", "a", "ai"), ("b", "b", "ai"), ("c", "a", "real"), ("d", "d", "unsure")]
    for hour, (name, picture, prediction) in enumerate(given):
        at = NOON + timedelta(hours=hour)
        answer = verdict(name, picture=facts(picture), prediction=prediction, created_at=at)
        any_store.verdicts.add(answer)
    any_store.verdicts.add(verdict("e", "smile", created_at=NOON + timedelta(days=1)))
    recent = any_store.verdicts.recent
    assert recent("authenticity", 9) == [(sha("d"), "unsure"), (sha("a"), "real"), (sha("b"), "ai")]
    assert recent("authenticity", 2) == [(sha("d"), "unsure"), (sha("a"), "real")]
    assert recent("authenticity", 0) == []
    latest = any_store.verdicts.latest
    assert latest("authenticity", 9) == [any_store.verdicts.get(name) for name in "dcb"]
    assert latest("authenticity", 1) == [any_store.verdicts.get("d")]


def test_one_picture_asked_about_without_end_hides_few_others(any_store: Store) -> None:
    at = NOON + timedelta(hours=1)
    any_store.verdicts.add(verdict("other"))
    any_store.verdicts.add_many(
        [verdict(f"same {i}", picture=facts("same"), created_at=at) for i in range(41)]
    )
    assert any_store.verdicts.recent("authenticity", 2) == [(sha("same"), "ai")]
    by = any_store.verdicts.deciders("authenticity", 2)
    assert list(by) == [name for name, _ in any_store.verdicts.recent("authenticity", 2)]
    assert set(by.values()) == {VerdictSource.MODEL}
    assert [name for name, _ in any_store.verdicts.recent("authenticity", 3)] == [
        sha("same"),
        sha("other"),
    ]


def test_verdict_without_a_seal_is_given_one_once(
    any_store: Store, open_another: Callable[[], Store]
) -> None:
    given = verdict("late")
    any_store.verdicts.add(given)
    assert any_store.verdicts.keep_seal("late", "1:first") == "1:first"
    assert open_another().verdicts.keep_seal("late", "1:second") == "1:first"
    assert any_store.verdicts.get("late") == replace(given, seal="1:first")
    with pytest.raises(NotFound):
        any_store.verdicts.keep_seal("none", "1:first")


def test_unknown_verdict_is_not_found(any_store: Store) -> None:
    for name in UNKNOWN:
        with pytest.raises(NotFound):
            any_store.verdicts.get(name)


# --- runs ---


def test_runs_come_back_newest_first(any_store: Store) -> None:
    first, second = run("z", NOON), run("a", NOON + timedelta(hours=1), version="v9")
    any_store.runs.add(second)
    any_store.runs.add(first)
    assert any_store.runs.all("authenticity") == [second, first]


# --- settings changed at run time ---


def test_overrides_merge_and_outlive_the_process(
    any_store: Store, open_another: Callable[[], Store]
) -> None:
    assert any_store.overrides.read() == {}
    any_store.overrides.write({"log_level": "DEBUG", "max_false_accusation": 0.02})
    any_store.overrides.write({"log_level": "ERROR", "min_images_per_class": 12})
    any_store.overrides.write({"max_false_clearance": None})  # made empty again
    any_store.overrides.write({})
    assert open_another().overrides.read() == {
        "log_level": "ERROR",
        "max_false_accusation": 0.02,
        "max_false_clearance": None,
        "min_images_per_class": 12,
    }


def test_override_that_is_no_json_changes_nothing(any_store: Store) -> None:
    with pytest.raises(TypeError, match="serializable"):
        any_store.overrides.write({"a": 1, "b": object()})
    assert any_store.overrides.read() == {}


# --- times ---


def test_time_without_a_zone_is_refused(any_store: Store) -> None:
    with pytest.raises(ValueError, match="without a zone"):
        any_store.versions.add(version("v1", created_at=datetime(2026, 3, 1)))
    assert any_store.versions.all("authenticity") == []


def test_an_open_store_answers(any_store: Store) -> None:
    any_store.ping()
