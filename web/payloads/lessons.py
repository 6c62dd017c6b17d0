"""What a lesson brought."""

from __future__ import annotations

from dataclasses import asdict

from pydantic import Field

from lessons import Imported
from web.payloads import Payload


class DifferenceBody(Payload):
    """A picture that has one label here and another one in the lesson."""

    sha256: str
    ours: str
    theirs: str


class NotTaken(Payload):
    """Something of a lesson that was not taken, and why; `reason` is a stable word."""

    what: str
    reason: str
    message: str


class ImportedBody(Payload):
    """What came of a lesson, or would."""

    task: str
    made: bool = Field(description="Whether the task was made for it.")
    dry_run: bool
    labels_added: list[str]
    variants_added: list[str]
    samples: int = Field(description="How many were added.")
    samples_here: int = Field(description="How many were here already.")
    corrections: int = Field(description="How many were added.")
    corrections_here: int = Field(description="How many were here already.")
    adopted: int = Field(description="Pictures that got the lesson's label in your name.")
    conflicts: list[DifferenceBody] = Field(description="The first of them.")
    n_conflicts: int
    refused: list[NotTaken] = Field(description="The first of them.")
    n_refused: int
    without_vectors: int = Field(description="Pictures that `python -m embeddings` has to look at.")


def imported_body(imported: Imported) -> ImportedBody:
    """What came of a lesson, as the wire has it."""
    return ImportedBody.model_validate(asdict(imported))
