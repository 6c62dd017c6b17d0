"""The words of Exposr: its nouns and its tree of errors. Imports nothing of the project."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

DEFAULT_TASK = "authenticity"
UNSURE = "unsure"
OTHER = "(other)"
"""What a verdict says for all labels that it does not name."""
AI, REAL = "ai", "real"
"""What files and promises call pictures; a task may have other labels, or call them otherwise."""
FILE_FACTS = "file:1"
"""The recipe by which facts of a file are read; another whenever one of them would change."""
LOOKS = "looks:1"
"""The recipe of what a picture looks like by simple facts: its manner, a camera's EXIF."""
EQUALISED = "+equal:1"
"""What the id of an embedder ends with where pictures were made alike in form first."""
REDELIVERED = "+redelivered:1"
"""What the id of an embedder ends with where pictures were handed on first; several a picture."""
TEXTS_PARTED_BY = "|"
"""What stands between the texts that describe a label, where they are one line."""
HANDED_ON = 1_000
"""Training pictures of a task whose re-deliveries are embedded: how vectors move shows on few."""
RETRAIN = "retrain"
"""The kind of job that a night and `POST /retrain` ask for."""
RESCORE = "rescore"
"""The kind of job that follows a promotion or a rollback by hand."""
CANCELLED = "cancelled"
"""The error of a job that somebody stopped."""


