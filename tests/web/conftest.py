"""An engine and a client for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from config import Settings
from engine import Engine, open_engine
from tests.web.service import answering, client_of


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """A fresh installation, nothing taught."""
    opened = open_engine(settings)
    yield opened
    opened.close()


@pytest.fixture
def client(engine: Engine) -> FlaskClient:
    """A client of the fresh installation."""
    return client_of(engine)


@pytest.fixture
def taught(engine: Engine) -> FlaskClient:
    """A client of an installation whose head says `real`."""
    return client_of(answering(engine))
