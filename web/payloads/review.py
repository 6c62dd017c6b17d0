"""What is worth a look: pictures to label next, and what was refused."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from pydantic import Field

from review import Queued
from web.payloads import Payload


class VoteBody(Payload):
    """What one person says a picture is."""

    person: str
    label: str
    trusted: bool
    correction_id: str


class QueuedBody(Payload):
    """A picture worth a look; it stands for `count` near-duplicates, itself among them."""

    sha256: str
    prediction: str | None = Field(description="What is answered for it; null where opinions tie.")
    confidence: float | None
    verdict_id: str | None = Field(description="To label it by; null of a dispute.")
    votes: list[VoteBody] = Field(description="What people say, of a dispute.")
    count: int
    kept: bool = Field(description="Whether its file is at /pictures/<sha256>.")


class QueueBody(Payload):
    """Pictures worth labelling next, the most worthwhile first."""

    task: str
    order: str
    items: list[QueuedBody]


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


def queued_body(queued: Queued) -> QueuedBody:
    """A picture worth a look, as the wire has it."""
    return QueuedBody.model_validate(asdict(queued))
