from __future__ import annotations

import gzip
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config import load_settings
from domain import FetchRefused
from scraper.manners import ATTEMPTS, Stopped, Visitor
from scraper.pace import BROKEN, LEFT_ALONE, LONGEST_WAIT, Host, Patience
from scraper.robots import DAY, UNREACHABLE_FOR
from tests.scraper.servers import (
    BROKEN_OFF,
    GONE,
    Reply,
    Request,
    Site,
    drip,
    flood,
    hosting,
    in_turn,
    serving,
)

PICTURE = b"\x89PNG and so on"
LIMIT = 20.0  # seconds that a condition may take to come true


class Time(threading.Event):
    """A stop that nobody waits for: time passes at once instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.rests: list[float] = []
        self.asleep: Callable[[], None] = lambda: None
        self._passing = threading.Lock()

    def clock(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        with self._passing:
            self.rests.append(timeout)
            self.now += timeout
        self.asleep()
        return self.is_set()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def site() -> Iterator[Site]:
    with hosting({"/picture": Reply(PICTURE)}) as one:
        yield one


def anywhere(*_: Any) -> list[Any]:
    """Every name is this machine."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", _[1]))]


def visitor(time: Time, *sites: Site, **values: Any) -> Visitor:
    defaults: dict[str, Any] = {
        "fetch_allowed_networks": ("127.0.0.1/32",),
        "fetch_ports": (80, 443, *(site.port for site in sites)),
        "fetch_timeout": 5.0,
        "crawl_per_second": 0,
    }
    now = values.pop("now", lambda: datetime.now(UTC))
    settings = load_settings(**{**defaults, **values})
    return Visitor(settings, clock=time.clock, stop=time, lookup=anywhere, now=now)


def refusal(guest: Visitor, url: str, **options: Any) -> str:
    with pytest.raises(FetchRefused) as caught:
        guest.get(url, **options)
    return caught.value.reason


# --- what is sent and what comes back ---


def test_a_picture_comes_with_its_headers(time: Time, site: Site) -> None:
    site.pages["/picture"] = Reply(PICTURE, headers=[("ETag", '"1"'), ("Content-Type", "image/x")])
    with visitor(time, site) as guest:
        answer = guest.get(site.url("/picture#part"))
    assert (answer.status, answer.data, answer.url) == (200, PICTURE, site.url("/picture"))
    assert (answer.headers["etag"], answer.headers["content-type"]) == ('"1"', "image/x")


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("/a b.png", "/a%20b.png"),
        ("/ä.png", "/%C3%A4.png"),
        ("/%C3%A4.png", "/%C3%A4.png"),
        ("/a%20b.png?x=1&y=ü", "/a%20b.png?x=1&y=%C3%BC"),
        ("", "/"),
        ("/a/../b", "/b"),
    ],
)
def test_an_address_is_asked_for_however_it_is_written(
    time: Time, site: Site, written: str, asked: str
) -> None:
    site.pages[asked] = Reply(PICTURE)
    with visitor(time, site) as guest:
        assert guest.get(site.url(written)).data == PICTURE


def test_a_request_says_who_asks_and_for_what(time: Time, site: Site) -> None:
    with visitor(time, site, user_agent="Exposr/9 (+https://who.example)") as guest:
        guest.get(site.url("/picture"), headers={"Authorization": "Bearer key"})
    asked = site.visits[-1].headers
    assert asked["user-agent"] == "Exposr/9 (+https://who.example)"
    assert asked["authorization"] == "Bearer key"
    assert (asked["accept"], asked["accept-encoding"]) == ("image/*", "identity")
    assert "cookie" not in asked and "referer" not in asked


def test_cookies_are_not_kept(time: Time, site: Site) -> None:
    site.pages["/picture"] = Reply(PICTURE, headers=[("Set-Cookie", "who=you; Path=/")])
    with visitor(time, site) as guest:
        guest.get(site.url("/picture"))
        guest.get(site.url("/picture"))
    assert all("cookie" not in visit.headers for visit in site.visits)


