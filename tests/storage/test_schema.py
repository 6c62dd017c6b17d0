"""The column types, away from any database: what they write and what they make of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from storage.columns import FreeText, Json, Unsigned64, Utc

DIALECTS = [make_url(f"{name}://").get_dialect()() for name in ("sqlite", "postgresql+psycopg")]
SQLITE = DIALECTS[0]

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@given(st.datetimes(timezones=st.timezones()))
def test_an_instant_stays_the_same_instant(moment: datetime) -> None:
    for dialect in DIALECTS:
        try:
            stored = Utc().process_bind_param(moment, dialect)
        except OverflowError:  # the first and last day there are have no other zone
            assert moment.year in (1, 9999)
            return
        back = Utc().process_result_value(stored, dialect)
        assert back == moment.astimezone(UTC)
        assert back is not None
        assert back.tzinfo is UTC


def test_sqlite_gets_utc_without_a_zone() -> None:
    moment = datetime(2026, 1, 1, 5, 45, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    assert Utc().process_bind_param(moment, SQLITE) == datetime(2026, 1, 1)


def test_a_time_without_a_zone_is_no_instant() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        Utc().process_bind_param(datetime(2026, 1, 1), SQLITE)


@given(st.integers(0, 2**64 - 1))
def test_unsigned_number_fits_signed_columns_and_comes_back(number: int) -> None:
    stored = Unsigned64().process_bind_param(number, SQLITE)
    assert stored is not None
    assert -(2**63) <= stored < 2**63
    assert Unsigned64().process_result_value(stored, SQLITE) == number


@pytest.mark.parametrize("number", [-1, 2**64])
def test_number_that_is_no_unsigned_64_bit_number_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="64-bit"):
        Unsigned64().process_bind_param(number, SQLITE)


@given(st.text(st.characters(codec=None)))
def test_any_text_can_be_written_and_ordinary_text_is_unchanged(written: str) -> None:
    stored = FreeText().process_bind_param(written, SQLITE)
    assert stored is not None
    assert "\0" not in stored
    stored.encode("utf-8")
    if "\0" not in written and not any("\ud800" <= c <= "\udfff" for c in written):
        assert stored == written


@settings(max_examples=50)
@given(documents)
def test_document_comes_back_whole(document: object) -> None:
    stored = Json().process_bind_param(document, SQLITE)
    assert stored is None or stored.isascii()
    assert Json().process_result_value(stored, SQLITE) == document


def test_nothing_stays_nothing() -> None:
    for kind in (Utc(), Json(), FreeText(), Unsigned64()):
        assert kind.process_bind_param(None, SQLITE) is None
    for kind in (Utc(), Json(), Unsigned64()):
        assert kind.process_result_value(None, SQLITE) is None
