"""Heat maps: where a verdict's score comes from, as a picture."""

from __future__ import annotations

from flask import Response

from heatmap import heat_map
from web.context import current_engine
from web.verdicts import known_verdict


def show_heatmap(verdict_id: str, task: str | None = None) -> Response:
    """Where in its picture a verdict's score comes from: the picture, overlaid. A hint, no proof.

    It is tested first: covering what it marks must lower the score more than covering as much
    elsewhere, 48 times out of 48. Where no map passes there is none (409, with the reason).
    """
    found = heat_map(current_engine(), known_verdict(verdict_id, task))
    response = Response(found.png, mimetype="image/png")
    response.headers["Cache-Control"] = "private, no-cache"  # what is erased is gone everywhere
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
