"""What others are told arrives, signed, once or more; and nothing of it leaks anywhere."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from config import ConfigError, Settings, load_settings
from domain import Delivery
from storage import Store
from tests.receiver import HANG, Receiver, receiving
from webhook import MARGIN, PAUSES, announce, deliver_due, signature, warnings

NIGHT = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
SECRET, TOKEN = "a key that nobody sees", "t0ken-in-the-path"
ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs" / "webhooks.md"
SENDER = """
import sys
from datetime import datetime
from config import load_settings
from storage import open_store
from webhook import deliver_due
settings, now = load_settings(_env_file=None), datetime.fromisoformat(sys.argv[1])
deliver_due(open_store(settings), settings, now, clock=lambda: now)
"""


def told_to(settings: Settings, receiver: Receiver | str, **changes: Any) -> Settings:
    url = receiver if isinstance(receiver, str) else receiver.url
    update = {"webhook_url": url, "webhook_secret": SECRET, "fetch_timeout": 5.0, **changes}
    return settings.model_copy(update=update)


def tell(store: Store, settings: Settings, n: int = 1, now: datetime = NIGHT) -> Delivery:
    made = announce(store, settings, "promoted", {"task": "smile", "version": f"v{n}"}, now)
    assert made is not None
    return made


def deliver(store: Store, settings: Settings, now: datetime) -> int:
    return deliver_due(store, settings, now, clock=lambda: now)


def only(store: Store) -> Delivery:
    (one,) = store.deliveries.all()
    return one


# --- the outbox ---


def test_nothing_is_kept_where_nobody_is_to_be_told(store: Store, settings: Settings) -> None:
    assert announce(store, settings, "promoted", {"task": "smile"}, NIGHT) is None
    assert store.deliveries.all() == []
    assert deliver(store, settings, NIGHT) == 0


def test_the_same_message_again_is_that_message(store: Store, settings: Settings) -> None:
    settings = told_to(settings, "http://127.0.0.1:1/")
    first = tell(store, settings)
    later = NIGHT + timedelta(minutes=3)
    assert tell(store, settings, now=later).id == first.id
    assert tell(store, settings, 2, later).id != first.id
    assert len(store.deliveries.all()) == 2


def test_what_arrived_is_not_sent_again(store: Store, settings: Settings) -> None:
    with receiving() as receiver:
        settings = told_to(settings, receiver)
        tell(store, settings)
        assert deliver(store, settings, NIGHT) == 1
        assert deliver(store, settings, NIGHT + timedelta(days=9)) == 0
    assert len(receiver.requests) == 1
    assert only(store).delivered_at == NIGHT
    assert warnings(store) == []


# --- what is sent ---


def test_a_message_says_what_it_is_and_is_signed(store: Store, settings: Settings) -> None:
    with receiving() as receiver:
        settings = told_to(settings, receiver)
        made = tell(store, settings)
        deliver(store, settings, NIGHT + timedelta(seconds=9))
    (request,) = receiver.requests
    assert json.loads(request.body) == {
        "event": "promoted",
        "delivery": made.id,
        "created_at": NIGHT.isoformat(),
        "task": "smile",
        "version": "v1",
    }
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-exposr-event"] == "promoted"
    assert request.headers["x-exposr-delivery"] == made.id
    timestamp = request.headers["x-exposr-timestamp"]
    assert int(timestamp) == int(NIGHT.timestamp()) + 9
    signed = signature(SECRET, timestamp, request.body)
    assert request.headers["x-exposr-signature-256"] == signed


def test_a_signature_is_the_hmac_that_openssl_makes() -> None:
    # printf '%s' '1763694000.{"a":1}' | openssl dgst -sha256 -hmac key
    made = signature("key", "1763694000", b'{"a":1}')
    assert made == OPENSSL


OPENSSL = "sha256=8d16adde06fa338f047e0e9746ec5dc87eb03f7c6d89e54d138d382acb534e7d"


def test_a_body_cannot_pretend_to_be_another_message(store: Store, settings: Settings) -> None:
    with receiving() as receiver:
        settings = told_to(settings, receiver)
        made = announce(store, settings, "promoted", {"delivery": "other", "event": "x"}, NIGHT)
        deliver(store, settings, NIGHT)
    assert made is not None
    said = json.loads(receiver.requests[0].body)
    assert (said["delivery"], said["event"]) == (made.id, "promoted")


def test_labels_of_every_script_arrive(store: Store, settings: Settings) -> None:
    labels = ["ಅಆಇ", "👍🏽", '"\\', "half a pair: \ud800"]
    with receiving() as receiver:
        settings = told_to(settings, receiver)
        announce(store, settings, "promoted", {"labels": labels}, NIGHT)
        deliver(store, settings, NIGHT)
    assert json.loads(receiver.requests[0].body)["labels"] == labels


def test_without_a_key_nothing_pretends_to_be_signed(store: Store, settings: Settings) -> None:
    with receiving() as receiver:
        settings = told_to(settings, receiver, webhook_secret="")
        tell(store, settings)
        assert deliver(store, settings, NIGHT) == 1
    assert "x-exposr-signature-256" not in receiver.requests[0].headers


def test_the_example_of_the_docs_tells_true_messages_from_others(
    store: Store, settings: Settings
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, str(DOCS), "exec"), names)  # noqa: S102 the page's own words
    is_ours: Callable[..., bool] = names["is_ours"]
    with receiving() as receiver:
        settings = told_to(settings, receiver)
        tell(store, settings)
        deliver(store, settings, NIGHT)
    (request,) = receiver.requests
    timestamp = request.headers["x-exposr-timestamp"]
    signed = request.headers["x-exposr-signature-256"]
    now = NIGHT.timestamp() + 60
    assert is_ours(SECRET, timestamp, signed, request.body, now)
    assert not is_ours("another key", timestamp, signed, request.body, now)
    assert not is_ours(SECRET, timestamp, signed, request.body + b" ", now)
    assert not is_ours(SECRET, str(int(timestamp) + 1), signed, request.body, now)
    assert not is_ours(SECRET, timestamp, signed, request.body, now + 3600), "an old one, replayed"
    assert not is_ours(SECRET, "soon", signed, request.body, now)
    assert not is_ours(SECRET, timestamp, "", request.body, now)


# --- what does not arrive ---


def test_a_message_is_tried_again_until_it_arrives(store: Store, settings: Settings) -> None:
    with receiving(500, 503) as receiver:
        settings = told_to(settings, receiver)
        tell(store, settings)
        now = NIGHT
        for pause in PAUSES[:2]:
            assert deliver(store, settings, now) == 0
            assert only(store).next_try_at == now + pause
            assert deliver(store, settings, now + pause - timedelta(seconds=1)) == 0
            now += pause
        assert len(receiver.requests) == 2
        assert deliver(store, settings, now) == 1
    assert len(set(receiver.ids)) == 1, "every try has the same id"
    stamps = [int(one.headers["x-exposr-timestamp"]) for one in receiver.requests]
    assert stamps == sorted(set(stamps)), "and its own time"


def test_after_the_last_try_it_is_given_up_and_said(
    store: Store, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with receiving(*[500] * 20) as receiver:
        settings = told_to(settings, receiver)
        tell(store, settings)
        now = NIGHT
        for pause in PAUSES:
            deliver(store, settings, now)
            now += pause
        assert only(store).next_try_at == now
        deliver(store, settings, now)
        assert only(store).next_try_at is None
        assert deliver(store, settings, now + timedelta(days=30)) == 0
    assert len(receiver.requests) == len(PAUSES) + 1
    assert "given up" in caplog.text
    (said,) = warnings(store)
    assert "1 of them will not be tried again" in said
    assert "The receiver answered 500." in said


def test_what_did_not_arrive_is_said_until_a_later_message_does(
    store: Store, settings: Settings
) -> None:
    with receiving(500, 500, 500) as receiver:
        settings = told_to(settings, receiver)
        tell(store, settings)
        for tries in range(3):
            assert warnings(store) == [], tries
            deliver(store, settings, NIGHT + timedelta(hours=tries))
        (said,) = warnings(store)
        assert "1 did not arrive" in said and "0 of them will not be tried again" in said
        later = NIGHT + timedelta(hours=2, minutes=1)
        tell(store, settings, 2, later)
        assert deliver(store, settings, later) == 1
    assert warnings(store) == []


def test_whoever_is_gone_is_not_asked_again(store: Store, settings: Settings) -> None:
    with receiving(410) as receiver:
        settings = told_to(settings, receiver)
        tell(store, settings)
        deliver(store, settings, NIGHT)
    assert only(store).next_try_at is None


def test_a_redirect_is_not_followed(store: Store, settings: Settings) -> None:
    with receiving() as elsewhere, receiving(307, Location=elsewhere.url) as receiver:
        settings = told_to(settings, receiver)
        tell(store, settings)
        assert deliver(store, settings, NIGHT) == 0
    assert elsewhere.requests == []
    assert "answered 307" in str(only(store).last_error)


def test_a_receiver_that_hangs_costs_one_try_and_no_more(store: Store, settings: Settings) -> None:
    with receiving(HANG) as receiver:
        settings = told_to(settings, receiver, fetch_timeout=0.3)
        for n in range(5):
            tell(store, settings, n)
        assert deliver(store, settings, NIGHT) == 0
        assert len(receiver.requests) == 1
        tried = [one for one in store.deliveries.all() if one.attempts]
        assert [one.last_error for one in tried] == ["No full answer within 0.3 seconds."]
        assert deliver(store, settings, NIGHT) == 4, "the others wait for nothing"


def test_one_that_is_refused_does_not_hold_the_others_back(
    store: Store, settings: Settings
) -> None:
    with receiving(400) as receiver:
        settings = told_to(settings, receiver)
        for n in range(5):
            tell(store, settings, n)
        assert deliver(store, settings, NIGHT) == 4


@pytest.mark.parametrize("status", [200, 500])
def test_a_slow_receiver_keeps_nobody_for_long(
    store: Store, settings: Settings, status: int
) -> None:
    moments = iter(NIGHT + timedelta(seconds=25 * step) for step in range(100))
    with receiving(*[status] * 9) as receiver:
        settings = told_to(settings, receiver)
        for n in range(9):
            tell(store, settings, n)
        deliver_due(store, settings, NIGHT, clock=lambda: next(moments))
    assert 1 <= len(receiver.requests) < 4


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        ("600", timedelta(minutes=10)),
        ("5", PAUSES[0]),
        ("99999999999999999999999", PAUSES[-1]),
        (format_datetime(NIGHT + timedelta(hours=1), usegmt=True), timedelta(hours=1)),
        (format_datetime(NIGHT - timedelta(hours=1), usegmt=True), PAUSES[0]),
        ("Fri, 31 Dec 9999 23:59:59 GMT", PAUSES[-1]),
        ("Fri, 31 Dec 99999 23:59:59 GMT", PAUSES[0]),
        ("1 Jan 2026 00:00:00 +999999999999999999", PAUSES[0]),
        ("Mon, 1 Jan 0001 00:00:00 +2359", PAUSES[0]),
        ("-5", PAUSES[0]),
        ("²", PAUSES[0]),
        ("", PAUSES[0]),
    ],
)
def test_it_waits_as_long_as_it_is_asked_to_within_a_day(
    store: Store, settings: Settings, asked: str, waited: timedelta
) -> None:
    with receiving(429, Retry_After=asked) as receiver:
        settings = told_to(settings, receiver)
        tell(store, settings)
        deliver(store, settings, NIGHT)
    assert only(store).next_try_at == NIGHT + waited


def test_many_processes_send_each_message_once(any_store: Store, settings: Settings) -> None:
    with receiving() as receiver:
        settings = told_to(settings, receiver)
        for n in range(12):
            tell(any_store, settings, n)
        together = threading.Barrier(4)
        arrived: list[int] = []

        def sender() -> None:
            together.wait()
            arrived.append(deliver(any_store, settings, NIGHT))

        senders = [threading.Thread(target=sender) for _ in range(4)]
        for one in senders:
            one.start()
        for one in senders:
            one.join()
    assert sum(arrived) == 12
    assert len(receiver.ids) == len(set(receiver.ids)) == 12


def test_one_message_is_sent_by_one_process_at_a_time(store: Store, settings: Settings) -> None:
    with receiving(HANG) as receiver:
        settings = told_to(settings, receiver)
        tell(store, settings)
        first = threading.Thread(target=deliver, args=(store, settings, NIGHT))
        first.start()
        assert receiver.came.wait(10)
        assert deliver(store, settings, NIGHT) == 0
        receiver.stop.set()
        first.join()
    assert len(receiver.requests) == 1


def test_a_message_whose_sender_was_killed_comes_again_with_its_id(
    store: Store, settings: Settings
) -> None:
    with receiving(HANG) as receiver:
        settings = told_to(settings, receiver, fetch_timeout=30.0)
        made = tell(store, settings)
        environment = {
            **os.environ,
            "DATA_DIR": str(settings.data_dir),
            "WEBHOOK_URL": receiver.url,
            "WEBHOOK_SECRET": SECRET,
            "FETCH_TIMEOUT": "30",
        }
        sender = subprocess.Popen(
            [sys.executable, "-c", SENDER, NIGHT.isoformat()], cwd=ROOT, env=environment
        )
        try:
            assert receiver.came.wait(60)
        finally:
            sender.kill()
            sender.wait()
        held = timedelta(seconds=30) + MARGIN
        assert deliver(store, settings, NIGHT + held - timedelta(seconds=1)) == 0
        assert deliver(store, settings, NIGHT + held + timedelta(seconds=1)) == 1
    assert receiver.ids == [made.id, made.id]
    for request in receiver.requests:
        timestamp = request.headers["x-exposr-timestamp"]
        signed = request.headers["x-exposr-signature-256"]
        assert signed == signature(SECRET, timestamp, request.body)


# --- what stays secret ---


@pytest.mark.parametrize(
    "url",
    [
        TOKEN,
        f"ftp://127.0.0.1/{TOKEN}",
        f"http://me:{TOKEN}@hooks.example/",
        f"https://hooks.example/{TOKEN} x",
        f"https://hooks.example/{TOKEN}\nX-Other: 1",
        "http://",
        "http:///x",
    ],
)
def test_a_url_that_cannot_be_is_said_at_the_start_without_it(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(_env_file=None, webhook_url=url)
    assert "WEBHOOK_URL=(hidden): allowed: http:// or https://" in caught.value.message
    assert TOKEN not in caught.value.message


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "HTTPS://hooks.example/a?key=b#c", "http://[fd00::1]:9/x"]
)
def test_a_url_that_can_be_is_taken(url: str) -> None:
    assert load_settings(_env_file=None, webhook_url=url).webhook_url == url


@pytest.mark.parametrize(
    "where",
    [
        "http://127.0.0.1:{port}/{token}",
        "https://127.0.0.1:{port}/?key={token}",
        "http://me:{token}@127.0.0.1/",
        "http://127.0.0.1:99999/{token}",
        "http://169.254.169.254/{token}",
        "http://hooks.invalid/{token}",
        "http://[::{token}/",
        "gopher://127.0.0.1/{token}",
        "{token}",
    ],
)
def test_neither_the_key_nor_the_url_is_in_errors_or_logs(
    store: Store, settings: Settings, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with receiving(*[500] * 9, path=f"/{TOKEN}") as receiver:
        port = receiver.url.split(":")[2].split("/")[0]
        settings = told_to(settings, where.format(port=port, token=TOKEN))
        tell(store, settings)
        now = NIGHT
        for _ in range(3):
            assert deliver(store, settings, now) == 0
            now += timedelta(days=1)
    error = str(only(store).last_error)
    shown = caplog.text + error + repr(warnings(store)) + repr(only(store))
    assert error and TOKEN not in shown and SECRET not in shown
    assert warnings(store)


def test_a_receiver_nobody_runs_is_an_error_in_words(store: Store, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings = told_to(settings, f"http://127.0.0.1:{port}/")
    tell(store, settings)
    assert deliver(store, settings, NIGHT) == 0
    assert only(store).last_error == "The host cannot be reached."
