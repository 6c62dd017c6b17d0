"""Pieces of a report's page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text; whatever it says is shown, never run."""
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'