class ExposrError(Exception):
    """Anything a caller did or can mend. `code` is stable; `detail` is JSON-ready."""

    code = "error"

    def __init__(self, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.message = message
        self.detail: dict[str, Any] = detail


class Malformed(ExposrError):
    """The request cannot be read at all: not JSON, no picture part, unknown content type."""

    code = "malformed"


class NotFound(ExposrError):
    """A task, verdict or version of that name does not exist."""

    code = "not_found"


class Conflict(ExposrError):
    """It exists already, or something that excludes it is running."""

    code = "conflict"


class Unacceptable(ExposrError):
    """Readable but not acceptable; says which field, what was got and what is allowed."""

    code = "unacceptable"

    def __init__(self, field: str, got: object, allowed: str) -> None:
        super().__init__(
            f"{field}: got {got!r}, allowed: {allowed}", field=field, got=got, allowed=allowed
        )


class NotEnoughData(ExposrError):
    """Too few pictures to train on; `detail` holds the counts and what is needed."""

    code = "not_enough_data"


class Unavailable(ExposrError):
    """The service cannot do this now: a model does not load, an embedder is missing."""

    code = "unavailable"


class DatabaseGone(Unavailable):
    """The database does not answer now; what was asked of it may be asked again."""


class Limited(ExposrError):
    """Too much from one person for now; `retry_after` is the seconds to wait."""

    code = "limited"

    def __init__(self, message: str, *, retry_after: int, **detail: Any) -> None:
        super().__init__(message, retry_after=retry_after, **detail)
        self.retry_after = retry_after


class FetchRefused(ExposrError):
    """A URL was not fetched; `reason` is a stable word such as `address` or `deadline`."""

    code = "fetch_refused"

    def __init__(self, reason: str, message: str, **detail: Any) -> None:
        super().__init__(message, reason=reason, **detail)
        self.reason = reason


class BadImageReason(StrEnum):
    """Why a file is not accepted as a picture."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    TOO_MANY_PIXELS = "too_many_pixels"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"


class BadImage(ExposrError):
    """The bytes are not a picture we accept; the only failure decoding has."""

    code = "bad_image"

    def __init__(self, reason: BadImageReason, message: str) -> None:
        super().__init__(message, reason=reason.value)
        self.reason = reason


class TaskKind(StrEnum):
    """What sort of pictures a task looks at; it picks the embedder."""

    PHOTO = "photo"
    DRAWING = "drawing"
    AUTHENTICITY = "authenticity"


class Split(StrEnum):
    """Which side of the fixed held-out split a sample is on."""

    TRAIN = "train"
    TEST = "test"


class VerdictSource(StrEnum):
    """What decided a verdict."""

    MEMORY = "memory"
    SIMILAR = "similar"
    EVIDENCE = "evidence"
    MODEL = "model"
    TEXT = "text"
    NONE = "none"


BY_HEAD = frozenset({VerdictSource.MODEL, VerdictSource.TEXT})
"""Answers by what a picture shows: not by what people said of it, nor by what its file says."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is told apart. `open` tasks take new labels as they are taught."""

    id: int
    name: str
    kind: TaskKind
    labels: tuple[str, ...]
    open: bool
    created_at: datetime
    prompts: Mapping[str, str] = field(default_factory=dict)
    variants: Mapping[str, str] = field(default_factory=dict)  # variant -> canonical label
    settings: Mapping[str, Any] = field(default_factory=dict)  # max_false by label, unsure_below


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What is known of a picture without its pixels; `phash` is 64 bits, unsigned."""

    sha256: str
    width: int
    height: int
    format: str
    n_bytes: int
    phash: int


@dataclass(frozen=True, slots=True)
class VectorPart:
    """Which numbers of a vector, from `start` up to `stop`, are those of which embedder."""

    name: str
    embedder: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class NewSample:
    """A labelled picture about to be stored."""

    label: str
    source: str
    family: str
    split: Split
    license: str = ""
    author: str = ""
    page_url: str = ""
    demo: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """A labelled picture of one task. `family` names its group of near-duplicates.

    `taught`: it is here by corrections alone, and only as long as one of them is live.
    """

    id: int
    task: str
    sha256: str
    label: str
    source: str
    family: str
    split: Split
    license: str
    author: str
    page_url: str
    demo: bool
    phash: int
    added_at: datetime
    taught: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """Who speaks: a key's name, `admin`, or `local`. `trusted`: may also do what admins may."""

    name: str
    trusted: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict in short: what was said before a correction, or after it."""

    prediction: str
    confidence: float
    source: VerdictSource


@dataclass(frozen=True, slots=True)
class NewCorrection:
    """A label that somebody gives to a picture. `before`: what the task answered until then."""

    sha256: str
    label: str
    person: Person
    before: Answer | None = None
    verdict_id: str | None = None
    variant_of: str | None = None
    note: str = ""
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """One label one person gave to one picture: a row of the append-only log.

    `seq` is gapless within a task. A row with `undoes` set takes that earlier row back. Of an
    erased picture's rows only the place in the sequence is left. `phash` is 0 where unknown.
    """

    id: str
    task: str
    seq: int
    sha256: str
    label: str
    person: str
    created_at: datetime
    verdict_id: str | None = None
    variant_of: str | None = None
    note: str = ""
    undoes: str | None = None
    trusted: bool = True
    before: Answer | None = None
    erased: bool = False
    phash: int = 0


@dataclass(frozen=True, slots=True)
class TeachLimits:
    """What one person who is not trusted may do to a task."""

    per_minute: int = 600
    new_labels: int = 100


@dataclass(frozen=True, slots=True)
class Taught:
    """A correction in the log; not `fresh` when an earlier request had brought it already."""

    correction: Correction
    fresh: bool


@dataclass(frozen=True, slots=True)
class Golden:
    """How many of a frozen set of held-out pictures are answered rightly."""

    right: int
    of: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What a correction changes beside its own picture.

    `near_samples` of the `of_samples` known pictures looked at, and `past_verdicts_flipped` of
    the latest `of_verdicts`, are answered otherwise with it. `golden` is None where no version
    has a held-out set.
    """

    near_samples: int
    of_samples: int
    past_verdicts_flipped: int
    of_verdicts: int
    golden_before: Golden | None
    golden_after: Golden | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a correction, or taking one back, did. `undone`: it is taken back by now."""

    correction: Correction
    before: Answer
    after: Answer
    learned_ms: float
    effect: Effect
    dry_run: bool = False
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Archive:
    """A task as it was when it was reset."""

    id: int
    task: str
    at: datetime
    samples: int
    corrections: int
    version: str | None


@dataclass(frozen=True, slots=True)
class Erased:
    """What was removed with a picture, and the versions that were trained while it was there."""

    sha256: str
    file: bool
    vectors: int
    samples: int
    corrections: int
    verdicts: int
    trained_versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing a file says about its own origin."""

    kind: str
    claim: str
    status: str
    points_to: str | None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Nearest:
    """A labelled sample like the picture; `similarity` is a cosine in [-1, 1]."""

    sample_id: int
    label: str
    similarity: float


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A saved, immutable head. `card` is its metrics card, JSON-ready."""

    id: str
    task: str
    embedder: str
    classifier: str
    sha256: str
    demo: bool
    created_at: datetime
    card: Mapping[str, Any]


def most_probable(probabilities: Mapping[str, float], most: int) -> dict[str, float]:
    """So many labels, the most probable first, and all others as `OTHER`: the sum stays.

    What was cut so before may be cut again: the others of then are among the others.
    """
    named = [item for item in probabilities.items() if item[0] != OTHER]
    ranked = sorted(named, key=lambda item: -item[1])
    kept, others = dict(ranked[:most]), [p for _, p in ranked[most:]]
    if OTHER in probabilities:
        others.append(probabilities[OTHER])
    return {**kept, OTHER: math.fsum(others)} if others else kept


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the head alone says of a picture, whatever decided.

    `parts`: of an ensemble, each part's own probabilities, by the part's name. `calibrated`: the
    probabilities were held against pictures not trained on.
    """

    prediction: str
    confidence: float
    probabilities: Mapping[str, float]
    source: VerdictSource
    calibrated: bool = False
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class People:
    """What people said of this very picture, or, where `copies` is not 0, of so many like it.

    `label` is None where they are at odds; `shares` are those of the `votes`.
    """

    label: str | None
    shares: Mapping[str, float]
    votes: int
    disputed: bool
    copies: int = 0


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the head says of a picture as it may be delivered anew; `probability` of one label."""

    name: str
    prediction: str
    probability: float


@dataclass(frozen=True, slots=True)
class Stability:
    """How the answer holds when the picture is delivered anew.

    `low` and `high` are the least and the greatest probability of `label`, as sent included.
    """

    label: str
    low: float
    high: float
    flips: bool
    deliveries: tuple[Delivered, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one picture. `probabilities` sum to 1; `prediction` may be `unsure`.

    `evidence`, `statistics` and `people` are what the file, the head and people say, each by
    itself. `explained` is there where an explanation was asked for, `stability` likewise.
    `none_of_these`: it is like nothing that an open task knows, and so `unsure`. `seal` is its
    signed document, packed.
    """

    id: str
    task: str
    prediction: str
    confidence: float
    probabilities: Mapping[str, float]
    source: VerdictSource
    reasons: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    nearest: tuple[Nearest, ...]
    model_version: str | None
    embedder: str
    trained_at: datetime | None
    corrections: int
    picture: PictureFacts
    timing_ms: Mapping[str, float]
    created_at: datetime
    demo: bool = False
    statistics: Statistics | None = None
    people: People | None = None
    stability: Stability | None = None
    explained: Mapping[str, Any] | None = None
    none_of_these: bool = False
    seal: str | None = None


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Stage(StrEnum):
    """What a retrain goes through, in this order."""

    COLLECT = "collect"
    EMBED = "embed"
    CHECK = "check"
    TRAIN = "train"
    GATE = "gate"
    PROMOTE = "promote"


@dataclass(frozen=True, slots=True)
class Job:
    """Asked-for background work.

    `holder` is whose process works on it, and `beats` counts its signs of life: who sees it
    stand still may take the job over. `kept` is what finished stages left for those to come.
    """

    id: str
    kind: str
    task: str | None
    status: JobStatus
    request: Mapping[str, Any]
    done: int
    total: int
    stage: str
    result: Mapping[str, Any] | None
    error: str | None
    created_at: datetime
    updated_at: datetime
    holder: str | None = None
    beats: int = 0
    attempts: int = 0
    cancelled: bool = False
    kept: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Night:
    """One slot of the schedule, which exactly one job was given to."""

    slot: str
    due: datetime
    taken_at: datetime
    job_id: str


@dataclass(frozen=True, slots=True)
class Clock:
    """A scheduler process, as it last showed itself."""

    id: str
    host: str
    pid: int
    started_at: datetime
    seen_at: datetime
    next_run: datetime | None


@dataclass(frozen=True, slots=True)
class Run:
    """One training run as history tells it: why, on what, how it did, and what the gate said.

    `gate` is `promoted`, `kept` or `skipped`; the last has no version. `detail` has what the
    gate measured, what the check found and what changed in the data.
    """

    id: str
    task: str
    why: str
    started_at: datetime
    finished_at: datetime
    counts: Mapping[str, Any]
    metrics: Mapping[str, Any]
    gate: str
    reason: str
    version: str | None
    job_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Crawl:
    """What one source brought in one go: a row of the ledger.

    `counts` by name: listed, fetched, refused_robots, refused_noai, refused_licence,
    refused_other, failed, unchanged, duplicate, near_duplicate, unreadable, contradicted, kept.
    `ended` says why it stopped, and is None while it goes on.
    """

    id: str
    task: str
    source: str
    query: str
    started_at: datetime
    finished_at: datetime | None
    counts: Mapping[str, int]
    ended: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture that a source listed before, by the source's own name for it."""

    key: str
    url: str
    outcome: str
    at: datetime
    sha256: str | None = None
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A picture whose latest verdict a newly promoted version would give otherwise."""

    task: str
    version: str
    sha256: str
    verdict_id: str
    before: str
    after: str
    confidence: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to the webhook that waits, or arrived, or was given up."""

    id: str
    event: str
    body: Mapping[str, Any]
    created_at: datetime
    attempts: int
    next_try_at: datetime | None
    delivered_at: datetime | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """How a version did on one set of pictures; `what` is `corrections` or a month (`2026-11`)."""

    task: str
    version: str
    what: str
    at: datetime
    n: int
    right: int