def test_no_proxy_is_taken_from_the_environment(
    time: Time, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with visitor(time, site) as guest:
        assert guest.get(site.url("/picture")).data == PICTURE


def test_what_has_not_changed_is_not_sent_again(time: Time, site: Site) -> None:
    def unless_known(request: Request) -> Reply:
        known = request.headers.get("if-none-match") == '"1"'
        return Reply(b"", "304 Not Modified") if known else Reply(PICTURE)

    site.pages["/picture"] = unless_known
    with visitor(time, site) as guest:
        date = "Wed, 21 Oct 2015 07:28:00 GMT"
        answer = guest.get(site.url("/picture"), etag='"1"', last_modified=date)
        assert (answer.status, answer.data) == (304, b"")
        assert guest.get(site.url("/picture")).data == PICTURE
    assert site.visits[1].headers["if-modified-since"] == date
    assert site.connections == 1


@pytest.mark.parametrize("status", ["404 Not Found", "401 Unauthorized", "500 Broken", "204 None"])
def test_other_statuses_are_refused_without_another_attempt(
    time: Time, site: Site, status: str
) -> None:
    site.pages["/picture"] = Reply(b"", status)
    with visitor(time, site) as guest:
        assert refusal(guest, site.url("/picture")) == "status"
    assert site.paths() == ["/picture"]


def test_a_compressed_page_is_unpacked(time: Time, site: Site) -> None:
    packed = Reply(gzip.compress(b"<html>", mtime=0), headers=[("Content-Encoding", "gzip")])
    site.pages["/page"] = packed
    with visitor(time, site) as guest:
        assert guest.get(site.url("/page"), accept="text/html").data == b"<html>"
    assert site.visits[-1].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("encoding", "body", "reason"),
    [
        ("gzip", gzip.compress(b"0" * 5_000, mtime=0), "too_large"),
        ("deflate", zlib.compress(b"0" * 5_000), "too_large"),
        ("identity", b"0" * 1_001, "too_large"),
        ("gzip", gzip.compress(b"0" * 500, mtime=0)[:-9], "encoding"),
        ("gzip", b"no gzip", "encoding"),
        ("br", b"whatever", "encoding"),
    ],
)
def test_what_is_too_large_or_damaged_when_unpacked_is_refused(
    time: Time, site: Site, encoding: str, body: bytes, reason: str
) -> None:
    site.pages["/page"] = Reply(body, headers=[("Content-Encoding", encoding)])
    with visitor(time, site) as guest:
        assert refusal(guest, site.url("/page"), accept="text/html", max_bytes=1_000) == reason


def test_an_endless_answer_ends_at_the_cap(time: Time) -> None:
    endless = flood(b"HTTP/1.1 200 OK\r\n\r\n", b"0" * 65_536)
    with serving(endless) as server, hosting() as site:
        site.port = server.port
        with visitor(time, site) as guest:
            assert refusal(guest, server.url, api=True, max_bytes=100_000) == "too_large"


def test_an_endless_error_page_is_left_unread(time: Time) -> None:
    endless = flood(b"HTTP/1.1 404 Not Found\r\n\r\n", b"0" * 65_536)
    with serving(endless) as server, hosting() as site:
        site.port = server.port
        with visitor(time, site) as guest:
            assert refusal(guest, server.url, api=True) == "status"


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"0"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n0\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: 0\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-More: ", b"0"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"H"),
    ],
)
def test_a_server_that_drips_meets_the_deadline(time: Time, start: bytes, drop: bytes) -> None:
    stop = threading.Event()
    with serving(drip(stop, start, drop)) as server, hosting() as site:
        site.port = server.port
        with visitor(time, site, fetch_timeout=0.3) as guest:
            assert refusal(guest, server.url, api=True) in ("deadline", "unreachable")
        stop.set()


def test_an_answer_that_breaks_off_is_no_answer(time: Time) -> None:
    def behave(client: socket.socket, path: str) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")

    with serving(behave) as server, hosting() as site:
        site.port = server.port
        with visitor(time, site) as guest:
            assert refusal(guest, server.url, api=True) == "unreachable"
        assert server.connections == ATTEMPTS


# --- the guard ---


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://site.example/", "scheme"),
        ("http://user:secret@site.example/", "credentials"),
        ("http://site.example:22/", "port"),
        ("http://10.0.0.1/", "address"),
        ("http://[::1]/", "address"),
        ("http://", "url"),
        ("http://[", "url"),
        ("picture.png", "scheme"),
    ],
)
def test_urls_are_judged_as_by_fetch(time: Time, site: Site, url: str, reason: str) -> None:
    with visitor(time, site) as guest:
        assert refusal(guest, url) == reason
        assert refusal(guest, url, api=True) == reason


