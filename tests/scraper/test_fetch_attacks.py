"""URLs that try to reach what is inside, by every spelling known to us: none may connect."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from config import Settings, load_settings
from domain import FetchRefused
from scraper.fetch import fetch
from scraper.manners import Visitor
from tests.scraper.servers import Server, answer, serving

# {port} is that of a server on loopback, which must see no connection.
LOOPBACK = [
    "http://127.0.0.1:{port}/",
    "http://127.0.0.2:{port}/",
    "http://127.255.255.254:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://4294967296:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0x7f.0x0.0x0.0x1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://00000177.00000000.00000000.00000001:{port}/",
    "http://017700000001:{port}/",
    "http://127.0.0.01:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0.0:{port}/",
    "http://[::]:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[::ffff:0:127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[64:ff9b:1::127.0.0.1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2002:7f00:1::1]:{port}/",
    "http://[2001:0:7f00:1::1]:{port}/",
    "http://[2001::80ff:fffe]:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://LocalHost.:{port}/",
    "http://localhost.localdomain:{port}/",
    "http://ip6-localhost:{port}/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://１２７.０.０.１:{port}/",
    "http://127。0。0。1:{port}/",
    "http://127．0．0．1:{port}/",
    "http://127｡0｡0｡1:{port}/",
    "http://loc\u00adalhost:{port}/",
    "http://127.0.0.1%00.example.com:{port}/",
    "http://127.0.0.1%2eexample.com:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://%6c%6f%63alhost:{port}/",
]
DISGUISED = [
    "http://example.com@127.0.0.1:{port}/",
    "http://example.com:80@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}@example.com/",
    "http://user:pass@localhost:{port}/",
    "http://example.com%40127.0.0.1:{port}/",
    "http://example.com#@127.0.0.1:{port}/../",
    "http://example.com\\@127.0.0.1:{port}/",
    "http://127.0.0.1\\@example.com:{port}/",
    "http://127.0.0.1:{port}\\.example.com/",
    "http://[127.0.0.1]:{port}/",
    "http://[::1:{port}/",
    "http://127.0.0.1:{port}:80/",
    "http:///127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "http://127.0.0.1:{port}/\r\nHost: example.com",
    "http://127.0.0.1:{port}\r\n/",
    "http://127.0.0.1\t:{port}/",
    "http://127.0.0.1 :{port}/",
    " http://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\x00.example.com/",
    "http://127.0.0.1&example.com:{port}/",
    "http://127.0.0.1;example.com:{port}/",
    "http://127.0.0.1,example.com:{port}/",
]
INSIDE = [
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://100.100.100.200/latest/meta-data/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/latest/",
    "http://[::ffff:a9fe:a9fe]/latest/",
    "http://2852039166/latest/meta-data/",
    "http://0xa9fea9fe/latest/",
    "http://0251.0376.0251.0376/",
    "http://169.254.170.2/v2/credentials",
    "http://192.0.0.192/opc/v1/",
    "http://[fd00:ec2::254]/latest/",
    "http://[fd12:3456::1]/",
    "http://[fe80::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[::10.0.0.1]/",
    "http://[64:ff9b::a00:1]/",
    "http://[2002:a00:1::]/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
    "http://[5f00::1]/",
    "http://[100::1]/",
    "http://[4000::1]/",
    # what these prefixes carry is public, but which gateway unpacks it is not known
    "http://[::ffff:93.184.216.34]/",
    "http://[::93.184.216.34]/",
    "http://[64:ff9b::93.184.216.34]/",
    "http://[2002:5db8:d822::1]/",
    "http://[2001:0:5db8:d822::a247:27dd]/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://239.255.255.250/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://192.88.99.1/",
]
OTHER_SCHEMES = [
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "FILE:///etc/passwd",
    "gopher://127.0.0.1:{port}/_GET%20/",
    "ftp://127.0.0.1:{port}/",
    "dict://127.0.0.1:{port}/x",
    "ldap://127.0.0.1:{port}/",
    "tftp://127.0.0.1:{port}/",
    "ws://127.0.0.1:{port}/",
    "data:image/png;base64,AAAA",
    "javascript:alert(1)",
    "unix:///var/run/docker.sock",
    "jar:http://127.0.0.1:{port}!/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "/etc/passwd",
    "",
    "http://",
    "https://:{port}/",
    "http://" + "a" * 9000 + "/",
]
PORTS = [f"http://93.184.216.34:{port}/" for port in (21, 22, 25, 3306, 6379, 8080, 65535)] + [
    "http://93.184.216.34:0/",
    "http://93.184.216.34:99999/",
    "http://93.184.216.34:-80/",
    "http://93.184.216.34:８０８０/",
]


class Wires:
    """Sees every connection this process tries to open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tried: list[Any] = []
        monkeypatch.setattr(socket.socket, "connect", self._connect)
        monkeypatch.setattr(socket.socket, "connect_ex", self._connect)

    def _connect(self, address: Any) -> None:
        self.tried.append(address)
        raise ConnectionRefusedError("no connection may be tried here")


