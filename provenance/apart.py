"""Asks the process that reads C2PA manifests, starts it, and ends it when it hangs."""

from __future__ import annotations

import atexit
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from struct import Struct
from typing import Any

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent
REQUEST, REPLY = Struct(">HI"), Struct(">I")
SECONDS = 5.0
"""For one file, waiting for others included unless more is granted; usually it takes 5 ms."""
MAX_BYTES = 64_000_000
MAX_REPLY = 100_000


class Apart:
    """One such process, started when it is first needed. Safe in threads and after a fork."""

    def __init__(self, command: Sequence[str], seconds: float = SECONDS) -> None:
        self._command = command
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None

    def ask(self, data: bytes, media_type: str, *, wait: float | None = None) -> dict[str, Any]:
        """What the manifest of a file says; `status` is `unread` where that took too long.

        Who can wait for other files says for how many seconds, and has the whole time for this
        one then.
        """
        if len(data) > MAX_BYTES:
            return {"status": "unread", "why": f"the file has over {MAX_BYTES:,} bytes"}
        deadline = time.monotonic() + self._seconds
        if not self._lock.acquire(timeout=self._seconds if wait is None else wait):
            return {"status": "unread", "why": "too many files at once"}
        if wait is not None:
            deadline = time.monotonic() + self._seconds
        try:
            return self._ask(data, media_type, deadline)
        except TimeoutError:
            log.warning("reading content credentials took over %g s and was ended", self._seconds)
            self._end()
            return {"status": "unread", "why": f"it took over {self._seconds:g} seconds"}
        except (OSError, EOFError, ValueError) as error:
            log.warning("the process that reads content credentials failed: %r", error)
            self._end()
            return {"status": "unreadable", "why": f"reading it failed: {type(error).__name__}"}
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the process; it is started again when it is needed."""
        with self._lock:
            self._end()

    def forget(self) -> None:
        """In a forked child: the process is the parent's, and so was the lock."""
        self._lock = threading.Lock()
        if self._process is not None:
            self._process.returncode = 0  # nothing to wait for here
            self._process = None
        if self._line is not None:
            self._line.close()
            self._line = None

    def _ask(self, data: bytes, media_type: str, deadline: float) -> dict[str, Any]:
        line = self._open()
        kind = media_type.encode("ascii")
        line.settimeout(max(0.001, deadline - time.monotonic()))
        line.sendall(REQUEST.pack(len(kind), len(data)) + kind)
        line.sendall(data)
        (length,) = REPLY.unpack(_receive(line, REPLY.size, deadline))
        if length > MAX_REPLY:
            raise ValueError("an overlong reply")
        said: dict[str, Any] = json.loads(_receive(line, length, deadline))
        return said

    def _open(self) -> socket.socket:
        if self._line is not None and self._process is not None and self._process.poll() is None:
            return self._line
        self._end()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 -- our own module, no shell
                self._command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                cwd=ROOT,
            )
        self._line = ours
        return ours

    def _end(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._line = self._process = None


def _receive(line: socket.socket, length: int, deadline: float) -> bytes:
    received = bytearray()
    while len(received) < length:
        line.settimeout(max(0.001, deadline - time.monotonic()))
        part = line.recv(length - len(received))
        if not part:
            raise EOFError("it ended")
        received += part
    return bytes(received)


_READERS: dict[Path | None, Apart] = {}


def reader(anchors: Path | None = None) -> Apart:
    """The process that trusts the signers named in a file of certificates (PEM)."""
    known = _READERS.get(anchors)
    if known is None:  # no lock, which a fork might copy locked: a second one is not started
        told = [str(anchors.resolve())] if anchors else []
        command = (sys.executable, "-m", "provenance.credentials", *told)
        known = _READERS.setdefault(anchors, Apart(command))
        os.register_at_fork(after_in_child=known.forget)
        atexit.register(known.close)
    return known
