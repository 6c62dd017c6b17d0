"""What is worth a look: pictures to label next, disputes, refusals."""

from __future__ import annotations

from flask import Response

from domain import DEFAULT_TASK
from review import MOST, ORDERS, queue
from web.answers import answer
from web.context import current_engine
from web.payloads.review import QuarantineBody, QueueBody, Refusal, queued_body
from web.queries import asked_choice, asked_count
from web.tasks import known_task

SHOWN = 20


def show_queue(task: str = DEFAULT_TASK) -> Response:
    """Pictures worth labelling next; near-duplicates stand as one.

    `uncertain`: recent answers that nobody corrected, least sure first. `diverse`: pictures unlike
    each other. `conflict`: pictures about which people differ.
    """
    return _queue(task, asked_choice("order", ORDERS, ORDERS[0]))


def list_conflicts(task: str = DEFAULT_TASK) -> Response:
    """Pictures about which people differ; the same as `/queue?order=conflict`."""
    return _queue(task, "conflict")


def _queue(task: str, order: str) -> Response:
    known_task(task)
    found = queue(current_engine(), task, order, asked_count(SHOWN, MOST))
    items = [queued_body(one) for one in found]
    return answer(QueueBody(task=task, order=order, items=items))


def show_quarantine(task: str = DEFAULT_TASK) -> Response:
    """What was offered and refused, newest first."""
    known_task(task)
    count = asked_count(SHOWN, MOST)
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
