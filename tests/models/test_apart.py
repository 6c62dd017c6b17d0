"""How far examples lie from each other follows them row by row, as if it were looked up anew."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from models.apart import Apart, Vectors
from models.examples import Rows
from tests.models.made import unit

N = 900
SHA256S = [f"{(row * 7919) % 10007:05d}" for row in range(N)]
FAMILIES = np.arange(N) // 2


def blocks(rows: Vectors, size: int = 256) -> list[Vectors]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


@pytest.fixture
def rows() -> Vectors:
    return unit(np.random.default_rng(0).standard_normal((N, 8)))


def among(apart: Apart, counted: Rows, rows: Vectors) -> Vectors:
    return apart.among(counted, SHA256S, FAMILIES, blocks(rows))


def test_rows_that_come_and_go_leave_what_is_found_anew(rows: Vectors) -> None:
    random, kept = np.random.default_rng(1), Apart()
    counts = random.random(N) < 0.8
    for _ in range(12):
        changed = random.integers(0, N, random.integers(1, 40))
        counts[changed] = ~counts[changed]
        counted = np.flatnonzero(counts)

        found = among(kept, counted, rows)

        assert found == pytest.approx(among(Apart(), counted, rows), abs=1e-6)


def test_it_is_what_an_exhaustive_search_finds(rows: Vectors) -> None:
    counted = np.arange(3, 403)
    likeness = rows[counted] @ rows[counted].T
    likeness[FAMILIES[counted][:, None] == FAMILIES[counted]] = -1

    found = among(Apart(), counted, rows)

    assert found == pytest.approx(np.sort(likeness.max(axis=1)), abs=1e-6)


def test_what_one_row_does_not_concern_is_not_looked_at_again(rows: Vectors) -> None:
    kept = Apart()
    whole = among(kept, np.arange(400), rows)
    blank = np.zeros_like(rows)

    found = among(kept, np.arange(1, 400), blank)  # the first one became disputed

    assert np.isin(found, whole).mean() > 0.9


def test_two_who_ask_at_once_wait_for_one_search(rows: Vectors) -> None:
    kept, found = Apart(), []
    gate = threading.Barrier(4)

    def ask() -> None:
        gate.wait()
        found.append(among(kept, np.arange(800), rows))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(np.array_equal(one, found[0]) for one in found)


def test_nothing_is_apart_from_nothing(rows: Vectors) -> None:
    assert not len(among(Apart(), np.arange(0), rows))
    assert not len(among(Apart(), np.arange(2), rows))  # one family
