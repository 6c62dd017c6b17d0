"""Taking single pictures into a task: decoded, told from what is there, grouped into families."""

from __future__ import annotations

import hashlib
from collections import ChainMap
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from config import Settings
from domain import Evidence, NewSample, PictureFacts, Sample, Task, TaskKind, Unavailable
from embeddings.images import Limits, decode
from models.families import Families, split_of
from provenance import AI, REAL, UNREAD, collect, contradiction
from storage import Store

PATIENCE = 300.0
"""Seconds to wait for other files to be looked into: one that hangs must not fail the rest."""


class Collection(Protocol):
    """What taking pictures in needs of an engine."""

    @property
    def settings(self) -> Settings:
        """For the limits of decoding, and for whom to trust."""

    @property
    def store(self) -> Store:
        """Where pictures go."""


class Outcome(StrEnum):
    """What became of one picture."""

    KEPT = "kept"
    NEAR_DUPLICATE = "near_duplicate"
    DUPLICATE = "duplicate"
    CONTRADICTED = "contradicted"  # by the label it is stored under, or by its own file
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Offer:
    """What is said of a picture that is offered."""

    label: str
    source: str
    license: str = ""
    author: str = ""
    page_url: str = ""


class Intake:
    """Takes pictures into one task. `read` is for any thread, `take` for one."""

    def __init__(self, collection: Collection, task: Task, *, demo: bool = False) -> None:
        self._store = collection.store
        self._limits = Limits.of(collection.settings)
        self._anchors = collection.settings.trust_list
        self._task = task
        self._demo = demo
        samples = self._store.samples.all(task.name, demo=demo)
        # one that corrections alone brought is offered again: it becomes the user's own
        self._labels = {one.sha256: one.label for one in samples if not one.taught}
        self.families = Families.of(task.kind, samples)
        # what files say that rules a label out, by sha256; few do
        self._evidence: dict[str, tuple[Evidence, ...]] = {}

    def read(self, data: bytes, offered: str) -> PictureFacts | str:
        """Decode a picture and look into what its file says.

        Its bytes are on the disk then, unless the file rules out the label that it is `offered`
        under: `take` will not take it.

        Returns
        -------
        PictureFacts or str
            Only the sha256 of a picture that the task has already: it is not decoded again.

        Raises
        ------
        BadImage
            It cannot be decoded.
        Unavailable
            What its file says cannot be looked into now.
        """
        sha256 = hashlib.sha256(data).hexdigest() if len(data) <= self._limits.max_bytes else ""
        if sha256 in self._labels:
            return sha256
        facts = decode(data, self._limits).facts
        if self._task.kind is TaskKind.AUTHENTICITY:
            self._look_into(data, facts.sha256)
        if not self._evidence_against(facts.sha256, offered):
            self._store.blobs.put(data)
        return facts

    def take(
        self, offers: Sequence[tuple[PictureFacts | str, Offer]]
    ) -> list[tuple[Outcome, Sample | None]]:
        """Store what is new of pictures that were read, in one transaction.

        Returns
        -------
        list[tuple[Outcome, Sample or None]]
            What became of each; the sample where one was stored.
        """
        outcomes: list[tuple[Outcome, Sample | None]] = []
        new: list[tuple[PictureFacts, NewSample]] = []
        places: list[int] = []
        labels = ChainMap({}, self._labels)  # what is new counts once it is stored
        for place, (read, offer) in enumerate(offers):
            sha256 = read if isinstance(read, str) else read.sha256
            stored = labels.get(sha256)
            if stored is not None or isinstance(read, str):
                outcomes.append((_same_picture(stored, offer.label), None))
                continue
            if self._evidence_against(sha256, offer.label):
                outcomes.append((Outcome.CONTRADICTED, None))
                continue
            self._evidence.pop(sha256, None)
            outcome, family = self._family(read)
            outcomes.append((outcome, None))
            new.append((read, self._sample(offer, family)))
            places.append(place)
            labels[sha256] = offer.label
        samples = self._add(new)
        self._labels.update(labels.maps[0])
        for place, sample in zip(places, samples, strict=True):
            outcomes[place] = (outcomes[place][0], sample)
            if sample is None:  # stored meanwhile by somebody else, or put aside as unreadable
                outcomes[place] = (self._outcome_of_stored(*offers[place]), None)
        return outcomes

    def objection(self, read: PictureFacts | str, offered: str) -> tuple[str, str]:
        """Why a picture was `CONTRADICTED`.

        Returns
        -------
        tuple[str, str]
            The reason for the quarantine (`contradiction` or `evidence`) and a sentence.
        """
        sha256 = read if isinstance(read, str) else read.sha256
        stored = self._labels.get(sha256)
        piece = self._evidence_against(sha256, offered)
        if stored is not None or piece is None:
            return "contradiction", f"The same picture is stored as {stored}."
        return "evidence", f"Offered as {offered}, but: {piece.claim}"

    def _look_into(self, data: bytes, sha256: str) -> None:
        found = collect(data, anchors=self._anchors, wait=PATIENCE)
        # what could not be looked into is no proof that there is nothing
        if any(piece.status == UNREAD for piece in found):
            raise Unavailable("The file has content credentials that could not be read for now.")
        if against := tuple(piece for piece in found if piece.detail.get("contradicts")):
            self._evidence[sha256] = against

    def _evidence_against(self, sha256: str, offered: str) -> Evidence | None:
        """What the file says that rules the label out; the task may call `ai` and `real` else."""
        found, called = self._evidence.get(sha256, ()), self._task.variants
        against = (
            contradiction(found, label)
            for label in (AI, REAL)
            if found and called.get(label, label) == offered
        )
        return next((piece for piece in against if piece), None)

    def _family(self, facts: PictureFacts) -> tuple[Outcome, str]:
        family = self.families.find(facts.phash)
        if family is not None:
            return Outcome.NEAR_DUPLICATE, family
        return Outcome.KEPT, self.families.found(facts.sha256, facts.phash)

    def _sample(self, offer: Offer, family: str) -> NewSample:
        return NewSample(
            label=offer.label,
            source=offer.source,
            family=family,
            split=split_of(family),
            license=offer.license,
            author=offer.author,
            page_url=offer.page_url,
            demo=self._demo,
        )

    def _add(self, new: Sequence[tuple[PictureFacts, NewSample]]) -> list[Sample | None]:
        return self._store.samples.add_many(self._task.name, new) if new else []

    def _outcome_of_stored(self, read: PictureFacts | str, offer: Offer) -> Outcome:
        sha256 = read if isinstance(read, str) else read.sha256
        sample = self._store.samples.get(self._task.name, sha256)
        if sample is not None:
            self._labels[sha256] = sample.label
        return _same_picture(sample.label if sample else None, offer.label)


def _same_picture(stored: str | None, offered: str) -> Outcome:
    return Outcome.DUPLICATE if stored in (None, offered) else Outcome.CONTRADICTED