@pytest.mark.parametrize("address", ["10.1.2.3", "127.0.0.2", "169.254.169.254"])
def test_a_name_that_means_a_private_address_is_refused(
    time: Time, site: Site, address: str
) -> None:
    def lookup(host: str, port: int, *_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    settings = load_settings(fetch_allowed_networks=("127.0.0.1/32",), fetch_ports=(site.port,))
    with Visitor(settings, clock=time.clock, stop=time, lookup=lookup) as guest:
        assert refusal(guest, site.url("/picture", "name.example"), api=True) == "address"
    assert site.visits == []


def test_an_unknown_name_is_not_tried_again(time: Time) -> None:
    asked = []

    def lookup(host: str, *_: Any) -> list[Any]:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with Visitor(load_settings(), clock=time.clock, stop=time, lookup=lookup) as guest:
        assert refusal(guest, "http://no.example/", api=True) == "dns"
    assert asked == ["no.example"]


def test_a_lookup_that_hangs_meets_the_deadline(time: Time) -> None:
    hanging = threading.Event()

    def lookup(*_: Any) -> list[Any]:
        hanging.wait(LIMIT)
        return []

    settings = load_settings(fetch_timeout=0.3)
    with Visitor(settings, clock=time.clock, stop=time, lookup=lookup) as guest:
        assert refusal(guest, "http://slow.example/", api=True) == "deadline"
    hanging.set()


@pytest.fixture(scope="module")
def secured(certificate: tuple[Path, Path]) -> Iterator[Site]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    with hosting({"/picture": Reply(PICTURE)}, tls=context) as site:
        yield site


def test_an_unknown_certificate_is_refused(time: Time, secured: Site) -> None:
    with visitor(time, secured) as guest:
        url = f"https://secure.example:{secured.port}/picture"
        assert refusal(guest, url, api=True) == "tls"
    assert secured.visits == []


def test_a_certificate_is_checked_against_the_name(
    time: Time, secured: Site, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate[1]))
    monkeypatch.setattr("scraper.connections.tls", lambda: trusting)
    with visitor(time, secured) as guest:
        url = f"https://secure.example:{secured.port}/picture"
        assert guest.get(url, api=True).data == guest.get(url, api=True).data == PICTURE
        other = f"https://other.example:{secured.port}/picture"
        assert refusal(guest, other, api=True) == "tls"
    assert len({visit.connection for visit in secured.visits}) == 1


# --- connections ---


def test_a_connection_is_kept(time: Time, site: Site) -> None:
    with visitor(time, site) as guest:
        for _ in range(5):
            guest.get(site.url("/picture"))
    assert len(site.paths()) == 5
    assert site.connections == 1


def test_a_kept_connection_that_was_closed_is_replaced_silently(time: Time, site: Site) -> None:
    site.pages["/last"] = Reply(PICTURE, last=True)
    with visitor(time, site) as guest:
        for _ in range(3):
            assert guest.get(site.url("/last"), api=True).data == PICTURE
    assert site.paths() == ["/last"] * 3
    assert time.rests == []


def test_a_kept_connection_that_closes_on_a_request_is_replaced_silently(
    time: Time, site: Site
) -> None:
    site.pages["/picture"] = in_turn(Reply(PICTURE), BROKEN_OFF, Reply(PICTURE))
    with visitor(time, site) as guest:
        guest.get(site.url("/picture"), api=True)
        assert guest.get(site.url("/picture"), api=True).data == PICTURE
    assert [visit.connection for visit in site.visits] == [1, 1, 2]
    assert time.rests == []


# --- back-off ---


def test_a_broken_connection_is_tried_again_after_a_growing_rest(time: Time, site: Site) -> None:
    site.pages["/picture"] = in_turn(BROKEN_OFF, BROKEN_OFF, BROKEN_OFF, Reply(PICTURE))
    with visitor(time, site) as guest:
        assert guest.get(site.url("/picture"), api=True).data == PICTURE
    first, second, third = time.rests
    assert 0.5 <= first <= 1.5 and 1 <= second <= 3 and 2 <= third <= 6


def test_attempts_end(time: Time, site: Site) -> None:
    site.pages["/picture"] = BROKEN_OFF
    with visitor(time, site) as guest:
        assert refusal(guest, site.url("/picture"), api=True) == "unreachable"
    assert len(site.visits) == ATTEMPTS
    assert len(time.rests) == ATTEMPTS - 1


@pytest.mark.parametrize("status", ["429 Too Many", "502 Bad", "503 Not Now", "504 Late"])
def test_an_overrun_server_is_asked_again(time: Time, site: Site, status: str) -> None:
    site.pages["/picture"] = in_turn(Reply(b"", status), Reply(PICTURE))
    with visitor(time, site) as guest:
        assert guest.get(site.url("/picture"), api=True).data == PICTURE
    assert len(time.rests) == 1


