"""The pages work without the internet and without inline script."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_page_takes_nothing_from_outside_and_has_nothing_inline(
    client: FlaskClient, path: str
) -> None:
    response = client.get(path)
    assert (response.status_code, response.mimetype) == (200, "text/html")
    page = response.get_data(as_text=True)
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"\son\w+=|<style|\sstyle=|javascript:", page)
    links = re.findall(r'\b(?:src|href)="([^"]*)"', page)
    assert links
    for link in links:
        assert link.startswith("/") or link == "data:,", link
        if link.startswith("/"):
            assert client.get(link, buffered=True).status_code == 200, link


def test_docs_assets_are_only_those_the_page_needs(client: FlaskClient) -> None:
    assert client.get("/docs/assets/swagger-ui.css", buffered=True).mimetype == "text/css"
    for name in ("index.html", "swagger-ui.js.map", "..%2f__init__.py", "%00"):
        assert client.get(f"/docs/assets/{name}").status_code == 404


def test_static_files_cannot_be_left(client: FlaskClient) -> None:
    for name in ("../routes.py", "%2e%2e/routes.py", "..%2froutes.py", "%00", "a" * 5000):
        assert client.get(f"/static/{name}").status_code == 404
