from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from config import load_settings
from nightly.schedule import Schedule, slot_of

DAILY = Schedule(1, 3, 0)
WEEKLY = Schedule(7, 23, 30)


def test_the_settings_say_how_often_and_when() -> None:
    settings = load_settings(_env_file=None, training_frequency="weekly", training_time="23:30")
    assert Schedule.of(settings) == WEEKLY
    assert str(WEEKLY) == "weekly on Sunday at 23:30 UTC"


@pytest.mark.parametrize(
    ("now", "latest"),
    [
        ("2026-11-21T02:59:59+00:00", "2026-11-20T03:00:00+00:00"),
        ("2026-11-21T03:00:00+00:00", "2026-11-21T03:00:00+00:00"),
        ("2026-11-21T23:59:00+00:00", "2026-11-21T03:00:00+00:00"),
        ("2027-01-01T00:00:00+00:00", "2026-12-31T03:00:00+00:00"),
        ("2026-11-21T04:30:00+05:45", "2026-11-20T03:00:00+00:00"),
    ],
)
def test_a_daily_run_is_due_at_its_time_in_utc(now: str, latest: str) -> None:
    moment = datetime.fromisoformat(now)
    assert DAILY.latest(moment) == datetime.fromisoformat(latest)
    assert DAILY.next(moment) == datetime.fromisoformat(latest) + timedelta(days=1)


@pytest.mark.parametrize(
    ("now", "latest"),
    [
        ("2026-11-22T23:29:59+00:00", "2026-11-15T23:30:00+00:00"),
        ("2026-11-22T23:30:00+00:00", "2026-11-22T23:30:00+00:00"),
        ("2026-11-28T12:00:00+00:00", "2026-11-22T23:30:00+00:00"),
    ],
)
def test_a_weekly_run_is_due_on_sundays(now: str, latest: str) -> None:
    assert WEEKLY.latest(datetime.fromisoformat(now)) == datetime.fromisoformat(latest)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_nights_of_a_year_are_a_day_apart_whatever_the_local_clock_does(zone: str) -> None:
    moment = datetime(2026, 1, 1, 12, tzinfo=ZoneInfo(zone))
    seen: list[datetime] = []
    for hour in range(365 * 24):
        now = (moment.astimezone(UTC) + timedelta(hours=hour)).astimezone(ZoneInfo(zone))
        due = DAILY.latest(now)
        assert due <= now < DAILY.next(now)
        if not seen or seen[-1] != due:
            seen.append(due)
    gaps = {later - earlier for earlier, later in itertools.pairwise(seen)}
    assert gaps == {timedelta(days=1)}


def test_a_slot_is_named_by_its_due_time_in_utc() -> None:
    berlin = datetime(2026, 7, 1, 5, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    assert slot_of(berlin) == "2026-07-01T03:00Z"