@pytest.mark.parametrize(
    ("status", "reason"), [("429 Too Many", "rate_limited"), ("503 Not Now", "status")]
)
def test_a_server_that_stays_overrun_is_given_up(
    time: Time, site: Site, status: str, reason: str
) -> None:
    site.pages["/picture"] = Reply(b"", status)
    with visitor(time, site) as guest:
        assert refusal(guest, site.url("/picture"), api=True) == reason
    assert len(site.visits) == ATTEMPTS


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([("Retry-After", "7")], 7),
        (
            [
                ("Date", "Sat, 21 Nov 2026 17:00:00 GMT"),
                ("Retry-After", "Sat, 21 Nov 2026 17:00:40 GMT"),
            ],
            40,
        ),
        ([("Retry-After", "Sat, 21 Nov 2026 18:00:20 GMT")], 20),
        ([("Retry-After", "Sat, 21 Nov 2026 19:00:20 +0100")], 20),
        ([("Retry-After", "Sat, 21 Nov 2020 18:00:20 GMT")], 0),
        ([("Retry-After", "0")], 0),
    ],
)
def test_the_server_says_how_long_to_stay_away(
    time: Time, site: Site, headers: list[tuple[str, str]], seconds: float
) -> None:
    site.pages["/picture"] = in_turn(Reply(b"", "429 Too Many", headers), Reply(PICTURE))
    our_clock = datetime(2026, 11, 21, 18, tzinfo=UTC)
    with visitor(time, site, now=lambda: our_clock) as guest:
        assert guest.get(site.url("/picture"), api=True).data == PICTURE
    assert sum(time.rests) == pytest.approx(seconds)


@pytest.mark.parametrize("said", ["soon", "-5", "Sat, 99 Nov 2026", "1e3"])
def test_nonsense_about_how_long_counts_as_nothing_said(time: Time, site: Site, said: str) -> None:
    replies = in_turn(Reply(b"", "429 Too Many", [("Retry-After", said)]), Reply(PICTURE))
    site.pages["/picture"] = replies
    with visitor(time, site) as guest:
        assert guest.get(site.url("/picture"), api=True).data == PICTURE
    assert 0.5 <= sum(time.rests) <= 1.5


@pytest.mark.parametrize("said", ["3600", "9" * 40])
def test_a_host_that_wants_long_to_itself_gets_it(time: Time, site: Site, said: str) -> None:
    site.pages["/picture"] = in_turn(
        Reply(b"", "429 Too Many", [("Retry-After", said)]), Reply(PICTURE)
    )
    with visitor(time, site) as guest:
        assert refusal(guest, site.url("/picture"), api=True) == "rate_limited"
        assert refusal(guest, site.url("/other"), api=True) == "rate_limited"
        assert len(site.visits) == 1
        assert time.rests == []
        time.now += 3_600
        if said == "3600":
            assert guest.get(site.url("/picture"), api=True).data == PICTURE


def test_every_thread_stays_away_from_an_overrun_host(time: Time) -> None:
    host = Host("site.example", 4, time.clock, Patience(time))
    host.pause(30)
    with host.turn(0):
        assert time.now == 1_030
    with host.turn(0):
        assert time.now == 1_030


# --- hosts that are down ---


def test_a_host_that_is_down_is_left_alone_for_a_while(time: Time, site: Site) -> None:
    site.pages["/picture"] = BROKEN_OFF
    with visitor(time, site) as guest:
        for _ in range(2):
            refusal(guest, site.url("/picture"), api=True)
        assert len(site.visits) == BROKEN
        time.rests.clear()
        assert refusal(guest, site.url("/other"), api=True) == "unreachable"
        assert len(site.visits) == BROKEN
        assert time.rests == []
        time.now += LEFT_ALONE
        site.pages["/picture"] = Reply(PICTURE)
        assert guest.get(site.url("/picture"), api=True).data == PICTURE


def test_an_answer_of_any_kind_shows_that_a_host_is_there(time: Time, site: Site) -> None:
    with visitor(time, site) as guest:
        for _ in range(2):
            site.pages["/picture"] = in_turn(BROKEN_OFF, BROKEN_OFF, BROKEN_OFF, GONE)
            assert refusal(guest, site.url("/picture"), api=True) == "status"
    assert len(site.visits) == 2 * ATTEMPTS


