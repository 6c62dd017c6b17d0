"""A closed loop of clients over kept-open connections, and the pictures they send."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from embeddings.images import encode_jpeg, resize

PATIENCE_SECONDS = 120.0
BOUNDARY = "exposr-benchmark"


@dataclass
class Answers:
    """What came back within one window: seconds of each answered request, and refusals."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def photograph(megapixels: float = 2.0, seed: int = 0) -> bytes:
    """A JPEG with soft shapes and grain, about as large a file as a camera's of that size."""
    rng = np.random.default_rng(seed)
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = round(width * 3 / 4)
    soft = resize(rng.integers(0, 256, (24, 32, 3)).astype(np.uint8), width, height)
    grain = rng.normal(0, 5, soft.shape)
    return encode_jpeg(np.clip(soft + grain, 0, 255).astype(np.uint8), quality=85)


def copies(jpeg: bytes) -> Iterator[bytes]:
    """The same picture without end, each time another file: a comment holds a number.

    A service that remembers vectors by a file's hash has no use for it, and pixels stay alike.
    """
    for number in itertools.count(time.time_ns()):
        comment = str(number).encode()
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        yield jpeg[:2] + segment + jpeg[2:]


def fire(
    port: int, pictures: Iterator[bytes], *, clients: int, seconds: float = 0.0, requests: int = 0
) -> Answers:
    """Send pictures to `/classify` until the time is over or the requests are sent.

    Every client sends its next picture when it has the answer to the last one; all are waited
    for, so `seconds` of the result is a little longer than asked.
    """
    answers, lock = Answers(), threading.Lock()
    left = itertools.count()
    started = time.perf_counter()

    def more() -> bool:
        if requests:
            return next(left) < requests
        return time.perf_counter() - started < seconds

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        while more():
            with lock:
                picture = next(pictures)
            _send(connection, picture, answers, lock)
        connection.close()

    _run_together(client, clients)
    answers.seconds = time.perf_counter() - started
    return answers


def _send(
    connection: http.client.HTTPConnection, picture: bytes, answers: Answers, lock: threading.Lock
) -> None:
    body = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="p.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()  # fmt: skip
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    sent = time.perf_counter()
    try:
        connection.request("POST", "/classify", body, headers)
        response = connection.getresponse()
        text = response.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        with lock:
            answers.failures.append(f"{type(error).__name__}: {error}")
        return
    took = time.perf_counter() - sent
    with lock:
        if response.status == 200:
            answers.latencies.append(took)
        else:
            answers.failures.append(f"{response.status}: {text[:200]!r}")


def _run_together(work: Callable[[], None], n: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
