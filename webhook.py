"""What others are told of: an outbox in the database, signed, and tried until it arrives.

A message is written where everything else is written and sent by whoever looks next, so that
none is lost with a process. It may arrive twice: a process can die between sending a message and
noting that it arrived. Every try carries the same id, by which a receiver tells.

The URL may hold a secret, so it is in no error and no log, no more than the key is.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from config import Settings
from domain import Delivery, FetchRefused
from scraper.fetch import Answer, send
from storage import Store

PAUSES = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=12),
    timedelta(days=1),
)
"""How long is waited after each try that failed; after one more it is given up."""
LONGEST_PAUSE = PAUSES[-1]
MARGIN = timedelta(minutes=1)
"""How long after the longest try a message is anybody's again whose sender died."""
AT_ONCE = 20
ROUND = timedelta(minutes=1)
"""What is due and not tried within it is left to the next call, for somebody waits for this one."""
LATEST = 50
"""Among how many messages the very same one is looked for."""
ASKED_ABOUT = 5
"""Of how many it is said that they did not arrive: each may be long."""
WORRYING = 3
"""Tries in vain from which on it is said."""
GONE = 410
REDIRECTS = range(300, 400)
MAY_NAME_A_TIME = (429, 503)
OF_OUR_URL: Mapping[str, str] = {
    "scheme": "WEBHOOK_URL is neither http nor https.",
    "url": "WEBHOOK_URL cannot be read.",
    "credentials": "WEBHOOK_URL holds a user name or password.",
    "port": "WEBHOOK_URL names no port that can be.",
    "address": "The host of WEBHOOK_URL has an address that nothing is sent to.",
}
"""Refusals in words for whoever set the URL; the usual ones are for a stranger's."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try was in vain.

    Attributes
    ----------
    reached
        Whether somebody answered: else other messages need not be tried now.
    final
        Whether the receiver wants no more tries.
    wait
        For how long it asked to be left alone.
    """

    message: str
    reached: bool
    final: bool = False
    wait: timedelta = timedelta(0)


def announce(
    store: Store, settings: Settings, event: str, body: Mapping[str, Any], now: datetime
) -> Delivery | None:
    """Put a message into the outbox; None when no WEBHOOK_URL is set.

    The very same message as one of the latest is that one: a job that is gone on with after a
    crash says nothing twice.

    Parameters
    ----------
    store
        Where the outbox is.
    settings
        For whether there is anybody to tell.
    event
        What happened, in one word.
    body
        JSON-ready. What makes it another message, such as a time, belongs into it.
    now
        The present moment, aware.
    """
    if not settings.webhook_url:
        return None
    said = json.loads(json.dumps(body))  # as it comes back from the store
    for known in store.deliveries.all(LATEST):
        if (known.event, known.body) == (event, said):
            return known
    return store.deliveries.add(event, said, now)


def deliver_due(
    store: Store,
    settings: Settings,
    now: datetime,
    *,
    clock: Callable[[], datetime] | None = None,
) -> int:
    """Send what is due; returns how many messages arrived. Any number of processes may at once.

    Parameters
    ----------
    store
        Where the outbox is.
    settings
        WEBHOOK_URL, WEBHOOK_SECRET, the seconds a try may take.
    now
        The present moment, aware: what is due by then is tried.
    clock
        The moment of each try, aware; `now` and the time since when left out.
    """
    if not settings.webhook_url:
        return 0
    moment = clock or _since(now)
    arrived = 0
    for delivery in store.deliveries.due(now, AT_ONCE):
        at = moment()
        if at - now > ROUND:
            break
        held = timedelta(seconds=settings.fetch_timeout) + MARGIN
        if not store.deliveries.hold(delivery, at + held):
            continue  # another process has it
        failure = _send(settings, delivery, at)
        if failure is None:
            store.deliveries.delivered(delivery.id, moment())
            arrived += 1
            continue
        _put_off(store, delivery, failure, moment())
        if not failure.reached:
            break  # the others would wait as long
    return arrived