def test_a_host_that_hangs_holds_nobody_else_up(time: Time, site: Site) -> None:
    hanging = threading.Event()

    def unless_bad(request: Request) -> Reply:
        if request.host == "bad.example":
            hanging.wait(LIMIT)
        return Reply(PICTURE)

    site.pages["/picture"] = unless_bad
    with visitor(time, site, crawl_connections=2) as guest, ThreadPoolExecutor(4) as threads:
        bad = site.url("/picture", "bad.example")
        waiting = [threads.submit(guest.get, bad, api=True) for _ in range(4)]
        good = guest.get(site.url("/picture", "good.example"), api=True)
        assert not any(one.done() for one in waiting)
        hanging.set()
        assert [one.result(LIMIT).data for one in waiting] == [good.data] * 4


# --- pace ---


def test_requests_to_a_host_keep_their_distance(time: Time, site: Site) -> None:
    with visitor(time, site, crawl_per_second=None) as guest:
        for _ in range(5):
            guest.get(site.url("/picture"), per_second=10, api=True)
    assert time.now == pytest.approx(1_000.4)


@pytest.mark.parametrize(
    ("setting", "source", "seconds"), [(2, 10, 0.5), (0, 10, 0.0), (None, 4, 0.25), (None, None, 1)]
)
def test_the_setting_wins_over_the_source(
    time: Time, site: Site, setting: float | None, source: float | None, seconds: float
) -> None:
    with visitor(time, site, crawl_per_second=setting) as guest:
        for _ in range(2):
            guest.get(site.url("/picture"), per_second=source, api=True)
    assert sum(time.rests) == pytest.approx(seconds)


def test_hosts_have_each_their_own_pace(time: Time, site: Site) -> None:
    with visitor(time, site, crawl_per_second=1) as guest:
        for name in ("one.example", "two.example", "three.example"):
            guest.get(site.url("/picture", name), api=True)
    assert time.rests == []


