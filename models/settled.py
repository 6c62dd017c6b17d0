"""What became of a candidate: the row of the history, and the word in its report."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from domain import ModelVersion, Run, Unavailable
from models.afterwards import with_decision
from models.gate import Gate
from models.registry import Registry
from models.summary import HEADLINES, measured

PAGE = "report.html"

log = logging.getLogger(__name__)


def run_of(
    version: ModelVersion,
    gate: Gate,
    why: str,
    started_at: datetime,
    job_id: str | None,
    detail: Mapping[str, Any] | None,
) -> Run:
    """What the history says of a candidate that was judged."""
    figures = {
        key: {name: part[name] for name in ("n", *(name for name, _ in HEADLINES))}
        for key, part in measured(version.card)
    }
    kept = {
        "fingerprint": version.card.get("fingerprint"),
        "gate": dict(gate.figures),
        "shortcuts": _in_short(version.card.get("shortcuts") or {}),
        "changes": version.card.get("changes"),
    }
    return Run(
        id=uuid.uuid4().hex,
        task=version.task,
        why=why,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        counts=version.card["n_samples"],
        metrics=figures,
        gate="promoted" if gate.promoted else "kept",
        reason=gate.reason,
        version=version.id,
        job_id=job_id,
        detail={**kept, **(detail or {})},
    )


def _in_short(alarm: Mapping[str, Any]) -> dict[str, Any]:
    """What the history keeps of a check for shortcuts; the card has all of it."""
    leaks = [leak["fact"] for leak in alarm.get("leaks", ())]
    known = ("score", "bar", "raised", "setting", "equalised", "message")
    return {**{key: alarm[key] for key in known if key in alarm}, "leaks": leaks}


def report_decision(registry: Registry, version: ModelVersion, run: Run) -> None:
    """Say in the version's report what became of it; the history has it whether or not."""
    page = registry.report(version, PAGE)
    if page is None:
        return
    told = with_decision(page.decode(), run.gate, run.reason, run.detail.get("gate") or {})
    try:
        registry.write_report(version, PAGE, told.encode())
    except Unavailable as error:
        log.warning("The report of %s lacks the gate's decision: %s", version.id, error.message)
