"""How many threads solve."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

_alone = threading.Lock()


@contextmanager
def single_thread() -> Iterator[None]:
    """One BLAS thread, for one caller at a time: matrices this small gain nothing from more."""
    with _alone, _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> Any:
    """Finding the libraries takes 10 ms, so they are found once; scipy's is loaded first."""
    import scipy.linalg  # noqa: F401

    return ThreadpoolController()
