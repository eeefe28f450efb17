"""Certificates from DER, however odd."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord import pki
from monitord.pinning.certificate import CertificateUnreadable, KeyType, certificates_in, parse_certificate
from monitord.pinning.extensions import read_profile
from monitord.pinning.signature import signed_by
from tests.pinning.odd import compressed_point_certificate, negative_serial, pss_key_certificate

REAL = list(certificates_in(Path(certifi.where()).read_bytes()))


@pytest.mark.filterwarnings("ignore:Parsed a serial number:UserWarning")
def test_facts_agree_with_cryptography_on_every_root_of_mozilla() -> None:
    """Key, validity and self-signature of real roots are read as another implementation reads them."""
    assert len(REAL) > 100
    for data in REAL:
        ours, theirs = parse_certificate(data), x509.load_der_x509_certificate(data)
        assert ours.spki == theirs.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        assert (ours.not_before, ours.not_after) == (theirs.not_valid_before_utc, theirs.not_valid_after_utc)
        assert ours.tbs == theirs.tbs_certificate_bytes
        assert ours.signature == theirs.signature
        assert ours.problems == ()
        assert read_profile(ours).faults == ()
        assert ours.self_issued


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
def test_signatures_of_each_key_type_are_checked(kind: pki.KeyKind) -> None:
    """A signature is recognised with the right key and not with another."""
    root, other = pki.issue("Root", key=pki.new_key(kind)), pki.issue("Root", key=pki.new_key(kind))
    leaf = pki.issue("leaf", issuer=root, names=["a.example"])
    assert signed_by(leaf.certificate, root.certificate)
    assert not signed_by(leaf.certificate, other.certificate)
    assert root.certificate.key_type is KeyType(kind)


@pytest.mark.parametrize("make", [pss_key_certificate, compressed_point_certificate])
def test_trap_16_the_spki_is_hashed_from_its_raw_bytes(make: object) -> None:
    """Re-encoding the key gives other bytes; the pin is that of the bytes in the certificate."""
    certificate_der, spki = make()  # type: ignore[operator]
    certificate = parse_certificate(certificate_der)
    assert certificate.spki == spki
    assert certificate.spki_sha256 == hashlib.sha256(spki).digest()
    loaded = serialization.load_der_public_key(spki)
    again = loaded.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert again != spki


def test_a_certificate_with_a_negative_serial_is_read() -> None:
    """What other libraries refuse still has a pin."""
    leaf = pki.issue("leaf", names=["a.example"])
    odd = parse_certificate(negative_serial(leaf.certificate))
    assert odd.pin == leaf.certificate.pin
    assert odd.serial[0] & 0x80


def test_old_two_digit_years_are_read_as_the_standard_says() -> None:
    """Years from 50 are of the last century (RFC 5280 section 4.1.2.5.1)."""
    old = pki.issue("old", not_before=datetime(1950, 1, 1, tzinfo=UTC), not_after=datetime(2049, 12, 31, tzinfo=UTC))
    assert (old.certificate.not_before.year, old.certificate.not_after.year) == (1950, 2049)


def test_control_characters_in_names_are_escaped_for_people() -> None:
    """A subject is written by a stranger; what is shown stays on one line and in one piece."""
    subject = 'a\r\nTo: x, "b"+c=\x1b[31m\u202e'
    shown = pki.issue(subject).certificate.display_subject
    assert shown.isprintable()
    assert shown.startswith('CN=a\\0D\\0ATo: x\\, \\"b\\"\\+c=\\1B[31m')


def test_names_are_compared_without_case_and_blanks() -> None:
    """RFC 5280 section 7.1: these are one name."""
    one, other = pki.issue("My  Root"), pki.issue("my root")
    assert one.certificate.subject != other.certificate.subject
    assert one.certificate.subject_key == other.certificate.subject_key


def test_certificates_are_found_in_pem_with_text_around_and_in_der() -> None:
    """Text between blocks and blocks of other kinds are passed over; DER is taken as it is."""
    issued = pki.issue("one", names=["a.example"])
    data = b"subject=/CN=one\n" + issued.pem + b"\n# key\n" + issued.key_pem + issued.pem.replace(b"\n", b"\r\n")
    assert list(certificates_in(data)) == [issued.certificate.der] * 2
    assert list(certificates_in(issued.certificate.der)) == [issued.certificate.der]
    assert list(certificates_in(b"")) == []
    assert list(certificates_in(issued.key_pem)) == []


def test_a_trusted_certificate_block_gives_the_certificate_alone() -> None:
    """What OpenSSL appends to a certificate in such a block does not belong to it."""
    issued = pki.issue("one", names=["a.example"])
    body = base64.b64encode(issued.certificate.der + bytes.fromhex("300c300a06082b06010505070301"))
    block = b"-----BEGIN TRUSTED CERTIFICATE-----\n" + body + b"\n-----END TRUSTED CERTIFICATE-----\n"
    assert list(certificates_in(block)) == [issued.certificate.der]


def test_a_broken_pem_block_is_named_by_its_number() -> None:
    """The sentence says which block to look at."""
    issued = pki.issue("one", names=["a.example"])
    broken = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"
    with pytest.raises(CertificateUnreadable, match="PEM block 2 is not valid base64"):
        list(certificates_in(issued.pem + broken))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_bytes_are_a_certificate_or_the_one_declared_error(data: st.DataObject) -> None:
    """Mutations of a real certificate never raise anything else, also not when its extensions are read."""
    original = bytearray(data.draw(st.sampled_from(REAL[:10])))
    for _ in range(data.draw(st.integers(0, 4))):
        position = data.draw(st.integers(0, len(original) - 1))
        original[position] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(original))))
    try:
        certificate = parse_certificate(bytes(original[:cut]))
    except CertificateUnreadable:
        return
    read_profile(certificate)
    signed_by(certificate, certificate)
    assert certificate.display_subject.isprintable()
    assert base64.b64decode(str(certificate.pin).removeprefix("sha256/")) == hashlib.sha256(certificate.spki).digest()