def warnings(store: Store) -> list[str]:
    """What of the latest messages did not arrive, in plain sentences; reads some rows."""
    missing = []
    for delivery in store.deliveries.all(ASKED_ABOUT):
        if delivery.delivered_at is not None:
            break  # it takes messages again
        if delivery.attempts >= WORRYING:
            missing.append(delivery)
    if not missing:
        return []
    given_up = sum(delivery.next_try_at is None for delivery in missing)
    oldest = min(delivery.created_at for delivery in missing)
    return [
        f"Of the latest messages to the webhook {len(missing)} did not arrive, the first of "
        f"{oldest.astimezone(UTC):%Y-%m-%d %H:%M} UTC; "
        f"{given_up} of them will not be tried again. The last time: {missing[0].last_error}"
    ]


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What X-Exposr-Signature-256 says: HMAC-SHA256 of the timestamp, a dot and the body."""
    signed = timestamp.encode("ascii") + b"." + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def _send(settings: Settings, delivery: Delivery, at: datetime) -> Failure | None:
    """Try once; None when it arrived."""
    # the id is in what is signed: else whoever overheard a message could send it as another one
    signed = {"delivery": delivery.id, "event": delivery.event}
    created = {"created_at": delivery.created_at.astimezone(UTC).isoformat()}
    body = json.dumps({**signed, **created, **delivery.body, **signed}).encode("ascii")
    timestamp = str(int(at.timestamp()))
    headers = {
        "Content-Type": "application/json",
        "X-Exposr-Event": delivery.event,
        "X-Exposr-Delivery": delivery.id,
        "X-Exposr-Timestamp": timestamp,
    }
    if settings.webhook_secret:
        headers["X-Exposr-Signature-256"] = signature(settings.webhook_secret, timestamp, body)
    try:
        answer = send(settings.webhook_url, body, headers, settings)
    except FetchRefused as error:
        return Failure(OF_OUR_URL.get(error.reason, error.message), reached=False)
    return _failure_of(answer, at)


def _failure_of(answer: Answer, at: datetime) -> Failure | None:
    status = answer.status
    if 200 <= status < 300:
        return None
    said = f"The receiver answered {status}."
    if status in REDIRECTS:
        said = (
            f"The receiver answered {status}: what is signed is sent to no other place than "
            "WEBHOOK_URL, so set that to where it points."
        )
    wait = timedelta(0)
    if status in MAY_NAME_A_TIME:
        wait = _asked_to_wait(answer.headers.get("retry-after", ""), at)
    return Failure(said, reached=True, final=status == GONE, wait=wait)


def _asked_to_wait(retry_after: str, at: datetime) -> timedelta:
    """What a Retry-After comes to: seconds or a date, within what is ever waited."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        # many digits are more seconds than a timedelta holds
        return timedelta(seconds=min(int(text[:9]), int(LONGEST_PAUSE.total_seconds())))
    try:
        until = parsedate_to_datetime(text)
        aware = until if until.tzinfo else until.replace(tzinfo=UTC)
        return min(max(aware - at, timedelta(0)), LONGEST_PAUSE)
    except (ValueError, OverflowError):  # no date, or one of no year there is
        return timedelta(0)


def _put_off(store: Store, delivery: Delivery, failure: Failure, now: datetime) -> None:
    """Say when it is tried again, or that it is not."""
    tries = delivery.attempts + 1
    what = f"{delivery.event} message {delivery.id}"
    if failure.final or tries > len(PAUSES):
        log.error("The webhook's %s is given up, try %d: %s", what, tries, failure.message)
        store.deliveries.failed(delivery.id, failure.message, None)
        return
    again = now + max(PAUSES[tries - 1], failure.wait)
    log.warning(
        "The webhook's %s did not arrive, try %d: %s Again at %s.",
        what,
        tries,
        failure.message,
        again.isoformat(timespec="seconds"),
    )
    store.deliveries.failed(delivery.id, failure.message, again)


def _since(now: datetime) -> Callable[[], datetime]:
    """A clock that went by `now` when this was called."""
    started = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - started)
