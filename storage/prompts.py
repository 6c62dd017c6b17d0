"""Texts that describe a task's labels: one line a label, its texts parted by `|`."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from domain import TEXTS_PARTED_BY, Unacceptable
from storage.labels import REFUSED, TURNING, clean_label

LONGEST = 1_000
"""Characters of all texts of a label together."""
MOST = 16
"""Texts of a label."""

Prompts = Mapping[str, str | Sequence[str]]


def split_prompts(line: str) -> tuple[str, ...]:
    """The texts that a line holds, each once."""
    parts = (" ".join(part.split()) for part in line.split(TEXTS_PARTED_BY))
    return tuple(dict.fromkeys(part for part in parts if part))


def clean_prompts(prompts: Prompts) -> dict[str, str]:
    """Bring texts to their one form, by label; a label with no text has an empty line.

    Raises
    ------
    Unacceptable
        A bad label, or texts that are too many, too long or control what is written after them.
    """
    cleaned: dict[str, str] = {}
    for label, given in prompts.items():
        field = f"prompts.{label}"
        line = given if isinstance(given, str) else TEXTS_PARTED_BY.join(given)
        texts = split_prompts(unicodedata.normalize("NFC", line))
        kept = f" {TEXTS_PARTED_BY} ".join(texts)
        refused = REFUSED.union(TURNING)
        if any(unicodedata.category(one) in refused or one in refused for one in kept):
            raise Unacceptable(field, line, "texts without characters that control or turn them")
        if len(texts) > MOST or len(kept) > LONGEST:
            allowed = (
                f"at most {MOST} texts parted by {TEXTS_PARTED_BY}, {LONGEST} characters in all"
            )
            raise Unacceptable(field, kept[:100], allowed)
        cleaned[clean_label(label, field=field)] = kept
    return cleaned
