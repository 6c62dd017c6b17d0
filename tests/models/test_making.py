"""What a version's training keeps time for."""

from __future__ import annotations

from models.making import TRIALS_SHARE, for_trials


def test_trials_take_their_share_where_there_is_time() -> None:
    assert for_trials(100.0, left=60.0, needed=5.0) == TRIALS_SHARE * 100.0


def test_trials_leave_the_time_to_leave_sources_out() -> None:
    assert for_trials(100.0, left=18.0, needed=10.0) == 8.0
    assert for_trials(100.0, left=5.0, needed=10.0) == 0.0
