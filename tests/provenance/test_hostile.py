"""Files made to harm: reading them ends, says little, and never takes the process along."""

from __future__ import annotations

import errno
import json
import multiprocessing
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from provenance import collect
from provenance.apart import REPLY, Apart
from provenance.containers import find_parts
from provenance.exif import read_exif
from provenance.generators import MAX_PIECES
from provenance.parts import MAX_PART, MAX_TEXT
from tests.pictures import encode, photo
from tests.provenance.files import A1111, exif, jpeg, png, signed, source_type, workflow

FILES = [
    png({"parameters": A1111, "prompt": workflow("KSampler")}, packed=True),
    jpeg(exif=exif({0x010F: "Canon", 0x0110: "EOS"}, {0x829A: (1, 9), 0x9286: b"ASCII\0\0\0x"})),
    jpeg(xmp=source_type("trainedAlgorithmicMedia"), comment=A1111),
    encode(photo(1), "WEBP", exif=exif({0x0131: "x"}), xmp=source_type("digitalCapture")),
    encode(photo(1), "AVIF", exif=exif({0x0131: "x"}), xmp=source_type("digitalCapture")),
    encode(photo(1), "GIF", comment=b"x"),
]


def chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", crc32(body))


@pytest.mark.parametrize("data", FILES, ids=range(len(FILES)))
def test_a_file_that_ends_anywhere_is_read_as_far_as_it_goes(data: bytes) -> None:
    for end in range(0, min(len(data), 4000), 7):
        assert len(collect(data[:end])) <= len(collect(data)) + 1


@pytest.mark.parametrize("data", FILES, ids=range(len(FILES)))
def test_damaged_headers_do_no_harm(data: bytes) -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        damaged = bytearray(data)
        for _ in range(rng.integers(1, 20)):
            damaged[rng.integers(min(len(data), 2000))] = rng.integers(256)
        for piece in collect(bytes(damaged)):
            assert piece.points_to in ("ai", "real", None)


def test_texts_that_unpack_to_more_are_cut() -> None:
    bomb = png({"a": "x" * 40_000_000}, packed=True)
    assert len(find_parts(bomb).texts["a"]) == MAX_PART
    many = png({str(i): "x" * 1_000_000 for i in range(20)}, packed=True)
    assert sum(map(len, find_parts(many).texts.values())) <= MAX_TEXT


def test_nested_json_does_not_exhaust_the_stack() -> None:
    assert collect(png({"prompt": '{"a":' * 300_000}, packed=True)) == ()


@pytest.mark.parametrize(
    ("node", "begins"),
    [
        ({"class_type": "KSampler", "inputs": {}}, '{"0": {}'),
        ({"type": "KSampler", "inputs": []}, '{"nodes": [{}], "links": [], "a": {}'),
    ],
)
def test_a_workflow_too_large_to_parse_is_known_by_its_nodes(
    node: dict[str, object], begins: str
) -> None:
    told = begins + f', "1": {json.dumps(node)}, "2": [' + "0," * MAX_PIECES + "0]}"
    (piece,) = collect(png({"workflow": told}, packed=True))
    assert (piece.kind, piece.points_to) == ("generator", "ai")


def test_other_json_too_large_to_parse_is_nothing() -> None:
    told = '{"type": "FeatureCollection", "features": [' + "0," * MAX_PIECES + "0]}"
    assert collect(png({"Comment": told}, packed=True)) == ()


