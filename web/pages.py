"""Pages for people: a first one, and the browsable API. No inline script, nothing from outside."""

from __future__ import annotations

from flask import Response, render_template, send_from_directory
from swagger_ui_bundle import swagger_ui_path

from config import VERSION
from domain import NotFound
from web.context import current_engine, current_openapi

ASSETS = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")


def show_home() -> Response:
    """The first page: choose a picture, see the verdict."""
    settings = current_engine().settings
    return Response(
        render_template("home.html", version=VERSION, most_bytes=settings.max_image_bytes),
        mimetype="text/html",
    )


def show_docs() -> Response:
    """The API, to read and to try."""
    return Response(render_template("docs.html"), mimetype="text/html")


def docs_asset(name: str) -> Response:
    """The page's script and style, from the installed package."""
    if name not in ASSETS:
        raise NotFound("There is no such file.")
    return send_from_directory(swagger_ui_path, name, max_age=86400)


def show_openapi() -> Response:
    """The API, for programs."""
    return Response(current_openapi(), mimetype="application/json")
