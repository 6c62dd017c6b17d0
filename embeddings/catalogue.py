"""What embedding asks of a store: the parts of it, as they are used here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from domain import Correction, Sample, Task


class Samples(Protocol):
    """What is asked of the samples."""

    def missing_vectors(
        self, task: str, embedder_id: str, *, demo: bool | None = None
    ) -> list[str]:
        """The sha256 of each sample without a vector."""

    def quarantine_sample(self, task: str, sha256: str, reason: str, message: str) -> None:
        """Put a sample aside for good."""


class Vectors(Protocol):
    """What is asked of the vectors."""

    def put(self, embedder_id: str, sha256s: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Keep vectors; what is there already stays as it is."""

    def get(
        self, embedder_id: str, sha256s: Sequence[str]
    ) -> tuple[list[str], NDArray[np.float32]]:
        """The vectors there are of some pictures."""


class Blobs(Protocol):
    """What is asked of the picture files."""

    def get(self, sha256: str) -> bytes:
        """The bytes of a picture."""


class HasVectors(Protocol):
    """A store, where only its vectors are asked for."""

    @property
    def vectors(self) -> Vectors:
        """The vectors."""


class Catalogue(HasVectors, Protocol):
    """The parts of a store that the embedding job works on."""

    @property
    def samples(self) -> Samples:
        """The samples."""

    @property
    def blobs(self) -> Blobs:
        """The picture files."""


class AllSamples(Samples, Protocol):
    """What is asked of the samples where each is looked at."""

    def all(self, task: str, *, demo: bool = False) -> list[Sample]:
        """Every readable sample of a task."""


class FileFacts(Protocol):
    """What is asked of the facts of files."""

    def get(self, recipe: str, sha256s: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """The facts there are of some pictures, by sha256."""

    def put_many(self, recipe: str, facts: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep facts by sha256; what is there already stays as it is."""


class NotingCatalogue(Catalogue, Protocol):
    """A catalogue in which facts of pictures can be noted."""

    @property
    def file_facts(self) -> FileFacts:
        """Facts of files."""


class Tasks(Protocol):
    """What is asked of the tasks."""

    def get(self, name: str) -> Task:
        """A task by its name."""


class FormCatalogue(NotingCatalogue, Protocol):
    """A catalogue that also knows in what form pictures come."""

    @property
    def samples(self) -> AllSamples:
        """The samples."""

    @property
    def tasks(self) -> Tasks:
        """The tasks."""


class Corrections(Protocol):
    """What is asked of the log of corrections."""

    def since(self, task: str, seq: int) -> list[Correction]:
        """Every correction of a task after number `seq`, in order."""


class TaughtCatalogue(Catalogue, Protocol):
    """A catalogue that also knows what was taught."""

    @property
    def corrections(self) -> Corrections:
        """The log of corrections."""
