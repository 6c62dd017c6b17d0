from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config import Settings, load_settings
from domain import FetchRefused
from scraper.fetch import Fetched, fetch
from tests.scraper.servers import Server, answer, drip, flood, redirect, serving

PICTURE = b"\x89PNG and so on"


def settings_for(*servers: Server, **values: Any) -> Settings:
    """Settings that let 127.0.0.1 through, and the servers' ports."""
    defaults: dict[str, Any] = {
        "fetch_allowed_networks": ("127.0.0.1/32",),
        "fetch_ports": (80, 443, *(server.port for server in servers)),
        "fetch_timeout": 5.0,
    }
    return load_settings(**{**defaults, **values})


def refusal(url: str, settings: Settings, **options: Any) -> FetchRefused:
    with pytest.raises(FetchRefused) as caught:
        fetch(url, settings, **options)
    assert caught.value.detail == {"reason": caught.value.reason}
    return caught.value


def answers(*addresses: str) -> Any:
    """A resolver that says every name has these addresses, and counts."""

    def lookup(host: str, port: int, *_: Any) -> list[Any]:
        lookup.asked.append(host)  # type: ignore[attr-defined]
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port, 0, 0) if ":" in address else (address, port),
            )
            for address in addresses
        ]

    lookup.asked = []  # type: ignore[attr-defined]
    return lookup


# --- what is fetched ---


def test_a_picture_is_fetched() -> None:
    with serving(answer(PICTURE, Content_Type="image/png")) as server:
        fetched = fetch(server.url, settings_for(server))
    assert fetched == Fetched(PICTURE, "image/png", server.url)


def test_the_request_names_host_agent_and_path() -> None:
    with serving(answer(PICTURE)) as server:
        url = f"http://pictures.example:{server.port}/a%20b/ü?q=1#part"
        fetch(url, settings_for(server, user_agent="Tester/9"), lookup=answers("127.0.0.1"))
    head = server.requests[0]
    assert head.startswith("GET /a%20b/%C3%BC?q=1 HTTP/1.1\r\n")
    assert f"\r\nHost: pictures.example:{server.port}\r\n" in head
    assert "\r\nUser-Agent: Tester/9\r\n" in head
    assert "cookie" not in head.lower() and "authorization" not in head.lower()


def test_an_international_name_is_asked_for_in_ascii() -> None:
    lookup = answers("127.0.0.1")
    with serving(answer(PICTURE)) as server:
        fetch(f"http://bücher.example:{server.port}/", settings_for(server), lookup=lookup)
    assert lookup.asked == ["xn--bcher-kva.example"]
    assert f"Host: xn--bcher-kva.example:{server.port}\r\n" in server.requests[0]


def test_a_dead_first_address_does_not_hide_the_second() -> None:
    with serving(answer(PICTURE)) as server:
        settings = settings_for(server, fetch_allowed_networks=("127.0.0.0/8",))
        lookup = answers("127.0.0.2", "127.0.0.1")
        url = f"http://two.example:{server.port}/"
        assert fetch(url, settings, lookup=lookup).data == PICTURE


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temp", "308 Perm"])
def test_redirects_are_followed(status: str) -> None:
    with serving(answer(PICTURE)) as end, serving(redirect(end.url, status)) as start:
        fetched = fetch(start.url, settings_for(start, end))
    assert fetched.data == PICTURE
    assert fetched.final_url == end.url


def test_a_relative_redirect_stays_on_its_host() -> None:
    def behave(client: socket.socket, path: str) -> None:
        (redirect("/other?x=1") if path == "/picture" else answer(path.encode()))(client, path)

    with serving(behave) as server:
        assert fetch(server.url, settings_for(server)).data == b"/other?x=1"


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(PICTURE, mtime=0)),
        ("x-gzip", gzip.compress(PICTURE, mtime=0)),
        ("deflate", zlib.compress(PICTURE)),
        ("identity", PICTURE),
    ],
)
def test_a_compressed_answer_is_unpacked(encoding: str, packed: bytes) -> None:
    with serving(answer(packed, Content_Encoding=encoding)) as server:
        assert fetch(server.url, settings_for(server)).data == PICTURE
    assert "accept-encoding: identity" in server.requests[0].lower()


def test_proxy_variables_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answer(b"from the proxy")) as proxy, serving(answer(PICTURE)) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert fetch(server.url, settings_for(server, proxy)).data == PICTURE
        assert proxy.connections == 0


