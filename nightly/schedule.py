"""When the nightly run is due: pure arithmetic on UTC, which knows no summer time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from config import Settings

SUNDAY = 6
"""The weekday of weekly runs, as `datetime.weekday` counts them."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Once every so many days at a time of day, UTC."""

    days: int
    hour: int
    minute: int

    @classmethod
    def of(cls, settings: Settings) -> Schedule:
        """What TRAINING_FREQUENCY and TRAINING_TIME say."""
        hour, minute = settings.training_time.split(":")
        return cls(7 if settings.training_frequency == "weekly" else 1, int(hour), int(minute))

    def __str__(self) -> str:
        often = "daily" if self.days == 1 else "weekly on Sunday"
        return f"{often} at {self.hour:02}:{self.minute:02} UTC"

    def latest(self, now: datetime) -> datetime:
        """The last time it was due, `now` included.

        Parameters
        ----------
        now
            Aware, in any zone.
        """
        now = now.astimezone(UTC)
        due = now.replace(hour=self.hour, minute=self.minute, second=0, microsecond=0)
        if self.days > 1:
            due -= timedelta(days=(due.weekday() - SUNDAY) % self.days)
        return due if due <= now else due - timedelta(days=self.days)

    def next(self, now: datetime) -> datetime:
        """When it is due after `now`, an aware time in any zone."""
        return self.latest(now) + timedelta(days=self.days)


def slot_of(due: datetime) -> str:
    """The name of a due time, which no two runs can have: `2026-11-21T03:00Z`."""
    return f"{due.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
