"""Small files that say things about themselves, made on the spot."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image, PngImagePlugin

from tests.pictures import encode, photo

A1111 = (
    "a cat, oil on canvas\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"
)
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
ROOT, SIGNER = "Root of the tests", "Camera of the tests"
SERIAL = 0x4D5A_2C1B_7F3E_9A08
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
USER_COMMENT, EXIF_IFD = 0x9286, 0x8769


def workflow(*kinds: str) -> str:
    """A ComfyUI prompt of nodes of these kinds."""
    return json.dumps({str(i): {"class_type": kind, "inputs": {}} for i, kind in enumerate(kinds)})


def png(texts: Mapping[str, str] | None = None, *, seed: int = 1, packed: bool = False) -> bytes:
    """A PNG with texts."""
    info = PngImagePlugin.PngInfo()
    for name, text in (texts or {}).items():
        info.add_text(name, text, zip=packed)
    return encode(photo(seed), "PNG", pnginfo=info)


def exif(
    main: Mapping[int, Any] | None = None, taking: Mapping[int, Any] | None = None
) -> Image.Exif:
    """A block of EXIF: the main directory and that of the taking."""
    block = Image.Exif()
    block.update(main or {})
    block.get_ifd(EXIF_IFD).update(taking or {})
    return block


def jpeg(*, seed: int = 1, **options: Any) -> bytes:
    """A JPEG, saved with the options of Pillow (`exif`, `xmp`, `comment`)."""
    return encode(photo(seed), "JPEG", **options)


def xmp(inner: str) -> bytes:
    """An XMP packet around properties."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f"<rdf:Description {inner}</rdf:RDF></x:xmpmeta>"
    ).encode()


def history(*events: Mapping[str, str], inner: str = "") -> bytes:
    """An XMP packet with a history of edits."""
    steps = "".join(
        "<rdf:li " + " ".join(f'stEvt:{key}="{value}"' for key, value in event.items()) + "/>"
        for event in events
    )
    return xmp(
        f"{inner}><xmpMM:History><rdf:Seq>{steps}</rdf:Seq></xmpMM:History></rdf:Description>"
    )


def iim(texts: Mapping[int, str]) -> bytes:
    """Datasets of record 2 of IPTC-IIM by number."""
    return b"".join(
        struct.pack(">BBBH", 0x1C, 2, dataset, len(text.encode())) + text.encode()
        for dataset, text in texts.items()
    )


def resource(number: int, content: bytes) -> bytes:
    """One of Photoshop's image resources, without a name."""
    padding = b"\0" * (len(content) & 1)
    return b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + content + padding


def segment(marker: int, content: bytes, picture: bytes = b"") -> bytes:
    """A JPEG with one more segment at its beginning."""
    picture = picture or jpeg()
    return picture[:2] + struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content + picture[2:]


def photoshop(texts: Mapping[int, str], picture: bytes = b"") -> bytes:
    """A JPEG with IPTC-IIM as Photoshop keeps it."""
    return segment(0xED, b"Photoshop 3.0\0" + resource(0x0404, iim(texts)), picture)


def samsung(things: Mapping[str, bytes], picture: bytes = b"") -> bytes:
    """A JPEG with what Samsung's phones write behind the picture."""
    data = bytearray(picture or jpeg())
    places = []
    for name, content in things.items():
        block = struct.pack("<HHI", 0, 0x0BA1, len(name)) + name.encode() + content
        places.append((len(data), len(block)))
        data += block
    start = len(data)
    table = b"SEFH" + struct.pack("<II", 106, len(places))
    for at, size in places:
        table += struct.pack("<HHII", 0, 0x0BA1, start - at, size)
    return bytes(data) + table + struct.pack("<I", len(table)) + b"SEFT"


def box(kind: bytes, content: bytes) -> bytes:
    """A box of an AVIF or HEIC file."""
    return struct.pack(">I4s", 8 + len(content), kind) + content


