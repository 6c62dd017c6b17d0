"""Multipart bodies, read part by part."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import RequestEntityTooLarge

from domain import Malformed
from web.errors import TooLarge
from web.multipart import CHUNK, IN_MEMORY, parts

BOUNDARY = "a-boundary"
FLASK = Flask("tests")


def written(*contents: bytes) -> bytes:
    body = b""
    for i, data in enumerate(contents):
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="p{i}"; filename="f{i}"'
        body += head.encode() + b"\r\n\r\n" + data + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


def in_pieces(body: bytes, size: int) -> Callable[[int], bytes]:
    """Read a body as a slow network would hand it over."""
    stream = io.BytesIO(body)
    return lambda wanted: stream.read(min(size, wanted))


def read_all(body: bytes, *, most: int = 50, size: int = 1 << 20) -> list[tuple[str, bytes]]:
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    with FLASK.test_request_context(method="POST", data=b"-", content_type=kind):
        with parts(in_pieces(body, size), most=most) as found:
            return [(part.name, part.read()) for part in found]


@given(
    st.lists(
        st.binary(max_size=200) | st.sampled_from([b"\r\n--a-boundary", b"--a-b", b"\r"]),
        max_size=5,
    ),
    st.integers(1, 70),
)
def test_contents_come_out_as_they_went_in(contents: list[bytes], size: int) -> None:
    clean = [data.replace(BOUNDARY.encode(), b"") for data in contents]
    expected = [(f"p{i}", data) for i, data in enumerate(clean)]
    assert read_all(written(*clean), size=size) == expected


@pytest.mark.parametrize("shift", range(-20, 30))
def test_a_boundary_at_the_seam_of_two_chunks_leaves_the_part_alone(shift: int) -> None:
    head = len(written(b"")) - len(f"\r\n--{BOUNDARY}--\r\n")
    data = b"x" * (CHUNK - head - shift)
    assert read_all(written(data, b"after")) == [("p0", data), ("p1", b"after")]
    assert read_all(written(data)) == [("p0", data)]


def test_a_large_part_comes_out_whole() -> None:
    data = bytes(range(256)) * (IN_MEMORY // 128)
    assert read_all(written(data, b"after")) == [("p0", data), ("p1", b"after")]


def test_files_are_closed_afterwards() -> None:
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    with FLASK.test_request_context(method="POST", data=b"-", content_type=kind):
        with parts(in_pieces(written(b"x"), 9), most=5) as found:
            kept = found[0]
    assert kept.file.closed


@pytest.mark.parametrize("cut", range(1, len(written(b"some data")) - 4))
def test_body_cut_anywhere_is_malformed(cut: int) -> None:
    with pytest.raises(Malformed):
        read_all(written(b"some data")[:cut])


def test_too_many_parts_are_refused() -> None:
    assert len(read_all(written(*[b"x"] * 50))) == 50
    with pytest.raises(TooLarge, match="More than 50 parts"):
        read_all(written(*[b"x"] * 51))


def test_endless_headers_are_not_collected() -> None:
    body = f"--{BOUNDARY}\r\nX: ".encode() + b"a" * 2_000_000
    with pytest.raises(RequestEntityTooLarge):
        read_all(body, size=60_000)


@pytest.mark.parametrize(("length", "read"), [(70, True), (72, True), (201, False)])
def test_boundary_a_little_longer_than_the_standard_has_it_is_read(length: int, read: bool) -> None:
    boundary = "b" * length
    body = written(b"x").replace(BOUNDARY.encode(), boundary.encode())
    kind = f"multipart/form-data; boundary={boundary}"
    with FLASK.test_request_context(method="POST", data=b"-", content_type=kind):
        if read:
            with parts(in_pieces(body, 9), most=5) as found:
                assert [part.read() for part in found] == [b"x"]
        else:
            with pytest.raises(Malformed, match="boundary"), parts(in_pieces(body, 9), most=5):
                pass


def test_missing_boundary_is_malformed() -> None:
    with FLASK.test_request_context(method="POST", data=b"-", content_type="multipart/form-data"):
        with pytest.raises(Malformed, match="boundary"), parts(in_pieces(b"", 1), most=5):
            pass