def test_threads_share_a_hosts_pace(time: Time) -> None:
    host = Host("site.example", 8, time.clock, Patience(time))
    moments: list[float] = []

    def turns() -> None:
        for _ in range(25):
            with host.turn(0.5):
                moments.append(time.clock())

    threads = [threading.Thread(target=turns) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert len(moments) == 200
    assert all(moment >= 1_000 + 0.5 * place - 1e-6 for place, moment in enumerate(sorted(moments)))


def test_turns_that_waited_for_a_slow_answer_do_not_come_in_a_burst(time: Time) -> None:
    host = Host("site.example", 1, time.clock, Patience(time))
    with host.turn(1):
        time.now += 100
    for expected in (1_100, 1_101, 1_102):
        with host.turn(1):
            assert time.now == expected


def test_no_more_than_allowed_are_at_a_host_at_once(time: Time, site: Site) -> None:
    full = threading.Barrier(3)

    def together(request: Request) -> Reply:
        full.wait(LIMIT)
        return Reply(PICTURE)

    site.pages["/picture"] = together
    with visitor(time, site, crawl_connections=3) as guest, ThreadPoolExecutor(9) as threads:
        url = site.url("/picture")
        asked = [threads.submit(guest.get, url, api=True) for _ in range(9)]
        assert [one.result(LIMIT).data for one in asked] == [PICTURE] * 9
    assert site.most_at_once == 3
    assert site.connections == 3


def test_many_threads_get_what_each_asked_for(time: Time, site: Site) -> None:
    for number in range(40):
        site.pages[f"/{number}"] = Reply(str(number).encode() * 1_000)
    with visitor(time, site, crawl_connections=8) as guest, ThreadPoolExecutor(16) as threads:
        names = ("one.example", "two.example")
        urls = [site.url(f"/{n % 40}", names[n % 2]) for n in range(400)]
        for number, answer in enumerate(threads.map(guest.get, urls)):
            assert answer.data == str(number % 40).encode() * 1_000
    assert site.paths(robots=True).count("/robots.txt") == 2


# --- robots.txt ---


def forbidding(path: str) -> Reply:
    return Reply(f"User-agent: *\nDisallow: {path}\n".encode())


def test_what_robots_txt_forbids_is_not_asked_for(time: Time, site: Site) -> None:
    site.pages["/robots.txt"] = forbidding("/picture")
    with visitor(time, site) as guest:
        assert refusal(guest, site.url("/picture")) == "robots"
    assert site.paths() == []


@pytest.mark.parametrize(
    "path", ["/%70rivate/a", "/x/../private/a", "/./private/a", "/private/./a?b", "/private/%61"]
)
def test_no_way_of_writing_an_address_leads_around_robots_txt(
    time: Time, site: Site, path: str
) -> None:
    site.pages["/robots.txt"] = forbidding("/private/a")
    with visitor(time, site) as guest:
        assert refusal(guest, site.url(path)) == "robots"
    assert site.paths() == []


def test_an_api_is_called_by_its_terms_instead(time: Time, site: Site) -> None:
    site.pages["/robots.txt"] = forbidding("/")
    with visitor(time, site) as guest:
        assert guest.get(site.url("/picture"), api=True).data == PICTURE
    assert site.paths(robots=True) == ["/picture"]


def test_a_content_signal_against_training_is_an_opt_out(time: Time, site: Site) -> None:
    site.pages["/robots.txt"] = Reply(b"User-agent: *\nContent-Signal: ai-train=no\nAllow: /\n")
    with visitor(time, site) as guest:
        assert refusal(guest, site.url("/picture")) == "noai"


def test_robots_txt_is_asked_once_a_day(time: Time, site: Site) -> None:
    with visitor(time, site) as guest:
        guest.get(site.url("/picture"))
        guest.get(site.url("/picture"))
        assert site.paths(robots=True).count("/robots.txt") == 1
        time.now += DAY
        site.pages["/robots.txt"] = forbidding("/")
        assert refusal(guest, site.url("/picture")) == "robots"


def test_each_origin_has_its_own_robots_txt(time: Time, site: Site) -> None:
    def for_one(request: Request) -> Reply:
        return forbidding("/") if request.host == "one.example" else GONE

    site.pages["/robots.txt"] = for_one
    with visitor(time, site) as guest:
        assert refusal(guest, site.url("/picture", "one.example")) == "robots"
        assert guest.get(site.url("/picture", "two.example")).data == PICTURE


def test_many_threads_ask_for_robots_txt_once(time: Time, site: Site) -> None:
    with visitor(time, site, crawl_connections=8) as guest, ThreadPoolExecutor(8) as threads:
        list(threads.map(guest.get, [site.url("/picture")] * 8))
    assert site.paths(robots=True).count("/robots.txt") == 1


@pytest.mark.parametrize(
    "status", ["404 Not Found", "403 Forbidden", "401 Unauthorized", "410 Gone"]
)
def test_a_site_without_robots_txt_allows_everything(time: Time, site: Site, status: str) -> None:
    site.pages["/robots.txt"] = Reply(b"User-agent: *\nDisallow: /", status)
    with visitor(time, site) as guest:
        assert guest.get(site.url("/picture")).data == PICTURE


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(b"", "500 Broken"), "status"),
        (Reply(b"", "503 Not Now"), "status"),
        (Reply(b"", "429 No"), "rate_limited"),
        (BROKEN_OFF, "unreachable"),
        (Reply(b"...", headers=[("Content-Encoding", "br")]), "encoding"),
        (Reply(b"", "302 Found", [("Location", "http://10.0.0.1/robots.txt")]), "address"),
    ],
)
def test_a_site_whose_robots_txt_cannot_be_had_is_left_alone_for_now(
    time: Time, site: Site, reply: Reply, reason: str
) -> None:
    site.pages["/robots.txt"] = reply
    with visitor(time, site) as guest:
        assert refusal(guest, site.url("/picture")) == reason
        asked = len(site.visits)
        assert refusal(guest, site.url("/picture")) == reason
        assert len(site.visits) == asked
        site.pages["/robots.txt"] = GONE
        time.now += UNREACHABLE_FOR
        assert guest.get(site.url("/picture")).data == PICTURE


def test_an_old_robots_txt_holds_while_no_new_one_can_be_had(time: Time, site: Site) -> None:
    site.pages["/robots.txt"] = forbidding("/private")
    site.pages["/private"] = Reply(PICTURE)
    with visitor(time, site) as guest:
        guest.get(site.url("/picture"))
        time.now += DAY
        site.pages["/robots.txt"] = Reply(b"", "500 Broken")
        assert guest.get(site.url("/picture")).data == PICTURE
        assert refusal(guest, site.url("/private")) == "robots"


def test_a_robots_txt_may_be_elsewhere(time: Time, site: Site) -> None:
    moved = Reply(b"", "301 Moved", [("Location", site.url("/rules", "two.example"))])
    site.pages |= {"/robots.txt": moved, "/rules": forbidding("/picture")}
    with visitor(time, site) as guest:
        assert refusal(guest, site.url("/picture", "one.example")) == "robots"


def test_a_robots_txt_that_leads_round_and_round_is_none(time: Time, site: Site) -> None:
    site.pages["/robots.txt"] = Reply(b"", "302 Found", [("Location", "/robots.txt")])
    with visitor(time, site) as guest:
        assert guest.get(site.url("/picture")).data == PICTURE


