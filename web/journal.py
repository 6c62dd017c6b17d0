"""One line a request, with an id, and no key, query or body in it."""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from datetime import UTC, datetime

from flask import Flask, Response, g, request

access = logging.getLogger("exposr.access")


def keep_journal(app: Flask) -> None:
    """Give every request an id and write its line."""

    @app.before_request
    def _begin() -> None:
        g.started = time.perf_counter()
        given = request.headers.get("X-Request-ID", "")
        g.request_id = given if re.fullmatch(r"[\w.-]{1,64}", given, re.ASCII) else uuid.uuid4().hex

    @app.after_request
    def _end(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.request_id
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request": g.request_id,
            "from": request.remote_addr,
            "method": request.method,
            "path": request.path[:200],
            "status": response.status_code,
            "ms": round((time.perf_counter() - g.started) * 1000, 1),
            "sent": response.content_length,
        }
        access.info(json.dumps(line))
        return response
