"""A process of its own that reads C2PA manifests: `python -m provenance.credentials`.

The library that does it is native code of considerable size that parses what strangers wrote.
Here its crash ends nobody's request, whoever started this can end a hang, and the process can
open neither a file nor a socket once it has begun. On its standard input come the length of a
media type, the length of a file, both; on its standard output goes the length of a reply, and
the reply, JSON.
"""

from __future__ import annotations

import io
import json
import resource
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO

import c2pa

from provenance.manifest import sum_up

REQUEST, REPLY = struct.Struct(">HI"), struct.Struct(">I")
MEMORY = 1 << 30
SETTINGS: dict[str, Any] = {
    "version": 1,
    "core": {
        "decode_identity_assertions": False,  # their issuers are looked up on the web
        "allowed_network_hosts": [],
        "allow_redirects": False,
        "max_decompressed_manifest_size_in_mb": 32,
        "backing_store_memory_threshold_in_mb": 512,  # beyond it goes to a file, which is denied
    },
    "verify": {
        "remote_manifest_fetch": False,
        "ocsp_fetch": False,
        "verify_trust": True,
        "verify_timestamp_trust": True,
    },
}


def read(data: bytes, media_type: str, context: c2pa.Context) -> dict[str, Any]:
    """What the manifest of a file says; `status` is `unreadable` where it cannot be read."""
    try:
        with c2pa.Reader(media_type, io.BytesIO(data), context=context) as reader:
            return sum_up(json.loads(reader.json()))
    except c2pa.C2paError as error:
        return {"status": "unreadable", "why": str(error)[:200]}
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        return {"status": "unreadable", "why": f"not built as expected: {type(error).__name__}"}


def make_context(anchors: str) -> c2pa.Context:
    """Settings without any network, and whose signatures are trusted (PEM certificates)."""
    settings = SETTINGS | ({"trust": {"trust_anchors": anchors}} if anchors else {})
    return c2pa.Context(c2pa.Settings.from_dict(settings))


def serve(source: BinaryIO, sink: BinaryIO, context: c2pa.Context) -> None:
    """Answer until nobody asks any more."""
    while len(head := source.read(REQUEST.size)) == REQUEST.size:
        lengths = REQUEST.unpack(head)
        media_type = source.read(lengths[0]).decode("ascii")
        reply = json.dumps(read(source.read(lengths[1]), media_type, context)).encode()
        sink.write(REPLY.pack(len(reply)) + reply)
        sink.flush()


def main(arguments: list[str]) -> None:
    """Serve; the one argument, if any, is a file of certificates to trust."""
    anchors = Path(arguments[0]).read_text(encoding="ascii") if arguments else ""
    context = make_context(anchors)
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 3),  # the standard ones: not one more file, no socket
    ):
        resource.setrlimit(limit, (value, value))
    serve(sys.stdin.buffer, sys.stdout.buffer, context)


if __name__ == "__main__":
    main(sys.argv[1:])