def items(*told: tuple[bytes, bytes, bytes], inside: bool = False, cut: int = 1) -> bytes:
    """The head of an AVIF file with items: kind, media type, content.

    `inside`: they lie in a box of data of the tables' own. `cut`: into so many extents each.
    """
    infos, contents = b"", [content for _, _, content in told]
    for number, (kind, media_type, _) in enumerate(told, start=1):
        name = b"\0" + (media_type + b"\0\0" if media_type else b"")
        infos += box(b"infe", struct.pack(">IHH4s", 2 << 24, number, 0, kind) + name)
    ftyp = box(b"ftyp", b"avif\0\0\0\0avifmif1")
    first = 0
    for _ in range(2):  # where the contents begin depends on how long the tables are
        rows, at = b"", first
        for number, content in enumerate(contents, start=1):
            size = -(-len(content) // cut)
            rows += struct.pack(">HHHH", number, int(inside), 0, cut)
            for start in range(0, size * cut, size):
                rows += struct.pack(">II", at + start, min(size, len(content) - start))
            at += len(content)
        iloc = box(b"iloc", struct.pack(">IBBH", 1 << 24, 0x44, 0, len(told)) + rows)
        tables = box(b"iinf", struct.pack(">IH", 0, len(told)) + infos) + iloc
        joined = b"".join(contents)
        meta = box(b"meta", b"\0\0\0\0" + tables + (box(b"idat", joined) if inside else b""))
        first = 0 if inside else len(ftyp) + len(meta) + 8
    return ftyp + meta + (b"" if inside else box(b"mdat", joined))


def source_type(word: str) -> bytes:
    """An XMP packet that names a digital source type."""
    return xmp(f'Iptc4xmpExt:DigitalSourceType="{IPTC}{word}"/>')


# --- signed ---


@cache
def _keys() -> tuple[ec.EllipticCurvePrivateKey, ec.EllipticCurvePrivateKey]:
    """The root's and the signer's."""
    return ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


@cache
def certificates() -> tuple[bytes, bytes, bytes]:
    """A root, a signer's certificate that it vouches for, and the signer's key, all PEM."""
    root_key, key = _keys()
    name = _name(ROOT)
    root = (
        _certificate(name, name, root_key.public_key(), days=300)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(_id(root_key), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    secret = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return root.public_bytes(PEM), _signers(days=300).public_bytes(PEM), secret


def _signers(*, days: int) -> x509.Certificate:
    """The certificate of the signer, valid until so many days from now."""
    root_key, key = _keys()
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(_id(root_key))
    return (
        _certificate(_name(ROOT), _name(SIGNER), key.public_key(), days=days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
        )
        .add_extension(authority, critical=False)
        .add_extension(_id(key), critical=False)
        .sign(root_key, hashes.SHA256())
    )


def _id(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


@cache
def _twins() -> tuple[bytes, bytes]:
    """A certificate and one like it that ended a month ago, of the same length, both DER."""
    for _ in range(1000):
        now, ended = (_signers(days=days).public_bytes(DER) for days in (300, -30))
        if len(now) == len(ended):
            return now, ended
    raise AssertionError("no two certificates of the same length")


def _name(said: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, said),
            x509.NameAttribute(NameOID.COMMON_NAME, said),
        ]
    )


def _certificate(
    issuer: x509.Name, name: x509.Name, key: ec.EllipticCurvePublicKey, *, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(name)
        .public_key(key)
        .serial_number(SERIAL)
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        key_cert_sign=not signs,
        crl_sign=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def signed(
    word: str = "",
    *,
    picture: bytes = b"",
    media_type: str = "image/jpeg",
    parent: bytes = b"",
    actions: tuple[dict[str, Any], ...] = (),
    expired: bool = False,
) -> bytes:
    """A picture signed by the tests' camera: of a source type, or made of a `parent`.

    `expired`: with a certificate that had ended. The library refuses to sign with one, so what
    is signed, and then the file, has it in the place of its twin.
    """
    now, ended = _twins() if expired else (b"", b"")
    if parent:
        opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["parent"]}}
        actions = (opened, *actions)
    if word:
        actions = ({"action": "c2pa.created", "digitalSourceType": IPTC + word}, *actions)
    manifest = {
        "claim_generator_info": [{"name": "Tests", "version": "1"}],
        "format": media_type,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": list(actions)}}],
    }
    settings = {
        "verify": {"verify_after_sign": False},
        "builder": {"thumbnail": {"enabled": False}},
    }
    context = c2pa.Context(c2pa.Settings.from_dict(settings))
    target = io.BytesIO()
    with c2pa.Builder(manifest, context) as builder, _signer(now, ended) as signer:
        if parent:
            said = {
                "title": "before",
                "format": media_type,
                "relationship": "parentOf",
                "label": "parent",
            }
            builder.add_ingredient(json.dumps(said), media_type, io.BytesIO(parent))
        builder.sign(signer, media_type, io.BytesIO(picture or jpeg()), target)
    return target.getvalue().replace(now, ended) if expired else target.getvalue()


def _signer(now: bytes, ended: bytes) -> c2pa.Signer:
    _, chain, secret = certificates()
    if not ended:
        return c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", chain, secret, None))

    def sign(data: bytes) -> bytes:
        signature = _keys()[1].sign(data.replace(now, ended), ec.ECDSA(hashes.SHA256()))
        return b"".join(half.to_bytes(32, "big") for half in decode_dss_signature(signature))

    pem = x509.load_der_x509_certificate(now).public_bytes(PEM).decode()
    return c2pa.Signer.from_callback(sign, c2pa.C2paSigningAlg.ES256, pem)
