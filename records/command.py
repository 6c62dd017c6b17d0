"""`classify.py --verify`: a signed verdict checked on the command line, without the service."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config import load_settings
from domain import ExposrError, NotFound, Unacceptable
from records.checking import check, is_of, read_record
from records.keys import KEYS, Keys, PublicKey, public_keys
from records.telling import Telling

EXIT_CODES = {"valid": 0, "altered": 1, "another_picture": 1, "another_key": 2}
CANNOT = 3
BINDS_NOTHING: Mapping[str, Any] = {"api_host": "127.0.0.1", "allowed_hosts": ()}
"""No key is asked for because of an address that is not bound."""


def verify(file: Path, key: Path | None, picture: Path | None, *, as_json: bool) -> int:
    """Check a signed verdict and print what was found; returns the exit code.

    Parameters
    ----------
    file
        The verdict, as `GET /verdicts/<id>` gave it.
    key
        Public keys to trust; when left out, those of this installation.
    picture
        The picture it should be about; None: that is not asked.
    as_json
        Print JSON.
    """
    try:
        document = read_record(_read(file))
        trusted = public_keys(_read(key)) if key else _own()
        same = None if picture is None else is_of(document, _read(picture))
    except ExposrError as error:
        print(f"CANNOT BE CHECKED: {error.message}", file=sys.stderr)
        return CANNOT
    told = Telling(check(document, trusted), document, same)
    if as_json:
        print(json.dumps(told.describe(), indent=2))
    else:
        print("\n".join(told.lines()))
    return EXIT_CODES[told.result]


def keys_of_installation() -> Keys:
    """The keys in DATA_DIR."""
    return Keys(load_settings(**BINDS_NOTHING).data_dir / KEYS)


def _own() -> list[PublicKey]:
    own = keys_of_installation().public()
    if not own:
        raise NotFound("There are no keys in DATA_DIR here; give the signer's with --key FILE.")
    return own


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unacceptable(
            "file", str(path), f"a file that can be read ({error.strerror})"
        ) from None
