"""What a store promises of how versions succeed one another, and of the runs they came of."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from domain import Conflict, NotFound, TaskKind
from storage import Promotion, Store
from tests.contracts.stores import NOON, run, version

TASK = "authenticity"
HOUR = timedelta(hours=1)


@pytest.fixture
def store(any_store: Store) -> Store:
    """A store with versions of which none is current."""
    for name in "abcd":
        any_store.versions.add(version(name))
    return any_store


def promoted(store: Store, names: str) -> list[Promotion]:
    """Promote versions one an hour, capitals by going back; what history says then."""
    for i, name in enumerate(names):
        store.versions.promote(
            TASK, name.lower(), f"step {i}", now=NOON + i * HOUR, back=name.isupper()
        )
    return store.versions.promotions(TASK)


# --- who was live when ---


def test_history_says_who_was_live_when(store: Store) -> None:
    assert promoted(store, "aba") == [
        Promotion("a", NOON + 2 * HOUR, "step 2", None),
        Promotion("b", NOON + HOUR, "step 1", NOON + 2 * HOUR),
        Promotion("a", NOON, "step 0", NOON + HOUR),
    ]


@pytest.mark.parametrize(
    ("promotions", "previous"),
    [
        ("", None),
        ("a", None),
        ("aa", None),
        ("ab", "a"),
        ("abb", "a"),
        ("abc", "b"),
        ("abcB", "a"),  # went back once: the next time further
        ("abcBA", None),
        ("abA", None),
        ("aba", "b"),  # an old version chosen again is a step like any other
        ("abcBd", "b"),  # what was gone back from is not gone back to
        ("abcBda", "d"),
        ("abcBdaD", "b"),
        ("abaB", "a"),
        ("abaBA", None),
    ],
)
def test_going_back_goes_further_back_each_time(
    store: Store, promotions: str, previous: str | None
) -> None:
    promoted(store, promotions)
    found = store.versions.previous(TASK)
    assert (found and found.version) == previous


def test_rollbacks_in_a_row_end_at_the_first_version(store: Store) -> None:
    promoted(store, "abcd")
    seen = []
    while (back := store.versions.previous(TASK)) is not None:
        seen.append(back.version)
        store.versions.promote(TASK, back.version, "rolled back", back=True)
    assert seen == ["c", "b", "a"]


def test_previous_version_comes_with_when_it_was_live_last(store: Store) -> None:
    promoted(store, "abcB")
    assert store.versions.previous(TASK) == Promotion("a", NOON, "step 0", NOON + HOUR)
    promoted(store, "c")
    back = store.versions.previous(TASK)
    assert back is not None
    assert (back.version, back.at) == ("b", NOON + 3 * HOUR)


# --- settled ---


def test_promoted_version_and_its_run_are_written_together(store: Store) -> None:
    before = store.versions.state(TASK)
    given = run("r", version="a", job_id="j", detail={"gate": {"auc": [0.9, None]}})
    assert store.versions.settle(TASK, "a", given, promote=True, why="better", against=None)
    assert store.versions.state(TASK).counter == before.counter + 1
    assert store.versions.state(TASK).current == "a"
    assert store.versions.promotions(TASK) == [Promotion("a", given.finished_at, "better", None)]
    assert store.runs.all(TASK) == [given]


def test_kept_version_has_a_run_and_moves_nothing(store: Store) -> None:
    before = store.versions.state(TASK)
    given = run("r", gate="kept", version="a")
    assert store.versions.settle(TASK, "a", given, promote=False, why="worse", against=None)
    assert store.versions.state(TASK) == before
    assert store.versions.promotions(TASK) == []
    assert store.runs.of_version(TASK, "a") == given


def test_settling_again_changes_nothing_even_after_a_rollback(store: Store) -> None:
    promoted(store, "a")
    given = run("r", version="b")
    assert store.versions.settle(TASK, "b", given, promote=True, why="better", against="a")
    store.versions.promote(TASK, "a", "rolled back")
    before = store.versions.state(TASK)
    again = run("again", version="b")
    assert not store.versions.settle(TASK, "b", again, promote=True, why="better", against="c")
    assert store.versions.state(TASK) == before
    assert [one.id for one in store.runs.all(TASK)] == ["r"]


def test_run_that_cannot_be_written_promotes_nothing(store: Store) -> None:
    unwritable = run("r", counts={"ai": object()}, version="a")
    with pytest.raises(TypeError, match="serializable"):
        store.versions.settle(TASK, "a", unwritable, promote=True, why="better", against=None)
    assert store.versions.current(TASK) is None
    assert store.versions.promotions(TASK) == []
    assert store.runs.all(TASK) == []


def test_version_of_a_task_that_was_reset_meanwhile_is_not_settled(store: Store) -> None:
    store.tasks.reset(TASK)
    given = run("r", version="a")
    with pytest.raises(NotFound):
        store.versions.settle(TASK, "a", given, promote=True, why="better", against=None)
    assert store.runs.all(TASK) == []


@pytest.mark.parametrize("promote", [True, False])
@pytest.mark.parametrize("against", ["a", None])
def test_what_was_decided_against_another_version_than_the_current_is_not_settled(
    store: Store, against: str | None, promote: bool
) -> None:
    promoted(store, "ab")
    before, given = store.versions.state(TASK), run("r", version="c")

    with pytest.raises(Conflict, match="b is the current one"):
        store.versions.settle(TASK, "c", given, promote=promote, why="better", against=against)

    assert store.versions.state(TASK) == before
    assert store.runs.all(TASK) == []


# --- added to the task that it was trained for ---


def test_version_of_the_pictures_of_a_task_that_was_reset_is_not_kept(store: Store) -> None:
    trained_for = store.tasks.get(TASK).id
    store.tasks.reset(TASK)

    with pytest.raises(NotFound, match="reset or made anew"):
        store.versions.add(version("e"), task_id=trained_for)

    assert store.versions.all(TASK) == []


def test_version_of_a_task_that_was_made_anew_under_its_name_is_not_kept(store: Store) -> None:
    trained_for = store.tasks.create("smile", TaskKind.PHOTO, open=True).id
    store.tasks.delete("smile")
    store.tasks.create("smile", TaskKind.PHOTO, open=True)

    with pytest.raises(NotFound, match="reset or made anew"):
        store.versions.add(version("e", "smile"), task_id=trained_for)


def test_version_of_a_task_that_was_brought_back_meanwhile_is_kept(store: Store) -> None:
    trained_for = store.tasks.get(TASK).id
    archive = store.tasks.reset(TASK)
    store.tasks.restore(TASK, archive.id)

    store.versions.add(version("e"), task_id=trained_for)

    assert store.versions.get(TASK, "e").id == "e"


def test_settled_at_once_by_several_it_is_written_once(
    store: Store, open_another: Callable[[], Store]
) -> None:
    together = threading.Barrier(4)
    wrote: list[bool] = []

    def settle(name: str, own: Store) -> None:
        together.wait()
        given = run(name, version="a")
        wrote.append(
            own.versions.settle(TASK, "a", given, promote=True, why="better", against=None)
        )

    threads = [threading.Thread(target=settle, args=(f"r{i}", open_another())) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wrote) == [False, False, False, True]
    assert len(store.runs.all(TASK)) == len(store.versions.promotions(TASK)) == 1


# --- runs ---


def test_latest_runs_are_found_without_reading_all(store: Store) -> None:
    runs = store.runs
    assert runs.latest(TASK) is runs.latest_trained(TASK) is runs.of_version(TASK, "a") is None
    old = run("old", NOON, version="a")
    kept = run("kept", NOON + HOUR, gate="kept", version="b")
    skipped = run("skipped", NOON + 2 * HOUR, gate="skipped", job_id="j")
    for one in (skipped, old, kept):
        runs.add(one)
    assert runs.all(TASK) == [skipped, kept, old]
    assert runs.latest(TASK) == skipped
    assert runs.latest_trained(TASK) == kept
    assert runs.of_version(TASK, "a") == old


def test_runs_of_another_task_are_its_own(store: Store) -> None:
    store.tasks.create("smile", TaskKind.PHOTO, open=True)
    store.runs.add(run("r", version="a"))
    assert store.runs.latest("smile") is store.runs.latest_trained("smile") is None
    assert store.runs.of_version("smile", "a") is None
