"""A signed verdict: checked by anybody, and any change to it found."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import Unacceptable
from records.canonical import canonical, digest, plain
from records.checking import Result, check, is_of, read_record
from records.keys import Keys, Signer
from records.sealing import Basis, seal

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)
BASIS = Basis("ab" * 32, "cd" * 32, "ef" * 32, "It is at hand.", None, 1234, "0.1.0")
DOCUMENT: dict[str, Any] = {
    "id": "0" * 32,
    "task": "authenticity",
    "prediction": "ai",
    "confidence": 0.1 + 0.2,
    "probabilities": {"ai": 0.1 + 0.2, "real": 1e-7},
    "reasons": ["A reason with Kannada \u0c85 and \u201cquotes\u201d."],
    "evidence": [{"kind": "c2pa", "claim": "x", "status": "valid", "detail": {"n": 2**60}}],
    "model": {"version": None, "embedder": "e:1", "corrections": 3},
    "image": {"sha256": "12" * 32, "width": 3},
    "created_at": NOW.isoformat(),
}


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Keys(tmp_path_factory.mktemp("data") / "keys").signer()


@pytest.fixture(scope="module")
def signed(signer: Signer) -> dict[str, Any]:
    return seal(DOCUMENT, BASIS, signer, NOW)


def through_a_file(document: dict[str, Any]) -> dict[str, Any]:
    return read_record(json.dumps(document, ensure_ascii=False, indent=3).encode())


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every leaf of a document."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list) and value:
        for i, item in enumerate(value):
            yield from places(item, (*path, i))
    else:
        yield path


def changed(document: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    other = copy.deepcopy(document)
    place: Any = other
    for step in path[:-1]:
        place = place[step]
    before = place[path[-1]]
    place[path[-1]] = before + "0" if isinstance(before, str) else "changed"
    return other


def test_untouched_record_is_valid_after_a_file(signed: dict[str, Any], signer: Signer) -> None:
    found = check(through_a_file(signed), [signer.public])
    assert (found.result, found.key) == (Result.VALID, signer.public)


def test_order_and_spaces_change_nothing(signed: dict[str, Any], signer: Signer) -> None:
    turned = dict(reversed(signed.items()))
    assert check(through_a_file(turned), [signer.public]).result is Result.VALID


def test_every_single_change_is_found(signed: dict[str, Any], signer: Signer) -> None:
    every = list(places(signed))
    assert len(every) > 25
    for path in every:
        assert check(changed(signed, path), [signer.public]).result is Result.ALTERED, path


@pytest.mark.parametrize("place", [(), ("record",), ("signature",), ("model",)])
def test_what_is_added_or_taken_away_is_found(
    signed: dict[str, Any], signer: Signer, place: tuple[str, ...]
) -> None:
    more, less = copy.deepcopy(signed), copy.deepcopy(signed)
    for document in (more, less):
        target = document
        for step in place:
            target = target[step]
        if document is more:
            target["note"] = "looks fine"
        else:
            target.pop(next(name for name in target if name not in ("record", "signature")))
    assert check(more, [signer.public]).result is Result.ALTERED
    assert check(less, [signer.public]).result is Result.ALTERED


def test_forgery_signed_with_a_key_of_ones_own_is_another_key(
    signer: Signer, tmp_path: Path
) -> None:
    forger = Keys(tmp_path / "keys").signer()
    forged = seal({**DOCUMENT, "prediction": "real"}, BASIS, forger, NOW)
    forged["prediction"] = "real"
    assert check(forged, [forger.public]).result is Result.VALID
    assert check(forged, [signer.public]).result is Result.ANOTHER_KEY
    assert check(forged, []).result is Result.ANOTHER_KEY


def test_signature_of_one_verdict_does_not_fit_another(
    signed: dict[str, Any], signer: Signer
) -> None:
    other = {**DOCUMENT, "id": "1" * 32}
    made = {**seal(other, BASIS, signer, NOW), "signature": signed["signature"]}
    assert check(made, [signer.public]).result is Result.ALTERED


def test_old_key_still_checks_what_it_signed(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    old = seal(DOCUMENT, BASIS, keys.signer(), NOW)
    keys.renew()
    assert check(old, keys.public()).result is Result.VALID


def test_record_holds_what_the_verdict_rests_on(signed: dict[str, Any]) -> None:
    record = signed["record"]
    assert record["picture"] == {"sha256": "12" * 32, "bytes": 1234}
    assert record["model"] == {"version": None, "sha256": "ab" * 32, "data": "cd" * 32}
    assert record["corrections"] == {"up_to": 3, "sha256": "ef" * 32}
    assert record["evidence"] == {"pieces": 1, "sha256": digest(signed["evidence"])}
    assert (record["answered_at"], record["signed_at"]) == (NOW.isoformat(), NOW.isoformat())


def test_picture_is_told_from_another(signer: Signer) -> None:
    sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"  # of b"test"
    document = {**DOCUMENT, "image": {"sha256": sha256}}
    record = seal(document, BASIS, signer, NOW)
    assert is_of(record, b"test")
    assert not is_of(record, b"test ")
    assert not is_of({"record": 3}, b"test")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"3",
        b"{}",
        b'{"record": {}}',
        b'{"record": {}, "signature": {}, "x": NaN}',
        b'{"record": {}, "signature": {}, "record": {}}',
        b'{"record": {}, "signature": {"alg": 1, "alg": 2}}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_record_is_one_clear_error(data: bytes) -> None:
    with pytest.raises(Unacceptable, match="file"):
        read_record(data)


@pytest.mark.parametrize(
    "signature",
    [
        None,
        [],
        "x",
        {},
        {"alg": "none", "key_id": "", "public_key": "", "value": ""},
        {"alg": "Ed25519", "key_id": None, "public_key": 3, "value": []},
        {"alg": "Ed25519", "key_id": "x", "public_key": "\u0661" * 44, "value": "A" * 88},
    ],
)
def test_odd_signatures_are_altered_records(signature: object, signer: Signer) -> None:
    document = {"record": {}, "signature": signature}
    assert check(document, [signer.public]).result is Result.ALTERED


@pytest.mark.parametrize("value", [math.inf, "\ud800", {"\ud800": 1}])
def test_values_no_record_can_hold_are_altered_records(
    value: object, signed: dict[str, Any], signer: Signer
) -> None:
    document = {**signed, "confidence": value}
    assert check(document, [signer.public]).result is Result.ALTERED


# examples of RFC 8785, section 3.2
def test_canonical_form_is_that_of_the_standard() -> None:
    literals = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert canonical(literals).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_anything_can_be_signed_and_reads_back_the_same_from_a_file(value: Any) -> None:
    document = {"record": plain(value), "signature": None}
    said = canonical(document)
    assert canonical(read_record(json.dumps(document).encode())) == said
    assert canonical(read_record(said)) == said  # as programs write it that know doubles alone
