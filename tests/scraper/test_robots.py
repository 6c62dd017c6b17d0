from __future__ import annotations

import time

import pytest

from scraper.addresses import origin
from scraper.robots import MOST_BYTES, opted_out, product, read


def allowed(text: str, path: str = "/a", agent: str = "exposr") -> bool:
    return read(text.encode(), agent).allows(f"http://site.example{path}")


# --- who is meant ---


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Exposr/0.1.0", "exposr"),
        ("Exposr/0.1.0 (+https://exposr.example; mail@exposr.example)", "exposr"),
        (" Our-Crawler_x 2", "our-crawler_x"),
        ("007", "*"),
    ],
)
def test_the_product_name_is_who_we_are(user_agent: str, name: str) -> None:
    assert product(user_agent) == name


@pytest.mark.parametrize(
    "named", ["Exposr", "EXPOSR", "exposr/2.0", "exposr # us", "  exposr  ", "Exposr (any)"]
)
def test_our_group_is_found_however_it_is_written(named: str) -> None:
    assert not allowed(f"User-agent: {named}\nDisallow: /\n\nUser-agent: *\nAllow: /\n")


@pytest.mark.parametrize("named", ["exp", "exposrbot", "myexposr", "e*", "GPTBot", "~"])
def test_others_groups_are_not_ours(named: str) -> None:
    assert allowed(f"User-agent: {named}\nDisallow: /\n")


def test_our_group_stands_instead_of_the_general_one() -> None:
    text = "User-agent: *\nDisallow: /\n\nUser-agent: other\nUser-agent: exposr\nDisallow: /b\n"
    assert allowed(text, "/a")
    assert not allowed(text, "/b")


def test_groups_of_one_agent_are_read_as_one() -> None:
    text = "User-agent: exposr\nDisallow: /a\n\nUser-agent: *\n\nUser-agent: exposr\nDisallow: /b"
    assert not allowed(text, "/a")
    assert not allowed(text, "/b")


# --- what is said ---


@pytest.mark.parametrize(
    ("rules", "path", "expected"),
    [
        ("Disallow: /private", "/private/x.jpg", False),
        ("Disallow: /private", "/public/x.jpg", True),
        ("Disallow:", "/anything", True),
        ("Disallow: /\nAllow: /gallery/", "/gallery/x.jpg", True),
        ("Disallow: /gallery/x\nAllow: /gallery/", "/gallery/x.jpg", False),
        ("Disallow: /a\nAllow: /a", "/a", True),
        ("Disallow: /*.png$", "/pictures/1.png", False),
        ("Disallow: /*.png$", "/pictures/1.png?size=2", True),
        ("Disallow: /*size=", "/x?size=9", False),
        ("Disallow: /caf%C3%A9", "/café", False),
        ("Disallow: /", "/robots.txt", True),
        ("nonsense\n\x00\x01\n: : :\nDisallow: /a", "/a", False),
    ],
)
def test_the_longest_rule_decides(rules: str, path: str, expected: bool) -> None:
    assert allowed(f"User-agent: *\n{rules}\n", path) is expected


def test_a_mark_of_byte_order_is_no_part_of_the_first_line() -> None:
    assert not read(b"\xef\xbb\xbfUser-agent: *\nDisallow: /", "exposr").allows("http://s/a")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_what_an_editor_wrote_in_utf_16_is_read(encoding: str) -> None:
    rules = "User-agent: *\nDisallow: /a\n".encode(encoding)
    assert not read(rules, "exposr").allows("http://s/a")
    assert read(rules, "exposr").allows("http://s/b")


def test_what_is_no_text_allows_everything() -> None:
    assert read(bytes(range(256)) * 10, "exposr").allows("http://s/a")


def test_what_is_beyond_half_a_mebibyte_is_not_read() -> None:
    padding = b"#" * (MOST_BYTES - 14) + b"\n"
    assert read(b"User-agent: *\n" + padding + b"Disallow: /\n", "exposr").allows("http://s/a")


