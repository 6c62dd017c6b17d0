"""Where measurements are kept: the figures as JSON, and one line for people."""

from __future__ import annotations

import fcntl
import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
LOG = FOLDER / "LOG.md"


def record(name: str, figures: Mapping[str, Any], line: str) -> Path:
    """Write `benchmarks/out/NAME.json` and append a dated line to `benchmarks/LOG.md`."""
    out = FOLDER / "out" / f"{name}.json"
    out.parent.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    about = {"benchmark": name, "at": now.isoformat(timespec="seconds"), "machine": _machine()}
    out.write_text(json.dumps({**about, **figures}, indent=2, ensure_ascii=False), "utf-8")
    with LOG.open("a", encoding="utf-8") as log:
        fcntl.flock(log, fcntl.LOCK_EX)  # several benchmarks may end at once
        log.write(f"- {now:%Y-%m-%d} {name}: {line}\n")
    return out


def _machine() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (cpuinfo.read_text().splitlines() if cpuinfo.exists() else ())
        if line.startswith("model name")
    ]
    return f"{len(models) or '?'} x {models[0] if models else platform.processor()}"
