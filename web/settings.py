"""The settings that may change while the service runs."""

from __future__ import annotations

import logging
import time

from flask import Flask, Response

from config import RUNTIME_SETTINGS, Settings, with_overrides
from domain import ExposrError, Unacceptable
from engine import Engine, live_settings
from web.answers import answer
from web.bodies import read_json
from web.context import current_engine, current_settings
from web.guard import Level, may
from web.payloads.service import config_document
from web.withheld import bare_address

LOOK_AGAIN = 1.0
"""Seconds between looks at what another process may have changed."""

log = logging.getLogger(__name__)


def show_config() -> Response:
    """The settings that may change while the service runs.

    Addresses in `collect` are whole for the admin alone; others see them without their queries.
    """
    shown = config_document(current_settings())
    if not may(current_engine().settings, Level.ADMIN):
        shown["collect"] = [{**one, "url": bare_address(one["url"])} for one in shown["collect"]]
    return answer(shown)


def change_config() -> Response:
    """Change some of these settings.

    They are checked as at start, kept over restarts and applied in every process, of which a
    retrain that runs keeps what it began with.
    """
    changes = read_json()
    if not isinstance(changes, dict) or not changes:
        raise Unacceptable("body", changes, f"an object of {', '.join(RUNTIME_SETTINGS)}")
    engine = current_engine()
    after = with_overrides(current_settings(), changes)
    if "collect" in changes:
        _check_tasks(engine, after)
    settled = config_document(after)
    engine.store.overrides.write({key: settled[key] for key in changes})
    return answer(settled)


def _check_tasks(engine: Engine, settings: Settings) -> None:
    names = [task.name for task in engine.store.tasks.all()]
    for place, each in enumerate(settings.collect):
        if each.task not in names:
            field = f"collect.{place}.task"
            raise Unacceptable(field, each.task, f"a task there is: {', '.join(names)}")


def follow_log_level(app: Flask, engine: Engine) -> None:
    """Let `LOG_LEVEL` follow what any process was told, within a second."""
    level = engine.settings.log_level
    looked = time.monotonic()

    @app.before_request
    def _follow() -> None:
        nonlocal level, looked
        if time.monotonic() - looked < LOOK_AGAIN:
            return
        looked = time.monotonic()
        try:
            wanted = live_settings(engine).log_level
        except ExposrError as error:  # the request itself will say what is wrong
            log.warning("The log level could not be read: %s", error.message)
            return
        if wanted != level:
            level = wanted
            logging.getLogger().setLevel(wanted)
