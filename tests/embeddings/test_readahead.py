from __future__ import annotations

import threading

import pytest

from embeddings.readahead import ReadAhead

LIMIT = 10.0


def test_everything_comes_out_once() -> None:
    names = [str(n) for n in range(100)]

    with ReadAhead(iter(names), int, lambda n: 1, threads=4, budget=7) as read:
        found = list(read)

    assert sorted(found) == list(range(100))


def test_what_waits_weighs_no_more_than_its_budget() -> None:
    reads: list[str] = []
    full = threading.Event()

    def read(name: str) -> str:
        reads.append(name)
        if len(reads) == 4:  # three fit the budget, the thread holds the fourth
            full.set()
        return name

    names = (str(n) for n in range(100))
    with ReadAhead(names, read, lambda name: 10, threads=1, budget=30) as ahead:
        assert full.wait(LIMIT)
        assert not _grows(reads)
        results = iter(ahead)
        next(results)
        assert _reaches(reads, 5)
        assert not _grows(reads)


def test_one_result_heavier_than_the_budget_still_comes() -> None:
    with ReadAhead(iter("abc"), str.upper, lambda name: 99, threads=2, budget=10) as read:
        assert sorted(read) == ["A", "B", "C"]


def test_an_exception_reaches_who_takes_the_results() -> None:
    def read(name: str) -> str:
        raise ConnectionError("the database is gone")

    with (
        ReadAhead(iter("abc"), read, len, threads=2, budget=10) as ahead,
        pytest.raises(ConnectionError, match="gone"),
    ):
        list(ahead)


def test_leaving_early_ends_the_threads() -> None:
    before = threading.active_count()

    with ReadAhead(iter("abcdefgh"), str.upper, len, threads=3, budget=2) as ahead:
        next(iter(ahead))

    assert threading.active_count() == before


def _reaches(reads: list[str], n: int) -> bool:
    waited = threading.Event()
    for _ in range(int(LIMIT * 100)):
        if len(reads) >= n:
            return True
        waited.wait(0.01)
    return False


def _grows(reads: list[str]) -> bool:
    """Whether more is read although nobody takes any; a tenth of a second tells."""
    n = len(reads)
    threading.Event().wait(0.1)
    return len(reads) > n
