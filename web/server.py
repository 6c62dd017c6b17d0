"""The gunicorn of one box: threads, one engine a worker, errors in the one shape."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn import util
from gunicorn.app.base import BaseApplication
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from config import Settings
from web.answers import to_json
from web.errors import HTTP_CODES

BOOT_SECONDS = 120
GRACEFUL_SECONDS = 30
KEEPALIVE_SECONDS = 5
LONGEST_REQUEST_LINE = 8190

STATUS: dict[type[Exception], tuple[int, str]] = {
    errors.LimitRequestLine: (414, "URI Too Long"),
    errors.LimitRequestHeaders: (431, "Request Header Fields Too Large"),
    errors.ExpectationFailed: (417, "Expectation Failed"),
}


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn publishes no types
    """A worker whose answers to what is not HTTP have the shape of all other errors."""

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer a request that never reached the app."""
        answered_by_app = isinstance(exc, errors.InvalidResponseHeader)
        if not isinstance(exc, errors.ParseException) or answered_by_app:
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning("Not HTTP from %s: %s", addr[0] if addr else "-", exc)
        try:
            util.write_nonblock(client, broken_request(exc))
        except OSError:
            self.log.debug("The client is gone.")


def broken_request(error: Exception) -> bytes:
    """The whole HTTP response to a request that cannot be read."""
    status, phrase = STATUS.get(type(error), (400, "Bad Request"))
    code = HTTP_CODES.get(status, "malformed")
    message = f"The request is not HTTP as it is read here: {phrase}."
    body = to_json({"error": {"code": code, "message": message, "detail": {}}})
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"X-Content-Type-Options: nosniff\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


class Box(BaseApplication):  # type: ignore[misc] # gunicorn publishes no types
    """gunicorn with this project's settings."""

    def __init__(self, settings: Settings, make_app: Callable[[], Flask]) -> None:
        self._settings = settings
        self._make_app = make_app
        super().__init__()

    def load_config(self) -> None:
        """Tell gunicorn what the settings say."""
        for key, value in options(self._settings).items():
            self.cfg.set(key, value)

    def load(self) -> Flask:
        """Make the app, in each worker on its own: an engine cannot be carried over a fork."""
        return self._make_app()


def options(settings: Settings) -> dict[str, Any]:
    """What gunicorn is told."""
    host = f"[{settings.api_host}]" if ":" in settings.api_host else settings.api_host
    return {
        "bind": f"{host}:{settings.api_port}",
        "workers": settings.web_workers,
        "threads": settings.web_threads,
        "worker_class": Worker,
        "preload_app": False,
        "timeout": BOOT_SECONDS,
        "graceful_timeout": GRACEFUL_SECONDS,
        "keepalive": KEEPALIVE_SECONDS,
        "limit_request_line": LONGEST_REQUEST_LINE,
        "loglevel": settings.log_level.lower(),
        "accesslog": None,  # web/journal.py writes one line a request
        "control_socket_disable": True,
        "proc_name": "exposr",
    }