@pytest.mark.parametrize(
    "packet",
    [
        b"<x:xmpmeta><!DOCTYPE a [<!ENTITY a 'Midjourney'>]><xmp:CreatorTool>&a;</xmp:CreatorTool>",
        b"<x:xmpmeta><!DOCTYPE a SYSTEM 'file:///etc/passwd'><xmp:CreatorTool>x</xmp:CreatorTool>",
        b"<x:xmpmeta><xmp:CreatorTool>&midjourney;</xmp:CreatorTool>",
        b"<x:xmpmeta " + b" ".join(b"a%d='b'" % at for at in range(9000)) + b"/>",
        b"<x:xmpmeta>" + b"<a>" * 9000 + b"<xmp:CreatorTool>Midjourney</xmp:CreatorTool>",
        b"<x:xmpmeta>" + b"<a/>" * 9000 + b"<xmp:CreatorTool>Midjourney</xmp:CreatorTool>",
        b"\xff\xfe<" * 9000,
    ],
    ids=range(7),
)
def test_hostile_xmp_says_nothing(packet: bytes) -> None:
    assert collect(png({"XML:com.adobe.xmp": packet.decode("latin-1")})) == ()


def test_what_stands_before_a_break_in_xmp_is_read() -> None:
    packet = source_type("trainedAlgorithmicMedia")
    for broken in (
        packet[:-20],
        packet.replace(b"</rdf:RDF>", b"<dc:title>a < b</dc:title></rdf:RDF>"),
        packet.replace(b"<rdf:Description", b"<dc:title>a & b</dc:title><rdf:Description"),
    ):
        assert [one.points_to for one in collect(jpeg(xmp=broken))] == ["ai"]


def test_directories_that_name_themselves_end() -> None:
    loop = b"MM\0*\0\0\0\x08" + b"\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x08"
    assert read_exif(loop).texts == {}


def test_a_value_beyond_the_end_is_as_long_as_the_file() -> None:
    entry = struct.pack(">HHII", 0x010F, 2, 1_000_000, 26)
    block = b"MM\0*\0\0\0\x08" + b"\0\x01" + entry + b"\0\0\0\0" + b"Canon"
    assert read_exif(block).texts == {"Make": "Canon"}


def test_a_manifest_of_noise_is_unreadable() -> None:
    noise = np.random.default_rng(2).bytes(3000)
    data = png()
    broken = data[:33] + chunk(b"caBX", noise) + data[33:]
    (piece,) = collect(broken)
    assert (piece.kind, piece.status, piece.points_to) == ("c2pa", "unreadable", None)


def test_damaged_manifests_do_no_harm() -> None:
    data, rng = signed("trainedAlgorithmicMedia"), np.random.default_rng(3)
    end = data.index(b"\xff\xdb")  # before it lies the manifest
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(rng.integers(1, 8)):
            damaged[rng.integers(20, end)] = rng.integers(256)
        for piece in collect(bytes(damaged)):
            assert piece.points_to in ("ai", None)
    assert [piece.points_to for piece in collect(data)] == ["ai"]


# --- the process apart ---


def fake(code: str, seconds: float = 30) -> Apart:
    """A process that behaves as the code does."""
    return Apart((sys.executable, "-c", code), seconds)


ANSWERS = f"""
import sys
reply = b'{{"status": "valid"}}'
while head := sys.stdin.buffer.read(6):
    kind, length = int.from_bytes(head[:2], "big"), int.from_bytes(head[2:], "big")
    sys.stdin.buffer.read(kind), sys.stdin.buffer.read(length)
    sys.stdout.buffer.write(len(reply).to_bytes({REPLY.size}, "big") + reply)
    sys.stdout.buffer.flush()
"""


@pytest.fixture
def sound() -> Iterator[Apart]:
    apart = fake(ANSWERS)
    yield apart
    apart.close()


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.abort()",
        "import sys; sys.stdin.buffer.read(10); sys.exit(1)",
        "import sys; sys.stdout.buffer.write(b'\\xff' * 4)",
        "import sys; sys.stdout.buffer.write(b'\\0\\0\\0\\x02{]'); sys.stdout.flush(); input()",
        "import sys; sys.stdout.buffer.write(b'\\0\\0\\0\\x09{')",
    ],
    ids=["crash", "exit", "overlong", "no JSON", "cut"],
)
def test_a_crash_is_one_files_misfortune(code: str, caplog: pytest.LogCaptureFixture) -> None:
    apart = fake(code)
    assert apart.ask(b"x" * 3_000_000, "image/jpeg")["status"] == "unreadable"
    assert "reads content credentials failed" in caplog.text
    apart.close()


