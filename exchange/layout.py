"""What a lesson consists of: the names in its zip, how much of each is too much, its nouns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain import Answer, Malformed, PictureFacts, TaskKind

FORMAT = "exposr-lesson"
VERSION = 1

MANIFEST = "manifest.json"
SAMPLES = "samples.jsonl"
CORRECTIONS = "corrections.jsonl"
CARD = "card.json"
PICTURE = re.compile(r"pictures/([0-9a-f]{64})")
VECTORS = re.compile(r"vectors/(0|[1-9][0-9]{0,4})\.(npy|json)")

MOST_ROWS = 200_000
"""Of samples, and of corrections; they are held in memory while a lesson is read."""
MOST_LABELS = 20_000
DIRECTORY_BYTES = 48_000_000
"""Of the zip's list of members: enough for `MOST_ROWS` pictures, read whole by zipfile."""
DOCUMENT_BYTES = 8_000_000
"""Of the manifest, and of the card."""
ROWS_BYTES = 400_000_000
LINE_BYTES = 100_000
CHUNK_BYTES = 32_000_000
"""Of one file of vectors."""
NAMES_BYTES = 2_000_000
"""Of the names that belong to one file of vectors."""
RATIO = 100
"""What is packed tighter than this is a bomb: rows of text pack to about a sixth."""


class BadLesson(Malformed):
    """A file that is no lesson, or one that was damaged or made to do harm."""


@dataclass(frozen=True, slots=True)
class TaskPart:
    """What a task is, as a lesson tells it."""

    name: str
    kind: TaskKind
    open: bool
    labels: tuple[str, ...]
    prompts: Mapping[str, str] = field(default_factory=dict)
    variants: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a lesson says of itself.

    Attributes
    ----------
    vectors
        How many there are of each embedder, by its id.
    chunks
        In how many files they are.
    """

    task: TaskPart
    samples: int
    corrections: int
    pictures: int
    vectors: Mapping[str, int]
    chunks: int
    created_at: str
    service: str


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A labelled picture."""

    sha256: str
    label: str
    source: str
    family: str
    license: str
    author: str
    page_url: str


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """A live correction. `facts` stand for the picture where its file was not kept."""

    id: str
    sha256: str
    label: str
    person: str
    trusted: bool
    note: str
    variant_of: str | None
    created_at: str
    before: Answer | None
    family: str
    facts: PictureFacts | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What a row of an embedder's vectors consists of.

    Attributes
    ----------
    dim
        Length of each unit vector in it.
    most
        How many there may be, one after the other.
    zeros
        Whether zeros may stand in the place of a unit vector.
    """

    dim: int
    most: int = 1
    zeros: bool = False