def test_a_robots_txt_that_is_compressed_unasked_is_read(time: Time, site: Site) -> None:
    packed = gzip.compress(forbidding("/").body, mtime=0)
    site.pages["/robots.txt"] = Reply(packed, headers=[("Content-Encoding", "gzip")])
    with visitor(time, site) as guest:
        assert refusal(guest, site.url("/picture")) == "robots"


def test_a_huge_robots_txt_is_read_as_far_as_it_must_be(time: Time, site: Site) -> None:
    huge = b"User-agent: *\nDisallow: /private\n" + b"# much more\n" * 100_000
    site.pages |= {"/robots.txt": Reply(huge), "/private": Reply(PICTURE)}
    with visitor(time, site) as guest:
        assert refusal(guest, site.url("/private")) == "robots"
        assert guest.get(site.url("/picture")).data == PICTURE


def test_a_crawl_delay_slows_us_down(time: Time, site: Site) -> None:
    site.pages["/robots.txt"] = Reply(b"User-agent: *\nCrawl-delay: 3\n")
    with visitor(time, site, crawl_per_second=100) as guest:
        for _ in range(4):
            guest.get(site.url("/picture"))
    assert sum(time.rests) == pytest.approx(9.01)


def test_a_crawl_delay_that_would_take_for_ever_is_a_refusal(time: Time, site: Site) -> None:
    site.pages["/robots.txt"] = Reply(f"User-agent: *\nCrawl-delay: {LONGEST_WAIT + 1}".encode())
    with visitor(time, site) as guest:
        assert refusal(guest, site.url("/picture")) == "rate_limited"
    assert time.rests == []


# --- what answers say about machines ---


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Robots-Tag", "noai, noimageai")],
        [("X-Robots-Tag", "otherbot: noindex"), ("x-robots-tag", "exposr: noimageai")],
        [("TDM-Reservation", "1")],
    ],
)
@pytest.mark.parametrize("api", [False, True])
def test_an_answer_that_machines_must_not_learn_from_is_refused(
    time: Time, site: Site, headers: list[tuple[str, str]], api: bool
) -> None:
    site.pages["/picture"] = Reply(PICTURE, headers=headers)
    with visitor(time, site) as guest:
        assert refusal(guest, site.url("/picture"), api=api) == "noai"


def test_what_search_engines_are_told_is_not_for_us(time: Time, site: Site) -> None:
    tag = [("X-Robots-Tag", "noindex, none"), ("X-Robots-Tag", "otherbot: noai")]
    site.pages["/picture"] = Reply(PICTURE, headers=tag)
    with visitor(time, site) as guest:
        assert guest.get(site.url("/picture")).data == PICTURE


def test_what_an_error_page_or_robots_txt_says_of_itself_does_not_count(
    time: Time, site: Site
) -> None:
    tag = [("X-Robots-Tag", "noai")]
    site.pages["/robots.txt"] = Reply(b"", headers=tag)
    site.pages["/picture"] = in_turn(Reply(b"", "503 Not Now", tag), Reply(PICTURE))
    with visitor(time, site) as guest:
        assert guest.get(site.url("/picture")).data == PICTURE


def test_a_redirect_may_say_it_too(time: Time, site: Site) -> None:
    moved = [("Location", "/picture"), ("X-Robots-Tag", "noai")]
    site.pages["/a"] = Reply(b"", "302 Found", moved)
    with visitor(time, site) as guest:
        assert refusal(guest, site.url("/a")) == "noai"


# --- redirects ---


def to(location: str, status: str = "302 Found") -> Reply:
    return Reply(b"elsewhere", status, [("Location", location)])


@pytest.mark.parametrize("status", ["301 A", "302 B", "303 C", "307 D", "308 E"])
def test_redirects_are_followed(time: Time, site: Site, status: str) -> None:
    site.pages |= {"/a": to("b?x=1#part", status), "/b?x=1": to("/picture")}
    with visitor(time, site) as guest:
        answer = guest.get(site.url("/a"))
    assert (answer.data, answer.url) == (PICTURE, site.url("/picture"))
    assert site.connections == 1


def test_redirects_end(time: Time, site: Site) -> None:
    site.pages["/a"] = to("/a")
    with visitor(time, site, fetch_max_redirects=2) as guest:
        assert refusal(guest, site.url("/a")) == "redirects"
    assert site.paths() == ["/a"] * 3


