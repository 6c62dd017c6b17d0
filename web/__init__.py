"""HTTP: requests in, domain nouns through, JSON out."""

from __future__ import annotations

from functools import cache

from flask import Flask

from engine import Engine
from web.answers import to_json
from web.bodies import JSON_BYTES
from web.context import Context, attach
from web.errors import handle_errors
from web.guard import guard
from web.journal import keep_journal
from web.openapi import document
from web.routes import LEVELS, ROUTES, add_routes
from web.settings import follow_log_level


def register(app: Flask, engine: Engine) -> None:
    """Make a Flask app the service, on an open engine."""
    app.config["MAX_CONTENT_LENGTH"] = JSON_BYTES
    app.url_map.merge_slashes = False  # an odd path is 404, not a redirect
    attach(app, Context(engine, cache(lambda: to_json(document(ROUTES)))))
    handle_errors(app)
    keep_journal(app)
    guard(app, engine.settings, LEVELS)
    follow_log_level(app, engine)
    add_routes(app)
