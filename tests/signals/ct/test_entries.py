from __future__ import annotations

import contextlib
import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord import pki
from monitord.signals.ct.entries import EntryUnreadable, read_entry, read_tile
from tests.support.ctentries import Entry, certificate_entry, filler, issuance, sized, unknown_entry

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOT = pki.issue("Test Root")
ISSUER = pki.issue("Test Issuer", issuer=ROOT)
ISSUED = issuance(ISSUER, "a.example.test", now=NOW, above=(ROOT.certificate,))
CHAIN = (ISSUER.certificate.der, ROOT.certificate.der)
FINGERPRINTS = tuple(hashlib.sha256(der).digest() for der in CHAIN)


def test_a_certificate_comes_with_its_issuers() -> None:
    """By get-entries as DER, in a tile as fingerprints; the tree covers the same."""
    logged = ISSUED.logged_later
    entry = read_entry(logged.leaf, logged.extra_data)
    assert (entry.certificate, entry.issuers, entry.precertificate) == (ISSUED.certificate.der, CHAIN, None)
    assert (entry.signed, entry.fault, entry.by_fingerprint) == (ISSUED.certificate.der, None, False)
    (tiled,) = read_tile(logged.tile_leaf, 1)
    assert (tiled.leaf, tiled.certificate, tiled.issuers) == (entry.leaf, entry.certificate, FINGERPRINTS)
    assert tiled.by_fingerprint


def test_a_precertificate_comes_beside_what_the_tree_holds_of_it() -> None:
    """The tree holds it without poison, and the hash of its issuer's key."""
    logged = ISSUED.logged_first
    entry = read_entry(logged.leaf, logged.extra_data)
    assert entry.precertificate is not None
    assert (entry.certificate, entry.issuers) == (ISSUED.precertificate.der, CHAIN)
    assert (entry.signed, entry.precertificate.tbs) == (ISSUED.tbs, ISSUED.tbs)
    assert entry.precertificate.issuer_key_hash == ISSUER.certificate.spki_sha256
    (tiled,) = read_tile(logged.tile_leaf, 1)
    assert (tiled.leaf, tiled.precertificate) == (entry.leaf, entry.precertificate)
    assert (tiled.certificate, tiled.issuers) == (ISSUED.precertificate.der, FINGERPRINTS)


def test_a_tile_has_its_entries_in_order() -> None:
    """Whatever their kinds."""
    logged = [filler(1), ISSUED.logged_first, filler(2), ISSUED.logged_later]
    entries = read_tile(b"".join(entry.tile_leaf for entry in logged), 4)
    assert [entry.leaf for entry in entries] == [entry.leaf for entry in logged]
    assert read_tile(b"", 0) == ()


def test_more_issuers_than_a_chain_has_are_left_out() -> None:
    """Ten are plenty, and each might be asked for."""
    logged = certificate_entry(ISSUED.certificate, *([ROOT.certificate] * 50))
    assert len(read_entry(logged.leaf, logged.extra_data).issuers) == 10
    assert len(read_tile(logged.tile_leaf, 1)[0].issuers) == 10


@pytest.mark.parametrize(
    ("leaf", "extra", "fault"),
    [
        (b"", b"", "it ends inside the version"),
        (b"\1\0" + filler(1).timestamped, b"\0\0\0", "its version or type is not one of RFC 6962"),
        (b"\0\1" + filler(1).timestamped, b"\0\0\0", "its version or type is not one of RFC 6962"),
        (unknown_entry().leaf, b"\0\0\0", "its type of entry is 32639, which RFC 6962 does not know"),
        (filler(1).leaf[:-1], b"\0\0\0", "it ends inside the length of the extensions"),
        (filler(1).leaf + b"\0", b"\0\0\0", "1 bytes follow the end of the leaf"),
        (filler(1).leaf, b"", "it ends inside the length of the chain"),
        (filler(1).leaf, b"\0\0\0\0", "1 bytes follow the end of the extra data"),
        (filler(1).leaf, sized(3, b"\0\0\5abcd"), "it ends inside an issuer"),
        (ISSUED.logged_first.leaf, b"\0\0\0", "it ends inside the length of the chain"),
    ],
)
def test_what_does_not_fit_to_the_octet_is_told(leaf: bytes, extra: bytes, fault: str) -> None:
    """And what the tree covers is kept, so that the tree can be gone on with."""
    entry = read_entry(leaf, extra)
    assert (entry.leaf, entry.fault, entry.certificate, entry.issuers) == (leaf, fault, b"", ())


def test_a_tile_that_does_not_fit_to_the_octet_is_none() -> None:
    """Too few entries, too many, or half of a fingerprint."""
    whole = filler(1).tile_leaf
    for data, count in ((whole, 0), (whole, 2), (whole[:-1], 1), (whole[:-2] + sized(2, bytes(31)), 1)):
        with pytest.raises(EntryUnreadable):
            read_tile(data, count)


@given(st.binary(max_size=60), st.binary(max_size=60), st.integers(min_value=0, max_value=4))
def test_any_bytes_are_an_entry_or_a_fault(leaf: bytes, extra: bytes, count: int) -> None:
    """Nothing else comes of them."""
    assert read_entry(leaf, extra).leaf == leaf
    with contextlib.suppress(EntryUnreadable):
        assert len(read_tile(leaf, count)) == count


@given(
    st.lists(
        st.builds(
            Entry,
            st.binary(max_size=40).map(lambda der: bytes(8) + b"\0\0" + sized(3, der) + b"\0\0"),
            st.none(),
            st.lists(st.binary(max_size=9), max_size=4).map(tuple),
        ),
        max_size=6,
    )
)
def test_what_was_written_is_read(logged: list[Entry]) -> None:
    """Both ways of showing an entry agree about it."""
    tiled = read_tile(b"".join(entry.tile_leaf for entry in logged), len(logged))
    single = [read_entry(entry.leaf, entry.extra_data) for entry in logged]
    assert [(one.leaf, one.certificate) for one in tiled] == [(one.leaf, one.certificate) for one in single]
    assert [one.issuers for one in single] == [entry.issuers for entry in logged]
