"""A gallery on this machine to collect from: its own process, slow to answer, never busy."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from embeddings.images import encode_jpeg, resize

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
ON_A_PAGE = 100
SIDE = 160  # pixels of a picture
QUALITY = 85


class Gallery:
    """A server of so many small JPEGs, `ON_A_PAGE` of them on each page.

    Parameters
    ----------
    pictures
        How many.
    seconds
        How long each answer takes.
    """

    def __init__(self, pictures: int, seconds: float) -> None:
        command = [sys.executable, "-m", "benchmarks.hangings", str(pictures), str(seconds)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        if self._process.stdout is None:
            raise RuntimeError("the gallery has no output to read its port from")
        self.port = int(self._process.stdout.readline())

    @property
    def url(self) -> str:
        """Its first page."""
        return f"http://{HOST}:{self.port}/page/0"

    def picture(self, number: int, host: str = HOST) -> str:
        """Where one picture is; every 127.x.y.z is this machine."""
        return f"http://{host}:{self.port}/picture/{number}.jpg"

    def came(self) -> dict[str, list[float]]:
        """When each picture was asked for since this was asked last, by host; seconds."""
        with urllib.request.urlopen(f"http://{HOST}:{self.port}/came") as answer:
            found: dict[str, list[float]] = json.load(answer)
            return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


class _Server:
    def __init__(self, pictures: Sequence[bytes], seconds: float) -> None:
        self._pictures = pictures
        self._seconds = seconds
        self._came: dict[str, list[float]] = {}

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer on one connection for as long as it is kept."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                writer.write(await self._answer(head))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, head: str) -> bytes:
        path = head.split(" ")[1]
        host = re.search(r"(?i)\r\nhost: ([^:\r]+)", head)
        if path == "/came":
            came, self._came = self._came, {}
            return _reply("200 OK", "application/json", json.dumps(came).encode())
        if picture := re.fullmatch(r"/picture/(\d+)\.jpg", path):
            self._came.setdefault(host[1] if host else "", []).append(time.monotonic())
            await asyncio.sleep(self._seconds)
            body = self._pictures[int(picture[1]) % len(self._pictures)]
            return _reply("200 OK", "image/jpeg", body)
        await asyncio.sleep(self._seconds)
        if page := re.fullmatch(r"/page/(\d+)", path):
            return _reply("200 OK", "text/html", self._page(int(page[1])).encode())
        return _reply("404 Not Found", "text/plain", b"")

    def _page(self, number: int) -> str:
        first, last = number * ON_A_PAGE, min((number + 1) * ON_A_PAGE, len(self._pictures))
        images = "".join(f'<img src="/picture/{n}.jpg">' for n in range(first, last))
        more = f'<a rel="next" href="/page/{number + 1}">more</a>' if last > first else ""
        return f"<!doctype html><title>Page {number}</title>{images}{more}"


def _reply(status: str, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def small_picture(number: int) -> bytes:
    """A small JPEG that looks like no other."""
    rng = np.random.default_rng(number)
    soft = resize(rng.integers(0, 256, (9, 9, 3)).astype(np.uint8), SIDE, SIDE)
    grain = rng.normal(0, 4, soft.shape)
    return encode_jpeg(np.clip(soft + grain, 0, 255).astype(np.uint8), quality=QUALITY)


async def _serve(pictures: int, seconds: float) -> None:
    gallery = _Server([small_picture(number) for number in range(pictures)], seconds)
    server = await asyncio.start_server(gallery.converse, "0.0.0.0", 0, backlog=512)  # noqa: S104
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
