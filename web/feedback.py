"""Corrections: given, listed, looked at, taken back."""

from __future__ import annotations

from contextlib import suppress

from flask import Response, request

from domain import (
    DEFAULT_TASK,
    Conflict,
    Correction,
    ExposrError,
    NotFound,
    Receipt,
    Unacceptable,
)
from feedback import correct, correct_many, receipt, undo, undo_person
from given import Given
from web.answers import answer
from web.bodies import checked, read_json
from web.context import current_engine, current_person
from web.errors import Forbidden, TooLarge, describe_briefly
from web.givens import ID, given_of_items, read_example, read_feedback
from web.payloads.feedback import (
    BulkRequest,
    UndoPersonRequest,
    person_undone_body,
    receipt_document,
    taught_document,
)
from web.queries import asked_count, asked_flag, asked_sha256, asked_whole
from web.tasks import known_task
from wire import describe_correction

LISTED = 50
MOST_LISTED = 500
MOST_ITEMS = 500
"""Corrections in one request: each is learned, and told of, on its own."""


def give_feedback(task: str = DEFAULT_TASK) -> Response:
    """Say what a picture is.

    The picture is named by the `verdict_id` of an answer or by its `sample_id`, or comes along: as
    a multipart part `image`, as a data URL, or as a `url`. What is acknowledged is on the disk, and
    the next answer of every process knows it. `correct`: true instead of a label says that the
    answer was right. With `dry_run` nothing is taken in; the receipt shows what would change.
    """
    known_task(task)
    given, dry_run = read_feedback(task)
    return _taught(given, dry_run=dry_run)


def train(task: str) -> Response:
    """Teach one example: a picture and its label.

    The same as `/feedback` with a picture. A task of open vocabulary gets labels it did not have.
    """
    known_task(task)
    given, dry_run = read_example(task)
    return _taught(given, dry_run=dry_run)


def _taught(given: Given, *, dry_run: bool) -> Response:
    made = correct(current_engine(), given, dry_run=dry_run)
    response = answer(taught_document(made), 200 if dry_run else 201)
    if not dry_run:
        response.headers["Location"] = f"/tasks/{given.task}/feedback/{made.correction.id}"
    return response


def give_feedback_in_bulk(task: str = DEFAULT_TASK) -> Response:
    """Say what many pictures are; what is wrong with one spoils only its own answer.

    With an Idempotency-Key, the whole request can be sent again and nothing is taken in twice.
    """
    known_task(task)
    asked = checked(BulkRequest, read_json())
    if len(asked.items) > MOST_ITEMS:
        raise TooLarge(
            f"{len(asked.items)} items in one request, allowed: {MOST_ITEMS}.", allowed=MOST_ITEMS
        )
    dry_run = asked.dry_run or asked_flag("dry_run")
    said = given_of_items(task, asked.items)
    good = [one for one in said if isinstance(one, Given)]
    made = iter(correct_many(current_engine(), good, dry_run=dry_run))
    results = [_result(next(made) if isinstance(one, Given) else one) for one in said]
    return answer({"results": results, "total_items": len(results)})


def _result(made: Receipt | ExposrError) -> dict[str, object]:
    if isinstance(made, Receipt):
        return taught_document(made)
    return {"error": describe_briefly(made)}


def list_feedback(task: str = DEFAULT_TASK) -> Response:
    """The log of corrections, newest first, those that take others back included."""
    known_task(task)
    count = asked_count(LISTED, MOST_LISTED)
    corrections = current_engine().store.corrections
    rows = corrections.page(
        task,
        limit=count,
        before_seq=asked_whole("before"),
        person=request.args.get("person"),
        sha256=asked_sha256(),
    )
    return answer(
        {
            "task": task,
            "corrections": [describe_correction(row) for row in rows],
            "next": rows[-1].seq if len(rows) == count else None,
            "total": corrections.count(task),
        }
    )


def show_receipt(correction_id: str, task: str | None = None) -> Response:
    """The receipt of a correction, and whether it was taken back."""
    row = _found(correction_id, task)
    if row.erased:
        raise NotFound("The picture of this correction was erased, and its receipt with it.")
    return answer(receipt_document(receipt(current_engine(), row.task, row.id)))


def undo_feedback(correction_id: str, task: str | None = None) -> Response:
    """Take a correction back: what is known then is as if it had never been given.

    Whoever may not do what the admin key opens takes back only what they gave themselves.
    """
    person, dry_run = current_person(), asked_flag("dry_run")
    row = _found(correction_id, task)
    if not person.trusted and row.person != person.name:
        raise Forbidden(f"This correction is {row.person}'s; taking it back needs the admin key.")
    if row.erased:
        raise Conflict("The picture of this correction was erased; nothing is left to take back.")
    undone = undo(current_engine(), row.task, row.id, person, dry_run=dry_run)
    return answer(receipt_document(undone))


def _found(correction_id: str, task: str | None) -> Correction:
    """A row of the log; at the root of any task, as its receipt names it without one."""
    store = current_engine().store
    if task is not None:
        known_task(task)
    if ID.fullmatch(correction_id):
        with suppress(NotFound):
            log = store.corrections
            return log.get(task, correction_id) if task else log.find(correction_id)
    raise NotFound("There is no correction of that id.")


def undo_feedback_of_person(task: str = DEFAULT_TASK) -> Response:
    """Take back everything one person taught, from a moment on or ever.

    With `dry_run` it shows what that would be and what the held-out pictures would say of it.
    """
    known_task(task)
    asked = checked(UndoPersonRequest, read_json())
    if not asked.person:
        raise Unacceptable("person", asked.person, "whose corrections, as the log names them")
    dry_run = asked.dry_run or asked_flag("dry_run")
    undone = undo_person(
        current_engine(), task, asked.person, asked.since, current_person(), dry_run=dry_run
    )
    return answer(person_undone_body(task, undone))