@pytest.mark.parametrize(
    ("rules", "seconds"),
    [
        ("", 0.0),
        ("Crawl-delay: 2.5", 2.5),
        ("Crawl-delay: soon", 0.0),
        ("Crawl-delay: -3", 0.0),
        ("Request-rate: 1/5", 5.0),
        ("Request-rate: 0/5", 0.0),
        ("Crawl-delay: 1\nRequest-rate: 1/5", 5.0),
    ],
)
def test_the_delay_between_requests_is_read(rules: str, seconds: float) -> None:
    assert read(f"User-agent: *\n{rules}\n".encode(), "exposr").interval == seconds


def test_a_robots_txt_made_to_be_slow_is_read_at_once() -> None:
    names = "".join(f"User-agent: a{n}\n" for n in range(15_000))
    rules = "".join(f"Disallow: /{n}*a*a*a\n" for n in range(12_000))
    begun = time.process_time()
    assert allowed(names + rules, "/" + "a" * 2_000)
    assert time.process_time() - begun < 10  # without care it is minutes


# --- who must not train ---


@pytest.mark.parametrize(
    ("text", "training"),
    [
        ("User-agent: *\nContent-Signal: search=yes,ai-train=no\nAllow: /", False),
        ("User-agent: *\ncontent-signal: ai-train = no, search=yes", False),
        ("User-agent: *\nContent-Signal: ai-train=yes", True),
        ("User-agent: *\nContent-Signal: search=no, ai-input=no", True),
        ("User-agent: other\nContent-Signal: ai-train=no\nUser-agent: *\nAllow: /", True),
        ("User-agent: exposr\nContent-Signal: ai-train=no", False),
        (
            "User-agent: exposr\nAllow: /\nUser-agent: *\nContent-Signal: ai-train=no",
            True,
        ),
        ("# Content-Signal: ai-train=no\nUser-agent: *\nAllow: /", True),
        ("Content-Signal: ai-train=no\nUser-agent: *\nAllow: /", False),
        ("Content-Signal: ai-train=no\n\nUser-agent: exposr\nAllow: /", False),
        ("Content-Signal: ai-train=no", False),
    ],
)
def test_a_content_signal_keeps_from_training(text: str, training: bool) -> None:
    assert read(text.encode(), "exposr").training is training


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["noai"], True),
        (["noimageai"], True),
        (["NoAI, noindex"], True),
        (["noindex", "noimageai"], True),
        (["noindex, nofollow, none, noarchive"], False),
        (["exposr: noai"], True),
        (["*: noai"], True),
        (["gptbot: noai"], False),
        (["gptbot: noindex, noai"], False),
        (["gptbot: noindex", "noai"], True),
        (["gptbot: noindex, exposr: noai"], True),
        (["max-image-preview: large, noai"], True),
        (["unavailable_after: 25 Jun 2030 15:00:00 PST, noai"], True),
        (["unavailable_after: Fri, 25 Jun 2027 15:00:00 GMT, noai"], True),
        (["unavailable_after: Friday, 25-Jun-27 15:00:00 GMT; noai"], True),
        (["noai noimageai"], True),
        (["noai;"], True),
        (["noindex; noai"], True),
        (["noindex: , noai"], True),
        (["noai: 1"], True),
        (["gptbot: noindex; noai"], False),
        (["gptbot : noai"], False),
        (["noaid, ai"], False),
        ([""], False),
    ],
)
def test_x_robots_tag_may_keep_machines_from_learning(lines: list[str], expected: bool) -> None:
    assert opted_out({"x-robots-tag": lines}, "exposr") is expected


@pytest.mark.parametrize(("value", "expected"), [("1", True), (" 1 ", True), ("0", False)])
def test_a_reservation_of_mining_rights_counts(value: str, expected: bool) -> None:
    assert opted_out({"tdm-reservation": [value]}, "exposr") is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Site.Example:8080/a?b#c", "http://site.example:8080"),
        ("https://user@site.example/a", "https://site.example"),
        ("http://[::1]:80/", "http://[::1]:80"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, expected: str) -> None:
    assert origin(url) == expected
