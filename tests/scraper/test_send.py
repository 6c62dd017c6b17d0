from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

from config import load_settings
from domain import FetchRefused
from scraper.fetch import SENT_ANSWER_BYTES, Answer, send
from tests.scraper.servers import Reply, drip, flood, hosting, serving

BODY = b'{"event": "promoted"}'


def sent(url: str, **options: Any) -> Answer:
    headers = {"Content-Type": "application/json", "X-Exposr-Event": "promoted"}
    return send(url, BODY, headers, load_settings(user_agent="Exposr/9"), **options)


def refusal(url: str, **options: Any) -> str:
    with pytest.raises(FetchRefused) as caught:
        sent(url, **options)
    return caught.value.reason


def means(address: str) -> Any:
    def lookup(host: str, port: int, *_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    return lookup


THANKS = Reply(b"thanks")


def test_a_body_arrives_with_its_headers() -> None:
    with hosting({"/in": THANKS}) as site:
        answer = sent(site.url("/in"))
    assert (answer.status, answer.data, answer.url) == (200, b"thanks", site.url("/in"))
    request = site.visits[0]
    assert request.body == BODY
    assert request.headers["host"] == f"127.0.0.1:{site.port}"
    assert request.headers["user-agent"] == "Exposr/9"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-exposr-event"] == "promoted"
    assert "transfer-encoding" not in request.headers


@pytest.mark.parametrize("status", ["204 No Content", "404 Not Found", "500 Broken", "429 No"])
def test_every_status_is_an_answer(status: str) -> None:
    with hosting({"/in": Reply(b"", status)}) as site:
        assert sent(site.url("/in")).status == int(status[:3])


def test_a_redirect_is_not_followed() -> None:
    with hosting({"/other": THANKS}) as site:
        site.pages["/in"] = Reply(b"", "307 Elsewhere", [("Location", site.url("/other"))])
        answer = sent(site.url("/in"))
    assert (answer.status, answer.headers["location"]) == (307, site.url("/other"))
    assert site.paths() == ["/in"]


def test_of_a_long_answer_the_beginning_is_read() -> None:
    with serving(flood(b"HTTP/1.1 200 OK\r\n\r\n", b"0" * 65_536)) as server:
        answer = sent(server.url)
    assert (answer.status, len(answer.data)) == (200, SENT_ANSWER_BYTES)


def test_an_answer_that_drips_meets_the_deadline() -> None:
    stop = threading.Event()
    with serving(drip(stop, b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"0")) as server:
        assert refusal(server.url, timeout=0.3) == "deadline"
        stop.set()


def test_a_host_that_never_answers_meets_the_deadline() -> None:
    go_on = threading.Event()

    def silent(client: socket.socket, path: str) -> None:
        go_on.wait(20)

    with serving(silent) as server:
        assert refusal(server.url, timeout=0.3) == "deadline"
        go_on.set()


def test_nobody_there_is_unreachable() -> None:
    with hosting() as site:
        pass
    assert refusal(site.url("/in")) == "unreachable"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://hooks.example/", "scheme"),
        ("http://user:secret@hooks.example/", "credentials"),
        ("http://hooks.example:99999/", "url"),
        ("http://[", "url"),
        ("http://169.254.169.254/latest/", "address"),
        ("http://[fe80::1]/", "address"),
        ("http://224.0.0.1/", "address"),
        ("http://0.0.0.0/", "address"),
    ],
)
def test_what_no_operator_means_is_refused(url: str, reason: str) -> None:
    assert refusal(url) == reason


def test_a_name_may_mean_a_private_machine_but_not_what_is_beside_it() -> None:
    with hosting({"/in": THANKS}) as site:
        url = site.url("/in", "hooks.example")
        assert sent(url, lookup=means("127.0.0.1")).status == 200
        assert refusal(url, lookup=means("169.254.169.254")) == "address"


def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with hosting({"/in": THANKS}) as site:
        assert sent(site.url("/in")).status == 200


def test_an_unknown_certificate_is_refused(certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    with hosting({"/in": THANKS}, tls=context) as site:
        url = f"https://secure.example:{site.port}/in"
        assert refusal(url, lookup=means("127.0.0.1")) == "tls"
        assert site.visits == []
