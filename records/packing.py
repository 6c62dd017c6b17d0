"""A signed verdict made small enough to be kept in full with each row, and had back as it was.

Rebuilt from columns it would change whenever their describing does, and its signature not fit.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

FORM = "1:"
"""What a packed record begins with; another whenever `WORDS` or the way of packing is."""
MOST_BYTES = 16_000_000
LEVEL = 6
RAW = -15
"""No header and no checksum: the signature finds every change."""

WORDS = (
    b'"disputed":true,"copies":1},"people":{"label":"votes":1,"shares":{'
    b'labelled this very picture  on 2026-"similarity":0.,"label":"},{"sample_id":'
    b"The statistics hold when it is saved anew, made smaller or cut: delivered anew unsure as "
    b'{"kind":"c2pa","claim":"Content credentials, signed by , who is trusted, say: a generative '
    b'model made the picture.","status":"valid","points_to":"ai","detail":{"source_type":'
    b'"trainedAlgorithmicMedia","generator":"","issuer":"","trusted":true,"actions":["c2pa.created"'
    b'],"stripping":"easy: most sites and programs remove it, and a picture without it looks like '
    b'any other","forging":"hard: it takes the key of a signer who is trusted","contradicts":["real'
    b'"]}}"status":"unsigned","program":"","where":"","forging":"easy: anybody can write it with a '
    b'common tool","stripping":"easy: saving the picture anew or uploading it often removes it"'
    b'"why":"Of  labelled pictures the 5 nearest are: ; the nearest of all, , has a similarity of '
    b"0.. They were found by what the model sees, and show what it takes for alike, not what "
    b"decided. A heat map is drawn when asked for, if one is better than chance: a hint, no proof."
    b'","heatmap":"/verdicts//heatmap","examples":{"known":,"left_out":0},"familiarity":{'
    b'"similarity":0.,"chance":0.,"examined":}'
    b'"stability":{"label":"ai","low":0.,"high":0.,"flips":false,"deliveries":[{"name":"jpeg_85",'
    b'"prediction":"real","probability":0.},{"name":"jpeg_60","prediction":"ai","probability":0.},'
    b'{"name":"jpeg_40","prediction":"unsure","probability":0.},{"name":"half_size","prediction":'
    b'"crop_95","prediction":"},{"name":"webp","prediction":"'
    b"The statistics alone would say It stays unsure. is said only from % on, so that at most "
    b"1% of  pictures are called ai (with 95 % confidence, by  that were not trained on): it "
    b"stays unsure."
    b'On pictures from sources it had not seen, it was right % of the time (labels weighed alike)."'
    b'{"id":"","task":"authenticity","prediction":"unsure","confidence":0.,"none_of_these":false,'
    b'"probabilities":{"ai":0.,"real":0.},"top":[{"label":"real","probability":0.},{"label":"ai",'
    b'"probability":0.}],"source":"model","reasons":["The model gives real over 99%.","The model '
    b'gives ai %."],"evidence":[],"statistics":{"prediction":"real","confidence":0.,"probabilities"'
    b':{"real":0.,"ai":0.},"source":"model","calibrated":true,"parts":{}},"people":null,"nearest":'
    b'[],"stability":null,"explained":null,"model":{"version":"2026","embedder":'
    b'"builtin-authenticity:2","trained_at":"2026-","corrections":0,"demo":false},"image":{"sha256"'
    b':"","width":,"height":,"format":"JPEG"},"timing_ms":{"decode":1.,"evidence":0.,"embed":,'
    b'"decide":0.,"total":},"created_at":"2026-T:.+00:00","encoder":{"id":'
    b'"builtin-authenticity:2","reason":"ENCODER=builtin asks for it."},"record":{"format":'
    b'"exposr-record/1","picture":{"sha256":"","bytes":},"model":{"version":"2026","sha256":null,'
    b'"data":null},"corrections":{"up_to":0,"sha256":"'
    b'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"embedder":{"id":'
    b'"builtin-authenticity:2","weights":null,"reason":"ENCODER=builtin asks for it."},"evidence":{'
    b'"pieces":0,"sha256":"4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"},'
    b'"software":{"name":"Exposr","version":"0.1.0"},"answered_at":"2026-","signed_at":"2026-",'
    b'"late":false},"signature":{"alg":"Ed25519","key_id":"","public_key":"=","value":"=="}}'
)
"""What most records say, so that only the rest takes room. What was packed needs it unchanged."""


def pack(document: Mapping[str, Any]) -> str:
    """A signed verdict as a short text of ASCII letters, digits and signs."""
    written = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    packing = zlib.compressobj(LEVEL, zlib.DEFLATED, RAW, zdict=WORDS)
    packed = packing.compress(written.encode()) + packing.flush()
    return FORM + base64.b85encode(packed).decode("ascii")


def unpack(text: str) -> dict[str, Any]:
    """The signed verdict that was packed.

    Raises
    ------
    ValueError
        Nothing was packed to this.
    """
    if not text.startswith(FORM):
        raise ValueError("it was not packed in a form that is known here")
    unpacking = zlib.decompressobj(RAW, zdict=WORDS)
    try:
        written = unpacking.decompress(base64.b85decode(text[len(FORM) :]), MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"it cannot be unpacked ({error})") from None
    if not unpacking.eof:
        raise ValueError("it is cut off or too long")
    try:
        document = json.loads(written)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(document, dict):
        raise ValueError("it holds no document")
    return document
