"""Pictures in, verdicts out."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from flask import Response, request

from classify import Extras, classify, classify_each
from decision import name_people
from domain import DEFAULT_TASK, FetchRefused, Malformed, NotFound, Unacceptable, Verdict
from embeddings.images import Limits
from embeddings.opening import Source, open_picture
from engine import Engine
from notary import signed_document
from stability import MOST_AT_ONCE, WEIGHING
from web.answers import answer
from web.bodies import (
    ENVELOPE_BYTES,
    MOST_FIELDS,
    checked,
    content_of,
    fetch_picture,
    read_body,
    read_json,
    read_picture,
)
from web.context import current_engine
from web.errors import TooLarge, Unauthorised, UnsupportedMedia, describe_briefly
from web.guard import may_read_names
from web.multipart import parts
from web.payloads.verdicts import BatchRequest, UrlRequest, verdict_document
from web.queries import asked_flag
from web.tasks import known_task

BATCH_DEADLINES = 3
"""A batch of URLs may take this many times what one may: slow servers hold no thread for long."""


def classify_picture(task: str = DEFAULT_TASK) -> Response:
    """Say which label a picture has.

    The picture comes as a multipart part `image`, as a raw body with its own content type, as JSON
    `{"url": ...}`, or as JSON `{"image": "data:image/...;base64,..."}`.
    """
    known_task(task)
    extras = _extras()  # asked for wrongly, nothing need be read
    return _verdict(task, read_picture(current_engine().settings), extras)


def predict(task: str) -> Response:
    """The same as `classify`, under the name that teachable tasks use."""
    return classify_picture(task)


def classify_url(task: str = DEFAULT_TASK) -> Response:
    """Fetch a picture from a URL and say which label it has."""
    known_task(task)
    extras = _extras()
    url = checked(UrlRequest, read_json()).url
    return _verdict(task, fetch_picture(url, current_engine().settings), extras)


def _extras() -> Extras:
    """What the query asks for beside the answer."""
    return Extras(stability=asked_flag("stability"), explain=asked_flag("explain"))


def _in_turn(extras: Extras) -> AbstractContextManager[object]:
    """What takes seconds is done for one request at a time in each process."""
    return WEIGHING if extras.stability else nullcontext()


def _verdict(task: str, data: bytes, extras: Extras) -> Response:
    engine = current_engine()
    with _in_turn(extras):
        opened = open_picture(data, Limits.of(engine.settings))
        (verdict,) = classify(
            engine,
            task,
            [opened.picture],
            decode_ms=[opened.ms],
            files=[data],
            keep=engine.settings.keep_pictures,
            extras=extras,
        )
    return answer(verdict_document(engine, verdict))


def batch_classify(task: str = DEFAULT_TASK) -> Response:
    """Answer for many pictures at once; a bad one spoils only its own answer.

    They come as multipart parts `images`, or as JSON `{"urls": [...]}`.
    """
    known_task(task)
    extras = _extras()
    if request.mimetype == "multipart/form-data":
        return _batch_of_files(task, extras)
    if request.is_json:
        return _batch_of_urls(task, extras)
    raise UnsupportedMedia(
        f"Content-Type: got {request.mimetype or 'none'!r}, allowed: multipart/form-data with "
        "parts `images`, or application/json with `urls`"
    )


def _batch_of_files(task: str, extras: Extras) -> Response:
    engine = current_engine()
    most = engine.settings.max_batch_images
    request.max_content_length = engine.settings.max_batch_bytes + ENVELOPE_BYTES
    with parts(read_body, most=most + MOST_FIELDS) as found:
        images = [part for part in found if part.name == "images"]
        if not images:
            raise Malformed("There is no part named `images`.")
        _check_count(len(images), most, extras)
        sources = [partial(content_of, part) for part in images]
        results = _answer_each(engine, task, sources, extras)
    return answer({"results": results, "total_images": len(results)})


def _batch_of_urls(task: str, extras: Extras) -> Response:
    engine = current_engine()
    urls = checked(BatchRequest, read_json()).urls
    _check_count(len(urls), engine.settings.max_batch_images, extras)

    ends = time.monotonic() + BATCH_DEADLINES * engine.settings.fetch_timeout

    def source(position: int) -> bytes:
        url = urls[position]
        if not isinstance(url, str):
            raise Unacceptable(f"urls.{position}", url, "a URL")
        left = min(engine.settings.fetch_timeout, ends - time.monotonic())
        if left <= 0:
            raise FetchRefused("deadline", "The batch's URLs together took too long.")
        return fetch_picture(url, engine.settings.model_copy(update={"fetch_timeout": left}))

    results = _answer_each(engine, task, [partial(source, i) for i in range(len(urls))], extras)
    return answer({"results": results, "total_images": len(results)})


def _answer_each(
    engine: Engine, task: str, sources: Iterable[Source], extras: Extras
) -> list[dict[str, Any]]:
    keep = engine.settings.keep_pictures
    with _in_turn(extras):
        return [
            verdict_document(engine, found)
            if isinstance(found, Verdict)
            else {"error": describe_briefly(found)}
            for found in classify_each(engine, task, sources, keep=keep, extras=extras)
        ]


def _check_count(count: int, most: int, extras: Extras) -> None:
    if count > most:
        raise TooLarge(f"{count} pictures in one request, allowed: {most}.", allowed=most)
    if extras.stability and count > MOST_AT_ONCE:
        allowed = f"at most {MOST_AT_ONCE} pictures in one request with stability=1"
        raise Unacceptable("stability", f"{count} pictures", allowed)


def show_verdict(verdict_id: str, task: str | None = None) -> Response:
    """A verdict given before, as a signed record: `python classify.py --verify` checks it.

    One whose reasons name people, from before PUBLIC_CLASSIFY was set, needs a key: without the
    names it would be no longer valid.
    """
    engine, verdict = current_engine(), known_verdict(verdict_id, task)
    if name_people(verdict.reasons) and not may_read_names(engine.settings):
        raise Unauthorised("This verdict names people: send `Authorization: Bearer KEY`.")
    return answer(signed_document(engine, verdict))


def known_verdict(verdict_id: str, task: str | None) -> Verdict:
    """The verdict of an id, of this task where one is named.

    Raises
    ------
    NotFound
        There is none.
    """
    if not re.fullmatch(r"[0-9a-f]{32}", verdict_id):
        raise NotFound("There is no verdict of that id.")
    verdict = current_engine().store.verdicts.get(verdict_id)
    if task not in (None, verdict.task):
        raise NotFound(f"There is no verdict of that id in the task {task}.")
    return verdict


def show_keys() -> Response:
    """The public keys that verdicts were and are signed with."""
    return answer(current_engine().keys.describe())
