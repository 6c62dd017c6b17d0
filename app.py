"""The door: `create_app()` for any WSGI server, `python app.py` for one box."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

DESCRIPTION = """Serve Exposr over HTTP: send a picture, get a verdict.

On an empty DATA_DIR it first makes a small demonstration model, offline, so that it answers at
once. Settings come from the environment or from a file .env; docs/settings.md has them all."""

EXAMPLES = """examples:
  python app.py                                  serve on http://127.0.0.1:5000
  curl -F image=@photo.jpg http://127.0.0.1:5000/classify
  API_PORT=8080 WEB_WORKERS=2 python app.py      another port, two processes
  API_HOST=0.0.0.0 ADMIN_KEY=... API_KEY=... python app.py    reachable from other machines
  gunicorn "app:create_app()"                    under a gunicorn of your own

exit codes: 0 stopped when asked to; 2 wrong usage or settings; others come from gunicorn
"""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python app.py",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", help="address to bind; wins over API_HOST")
    parser.add_argument("--port", type=int, help="port to bind; wins over API_PORT")
    return parser.parse_args(argv)


if __name__ == "__main__":
    # before the imports below, which take a second: --help and a wrong option answer at once
    ARGUMENTS = parse_arguments()

# ruff: noqa: E402
import atexit
import logging
import multiprocessing

from flask import Flask

import starter
from config import Settings, load_settings
from domain import ExposrError
from engine import Engine, open_engine
from web import register
from web.server import Box

WRONG_SETTINGS = 2
CANNOT_LOAD = 4
"""What gunicorn stops for, instead of starting the worker again and again."""

log = logging.getLogger("app")


def create_app(engine: Engine | None = None) -> Flask:
    """Make the service.

    Parameters
    ----------
    engine
        An open engine, which stays the caller's to close. When left out, one is opened from the
        environment's settings and closed when the process ends; of a fork, in the child.

    Raises
    ------
    ConfigError, Unavailable
        The settings or the database cannot be used.
    """
    if engine is None:
        settings = load_settings()
        start_logging(settings)
        engine = open_engine(settings)
        atexit.register(engine.close)
    app = Flask("web")
    register(app, engine)
    return app


def main(arguments: argparse.Namespace) -> int:
    """Serve until told to stop; returns the exit code."""
    asked = {"api_host": arguments.host, "api_port": arguments.port}
    try:
        settings = load_settings(**{key: v for key, v in asked.items() if v is not None})
    except ExposrError as error:
        print(error.message, file=sys.stderr)
        return WRONG_SETTINGS
    start_logging(settings)
    code = make_starter_lesson(settings)
    if code:
        return code
    if settings.api_debug:
        _open(settings).run(settings.api_host, settings.api_port, debug=True, use_debugger=False)
        return 0
    Box(settings, lambda: _open(settings)).run()
    return 0


def start_logging(settings: Settings) -> None:
    """Log to stderr; the journal of requests to stdout, as JSON lines."""
    if logging.getLogger().handlers:
        return  # whoever runs us has arranged it already
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log whole URLs
    journal = logging.getLogger("exposr.access")
    journal.addHandler(logging.StreamHandler(sys.stdout))
    journal.propagate = False


def make_starter_lesson(settings: Settings) -> int:
    """Make the demonstration lesson where nothing is trained; returns an exit code.

    In a process of its own: threads of the numerical libraries do not survive the forks to come.
    """
    process = multiprocessing.get_context("spawn").Process(target=_teach, args=(settings,))
    process.start()
    process.join()
    return process.exitcode or 0


def _teach(settings: Settings) -> None:
    start_logging(settings)
    try:
        starter.ensure(settings)
    except ExposrError as error:
        print(error.message, file=sys.stderr)
        sys.exit(WRONG_SETTINGS)
    except Exception:  # serving must not depend on a demonstration
        log.exception("The demonstration lesson failed; serving goes on without it")


def _open(settings: Settings) -> Flask:
    try:
        engine = open_engine(settings)
    except ExposrError as error:
        log.error("%s", error.message)
        sys.exit(CANNOT_LOAD)
    atexit.register(engine.close)
    return create_app(engine)


if __name__ == "__main__":
    sys.exit(main(ARGUMENTS))
