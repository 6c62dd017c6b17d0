from __future__ import annotations

import threading

import pytest

from embeddings.cores import Lanes, usable_cores

LIMIT = 10.0


def test_at_least_one_core_is_usable() -> None:
    assert usable_cores() >= 1


def test_a_lone_computation_gets_all_cores() -> None:
    lanes = Lanes(4)

    with lanes.lane() as first:
        pass
    with lanes.lane() as second:
        pass

    assert (first, second) == (4, 4)


def test_computations_at_once_get_fewer_each() -> None:
    lanes = Lanes(4)

    with lanes.lane() as first, lanes.lane() as second, lanes.lane() as third:
        shares = (first, second, third)

    assert shares == (4, 2, 1)


def test_no_more_run_at_once_than_there_are_cores() -> None:
    lanes, inside, entered = Lanes(1), threading.Event(), threading.Event()

    def wait_outside() -> None:
        inside.wait(LIMIT)
        with lanes.lane():
            entered.set()

    thread = threading.Thread(target=wait_outside)
    thread.start()
    with lanes.lane():
        inside.set()
        assert not entered.wait(0.1)
    assert entered.wait(LIMIT)
    thread.join(LIMIT)


def test_a_failure_gives_its_core_back() -> None:
    lanes = Lanes(2)

    with pytest.raises(ArithmeticError), lanes.lane():
        raise ArithmeticError

    with lanes.lane() as share:
        assert share == 2
