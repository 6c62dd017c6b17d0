"""The door: a real gunicorn on a real socket, and a command that answers at once."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import parse_arguments
from config import load_settings
from storage import open_store
from tests.web.service import jpeg

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 90.0
"""Seconds a start may take on a busy machine; an idle one needs a tenth."""


def environment(folder: Path, **changes: str) -> dict[str, str]:
    quiet = {"DATA_DIR": str(folder), "ENCODER": "builtin", "SCHEDULER": "0"}
    return {**os.environ, **quiet, **changes}


def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "app.py", *arguments],
        cwd=ROOT, env={**os.environ, **changes}, capture_output=True, text=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip


def test_help_teaches_and_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "app.py", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "curl -F image=@photo.jpg" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "argparse" in imported
    assert not imported & {"flask", "numpy", "pydantic", "sqlalchemy", "gunicorn"}


def test_wrong_option_is_refused() -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(["--prot", "80"])
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"API_PORT": "five", "TRAINING_TIME": "noon"}, ["API_PORT=five", "TRAINING_TIME=noon"]),
        ({"API_HOST": "0.0.0.0"}, ["ADMIN_KEY must be set"]),  # noqa: S104
        ({"DATA_DIR": "/dev/null/data"}, ["DATA_DIR=/dev/null/data"]),
        ({"DATABASE_URL": "sqlite:////dev/null/x.db"}, ["/dev/null"]),
    ],
)
def test_start_that_cannot_work_is_refused_in_plain_lines(
    tmp_path: Path, changes: dict[str, str], said: list[str]
) -> None:
    done = run(**{"DATA_DIR": str(tmp_path), "ENCODER": "builtin", **changes})
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == len(said), done.stderr
    for line, part in zip(lines, said, strict=True):
        assert part in line


def test_any_wsgi_server_can_make_the_app_from_the_environment(tmp_path: Path) -> None:
    script = "import app; print(app.create_app().test_client().get('/health').status_code)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "200", done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "exposr.db").exists()


@dataclass(frozen=True)
class Service:
    """A running `python app.py`."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def post(self, path: str, **request: Any) -> httpx.Response:
        return httpx.post(self.url + path, timeout=30, trust_env=False, **request)

    def get(self, path: str, **request: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=30, trust_env=False, **request)

    def raw(self, sent: bytes) -> bytes:
        """Send bytes; everything that comes back until the other side closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(sent)
            received = b""
            while more := connection.recv(65536):
                received += more
        return received


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def serving(folder: Path, **changes: str) -> Iterator[Service]:
    """Run `python app.py` until it answers; stop it at the end."""
    port = free_port()
    log = folder.parent / f"{folder.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port)],
            cwd=ROOT, env=environment(folder, **changes), stdout=output, stderr=output,
        )  # fmt: skip
    service = Service(process, port, log)
    try:
        wait_until(lambda: answers(service), log)
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(PATIENCE)


def answers(service: Service) -> bool:
    assert service.process.poll() is None, service.log.read_text()
    with contextlib.suppress(httpx.TransportError):
        return service.get("/health").status_code == 200
    return False


def wait_until(condition: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The first start on an empty DATA_DIR, with two workers."""
    folder = tmp_path_factory.mktemp("first") / "data"
    with serving(folder, WEB_WORKERS="2", MAX_IMAGE_BYTES="1000000") as running:
        yield running


def test_first_start_answers_and_says_that_it_is_a_demonstration(service: Service) -> None:
    health = service.get("/health").json()
    assert health["status"] == "ok"
    assert health["tasks"]["authenticity"]["demo"] is True
    verdict = service.post("/classify", files={"image": jpeg()}).json()
    assert verdict["model"]["demo"] is True
    assert verdict["source"] == "model"
    assert any("demonstration" in reason for reason in verdict["reasons"])


def test_batch_of_a_good_a_corrupt_and_a_missing_picture(service: Service) -> None:
    parts = [
        ("images", ("a.jpg", jpeg())),
        ("images", ("b.jpg", b"corrupt")),
        ("images", ("", b"")),
    ]
    document = service.post("/batch_classify", files=parts).json()
    assert [set(result) == {"error"} for result in document["results"]] == [False, True, True]


def test_change_of_a_setting_is_seen_by_every_worker(service: Service) -> None:
    service.post("/config", json={"training_time": "05:15"})
    seen = {service.get("/config").json()["training_time"] for _ in range(20)}
    assert seen == {"05:15"}


def test_upload_beyond_the_limit_gets_its_answer(service: Service) -> None:
    response = service.post("/classify", files={"image": bytes(5_000_000)})
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "too_large"


def test_chunked_upload_beyond_the_limit_gets_its_answer(service: Service) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(80):
            yield bytes(100_000)

    for kind in ("image/png", "application/json", "multipart/form-data; boundary=b"):
        response = service.post("/classify", content=endless(), headers={"Content-Type": kind})
        assert response.status_code == 413, kind


HEAD = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: nonsense\r\n\r\n", 400),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400),
        (HEAD + b"Content-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nabc", 400),
        (HEAD + b"Expect: nonsense\r\nContent-Length: 3\r\n\r\nabc", 417),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"GET /stats HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 403),
    ],
)
def test_what_is_no_proper_http_gets_the_one_shape(
    service: Service, sent: bytes, status: int
) -> None:
    head, _, body = service.raw(sent).partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == str(status).encode()
    assert b"application/json" in head
    assert body.startswith(b'{"error": {"code": ')


def test_body_cut_short_is_400(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(HEAD + b"Content-Type: image/png\r\nContent-Length: 500\r\n\r\nabc")
        connection.shutdown(socket.SHUT_WR)
        received = connection.recv(65536)
    assert received.startswith(b"HTTP/1.1 4")


def test_stop_finishes_what_was_accepted(tmp_path: Path) -> None:
    with serving(tmp_path / "data", STARTER_LESSON="0") as running:
        body = jpeg(1, 600, 400)
        head = HEAD + f"Content-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
            connection.sendall(head + body[:-1])
            running.get("/health")  # by now the first connection has its thread
            running.process.send_signal(signal.SIGTERM)
            wait_until(lambda: "Handling signal: term" in running.log.read_text(), running.log)
            connection.sendall(body[-1:])
            received = connection.recv(65536)
        assert received.startswith(b"HTTP/1.1 200")
        assert running.process.wait(PATIENCE) == 0


def test_the_nights_are_kept_beside_the_service_and_begun_again(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with serving(folder, SCHEDULER="1", STARTER_LESSON="0") as service:
        store = open_store(load_settings(_env_file=None, data_dir=folder))
        try:
            wait_until(lambda: bool(store.clocks.all()), service.log)
            (clock,) = store.clocks.all()
            os.kill(clock.pid, signal.SIGKILL)
            wait_until(lambda: any(c.pid != clock.pid for c in store.clocks.all()), service.log)
            job = httpx.post(f"{service.url}/retrain").json()["job"]
            where = f"{service.url}{job['status_url']}"
            wait_until(lambda: httpx.get(where).json()["status"] == "done", service.log)
            assert httpx.get(f"{service.url}/health").json()["scheduler"]["running"] >= 1
        finally:
            store.close()
