from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from monitord import pki
from monitord.pinning.treehead import LogKeyUnusable, TreeHead, load_log_key, signed_by_log
from tests.support.ctentries import filler
from tests.support.ctlogs import Rfc6962Log

if TYPE_CHECKING:
    from monitord.pki import KeyKind

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def spki(key: ec.EllipticCurvePrivateKey | pki.PrivateKey) -> bytes:
    """The DER of the public key."""
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def head_of(log: Rfc6962Log) -> TreeHead:
    """The tree head that the log signs."""
    return TreeHead(log.size, log.shown_root, log.timestamp)


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_a_signature_of_the_logs_key_holds(kind: KeyKind) -> None:
    """With both kinds of key that a log may have (RFC 6962 section 2.1.4)."""
    log = Rfc6962Log(NOW, filler(1), key=pki.new_key(kind))
    assert signed_by_log(head_of(log), log.head_signature(), log.spki)


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_it_covers_size_root_and_time(kind: KeyKind) -> None:
    """Each bit of them."""
    log = Rfc6962Log(NOW, filler(1), key=pki.new_key(kind))
    head, signature = head_of(log), log.head_signature()
    for other in (
        TreeHead(head.size + 1, head.root, head.timestamp),
        TreeHead(head.size, bytes(32), head.timestamp),
        TreeHead(head.size, head.root, head.timestamp + 1),
    ):
        assert not signed_by_log(other, signature, log.spki)


def test_another_key_another_algorithm_or_another_length_does_not_hold() -> None:
    """Nor does a signature cut short, or nothing at all."""
    log, other = Rfc6962Log(NOW, key=pki.new_key("rsa")), Rfc6962Log(NOW)
    head, signature = head_of(log), log.head_signature()
    assert not signed_by_log(head, signature, other.spki)
    assert not signed_by_log(head, other.head_signature(), log.spki)
    assert not signed_by_log(head, b"\2" + signature[1:], log.spki)
    for cut in (b"", signature[:3], signature[:4], signature[:-1], signature + b"\0"):
        assert not signed_by_log(head, cut, log.spki)
    assert not signed_by_log(head_of(other), b"\4\3\0\2\x30\0", other.spki)


def test_a_key_that_no_log_may_have_is_told() -> None:
    """Another curve, another kind, and what is no key."""
    for key in (ec.generate_private_key(ec.SECP384R1()), pki.new_key("ed25519")):
        with pytest.raises(LogKeyUnusable, match="ECDSA on P-256 or RSA"):
            load_log_key(spki(key))
    for junk in (b"", b"key", ROOT_DER):
        with pytest.raises(LogKeyUnusable, match="not a public key"):
            load_log_key(junk)


ROOT_DER = pki.issue("Root").certificate.der
