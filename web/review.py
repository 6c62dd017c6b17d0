"""What is worth a look: pictures to label next, disputes, refusals."""

from __future__ import annotations

from flask import Response

from domain import DEFAULT_TASK
from web.answers import answer
from web.context import current_engine
from web.payloads.review import QuarantineBody, Refusal
from web.queries import asked_count
from web.tasks import known_task

SHOWN = 20
MOST_SHOWN = 200


def show_quarantine(task: str = DEFAULT_TASK) -> Response:
    """What was offered and refused, newest first."""
    known_task(task)
    count = asked_count(SHOWN, MOST_SHOWN)
    refused = current_engine().store.samples.quarantined(task)
    items = [
        Refusal(
            name=one.name,
            source=one.source,
            sha256=one.sha256,
            reason=one.reason,
            message=one.message,
            at=one.at,
        )
        for one in reversed(refused[-count:])
    ]
    return answer(QuarantineBody(task=task, total=len(refused), items=items))
