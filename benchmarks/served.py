"""A real service as processes of its own, and a client of it, for looking from the outside."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import psutil  # type: ignore[import-untyped]

from benchmarks.load import BOUNDARY

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
PORTS = 15_400, 20_000
START_SECONDS = 150.0
STOP_SECONDS = 60.0
PATIENCE_SECONDS = 120.0
TOLD_OF_LOG = 4_000
FRESH_SECONDS = 2.0
"""A connection that rested longer may have been closed by the service meanwhile."""


class Refused(Exception):
    """An answer that is none of 2xx."""

    def __init__(self, status: int, document: Any) -> None:
        super().__init__(f"{status}: {json.dumps(document, ensure_ascii=False)[:300]}")
        self.status = status


class Service:
    """`python app.py` with the built-in embedder, in a process group of its own.

    Parameters
    ----------
    folder
        Its DATA_DIR, which outlives it; its log is there too.
    port
        Where it listens.
    settings
        More settings, by the names of their environment variables.
    """

    def __init__(self, folder: Path, port: int, **settings: str) -> None:
        self.port = port
        self.log = folder / f"service-{port}.log"
        self.settings = {
            "API_HOST": HOST,
            "API_PORT": str(port),
            "DATA_DIR": str(folder),
            "ENCODER": "builtin",
            "LOG_LEVEL": "WARNING",
            "SCHEDULER": "0",
            "STARTER_LESSON": "0",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it and wait until it answers.

        Returns
        -------
        float
            Seconds that took.
        """
        started = time.perf_counter()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "app.py"],
                cwd=ROOT,
                env={**os.environ, **self.settings},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until_healthy(self._process, self.port, self.log)
        return time.perf_counter() - started

    def stop(self) -> None:
        """End it as one should; whatever is left of it then is killed."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
            self.kill()

    def kill(self) -> None:
        """End all its processes at once by kill -9."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, error: object, *more: object) -> None:
        if error is not None:
            sys.stderr.write(self.log.read_text("utf-8", "replace")[-TOLD_OF_LOG:])
        self.stop()

    def workers(self) -> list[psutil.Process]:
        """The processes that answer."""
        if self._process is None:
            return []
        found: list[psutil.Process] = psutil.Process(self._process.pid).children()
        return found

    def rss(self) -> int:
        """Bytes of memory that the processes that answer hold."""
        return sum(worker.memory_info().rss for worker in self.workers())

    def cpu_seconds(self) -> float:
        """Processor time that they have used."""
        times = [worker.cpu_times() for worker in self.workers()]
        return float(sum(t.user + t.system for t in times))

    def worker_of(self, client: Client) -> int | None:
        """The id of the process that a client's connection is held by."""
        for worker in self.workers():
            with contextlib.suppress(psutil.Error):
                ends = [link.raddr.port for link in worker.net_connections("tcp") if link.raddr]
                if client.own_port in ends:
                    return int(worker.pid)
        return None


class Client:
    """One kept-open connection. Not for several threads at once.

    Parameters
    ----------
    port
        Of the service.
    key
        The key it shows, if any.
    """

    def __init__(self, port: int, key: str = "") -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE_SECONDS)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._last = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    @property
    def own_port(self) -> int:
        """The port at this end; 0 where nothing is open."""
        sock = self._connection.sock
        return int(sock.getsockname()[1]) if sock else 0

    def connect(self) -> None:
        """Open the connection now, and not when something is asked."""
        self._connection.connect()
        self._last = time.monotonic()

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Any:
        """One request, and the document that is answered.

        Raises
        ------
        Refused
            The answer is none of 2xx.
        OSError, http.client.HTTPException
            The service is gone.
        """
        if time.monotonic() - self._last > FRESH_SECONDS:
            self._connection.close()
        try:
            self._connection.request(method, path, body, {**self._headers, **(headers or {})})
            response = self._connection.getresponse()
            document = json.loads(response.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        self._last = time.monotonic()
        if not 200 <= response.status < 300:
            raise Refused(response.status, document)
        return document

    def send(self, path: str, document: Mapping[str, Any]) -> Any:
        """POST a JSON document."""
        body = json.dumps(document).encode()
        return self.ask("POST", path, body, {"Content-Type": "application/json"})

    def make(self, task: str, kind: str, labels: tuple[str, ...] = ()) -> None:
        """Make an open task."""
        self.send("/tasks", {"name": task, "kind": kind, "labels": labels, "open": True})

    def predict(self, task: str, picture: bytes) -> Any:
        """The verdict on a picture."""
        headers = {"Content-Type": "application/octet-stream"}
        return self.ask("POST", f"/tasks/{task}/predict", picture, headers)

    def teach(self, task: str, picture: bytes, label: str, *, once: str = "") -> Any:
        """Teach an example; the receipt. `once`: a key with which it may be sent again."""
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        if once:
            headers["Idempotency-Key"] = once
        return self.ask("POST", f"/tasks/{task}/train", _form(picture, label), headers)

    def undo(self, task: str, correction: str) -> Any:
        """Take a correction back; the receipt."""
        return self.ask("DELETE", f"/tasks/{task}/feedback/{quote(correction)}")


def _form(picture: bytes, label: str) -> bytes:
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="'
    head = f'{part}label"\r\n\r\n{label}\r\n{part}image"; filename="p"\r\n\r\n'
    return head.encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()


def wait_until_healthy(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until a service that starts answers; end the benchmark when it does not."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"It ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=60):
                return
        except urllib.error.HTTPError:
            time.sleep(0.05)  # there, but not ready
        except OSError:
            time.sleep(0.02)
    sys.exit(f"It did not answer:\n{log.read_text()[-3000:]}")


def free_port() -> int:
    """A port that nobody uses, out of the range that outgoing connections take theirs from."""
    while True:
        port = PORTS[0] + secrets.randbelow(PORTS[1] - PORTS[0])
        with contextlib.suppress(OSError), socket.socket() as taken:
            taken.bind((HOST, port))
            return port
