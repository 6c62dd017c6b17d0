"""The nightly run: when it is due, who works on it, and how its process holds on to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BINDS_NOTHING: Mapping[str, Any] = {"api_host": "127.0.0.1", "allowed_hosts": ()}
"""Settings of processes that nobody can reach: what is asked of a public service is not theirs."""
