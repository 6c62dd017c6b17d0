"""Pictures asked about, and the verdicts on them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, JsonValue, StrictStr

from domain import Verdict, VerdictSource
from engine import Engine
from web.payloads import ErrorBody, Payload
from wire import describe


class PictureRequest(BaseModel):
    """Either of the two: a URL to fetch, or the picture itself as a data URL."""

    url: StrictStr | None = Field(None, examples=["https://news.example/photo.jpg"])
    image: StrictStr | None = Field(
        None, description="A data URL in base64.", examples=["data:image/png;base64,iVBORw0KGgo="]
    )


class UrlRequest(BaseModel):
    """A picture on the web."""

    url: StrictStr = Field(examples=["https://news.example/photo.jpg"])


class BatchRequest(BaseModel):
    """Pictures on the web. One that is no URL spoils only its own answer."""

    urls: list[JsonValue] = Field(
        min_length=1, examples=[["https://news.example/a.jpg", "https://news.example/b.jpg"]]
    )


class LabelProbability(Payload):
    """One of the likeliest labels."""

    label: str
    probability: float = Field(ge=0, le=1)


class EvidencePiece(Payload):
    """One thing the file says about its own origin."""

    kind: str
    claim: str
    status: str
    points_to: str | None
    detail: dict[str, JsonValue]


class NearestSample(Payload):
    """A labelled sample like the picture; `similarity` is a cosine."""

    sample_id: int
    label: str
    similarity: float


class StatisticsBody(Payload):
    """What the head alone says, whatever decided. `parts`: of an ensemble, each by itself."""

    prediction: str
    confidence: float
    probabilities: dict[str, float]
    source: VerdictSource
    calibrated: bool = Field(
        description="Whether the probabilities were held against pictures not trained on."
    )
    parts: dict[str, dict[str, float]]


class PeopleBody(Payload):
    """What people said of this very picture, or, where `copies` is not 0, of so many like it."""

    label: str | None
    shares: dict[str, float]
    votes: int
    disputed: bool
    copies: int


class DeliveredBody(Payload):
    """What the head says of the picture delivered anew."""

    name: str = Field(examples=["jpeg_60"])
    prediction: str
    probability: float


class StabilityBody(Payload):
    """How the answer holds when the picture is delivered anew; `probability` of `label`."""

    label: str
    low: float
    high: float
    flips: bool
    deliveries: list[DeliveredBody]


class ExamplesBody(Payload):
    """How many labelled pictures it was compared with, and how many there was no room for."""

    known: int
    left_out: int


class FamiliarityBody(Payload):
    """How near it is to what is known.

    `similarity`: cosine with the nearest example. `chance`: share of the `examined` examples that
    are as far from all others.
    """

    similarity: float
    chance: float
    examined: int


class ExplainedBody(Payload):
    """What is said beside the answer. `heatmap`: where to ask for one, if that can be had."""

    why: str
    heatmap: str | None
    examples: ExamplesBody
    familiarity: FamiliarityBody | None


class VerdictModel(Payload):
    """What answered. `demo`: the demonstration lesson, not a model of your own pictures."""

    version: str | None
    embedder: str = Field(examples=["builtin-authenticity:1"])
    trained_at: datetime | None
    corrections: int
    demo: bool


class VerdictImage(Payload):
    """The picture as it came; its size is the upright one."""

    sha256: str
    width: int
    height: int
    format: str = Field(examples=["JPEG"])


class Timing(Payload):
    """Milliseconds spent."""

    decode: float
    evidence: float
    embed: float
    decide: float
    stability: float | None = Field(None, description="With `stability=1` alone.")
    total: float


class EncoderNote(Payload):
    """Which embedder answered, and why that one."""

    id: str = Field(examples=["builtin-authenticity:1"])
    reason: str


class VerdictBody(Payload):
    """The answer for one picture."""

    id: str
    task: str = Field(examples=["authenticity"])
    prediction: str = Field(description="A label, or `unsure`.", examples=["real"])
    confidence: float
    none_of_these: bool = Field(
        description="It is like nothing an open task knows: `unsure`, whatever the probabilities."
    )
    probabilities: dict[str, float] = Field(
        description="Sum to 1; past ten labels the ten largest, the rest under `(other)`.",
        examples=[{"real": 0.93, "ai": 0.07}],
    )
    top: list[LabelProbability]
    source: VerdictSource = Field(description="What decided; `none`: nobody taught the task yet.")
    reasons: list[str]
    evidence: list[EvidencePiece]
    statistics: StatisticsBody | None
    people: PeopleBody | None
    nearest: list[NearestSample]
    stability: StabilityBody | None = Field(description="With `stability=1` alone.")
    explained: ExplainedBody | None = Field(description="With `explain=1` alone.")
    model: VerdictModel
    image: VerdictImage
    timing_ms: Timing
    created_at: datetime
    encoder: EncoderNote


class BatchBody(Payload):
    """A verdict or an error for each picture, in the order they were sent."""

    results: list[VerdictBody | ErrorBody]
    total_images: int


def verdict_document(engine: Engine, verdict: Verdict) -> dict[str, Any]:
    """The JSON of a `VerdictBody`."""
    reason = "It answered then; another embedder is in use now."
    for embedder in engine.embedders.values():
        if embedder.id == verdict.embedder:
            reason = embedder.reason
    return {**describe(verdict), "encoder": {"id": verdict.embedder, "reason": reason}}
