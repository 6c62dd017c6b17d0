from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain import ModelVersion, NotFound, TaskKind
from models import Head
from models.batch import BatchHead, fit, search
from models.current import RETRY_SECONDS, Current
from models.registry import MODEL, Registry, new_version_id
from storage import Store
from tests.models.made import clusters

TASK = "smile"


class CountingRegistry(Registry):
    """Counts how often files are read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.loads: list[str] = []

    def load(self, version: ModelVersion) -> Head:
        self.loads.append(version.id)
        return super().load(version)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def head() -> BatchHead:
    return fit(search(clusters(20), classifier="logistic_regression", jobs=1))


@pytest.fixture
def registry(tmp_path: Path) -> CountingRegistry:
    return CountingRegistry(tmp_path / "models")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def current(store: Store, registry: CountingRegistry, clock: Clock) -> Current:
    store.tasks.create(TASK, TaskKind.PHOTO, ("ai", "real"), open=False)
    return Current(store, registry, clock=clock)


def promoted(store: Store, registry: Registry, head: BatchHead, task: str = TASK) -> ModelVersion:
    now = datetime.now(UTC)
    card = {"task": task, "embedder": "e:1", "classifier": {"family": "logistic_regression"}}
    version = registry.save(head, card, version_id=new_version_id(now), created_at=now)
    store.versions.add(version)
    store.versions.promote(task, version.id, "test")
    return version


def break_file(registry: Registry, version: ModelVersion) -> bytes:
    path = registry.folder(version) / MODEL
    data = path.read_bytes()
    path.write_bytes(data[:100])
    return data


def answering(current: Current, task: str = TASK) -> str | None:
    answer = current.head(task)
    return answer[0].id if answer else None


def test_an_untaught_task_has_no_head_and_no_problem(current: Current) -> None:
    assert current.head(TASK) is None
    assert current.problem(TASK) is None


def test_a_task_that_does_not_exist_is_not_found(current: Current) -> None:
    with pytest.raises(NotFound):
        current.head("nothing")


def test_a_promotion_is_seen_at_the_next_call_and_read_once(
    current: Current, store: Store, registry: CountingRegistry, head: BatchHead
) -> None:
    assert current.head(TASK) is None
    first = promoted(store, registry, head)

    assert [answering(current) for _ in range(3)] == [first.id] * 3
    second = promoted(store, registry, head)
    assert answering(current) == second.id

    assert registry.loads == [first.id, second.id]


def test_going_back_to_the_version_before_reads_no_file(
    current: Current, store: Store, registry: CountingRegistry, head: BatchHead
) -> None:
    first = promoted(store, registry, head)
    answering(current)
    second = promoted(store, registry, head)
    answering(current)

    store.versions.promote(TASK, first.id, "back")
    assert answering(current) == first.id
    store.versions.promote(TASK, second.id, "and forth")
    assert answering(current) == second.id

    assert registry.loads == [first.id, second.id]


def test_threads_that_come_at_once_read_the_file_once(
    current: Current, store: Store, registry: CountingRegistry, head: BatchHead
) -> None:
    version = promoted(store, registry, head)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: answering(current), range(32)))

    assert answers == [version.id] * 32
    assert registry.loads == [version.id]


def test_while_the_current_file_is_broken_the_last_good_one_answers_and_it_is_said(
    current: Current, store: Store, registry: CountingRegistry, head: BatchHead
) -> None:
    good = promoted(store, registry, head)
    answering(current)
    broken = promoted(store, registry, head)
    break_file(registry, broken)

    assert answering(current) == good.id

    problem = current.problem(TASK)
    assert problem is not None
    assert broken.id in problem
    assert good.id in problem


def test_a_process_that_starts_with_a_broken_file_takes_the_one_before(
    current: Current, store: Store, registry: CountingRegistry, head: BatchHead
) -> None:
    good = promoted(store, registry, head)
    for _ in range(2):
        break_file(registry, promoted(store, registry, head))

    assert answering(current) == good.id
    assert current.problem(TASK) is not None


def test_with_every_file_broken_nothing_answers_and_it_is_said(
    current: Current, store: Store, registry: CountingRegistry, head: BatchHead
) -> None:
    break_file(registry, promoted(store, registry, head))

    assert current.head(TASK) is None
    assert "No earlier version" in str(current.problem(TASK))


def test_a_broken_file_is_not_read_at_every_call_but_again_after_a_while(
    current: Current,
    store: Store,
    registry: CountingRegistry,
    clock: Clock,
    head: BatchHead,
) -> None:
    version = promoted(store, registry, head)
    data = break_file(registry, version)
    for _ in range(5):
        assert current.head(TASK) is None
    assert registry.loads == [version.id]

    (registry.folder(version) / MODEL).write_bytes(data)
    clock.now += RETRY_SECONDS

    assert answering(current) == version.id
    assert current.problem(TASK) is None


def test_a_task_that_was_deleted_and_made_again_knows_nothing_of_the_old_one(
    current: Current, store: Store, registry: CountingRegistry, head: BatchHead
) -> None:
    promoted(store, registry, head)
    answering(current)

    store.tasks.delete(TASK)
    store.tasks.create(TASK, TaskKind.PHOTO, ("ai", "real"), open=False)
    assert current.head(TASK) is None
    new = promoted(store, registry, head)

    assert answering(current) == new.id
