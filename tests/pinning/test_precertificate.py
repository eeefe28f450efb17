from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from monitord import pki
from monitord.pinning import der
from monitord.pinning.precertificate import is_precertificate, signs_precertificates, tbs_without_poison
from tests.support.ctentries import issuance

if TYPE_CHECKING:
    from monitord.pki import Issued

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOT = pki.issue("Test Root")
POISON = (x509.PrecertPoison(), True)


@pytest.mark.parametrize("names", [("a.example.test",), tuple(f"n{number}.example.test" for number in range(200))])
def test_precertificate_and_certificate_have_one_tbs(names: tuple[str, ...]) -> None:
    """Without the poison the one, without the timestamps the other: what a log's tree holds (RFC 6962 section 3.2)."""
    one = issuance(ROOT, *names, now=NOW)
    assert tbs_without_poison(one.precertificate) == one.tbs
    assert is_precertificate(one.precertificate)
    assert not is_precertificate(one.certificate)


def test_a_certificate_without_poison_keeps_its_tbs() -> None:
    """Nothing is taken away where nothing is to be."""
    assert tbs_without_poison(ROOT.certificate) == ROOT.certificate.tbs


def test_extensions_that_were_only_the_poison_leave_none() -> None:
    """An empty list of extensions is not DER that anybody would sign."""
    everything = (
        x509.BasicConstraints,
        x509.SubjectKeyIdentifier,
        x509.AuthorityKeyIdentifier,
        x509.KeyUsage,
    )
    alone = pki.issue("poison alone", issuer=ROOT, extra=[POISON], without=everything)
    bare = pki.issue("poison alone", issuer=ROOT, without=everything)
    fields = list(der.read_element(tbs_without_poison(alone.certificate)).children())
    assert [field.tag for field in fields] == [field.tag for field in der.read_element(bare.certificate.tbs).children()]


def test_a_ca_for_precertificates_alone_is_known_by_its_purpose() -> None:
    """RFC 6962 section 3.1: the extended key usage 1.3.6.1.4.1.11129.2.4.4."""

    def ca(*usages: x509.ObjectIdentifier) -> Issued:
        extra = [(x509.ExtendedKeyUsage(usages), False)] if usages else []
        return pki.issue("CA", issuer=ROOT, ca=True, extra=extra)

    assert signs_precertificates(ca(x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.4")).certificate)
    assert not signs_precertificates(ca(ExtendedKeyUsageOID.SERVER_AUTH).certificate)
    assert not signs_precertificates(ca().certificate)
