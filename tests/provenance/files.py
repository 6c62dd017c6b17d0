"""Small files that say things about themselves, made on the spot."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image, PngImagePlugin

from tests.pictures import encode, photo

A1111 = (
    "a cat, oil on canvas\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"
)
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
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


def source_type(word: str) -> bytes:
    """An XMP packet that names a digital source type."""
    return xmp(f'Iptc4xmpExt:DigitalSourceType="{IPTC}{word}"/>')


# --- signed ---


@cache
def certificates() -> tuple[bytes, bytes, bytes]:
    """A root, a signer's certificate that it vouches for, and the signer's key, all PEM."""
    now = datetime.now(UTC)
    start, end = now - timedelta(days=400), now + timedelta(days=300)
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, name = _name("Root of the tests"), _name("Camera of the tests")
    root_id = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root = (
        _certificate(root_name, root_name, root_key.public_key(), start, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(root_id, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    ours = (
        _certificate(root_name, name, key.public_key(), start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_id), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return root.public_bytes(pem), ours.public_bytes(pem), secret


def _name(said: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, said),
            x509.NameAttribute(NameOID.COMMON_NAME, said),
        ]
    )


def _certificate(
    issuer: x509.Name,
    name: x509.Name,
    key: ec.EllipticCurvePublicKey,
    start: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(name)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
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
) -> bytes:
    """A picture signed by the tests' camera: of a source type, or made of a `parent`."""
    _, chain, key = certificates()
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
    info = c2pa.C2paSignerInfo(b"es256", chain, key, None)
    target = io.BytesIO()
    with c2pa.Builder(manifest, context) as builder, c2pa.Signer.from_info(info) as signer:
        if parent:
            said = {
                "title": "before",
                "format": media_type,
                "relationship": "parentOf",
                "label": "parent",
            }
            builder.add_ingredient(json.dumps(said), media_type, io.BytesIO(parent))
        builder.sign(signer, media_type, io.BytesIO(picture or jpeg()), target)
    return target.getvalue()
