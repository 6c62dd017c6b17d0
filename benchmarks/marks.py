"""What was measured, beside what it should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

MISSED = 1


@dataclass(frozen=True, slots=True)
class Mark:
    """A figure that has to be reached: `least` or more, or `most` or less."""

    what: str
    got: float
    least: float | None = None
    most: float | None = None

    @property
    def reached(self) -> bool:
        """Whether it is."""
        low = self.least is None or self.got >= self.least
        return low and (self.most is None or self.got <= self.most)

    @property
    def wanted(self) -> str:
        """In words."""
        return f"{self.least:g} or more" if self.least is not None else f"{self.most:g} or less"


@dataclass(frozen=True, slots=True)
class Measured:
    """What one protocol found: figures for programs, a line for the log, and its marks."""

    figures: Mapping[str, Any]
    line: str
    marks: Sequence[Mark] = ()

    def document(self) -> dict[str, Any]:
        """The figures with the marks, JSON-ready."""
        marks = [{**asdict(mark), "reached": mark.reached} for mark in self.marks]
        return {**self.figures, "marks": marks}

    def missed(self) -> list[Mark]:
        """The marks that are not reached."""
        return [mark for mark in self.marks if not mark.reached]


def show(measured: Measured) -> None:
    """Print the marks as a table."""
    table = Table("mark", "wanted", "got", "")
    for mark in measured.marks:
        table.add_row(mark.what, mark.wanted, f"{mark.got:.4g}", "" if mark.reached else "MISSED")
    Console(stderr=True).print(table if measured.marks else measured.line)
