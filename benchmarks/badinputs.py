"""Post odd, broken and hostile files to a running service and judge every answer.

The folder holds the files and `expected.csv` with the columns `file` and `expected`. What is
expected of a file is `accept_200`, `reject_4xx`, `either` or `policy_format` (a picture in a
format that a service may accept or not: 200, or 415 and nothing else).

    python -m benchmarks.badinputs ../shared/data/badinputs http://127.0.0.1:5000
"""

from __future__ import annotations

import argparse
import base64
import csv
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

REFUSED = {413, 415, 422}
ALLOWED = {
    "accept_200": {200},
    "reject_4xx": REFUSED,
    "either": {200, *REFUSED},
    "policy_format": {200, 415},
}
FORMS: dict[str, Callable[[bytes], dict[str, Any]]] = {
    "multipart": lambda data: {"files": {"image": ("picture", data)}},
    "raw": lambda data: {"content": data, "headers": {"Content-Type": "image/unknown"}},
    "json": lambda data: {"json": {"image": "data:;base64," + base64.b64encode(data).decode()}},
}


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.badinputs", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="the files and expected.csv")
    parser.add_argument("url", help="where the service answers")
    parser.add_argument("--form", choices=FORMS, action="append", help="default: all three")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Post everything; print JSON; 0 when every answer was allowed and the service is well."""
    arguments = parse_arguments(argv)
    with (arguments.folder / "expected.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    client = httpx.Client(base_url=arguments.url, timeout=60, trust_env=False)
    report = {form: judge(client, arguments.folder, rows, form) for form in arguments.form or FORMS}
    health = client.get("/health").json()["status"]
    print(json.dumps({"health": health, **report}, indent=2))
    return 1 if health != "ok" or any(one["wrong"] for one in report.values()) else 0


def judge(
    client: httpx.Client, folder: Path, rows: Sequence[dict[str, str]], form: str
) -> dict[str, Any]:
    """Post every file in one form; what came back, and what should not have."""
    statuses: Counter[str] = Counter()
    wrong = []
    slowest, slowest_file = 0.0, ""
    for row in rows:
        data = (folder / row["file"]).read_bytes()
        started = time.perf_counter()
        response = client.post("/classify", **FORMS[form](data))
        seconds = time.perf_counter() - started
        if seconds > slowest:
            slowest, slowest_file = seconds, row["file"]
        statuses[f"{row['expected']} {response.status_code}"] += 1
        if response.status_code not in ALLOWED[row["expected"]] or not well_formed(response):
            wrong.append(f"{row['file']}: {row['expected']}, got {response.status_code}")
    return {
        "files": len(rows),
        "statuses": dict(sorted(statuses.items())),
        "slowest_seconds": round(slowest, 3),
        "slowest_file": slowest_file,
        "wrong": wrong,
    }


def well_formed(response: httpx.Response) -> bool:
    """Whether the body is a verdict or an error of the one shape."""
    document = response.json()
    if response.status_code == 200:
        return "prediction" in document
    return set(document) == {"error"} and set(document["error"]) == {"code", "message", "detail"}


if __name__ == "__main__":
    sys.exit(main())
