"""Pictures asked about, and the verdicts on them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, JsonValue, StrictStr

from domain import Verdict, VerdictSource
from engine import Engine
from notary import document
from web.payloads import ErrorBody, Payload


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
    embedder: str = Field(examples=["builtin-authenticity:2"])
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
    total: float = Field(description="Of these; signing and storing the verdict come on top.")


class EncoderNote(Payload):
    """Which embedder answered, and why that one."""

    id: str = Field(examples=["builtin-authenticity:2"])
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


class RecordedPicture(Payload):
    """The picture a verdict is about."""

    sha256: str
    bytes: int


class RecordedModel(Payload):
    """What answered: its saved file, and the fingerprint of what it was trained from."""

    version: str | None
    sha256: str | None
    data: str | None


class RecordedCorrections(Payload):
    """The corrections that counted: up to which row of the log, and the sha256 of their ids."""

    up_to: int
    sha256: str | None


class RecordedEmbedder(Payload):
    """What embedded the picture; `weights`: the sha256 of its file, if it has one."""

    id: str
    weights: str | None
    reason: str


class RecordedEvidence(Payload):
    """What the file said: how many pieces, and the sha256 of their canonical JSON."""

    pieces: int
    sha256: str


class Software(Payload):
    """What made it."""

    name: str
    version: str


class RecordBody(Payload):
    """What a verdict rests on. `late`: the verdict was given unsigned and signed when asked for."""

    format: str = Field(examples=["exposr-record/1"])
    picture: RecordedPicture
    model: RecordedModel
    corrections: RecordedCorrections
    embedder: RecordedEmbedder
    evidence: RecordedEvidence
    software: Software
    answered_at: datetime
    signed_at: datetime
    late: bool


class SignatureBody(Payload):
    """Over the canonical JSON (RFC 8785) of the document without `signature`; base64."""

    alg: str = Field(examples=["Ed25519"])
    key_id: str = Field(description="16 digits of the sha256 of the public key's bytes.")
    public_key: str
    value: str


class SignedVerdictBody(VerdictBody):
    """A verdict as a record that can be checked without the service: `classify.py --verify`.

    One that was signed by an earlier version of the service lacks the fields that came since.
    """

    record: RecordBody
    signature: SignatureBody


class KeyBody(Payload):
    """A public key; `made_at` is null where it is not known."""

    id: str
    alg: str = Field(examples=["Ed25519"])
    public_key: str = Field(description="Its 32 bytes in base64.")
    pem: str
    made_at: datetime | None


class KeysBody(Payload):
    """The public keys that verdicts were and are signed with, the latest first."""

    current: str | None = Field(description="The id of the one that signs now.")
    keys: list[KeyBody]


class BatchBody(Payload):
    """A verdict or an error for each picture, in the order they were sent."""

    results: list[VerdictBody | ErrorBody]
    total_images: int


def verdict_document(engine: Engine, verdict: Verdict) -> dict[str, Any]:
    """The JSON of a `VerdictBody`."""
    return document(engine, verdict)
