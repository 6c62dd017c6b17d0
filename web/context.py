"""What every view needs: the open engine, and the settings as they are this moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, current_app

from config import Settings
from engine import Engine, live_settings

EXTENSION = "exposr"


@dataclass(frozen=True, slots=True)
class Context:
    """What an app was given."""

    engine: Engine
    openapi: Callable[[], bytes]


def attach(app: Flask, context: Context) -> None:
    """Give the app what its views need."""
    app.extensions[EXTENSION] = context


def _context() -> Context:
    context: Context = current_app.extensions[EXTENSION]
    return context


def current_engine() -> Engine:
    """The engine of the app that answers this request."""
    return _context().engine


def current_openapi() -> bytes:
    """The app's OpenAPI document, as JSON."""
    return _context().openapi()


def current_settings() -> Settings:
    """The settings with the changes made while running, of whichever process made them."""
    return live_settings(current_engine())
