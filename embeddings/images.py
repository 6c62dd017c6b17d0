"""The only place that opens untrusted pixels."""

from __future__ import annotations

import hashlib
import io
import math
import re
import threading
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    Image,
    ImageChops,
    ImageFile,
    JpegImagePlugin,
    UnidentifiedImageError,
)

from config import Settings
from domain import BadImage, BadImageReason, PictureFacts
from embeddings import isobmff
from embeddings.phash import SIDE, perceptual_hash
from embeddings.phash import hamming as hamming

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "HEIF")
"""What Pillow may open. JPEG includes MPO, of which it then takes the first picture.

No TIFF: its decoder is the largest and the most attacked of all, floats and odd bit depths
have no single right 8-bit form, and no browser or phone sends it.
"""
ACCEPTED = "JPEG, PNG, WebP, GIF, BMP, AVIF, HEIC"
MAX_JPEG_SCANS = 100
"""A progressive JPEG needs about ten; each of a hostile one's thousands visits every block."""
MAX_BMP_RUNS_BYTES = 2_000_000
"""Pillow unpacks run-length coded BMP in Python, 8 MB a second, holding the interpreter."""
PNG_END = b"IEND\xaeB`\x82"
LARGE_PIXELS = 8_000_000
_LARGE_AT_ONCE = threading.BoundedSemaphore(2)
"""A picture of 25 MP needs up to 600 MB for a second; many threads would need as much each."""
STRIP = 128
_EIGHT_BITS = ((np.arange(65536, dtype=np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
_PILLOW = re.compile(r"PIL\.")
ORIENTATION_TAG, MAKE_TAG, EXIF_TAG = 0x0112, 0x010F, 0x8769
EXPOSURE_TAGS = (0x829A, 0x829D, 0x8827)
"""Exposure time, aperture and sensitivity."""
LONGEST_MAKE = 64
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# One thread a picture: the service decodes several pictures at once already.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
pillow_heif.register_heif_opener(
    thumbnails=False, depth_images=False, aux_images=False, decode_threads=1
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too much to decode: bytes of the file, pixels, pixels of a JPEG, longest side."""

    max_bytes: int = 20_000_000
    max_pixels: int = 25_000_000
    max_jpeg_pixels: int = 50_000_000
    max_side: int = 16_384

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits that the settings name."""
        return cls(
            settings.max_image_bytes,
            settings.max_image_pixels,
            settings.max_jpeg_pixels,
            settings.max_image_side,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture.

    Attributes
    ----------
    pixels
        (height, width, 3) uint8 sRGB, upright; whatever shows through is white.
    alpha
        (height, width) uint8: how far each pixel covers that white; None when all do wholly.
        White strokes on a transparent canvas are nowhere else.
    camera
        Whether its EXIF names a camera and how it exposed, as a camera's own file does.
    """

    pixels: NDArray[np.uint8]
    facts: PictureFacts
    alpha: NDArray[np.uint8] | None = None
    camera: bool = False


def decode(data: bytes, limits: Limits | None = None) -> Picture:
    """Turn a file into an upright RGB picture, or refuse it.

    Colour profiles are ignored: embedders are trained on pixels read that way, and parsing
    profiles from strangers is attack surface that buys a shift of hue.

    Parameters
    ----------
    data
        The file as it came.
    limits
        What is too much; the documented defaults when left out.

    Returns
    -------
    Picture
        Read-only pixels. A JPEG beyond `max_pixels` is decoded at a half or less; the facts
        still tell its full upright size.

    Raises
    ------
    BadImage
        The only failure, with a reason.
    """
    limits = limits or Limits()
    _check_bytes(data, limits)
    _silence_pillow()
    try:
        return _decode(data, limits)
    except BadImage:
        raise
    except Exception as error:
        raise _refusal(data, error) from error


def _check_bytes(data: bytes, limits: Limits) -> None:
    if not data:
        raise BadImage(BadImageReason.EMPTY, "The file is empty.")
    if len(data) > limits.max_bytes:
        raise BadImage(
            BadImageReason.TOO_LARGE,
            f"The file has {len(data):,} bytes, allowed: {limits.max_bytes:,}.",
        )


def _decode(data: bytes, limits: Limits) -> Picture:
    isobmff.check(data)
    with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
        size, name = opened.size, str(opened.format)
        _shrink_or_refuse(opened, data, limits)
        with _LARGE_AT_ONCE if size[0] * size[1] > LARGE_PIXELS else nullcontext():
            opened.load()
            _check_size(opened.size, limits.max_pixels, limits.max_side)
            orientation, camera = _orientation(opened), _by_camera(opened)
            rgb, cover = _to_rgb(opened)
            if orientation in UPRIGHT:
                rgb = rgb.transpose(UPRIGHT[orientation])
                cover = cover and cover.transpose(UPRIGHT[orientation])
            pixels = _to_array(rgb)
            alpha = _to_array(cover) if cover else None
    width, height = size if orientation < 5 else size[::-1]
    facts = PictureFacts(
        sha256=hashlib.sha256(data).hexdigest(),
        width=width,
        height=height,
        format=name,
        n_bytes=len(data),
        phash=perceptual_hash(_thumbnail(rgb)),
    )
    return Picture(pixels, facts, alpha, camera)


def _thumbnail(rgb: Image.Image) -> NDArray[np.uint8]:
    # Overlapping windows and a late second step: block means alone moved the hash of a picture
    # scaled to 70 % by more than 4 bits in a third of cases, this in none of 400.
    size = (SIDE, SIDE)
    return np.asarray(rgb.convert("L").resize(size, Image.Resampling.BILINEAR, reducing_gap=8.0))


def _shrink_or_refuse(opened: ImageFile.ImageFile, data: bytes, limits: Limits) -> None:
    """Judge by the header; no pixel has been decoded yet."""
    if opened.format not in ("JPEG", "MPO"):
        _check_size(opened.size, limits.max_pixels, limits.max_side)
        _check_format(opened, data)
        return
    _check_size(opened.size, max(limits.max_pixels, limits.max_jpeg_pixels), limits.max_side)
    # inside compressed data FF is always followed by 00 or a restart marker
    scans = data.count(b"\xff\xda")
    if scans > MAX_JPEG_SCANS:
        raise BadImage(
            BadImageReason.CORRUPT, f"The JPEG has {scans} scans, allowed: {MAX_JPEG_SCANS}."
        )
    width, height = opened.size
    for scale in (1, 2, 4, 8):
        if -(-width // scale) * -(-height // scale) <= limits.max_pixels:
            break
    if scale > 1:
        opened.draft(None, (width // scale, height // scale))


def _check_format(opened: ImageFile.ImageFile, data: bytes) -> None:
    """What Pillow lets pass."""
    if opened.format == "PNG" and PNG_END not in data:
        raise BadImage(BadImageReason.TRUNCATED, "The PNG ends before its last chunk.")
    if opened.format == "BMP" and len(data) > MAX_BMP_RUNS_BYTES:
        if any(tile.codec_name == "bmp_rle" for tile in opened.tile):
            raise BadImage(
                BadImageReason.TOO_LARGE,
                f"A run-length coded BMP may have {MAX_BMP_RUNS_BYTES:,} bytes.",
            )


def _check_size(size: tuple[int, int], max_pixels: int, max_side: int) -> None:
    width, height = size
    if width * height > max_pixels or max(size) > max_side:
        raise BadImage(
            BadImageReason.TOO_MANY_PIXELS,
            f"The picture is {width} x {height}, allowed: {max_pixels:,} pixels "
            f"and {max_side:,} a side.",
        )


def _orientation(opened: Image.Image) -> int:
    """The EXIF orientation; 1 when there is none or the EXIF is broken."""
    try:
        return int(opened.getexif().get(ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 -- broken EXIF fails in any way and spoils no pixel
        return 1


def _by_camera(opened: Image.Image) -> bool:
    """Whether the EXIF names a maker and how long or how sensitively was exposed.

    Programs put what they like into a maker's name, such as a whole workflow: a name is short.
    """
    try:
        exif = opened.getexif()
        make = str(exif.get(MAKE_TAG) or "").strip("\0 ")
        if not make or len(make) > LONGEST_MAKE or not make[0].isalnum() or ":" in make:
            return False
        taken = exif.get_ifd(EXIF_TAG)
        return any(tag in taken for tag in EXPOSURE_TAGS)
    except Exception:  # noqa: BLE001 -- as above
        return False


def _to_rgb(opened: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """8-bit RGB, in which whatever shows through is white, and what covers that white."""
    image = opened
    if image.mode.startswith("I"):
        image = _to_8_bit(image)
    if image.mode == "CMYK" and "adobe" not in image.info:
        # Pillow takes every CMYK JPEG for one of Adobe's, which alone store it inverted
        image = ImageChops.invert(image)
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        cover = image.getchannel("A")
        white.paste(image, mask=cover)
        return white, None if cover.getextrema()[0] == 255 else cover
    return image if image.mode == "RGB" else image.convert("RGB"), None  # convert always copies


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey, which `convert` would clip at 255; a transparent grey becomes white."""
    deep = np.asarray(image).clip(0, 65535).astype(np.uint16, copy=False)
    grey = _EIGHT_BITS[deep]
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[deep == transparent] = 255
    return Image.fromarray(grey)


def _to_array(image: Image.Image) -> NDArray[np.uint8]:
    """RGB or grey, read-only; in strips, because numpy's own way needs it all twice."""
    channels = (3,) if image.mode == "RGB" else ()
    pixels = np.empty((image.height, image.width, *channels), np.uint8)
    for top in range(0, image.height, STRIP):
        bottom = min(top + STRIP, image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    pixels.flags.writeable = False
    return pixels


def _silence_pillow() -> None:
    """Keep Pillow's warnings about odd files out of logs and of callers who make them errors.

    `warnings.catch_warnings` changes the whole process and is not safe between threads, so a
    filter for Pillow's modules is put in once (and again where somebody reset the filters).
    """
    if not any(entry[3] is not None and entry[3] == _PILLOW for entry in warnings.filters):
        warnings.filterwarnings("ignore", module=_PILLOW.pattern)


def _refusal(data: bytes, error: Exception) -> BadImage:
    """Put one reason to whatever a decoder raised."""
    text = str(error).lower()
    if isinstance(error, Image.DecompressionBombError | MemoryError):
        return BadImage(BadImageReason.TOO_MANY_PIXELS, "The picture is too large to decode.")
    if isinstance(error, UnidentifiedImageError) and not looks_like_picture(data):
        return BadImage(
            BadImageReason.UNSUPPORTED_FORMAT, f"Not a picture we accept, allowed: {ACCEPTED}."
        )
    if "truncated" in text or "not enough" in text:
        return BadImage(BadImageReason.TRUNCATED, "The file ends before the picture does.")
    return BadImage(BadImageReason.CORRUPT, "The file is damaged and cannot be decoded.")


def looks_like_picture(head: bytes) -> bool:
    """Whether a file's first twelve bytes or more claim a format that is accepted."""
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM"))
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or isobmff.is_picture(head)
    )


# --- what a file is like apart from its pixels ---

STANDARD_LUMA = 3688
"""Sum of the luma table that ITU-T T.81, annex K.1 gives; libjpeg scales it by its quality."""
SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


def file_facts(data: bytes, limits: Limits | None = None) -> dict[str, Any]:
    """Read from a picture file's header how it was made, not what it shows. No pixel is decoded.

    Parameters
    ----------
    data
        The file as it came.
    limits
        What is too much, as for `decode`.

    Returns
    -------
    dict[str, Any]
        JSON-ready: `format`, `n_bytes`, whether there is `exif`; upright `width` and `height`
        in pixels, `aspect` (width by height), `bytes_per_pixel`. Of a JPEG also `jpeg_quality`
        (of libjpeg, estimated), `jpeg_tables` (which ones), `subsampling`, `progressive`; else
        these are None.

    Raises
    ------
    BadImage
        The only failure, with a reason.
    """
    limits = limits or Limits()
    _check_bytes(data, limits)
    _silence_pillow()
    try:
        isobmff.check(data)
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            _check_size(
                opened.size, max(limits.max_pixels, limits.max_jpeg_pixels), limits.max_side
            )
            return {**_size_facts(opened, len(data)), **_jpeg_facts(opened)}
    except BadImage:
        raise
    except Exception as error:
        raise _refusal(data, error) from error


def _size_facts(opened: ImageFile.ImageFile, n_bytes: int) -> dict[str, Any]:
    width, height = opened.size if _orientation(opened) < 5 else opened.size[::-1]
    return {
        "format": "JPEG" if opened.format == "MPO" else str(opened.format),
        "n_bytes": n_bytes,
        "exif": bool(opened.info.get("exif")),
        "width": width,
        "height": height,
        "aspect": round(width / height, 4),
        "bytes_per_pixel": round(n_bytes / (width * height), 4),
    }


def _jpeg_facts(opened: ImageFile.ImageFile) -> dict[str, Any]:
    if not isinstance(opened, JpegImagePlugin.JpegImageFile):
        return dict.fromkeys(("jpeg_quality", "jpeg_tables", "subsampling", "progressive"))
    tables: dict[int, list[int]] = opened.quantization
    sampling = JpegImagePlugin.get_sampling(opened)
    return {
        "jpeg_quality": _quality(tables[min(tables)]) if tables else None,
        "jpeg_tables": hashlib.sha256(repr(sorted(tables.items())).encode()).hexdigest()[:8],
        "subsampling": "grey" if opened.layers == 1 else SUBSAMPLINGS.get(sampling, "other"),
        "progressive": bool(opened.info.get("progressive")),
    }


def _quality(luma: Sequence[int]) -> int:
    """The quality at which libjpeg would write a table of this strength, 1 to 100."""
    percent = max(100 * sum(luma) / STANDARD_LUMA, 1.0)
    return round((200 - percent) / 2 if percent <= 100 else 5000 / percent)


# --- pixels in and out, for rooms that may not touch Pillow ---


def resize(
    pixels: NDArray[np.uint8], width: int, height: int, *, gap: float = 3.0
) -> NDArray[np.uint8]:
    """Scale antialiased (bicubic).

    Parameters
    ----------
    pixels
        (h, w, 3) or (h, w), uint8.
    width, height
        The new size, pixels.
    gap
        Whole blocks are averaged first while `gap` times the new size is left: less is faster.

    Returns
    -------
    NDArray[np.uint8]
        (height, width, 3) or (height, width).
    """
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=gap))


def shrunk(picture: Picture, scale: float) -> Picture:
    """The picture made smaller by a factor in (0, 1); its facts stay those of the file."""
    height, width = picture.pixels.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    alpha = None if picture.alpha is None else resize(picture.alpha, *size)
    return Picture(resize(picture.pixels, *size), picture.facts, alpha, picture.camera)


def within(picture: Picture, most_pixels: int) -> Picture:
    """The picture itself, or made smaller where it has more pixels than that."""
    height, width = picture.pixels.shape[:2]
    if height * width <= most_pixels:
        return picture
    return shrunk(picture, math.sqrt(most_pixels / (height * width)))


def to_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma (ITU-R 601) of (h, w, 3) uint8 pixels, as (h, w) uint8."""
    return np.asarray(Image.fromarray(pixels).convert("L"))


def to_ycbcr(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brightness and the two colour differences (about 128) of (h, w, 3) uint8 pixels, likewise."""
    return np.asarray(Image.fromarray(pixels).convert("YCbCr"))


def as_pil(pixels: NDArray[np.uint8]) -> Image.Image:
    """(h, w, 3) uint8 pixels as Pillow holds them: where the transforms of torchvision begin."""
    return Image.fromarray(pixels)


def encode_jpeg(pixels: NDArray[np.uint8], quality: int = 90) -> bytes:
    """Write (h, w, 3) or (h, w) uint8 pixels as a JPEG file."""
    return _encode(pixels, "JPEG", quality=quality)


def encode_webp(pixels: NDArray[np.uint8], quality: int = 80) -> bytes:
    """Write (h, w, 3) uint8 pixels as a lossy WebP file."""
    return _encode(pixels, "WEBP", quality=quality)


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Write (h, w, 3), (h, w, 4) or (h, w) uint8 pixels as a PNG file."""
    return _encode(pixels, "PNG")


def recoded(pixels: NDArray[np.uint8], coding: str, quality: int) -> NDArray[np.uint8]:
    """Write pixels as a lossy file and read them from it again.

    Parameters
    ----------
    pixels
        (h, w, 3) uint8.
    coding
        `JPEG` or `WEBP`.
    quality
        As the coding counts it, 1 to 100.

    Returns
    -------
    NDArray[np.uint8]
        (h, w, 3), read-only: what the file shows.
    """
    height, width = pixels.shape[:2]
    with _LARGE_AT_ONCE if height * width > LARGE_PIXELS else nullcontext():
        file = io.BytesIO(_encode(pixels, coding, quality=quality))
        with Image.open(file, formats=(coding,)) as opened:
            return _to_array(opened.convert("RGB"))


def _encode(pixels: NDArray[np.uint8], name: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, name, **options)
    return file.getvalue()
