"""Odd, broken and hostile files through the HTTP door, judged by their expected outcome."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.web.service import error_of

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "data" / "badinputs"
EVERY = 9
"""Each ninth file; benchmarks/badinputs.py posts them all to a running service."""
ALLOWED = {
    "accept_200": {200},
    "reject_4xx": {413, 415, 422},
    "either": {200, 413, 415, 422},
    "policy_format": {200, 415},
}


def rows() -> list[dict[str, str]]:
    if not (CORPUS / "expected.csv").exists():
        return []
    with (CORPUS / "expected.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    return [row for i, row in enumerate(found) if i % EVERY == 0 or row["category"] == "bombs"]


@pytest.mark.skipif(not rows(), reason=f"NOT TESTED ON BAD FILES: {CORPUS} is absent")
def test_every_sampled_file_gets_its_expected_outcome(client: FlaskClient) -> None:
    wrong = []
    for row in rows():
        data = (CORPUS / row["file"]).read_bytes()
        response = client.post("/classify", data=data, content_type="image/unknown")
        if response.status_code >= 400:
            error_of(response)
        if response.status_code not in ALLOWED[row["expected"]]:
            wrong.append(f"{row['file']}: {row['expected']}, got {response.status_code}")
    assert wrong == []
    assert client.get("/health").get_json()["status"] == "ok"