# --- the deadline ---


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_dripping_body_hits_the_deadline(stop: threading.Event) -> None:
    _hits_deadline(drip(stop, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"))


def test_dripping_headers_hit_the_deadline(stop: threading.Event) -> None:
    _hits_deadline(drip(stop, b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"))


def test_endless_interim_answers_hit_the_deadline(stop: threading.Event) -> None:
    _hits_deadline(drip(stop, b"", b"HTTP/1.1 102 Processing\r\n\r\n"))


def test_a_silent_server_hits_the_deadline(stop: threading.Event) -> None:
    def behave(client: socket.socket, path: str) -> None:
        stop.wait(30)

    _hits_deadline(behave)


def _hits_deadline(behave: Any) -> None:
    with serving(behave) as server:
        started = time.monotonic()
        assert refusal(server.url, settings_for(server, fetch_timeout=0.4)).reason == "deadline"
        assert 0.35 < time.monotonic() - started < 3


def test_all_redirects_share_one_deadline(stop: threading.Event) -> None:
    def behave(client: socket.socket, path: str) -> None:
        stop.wait(0.25)
        redirect("/again")(client, path)

    with serving(behave) as server:
        settings = settings_for(server, fetch_timeout=0.6, fetch_max_redirects=10)
        started = time.monotonic()
        assert refusal(server.url, settings).reason == "deadline"
        assert time.monotonic() - started < 3


def test_a_hanging_lookup_hits_the_deadline(stop: threading.Event) -> None:
    def lookup(*_: Any) -> list[Any]:
        stop.wait(30)
        return []

    started = time.monotonic()
    settings = load_settings(fetch_timeout=0.4)
    assert refusal("http://slow.example/", settings, lookup=lookup).reason == "deadline"
    assert time.monotonic() - started < 3


def test_a_silent_handshake_hits_the_deadline(stop: threading.Event) -> None:
    def behave(client: socket.socket, path: str) -> None:
        stop.wait(30)

    with serving(behave) as server:
        url = server.url.replace("http:", "https:")
        started = time.monotonic()
        assert refusal(url, settings_for(server, fetch_timeout=0.4)).reason == "deadline"
        assert time.monotonic() - started < 3


# --- the cap ---


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    ],
    ids=["endless", "announced"],
)
def test_an_endless_body_hits_the_cap(start: bytes) -> None:
    with serving(flood(start, b"x" * 4096)) as server:
        settings = settings_for(server, max_image_bytes=100_000)
        assert refusal(server.url, settings).reason == "too_large"


def test_endless_headers_are_refused() -> None:
    with serving(flood(b"HTTP/1.1 200 OK\r\n", b"X-Header: and more\r\n" * 100)) as server:
        assert refusal(server.url, settings_for(server)).reason == "unreachable"


def test_the_cap_is_exact() -> None:
    with serving(answer(b"x" * 1000)) as server:
        settings = settings_for(server)
        assert len(fetch(server.url, settings, max_bytes=1000).data) == 1000
        assert refusal(server.url, settings, max_bytes=999).reason == "too_large"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_bomb_hits_the_cap_and_not_the_memory(encoding: str) -> None:
    zeros = b"\0" * 50_000_000
    bomb = gzip.compress(zeros, 1, mtime=0) if encoding == "gzip" else zlib.compress(zeros, 1)
    del zeros
    with serving(answer(bomb, Content_Encoding=encoding)) as server:
        settings = settings_for(server, max_image_bytes=1_000_000)
        tracemalloc.start()
        try:
            assert refusal(server.url, settings).reason == "too_large"
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
        finally:
            tracemalloc.stop()


# --- other answers ---


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "204 No Content", "304 Same"])
def test_other_statuses_are_refused(status: str) -> None:
    with serving(answer(b"", status)) as server:
        assert refusal(server.url, settings_for(server)).reason == "status"


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "zstd"])
def test_unknown_encodings_are_refused(encoding: str) -> None:
    with serving(answer(PICTURE, Content_Encoding=encoding)) as server:
        assert refusal(server.url, settings_for(server)).reason == "encoding"


def test_damaged_compression_is_refused() -> None:
    with serving(answer(b"not gzip at all", Content_Encoding="gzip")) as server:
        assert refusal(server.url, settings_for(server)).reason == "encoding"


@pytest.mark.parametrize("nonsense", [b"hello\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Le"])
def test_nonsense_is_refused(nonsense: bytes) -> None:
    with serving(lambda client, path: client.sendall(nonsense)) as server:
        assert refusal(server.url, settings_for(server)).reason == "unreachable"


def test_a_body_cut_short_is_refused() -> None:
    start = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"
    with serving(lambda client, path: client.sendall(start)) as server:
        assert refusal(server.url, settings_for(server)).reason == "unreachable"


def test_a_closed_port_is_unreachable() -> None:
    with serving(answer(PICTURE)) as server:
        pass
    assert refusal(server.url, settings_for(server)).reason == "unreachable"


