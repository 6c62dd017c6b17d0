"""One picture taken in, as folders and crawls take many."""

from __future__ import annotations

from domain import Sample
from scraper.intake import Collection, Intake, Offer, Outcome


def take_one(
    collection: Collection, data: bytes, task: str, offer: Offer
) -> tuple[Outcome, Sample | None]:
    """What becomes of a picture that is offered to a task."""
    intake = Intake(collection, collection.store.tasks.get(task))
    return intake.take([(intake.read(data, offer.label), offer)])[0]
