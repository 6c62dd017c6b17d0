"""What a report says once the gate has decided: the decision, and the figures it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from models.history import DIFFERENCE_TITLES, difference_row, difference_rows
from models.markup import table

END = "</body></html>"
HEADING = "<h2>What the gate decided</h2>"


def with_decision(page: str, gate: str, reason: str, figures: Mapping[str, Any]) -> str:
    """A report's page with the decision at its end; a page that has it stays as it is.

    Parameters
    ----------
    page
        As `models.report` made it.
    gate, reason
        `promoted` or `kept`, and why.
    figures
        What the gate measured.
    """
    if HEADING in page or END not in page:
        return page
    return page.replace(END, "\n".join([*_sections(gate, reason, figures), END]))


def _sections(gate: str, reason: str, figures: Mapping[str, Any]) -> Iterator[str]:
    yield HEADING
    yield f"<p><b>{escape(gate)}</b>. {escape(reason)}</p>"
    compared = list(difference_rows(figures.get("compared"), figures.get("per_label") or {}))
    if figures.get("sources_left_out"):
        compared.append(difference_row("sources left out", figures["sources_left_out"]))
    if compared:
        yield "<p>Pictures that both versions know and answered without having learned from them; "
        yield "paired, by a bootstrap over families of near-duplicates.</p>"
        yield table(DIFFERENCE_TITLES, compared)
    if figures.get("new_labels"):
        yield table(["new labels", "odd", "of old ones", "by chance"], [_odd(figures)])
    if figures.get("corrected"):
        yield f"<p>{escape(_corrected(figures['corrected']))}</p>"


def _odd(figures: Mapping[str, Any]) -> list[str]:
    odd = figures["new_labels"]
    least = min(odd["chance"], odd["chance_by_both"], odd["chance_of_label"])
    return [str(odd["n"]), f"{odd['odd']:.1%}", f"{odd['odd_of_old']:.1%}", f"{least:.2g}"]


def _corrected(fallen: Mapping[str, Any]) -> str:
    return (
        f"Of {fallen['corrected']} pictures whose answer somebody corrected, "
        f"{len(fallen['served'])} would be answered wrongly again; the head by itself would fall "
        f"back on {len(fallen['by_head'])} and gets {fallen['risen']} right that it got wrong."
    )