def test_a_hang_is_ended() -> None:
    apart = fake("import time; time.sleep(600)", seconds=0.2)
    for data in (b"x", b"x" * 8_000_000):  # the second does not even fit into the pipe
        assert apart.ask(data, "image/jpeg")["status"] == "unread"
    apart.close()


SOMETIMES_HANGS = """
import sys, time
reply = b'{"status": "valid"}'
while head := sys.stdin.buffer.read(6):
    kind, length = int.from_bytes(head[:2], "big"), int.from_bytes(head[2:], "big")
    sys.stdin.buffer.read(kind)
    if sys.stdin.buffer.read(length) == b"hang":
        time.sleep(600)
    sys.stdout.buffer.write(len(reply).to_bytes(4, "big") + reply)
    sys.stdout.buffer.flush()
"""


def test_a_file_that_hangs_fails_alone_where_others_may_wait() -> None:
    apart = fake(SOMETIMES_HANGS, seconds=2.0)
    with ThreadPoolExecutor(8) as threads:
        hung = [threads.submit(apart.ask, b"hang", "image/jpeg", wait=60) for _ in range(2)]
        others = [threads.submit(apart.ask, b"x", "image/jpeg", wait=60) for _ in range(6)]
        assert [each.result()["status"] for each in hung] == ["unread"] * 2
        assert [each.result()["status"] for each in others] == ["valid"] * 6
    apart.close()


def test_after_a_crash_the_next_file_is_read(sound: Apart) -> None:
    assert sound.ask(b"x", "image/jpeg") == {"status": "valid"}
    assert sound._process is not None
    sound._process.kill()
    sound._process.wait()
    assert sound.ask(b"x", "image/jpeg") == {"status": "valid"}


def test_many_threads_get_their_own_answers() -> None:
    files = {word: signed(word) for word in ("trainedAlgorithmicMedia", "digitalCapture")}
    wrong: list[str] = []

    def ask(word: str) -> None:
        for _ in range(5):
            wrong.extend(
                word for piece in collect(files[word]) if piece.detail["source_type"] != word
            )

    threads = [threading.Thread(target=ask, args=(word,)) for word in files for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def _ask_in_fork(data: bytes, answers: multiprocessing.Queue[str]) -> None:
    answers.put(collect(data)[0].status)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_a_reader_of_its_own() -> None:
    data = signed("trainedAlgorithmicMedia")
    assert collect(data)[0].status == "untrusted_issuer"
    forking = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[str] = forking.Queue()
    child = forking.Process(target=_ask_in_fork, args=(data, answers))
    child.start()
    assert answers.get(timeout=60) == "untrusted_issuer"
    child.join(60)
    assert child.exitcode == 0
    assert collect(data)[0].status == "untrusted_issuer"


REACHES_OUT = """
import io, os, socket, sys
from provenance import credentials
def serve(source, sink, context):
    for reach in (lambda: socket.socket(), lambda: open("/etc/hosts"), os.pipe):
        try:
            reach()
        except OSError as error:
            sink.write(f"{error.errno} ".encode())
    sink.flush()
credentials.serve = serve
credentials.main([])
"""


def test_the_reader_can_open_neither_file_nor_socket() -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", REACHES_OUT]
    done = subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True)
    assert done.stdout.split() == [str(errno.EMFILE).encode()] * 3, done.stderr


def test_the_reader_ends_with_whoever_started_it() -> None:
    apart = Apart((sys.executable, "-m", "provenance.credentials"))
    assert apart.ask(b"x", "image/jpeg")["status"] == "unreadable"
    process, line = apart._process, apart._line
    assert process is not None and line is not None
    line.close()
    assert process.wait(30) == 0
    apart.close()