@pytest.fixture(scope="module")
def loopback() -> Iterator[Server]:
    with serving(answer(b"secret"), host="127.0.0.1") as server:
        yield server


def _offline(host: str, port: int, *rest: Any) -> Any:
    """Resolve as this machine does, numbers and localhost alike, but ask no server."""
    if "local" in host:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)


@pytest.mark.parametrize("url", [*LOOPBACK, *DISGUISED, *INSIDE, *OTHER_SCHEMES, *PORTS])
def test_no_connection_is_tried(
    url: str, loopback: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    wires = Wires(monkeypatch)
    settings = load_settings(fetch_ports=(80, 443, loopback.port), fetch_timeout=2.0)
    with pytest.raises(FetchRefused) as caught:
        fetch(url.replace("{port}", str(loopback.port)), settings, lookup=_offline)
    assert wires.tried == []
    assert caught.value.reason in {"url", "scheme", "credentials", "port", "address", "dns"}
    assert loopback.connections == 0


@pytest.mark.parametrize("url", [*LOOPBACK, *DISGUISED, *INSIDE, *OTHER_SCHEMES, *PORTS])
@pytest.mark.parametrize("api", [False, True])
def test_no_visit_is_tried(
    url: str, api: bool, loopback: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    wires = Wires(monkeypatch)
    settings = load_settings(fetch_ports=(80, 443, loopback.port), fetch_timeout=2.0)
    with Visitor(settings, lookup=_offline) as visitor, pytest.raises(FetchRefused) as caught:
        visitor.get(url.replace("{port}", str(loopback.port)), api=api)
    assert wires.tried == []
    assert caught.value.reason in {"url", "scheme", "credentials", "port", "address", "dns"}
    assert loopback.connections == 0


def test_the_machines_own_resolver_is_judged_too(
    loopback: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    wires = Wires(monkeypatch)
    settings = load_settings(fetch_ports=(loopback.port,))
    with pytest.raises(FetchRefused):
        fetch(f"http://localhost:{loopback.port}/", settings)
    assert wires.tried == []


@pytest.mark.parametrize(
    "url", ["http://93.184.216.34/", "https://93.184.216.34/x.jpg", "http://[2606:2800::1]/"]
)
def test_public_addresses_are_tried(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # the list above proves nothing unless what it should let through comes this far
    wires = Wires(monkeypatch)
    with pytest.raises(FetchRefused) as caught:
        fetch(url, load_settings())
    assert caught.value.reason == "unreachable"
    assert [address[0] for address in wires.tried] == [url.split("/")[2].strip("[]")]


def _allowing(network: str) -> Settings:
    return load_settings(fetch_allowed_networks=(network,))


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("10.1.0.0/16", "http://10.1.2.3/", "http://10.2.0.1/"),
        ("fd12::/16", "http://[fd12::9]/", "http://[fd13::9]/"),
        ("10.1.0.0/16", "http://10.1.2.3/", "http://[::ffff:10.1.2.3]/"),
    ],
)
def test_only_the_listed_private_networks_are_let_through(
    network: str, inside: str, outside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wires = Wires(monkeypatch)
    with pytest.raises(FetchRefused, match="reached"):
        fetch(inside, _allowing(network))
    assert len(wires.tried) == 1
    with pytest.raises(FetchRefused, match="public internet"):
        fetch(outside, _allowing(network))
    assert len(wires.tried) == 1
