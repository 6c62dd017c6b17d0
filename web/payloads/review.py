"""What is worth a look: pictures to label next, and what was refused."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from web.payloads import Payload


class Refusal(Payload):
    """Something that was offered and not kept, and why."""

    name: str
    source: str
    sha256: str | None = Field(description="Null where nothing could be read.")
    reason: str
    message: str
    at: datetime


class QuarantineBody(Payload):
    """What was offered and refused, newest first."""

    task: str
    total: int
    items: list[Refusal]
