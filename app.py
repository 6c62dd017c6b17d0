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
  SCHEDULER=0 python app.py                      without the nightly retrain beside it
  python app.py --prepare                        make the database and the demonstration, then stop
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
    parser.add_argument(
        "--prepare", action="store_true", help="do what a first start does, without serving"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    # before the imports below, which take a second: --help and a wrong option answer at once
    ARGUMENTS = parse_arguments()

# ruff: noqa: E402
import atexit
import logging
import os
import subprocess
import threading
import time
from pathlib import Path

from flask import Flask

import starter
from config import Settings, load_settings
from domain import DEFAULT_TASK, ExposrError
from engine import Engine, open_engine
from web import register
from web.server import Box

WRONG_SETTINGS = 2
CANNOT_LOAD = 4
"""What gunicorn stops for, instead of starting the worker again and again."""

RESTART_SECONDS = 5.0
LIVED_SECONDS = 60.0
LONGEST_PAUSE = 300.0
"""A scheduler that ended is begun again: at once if it had lived, ever later if it cannot."""

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
        engine = opened(settings)
    app = Flask("web")
    register(app, engine)
    return app


def opened(settings: Settings) -> Engine:
    """An engine that closes with the process and has its first model in memory."""
    engine = open_engine(settings)
    atexit.register(engine.close)
    engine.learned.knowledge(engine.store.tasks.get(DEFAULT_TASK))
    return engine


def main(arguments: argparse.Namespace) -> int:
    """Serve until told to stop; returns the exit code."""
    asked = {"api_host": arguments.host, "api_port": arguments.port}
    try:
        settings = load_settings(**{key: v for key, v in asked.items() if v is not None})
        start_logging(settings)
        if arguments.prepare:
            starter.ensure(settings)
            return 0
    except ExposrError as error:
        print(error.message, file=sys.stderr)
        return WRONG_SETTINGS
    if not prepare(settings):
        return WRONG_SETTINGS
    # What could be fetched is in the cache now: every worker finds the same, at once.
    settings = settings.model_copy(update={"clip_fetch_seconds": 0.0})
    if settings.api_debug:
        app = create_app(opened(settings))
        app.run(settings.api_host, settings.api_port, debug=True, use_debugger=False)
    else:
        if settings.scheduler:
            keeping = threading.Thread(target=keep_scheduler, name="scheduler", daemon=True)
            keeping.start()
        Box(settings, lambda: _app_of_worker(settings)).run()
    return 0


def prepare(settings: Settings) -> bool:
    """Do what a first start does; False if the service could not start either.

    In a process of its own: the threads of numerical libraries do not survive the forks to come.
    """
    itself = [sys.executable, str(Path(__file__).resolve()), "--prepare"]
    address = ["--host", settings.api_host, "--port", str(settings.api_port)]
    code = subprocess.run([*itself, *address], check=False).returncode  # noqa: S603 -- this file
    if code not in (0, WRONG_SETTINGS):
        log.error("The first start's lesson failed; serving goes on without it.")
    return code != WRONG_SETTINGS


def keep_scheduler() -> None:
    """Run the scheduler beside the service, again when it ends.

    It ends by itself when this process does, so nobody need stop it; where it was just killed
    another one goes on with its work.
    """
    program = Path(__file__).resolve().parent / "scheduler.py"
    command = [sys.executable, str(program), "--parent", str(os.getpid())]
    pause = RESTART_SECONDS / 2
    while True:
        began = time.monotonic()
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, check=False)  # noqa: S603 -- our own
        except OSError as error:
            log.error("The scheduler cannot be begun: %s", error)
        lived = time.monotonic() - began
        pause = RESTART_SECONDS if lived > LIVED_SECONDS else min(2 * pause, LONGEST_PAUSE)
        log.warning("The scheduler ended; it is begun again in %.0f seconds.", pause)
        time.sleep(pause)


def start_logging(settings: Settings) -> None:
    """Log to stderr; the journal of requests to stdout, as JSON lines."""
    if logging.getLogger().handlers:
        return  # whoever runs us has arranged it already
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for wordy in ("alembic", "httpx", "matplotlib"):  # httpx would log whole URLs
        logging.getLogger(wordy).setLevel(logging.WARNING)
    journal = logging.getLogger("exposr.access")
    journal.addHandler(logging.StreamHandler(sys.stdout))
    journal.propagate = False


def _app_of_worker(settings: Settings) -> Flask:
    try:
        return create_app(opened(settings))
    except ExposrError as error:
        log.error("%s", error.message)
        sys.exit(CANNOT_LOAD)


if __name__ == "__main__":
    sys.exit(main(ARGUMENTS))
