"""What every view needs: the open engine, the settings of this moment, and who is asking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, current_app, g

from config import Settings
from domain import Person
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


def come_from(person: Person | None) -> None:
    """Tell this request whose it is; None: nobody who could be named."""
    g.person = person


def current_person() -> Person:
    """Whose request this is. Only where a key or this machine's user is asked for."""
    person: Person | None = g.get("person")
    if person is None:
        raise AssertionError("a path that needs a person is not open to everybody")
    return person