def test_the_target_of_a_redirect_has_its_own_robots_txt(time: Time, site: Site) -> None:
    def for_two(request: Request) -> Reply:
        return forbidding("/picture") if request.host == "two.example" else GONE

    site.pages["/robots.txt"] = for_two
    site.pages["/a"] = to(site.url("/picture", "two.example"))
    with visitor(time, site) as guest:
        assert refusal(guest, site.url("/a", "one.example")) == "robots"
        assert refusal(guest, site.url("/a", "one.example"), api=True) == "robots"
    assert "/picture" not in site.paths()


def test_the_target_of_a_redirect_has_its_own_pace(time: Time, site: Site) -> None:
    site.pages["/a"] = to(site.url("/picture", "two.example"))
    with visitor(time, site, crawl_per_second=0.5) as guest:
        guest.get(site.url("/picture", "two.example"), api=True)
        guest.get(site.url("/a", "one.example"), api=True)
    assert sum(time.rests) == pytest.approx(4)  # robots.txt of two, then the picture


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://10.0.0.1/", "address"),
        ("http://169.254.169.254/latest/", "address"),
        ("file:///etc/passwd", "scheme"),
        ("http://user:secret@one.example/", "credentials"),
        ("http://one.example:22/", "port"),
        ("http://[", "url"),
    ],
)
def test_the_target_of_a_redirect_is_guarded(
    time: Time, site: Site, location: str, reason: str
) -> None:
    site.pages["/a"] = to(location)
    with visitor(time, site) as guest:
        assert refusal(guest, site.url("/a")) == reason


def test_keys_are_not_sent_to_where_a_redirect_leads(time: Time, site: Site) -> None:
    site.pages |= {"/a": to("/b"), "/b": to(site.url("/picture", "two.example"))}
    with visitor(time, site) as guest:
        key = {"X-Api-Key": "secret"}
        guest.get(site.url("/a", "one.example"), headers=key, etag='"1"', api=True)
    sent = {visit.path: visit.headers.get("x-api-key") for visit in site.visits}
    assert sent == {"/a": "secret", "/b": "secret", "/robots.txt": None, "/picture": None}
    assert site.visits[-1].headers["if-none-match"] == '"1"'


def test_keys_do_not_come_back_with_a_second_redirect(time: Time, site: Site) -> None:
    away, back = site.url("/b", "two.example"), site.url("/picture", "one.example")
    site.pages |= {"/a": to(away), "/b": to(back)}
    with visitor(time, site) as guest:
        guest.get(site.url("/a", "one.example"), headers={"X-Api-Key": "secret"}, api=True)
    assert "x-api-key" not in site.visits[-1].headers


# --- the stop ---


def test_nothing_is_begun_after_the_stop(time: Time, site: Site) -> None:
    time.set()
    with visitor(time, site) as guest, pytest.raises(Stopped):
        guest.get(site.url("/picture"))
    assert site.visits == []


def test_the_stop_ends_a_wait_for_the_pace(time: Time, site: Site) -> None:
    time.asleep = time.set
    with visitor(time, site, crawl_per_second=1) as guest:
        guest.get(site.url("/picture"), api=True)
        with pytest.raises(Stopped):
            guest.get(site.url("/picture"), api=True)
    assert site.paths() == ["/picture"]


def test_the_stop_ends_a_wait_before_another_attempt(time: Time, site: Site) -> None:
    site.pages["/picture"] = BROKEN_OFF
    time.asleep = time.set
    with visitor(time, site) as guest, pytest.raises(Stopped):
        guest.get(site.url("/picture"), api=True)
    assert len(site.visits) == 1


def test_the_stop_ends_a_wait_for_a_place_and_lets_what_is_in_flight_finish(
    time: Time, site: Site
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slowly(request: Request) -> Reply:
        begun.set()
        go_on.wait(LIMIT)
        return Reply(PICTURE)

    site.pages["/picture"] = slowly
    with visitor(time, site, crawl_connections=1) as guest, ThreadPoolExecutor(2) as threads:
        flying = threads.submit(guest.get, site.url("/picture"), api=True)
        assert begun.wait(LIMIT)
        waiting = threads.submit(guest.get, site.url("/picture"), api=True)
        time.set()
        assert isinstance(waiting.exception(LIMIT), Stopped)
        go_on.set()
        assert flying.result(LIMIT).data == PICTURE


def test_a_stop_while_robots_txt_is_asked_leaves_nothing_behind(time: Time, site: Site) -> None:
    site.pages["/robots.txt"] = in_turn(Reply(b"", "503 Not Now"), GONE)
    time.asleep = time.set
    with visitor(time, site) as guest:
        with pytest.raises(Stopped):
            guest.get(site.url("/picture"))
        time.clear()
        assert guest.get(site.url("/picture")).data == PICTURE
