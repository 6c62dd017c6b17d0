"""Corrections: what people say of a picture, and what it did."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    JsonValue,
    StrictBool,
    StrictInt,
    StrictStr,
)

from domain import Receipt, VerdictSource
from feedback import PersonUndone
from web.payloads import ErrorBody, Payload
from wire import describe_golden, describe_receipt


def _instant(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("allowed: a time that a calendar has in UTC") from None


Instant = Annotated[AwareDatetime, AfterValidator(_instant)]


class Said(Payload):
    """What is said of a picture, whichever way the picture is named."""

    label: StrictStr | None = Field(None, description="What the picture is.", examples=["ai"])
    variant_of: StrictStr | None = Field(
        None, description="The label is another form of this one, and counts as it from now on."
    )
    note: StrictStr = Field("", description="Why, for those who read it later.")


class BulkItem(Said):
    """A correction of a picture that the service knows."""

    verdict_id: StrictStr | None = Field(None, description="The verdict on the picture.")
    sample_id: StrictInt | None = Field(None, description="The picture's number as a sample.")
    correct: StrictBool = Field(False, description="The verdict's answer was right.")


class FeedbackRequest(BulkItem):
    """A correction. The picture is named by a verdict or a sample, or comes with it."""

    url: StrictStr | None = Field(None, description="Where the picture is.")
    image: StrictStr | None = Field(None, description="The picture, as a data URL in base64.")
    dry_run: StrictBool = Field(False, description="Show what would change; nothing does.")


class TrainRequest(Said):
    """An example to learn. `char` is another name of `label`."""

    char: StrictStr | None = None
    url: StrictStr | None = Field(None, description="Where the picture is.")
    image: StrictStr | None = Field(None, description="The picture, as a data URL in base64.")
    dry_run: StrictBool = Field(False, description="Show what would change; nothing does.")


class BulkRequest(Payload):
    """Corrections, each a `BulkItem`. One that will not do spoils only its own answer."""

    items: list[JsonValue] = Field(
        min_length=1, examples=[[{"verdict_id": "0123456789abcdef0123456789abcdef", "label": "ai"}]]
    )
    dry_run: StrictBool = Field(False, description="Show what each would change; nothing does.")


class UndoPersonRequest(Payload):
    """Whose corrections are taken back."""

    person: StrictStr = Field(examples=["alice"])
    since: Instant | None = Field(
        None, description="Only those from this moment on.", examples=["2026-11-21T09:00:00Z"]
    )
    dry_run: StrictBool = Field(False, description="Show what would change; nothing does.")


class AnswerBody(Payload):
    """What was answered, in short."""

    prediction: str
    confidence: float
    source: VerdictSource


class GoldenBody(Payload):
    """Frozen held-out pictures, and how many of them are answered rightly."""

    of: int
    right_before: int
    right_after: int


class EffectBody(Payload):
    """What changed beside the picture itself."""

    near_samples: int = Field(description="Known pictures that are answered otherwise now.")
    of_samples: int = Field(description="Known pictures that were looked at.")
    past_verdicts_flipped: int = Field(description="Past verdicts that would be others now.")
    of_verdicts: int = Field(description="Past verdicts that were looked at.")
    golden: GoldenBody | None = Field(description="Null where no version has held-out pictures.")


class CorrectionBody(Payload):
    """A row of the log. `undoes`: it takes that earlier one back."""

    id: str
    task: str
    seq: int
    sha256: str
    label: str
    person: str
    trusted: bool
    verdict_id: str | None
    variant_of: str | None
    note: str
    undoes: str | None
    created_at: datetime


class ReceiptBody(CorrectionBody):
    """A correction and what it did."""

    id: str | None = Field(description="Null of a dry run.")  # type: ignore[assignment]
    before: AnswerBody
    after: AnswerBody
    learned_ms: float
    effect: EffectBody
    undo: str | None = Field(description="DELETE this to take it back; null of a dry run.")
    undone: bool
    dry_run: bool


class ReceiptsBody(Payload):
    """A receipt or an error for each correction, in the order they were sent."""

    results: list[ReceiptBody | ErrorBody]
    total_items: int


class CorrectionsBody(Payload):
    """Some rows of the log, newest first; `next` is the `before` of the page that follows."""

    task: str
    corrections: list[CorrectionBody]
    next: int | None
    total: int = Field(description="Rows in the log of the task.")


class PersonUndoneBody(Payload):
    """What taking back everything one person taught did, or would do."""

    task: str
    person: str
    count: int
    labels: dict[str, int]
    ids: list[str]
    golden: GoldenBody | None
    dry_run: bool


def receipt_document(receipt: Receipt) -> dict[str, Any]:
    """The JSON of a `ReceiptBody`."""
    return describe_receipt(receipt)


def taught_document(receipt: Receipt) -> dict[str, Any]:
    """The same of what was just given: of a dry run nothing has a name by which to find it."""
    document = describe_receipt(receipt)
    return {**document, "id": None, "undo": None} if receipt.dry_run else document


def person_undone_body(task: str, undone: PersonUndone) -> PersonUndoneBody:
    """What was taken back, as the wire has it."""
    golden = describe_golden(undone.golden_before, undone.golden_after)
    return PersonUndoneBody(
        task=task,
        person=undone.person,
        count=len(undone.ids),
        labels=dict(undone.labels),
        ids=list(undone.ids),
        golden=GoldenBody(**golden) if golden else None,
        dry_run=undone.dry_run,
    )