def test_an_unknown_name_is_a_dns_refusal() -> None:
    def lookup(*_: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert refusal("http://no.example/", load_settings(), lookup=lookup).reason == "dns"


# --- redirects that must not be followed ---


def test_a_redirect_loop_ends() -> None:
    with serving(redirect("/picture")) as server:
        assert (
            refusal(server.url, settings_for(server, fetch_max_redirects=3)).reason == "redirects"
        )
    assert server.connections == 4


def test_no_redirects_may_be_allowed() -> None:
    with serving(redirect("/picture")) as server:
        assert (
            refusal(server.url, settings_for(server, fetch_max_redirects=0)).reason == "redirects"
        )
    assert server.connections == 1


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://127.0.0.2:{port}/", "address"),
        ("http://[::1]:{port}/", "address"),
        ("//127.0.0.2:{port}/", "address"),
        ("http://169.254.169.254/latest/meta-data/", "address"),
        ("http://localhost.forbidden.example:{port}/", "address"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://127.0.0.1:{port}/_x", "scheme"),
        ("http://user:secret@127.0.0.1:{port}/", "credentials"),
        ("http://127.0.0.1:22/", "port"),
        ("http://0x7f.2:{port}/", "address"),
        ("http://[", "url"),
    ],
)
def test_a_redirect_is_judged_like_a_url(location: str, reason: str) -> None:
    lookup = answers("127.0.0.2")
    with serving(answer(b"secret"), host="127.0.0.2") as inside:
        with serving(redirect(location.format(port=inside.port))) as server:
            real = socket.getaddrinfo

            def resolve(host: str, *rest: Any) -> Any:
                return lookup(host, *rest) if "forbidden" in host else real(host, *rest)

            settings = settings_for(server, inside)
            assert refusal(server.url, settings, lookup=resolve).reason == reason
        assert inside.connections == 0


# --- names that resolve to what is forbidden ---


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.2"],
        ["127.0.0.1", "127.0.0.2"],
        ["127.0.0.2", "127.0.0.1"],
        ["127.0.0.1", "::1"],
        ["127.0.0.1", "::ffff:127.0.0.2"],
    ],
)
def test_one_forbidden_address_refuses_the_name(addresses: list[str]) -> None:
    with serving(answer(PICTURE)) as server:
        url = f"http://mixed.example:{server.port}/"
        lookup = answers(*addresses)
        assert refusal(url, settings_for(server), lookup=lookup).reason == "address"
        assert server.connections == 0


def test_a_name_is_looked_up_once_a_hop() -> None:
    lookup = answers("127.0.0.1")
    with serving(answer(PICTURE)) as end:
        with serving(redirect(f"http://two.example:{end.port}/")) as start:
            fetch(f"http://one.example:{start.port}/", settings_for(start, end), lookup=lookup)
    assert lookup.asked == ["one.example", "two.example"]


def test_a_name_that_moves_is_not_followed_inside() -> None:
    moved = iter([answers("127.0.0.1"), answers("127.0.0.2")])

    def lookup(*args: Any) -> Any:
        return next(moved)(*args)

    with serving(answer(b"secret"), host="127.0.0.2") as inside:
        with serving(redirect(f"http://moves.example:{inside.port}/")) as start:
            url = f"http://moves.example:{start.port}/"
            assert refusal(url, settings_for(start, inside), lookup=lookup).reason == "address"
        assert inside.connections == 0


def test_refusals_do_not_tell_what_is_inside() -> None:
    lookup = answers("10.1.2.3")
    refused = refusal("http://intranet.example/", load_settings(), lookup=lookup)
    assert "10.1.2.3" not in refused.message and "rivate" not in refused.message


# --- TLS ---


@pytest.fixture
def secure(certificate: tuple[Path, Path]) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    with serving(answer(PICTURE), tls=context) as server:
        yield server


def test_an_unknown_certificate_is_refused(secure: Server) -> None:
    url = f"https://secure.example:{secure.port}/"
    lookup = answers("127.0.0.1")
    assert refusal(url, settings_for(secure), lookup=lookup).reason == "tls"
    assert secure.requests == []


def test_a_certificate_is_checked_against_the_name(
    secure: Server, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate[1]))
    monkeypatch.setattr("scraper.fetch.tls", lambda: trusting)
    settings, lookup = settings_for(secure), answers("127.0.0.1")
    assert fetch(f"https://secure.example:{secure.port}/", settings, lookup=lookup).data == PICTURE
    other = f"https://other.example:{secure.port}/"
    assert refusal(other, settings, lookup=lookup).reason == "tls"
