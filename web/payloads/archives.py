"""What is durable, what was put away, and what was erased."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StrictStr

from domain import Archive
from web.payloads import Payload


class SavedBody(Payload):
    """What of a task is on the disk: everything that was acknowledged."""

    task: str
    durable: bool
    samples: int
    corrections: int
    version: str | None


class ResetRequest(Payload):
    """The task's name, so that nobody resets another one by mistake."""

    confirm: StrictStr = Field(examples=["kannada-letters"])


class RestoreRequest(Payload):
    """Which archive, and the task's name, as what is there now is archived in turn."""

    archive: Annotated[int, Field(strict=True, ge=1, description="Its `id`.")]
    confirm: StrictStr = Field(examples=["kannada-letters"])


class ArchiveBody(Payload):
    """A task as it was when it was reset or deleted."""

    id: int
    task: str
    at: datetime
    samples: int
    corrections: int
    version: str | None


class ArchivesBody(Payload):
    """What was put away under a task's name, newest first."""

    task: str
    archives: list[ArchiveBody]


class ResetBody(Payload):
    """What was put away; `restore` with its id brings it back."""

    task: str
    archive: ArchiveBody


class ErasedBody(Payload):
    """What was removed with a picture."""

    sha256: str
    file: bool = Field(description="Whether its file was kept here.")
    vectors: int
    samples: int
    corrections: int
    verdicts: int
    trained_versions: list[str] = Field(
        description="Model versions trained while it was there: train anew to be rid of it there."
    )


def archive_body(archive: Archive) -> ArchiveBody:
    """An archive as the wire has it."""
    return ArchiveBody(
        id=archive.id,
        task=archive.task,
        at=archive.at,
        samples=archive.samples,
        corrections=archive.corrections,
        version=archive.version,
    )
