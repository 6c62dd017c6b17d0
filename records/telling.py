"""What checking a signed verdict found, in words: what it proves and what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from records.checking import Checked, Result
from wording import answered

PROVES = (
    "It proves that whoever holds this key gave this answer to the picture of this sha256, resting "
    "on this model, these corrections and this evidence."
)
PROVES_NOT = (
    "It does not prove that the answer is right, nor when the picture was made, nor more of the "
    "time than that the signer's clock showed it."
)
WHOSE = (
    "Get the key that you trust from the service itself (GET /keys), not from whoever gave you "
    "the file, and check again with --key."
)
ANOTHER = "it is not about the picture given: that one has another sha256."


@dataclass(frozen=True, slots=True)
class Telling:
    """What was found. `same_picture` is None when no picture was given."""

    checked: Checked
    record: Mapping[str, Any]
    same_picture: bool | None

    @property
    def result(self) -> str:
        """One word: `valid`, `altered`, `another_key`, or `another_picture`."""
        if self.checked.result is Result.VALID and self.same_picture is False:
            return "another_picture"
        return self.checked.result.value

    def describe(self) -> dict[str, Any]:
        """The same, JSON-ready."""
        key = self.checked.key
        return {
            "result": self.result,
            "reason": self.checked.reason,
            "key": key.describe() if key else None,
            "same_picture": self.same_picture,
        }

    def lines(self) -> list[str]:
        """The same in sentences."""
        checked, key = self.checked, self.checked.key
        if checked.result is Result.ALTERED or key is None:
            return [f"ALTERED: {checked.reason}. Nothing that it says can be relied on."]
        if checked.result is Result.ANOTHER_KEY:
            return [
                f"SIGNED BY ANOTHER KEY: {checked.reason}. It is as the holder of the key "
                f"{key.id} signed it, but anybody can make such a key.",
                WHOSE,
            ]
        said = [*self._said(), *self._late(), PROVES, PROVES_NOT]
        if self.same_picture is False:
            return [f"ANOTHER PICTURE: the record is valid (key {key.id}), but {ANOTHER}", *said]
        picture = " The picture given is the one it is about." if self.same_picture else ""
        return [f"VALID: {checked.reason}, by the key {key.id}.{picture}", *said]

    def _said(self) -> list[str]:
        told, record = self.record, self.record["record"]
        model = record["model"]["version"] or "no trained version"
        return [
            f"Verdict {told['id']} of the task {told['task']}, on {record['answered_at']}: "
            f"{answered(told)}, decided by {told['source']}.",
            f"Picture: sha256 {record['picture']['sha256']}. Model: {model}; "
            f"corrections up to {record['corrections']['up_to']}; "
            f"embedder {record['embedder']['id']}; "
            f"Exposr {record['software']['version']}.",
        ]

    def _late(self) -> list[str]:
        record = self.record["record"]
        if not record["late"]:
            return []
        return [f"It was signed only on {record['signed_at']}, when somebody asked for it."]
