from __future__ import annotations

import functools
import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import pkcs12
from hypothesis import given
from hypothesis import strategies as st

from monitord import pki
from monitord.pinning import der
from monitord.pinning.keys import KeyHolder, KeysUnreadable, PasswordNeeded, public_keys_in

if TYPE_CHECKING:
    from monitord.pki import Issued

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
CLEAR = serialization.NoEncryption()
LOCKED = serialization.BestAvailableEncryption(b"secret")
FORMATS = serialization.PrivateFormat


@pytest.fixture(scope="module")
def issued() -> Issued:
    """A leaf with an EC key."""
    return pki.issue("leaf", names=["leaf.example.test"], issuer=pki.issue("Root"))


@pytest.fixture(scope="module")
def rsa_issued() -> Issued:
    """A leaf with an RSA key."""
    return pki.issue("rsa leaf", names=["rsa.example.test"], key=pki.new_key("rsa"))


def request_for(issued: Issued, encoding: serialization.Encoding) -> bytes:
    """A certification request for the key."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "wanted")])
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(name)
        .sign(issued.key, hashes.SHA256())
        .public_bytes(encoding)
    )


def private(issued: Issued, encoding: serialization.Encoding, form: FORMATS, lock: object = CLEAR) -> bytes:
    """The private key."""
    return issued.key.private_bytes(encoding, form, lock)  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", [PEM, DER])
def test_every_kind_of_file_gives_the_same_pin(
    issued: Issued, rsa_issued: Issued, encoding: serialization.Encoding
) -> None:
    """Certificate, request, public key and private key, for EC and RSA."""
    for one in (issued, rsa_issued):
        certificate = one.pem if encoding is PEM else one.certificate.der
        files = {
            KeyHolder.CERTIFICATE: [certificate],
            KeyHolder.REQUEST: [request_for(one, encoding)],
            KeyHolder.PUBLIC_KEY: [one.key.public_key().public_bytes(encoding, SPKI)],
            KeyHolder.PRIVATE_KEY: [
                private(one, encoding, FORMATS.PKCS8),
                private(one, encoding, FORMATS.TraditionalOpenSSL),
            ],
        }
        for holder, contents in files.items():
            for data in contents:
                (key,) = public_keys_in(data)
                assert (key.holder, key.pin) == (holder, one.certificate.pin)


def test_a_request_has_its_subject(issued: Issued) -> None:
    """For people to know it by."""
    (key,) = public_keys_in(request_for(issued, PEM))
    assert key.subject == "CN=wanted"


def test_a_bare_rsa_key_is_wrapped(rsa_issued: Issued) -> None:
    """As the certificates wrap it."""
    public = rsa_issued.key.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    (key,) = public_keys_in(public.public_bytes(PEM, serialization.PublicFormat.PKCS1))
    assert key.spki == rsa_issued.certificate.spki


def test_a_chain_and_its_key_are_shown_once_each(issued: Issued) -> None:
    """The private key of a certificate in the same file adds nothing; text between is passed over."""
    other = pki.issue("Other Root")
    keys = public_keys_in(b"subject=x\n" + issued.pem + issued.key_pem + b"\nnote\n" + other.pem)
    assert [key.pin for key in keys] == [issued.certificate.pin, other.certificate.pin]
    assert {key.holder for key in keys} == {KeyHolder.CERTIFICATE}


def test_a_public_key_is_hashed_as_it_is() -> None:
    """A compressed point is another SubjectPublicKeyInfo, so it is another pin."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    usual = public.public_bytes(DER, SPKI)
    point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    compressed = bytes((0x30, 57)) + usual[2:23] + bytes((0x03, 34, 0)) + point
    (key,) = public_keys_in(compressed)
    assert key.spki == compressed


def test_an_rsassa_pss_key_stays_one(rsa_issued: Issued) -> None:
    """Its certificates carry that algorithm, so the pin is over it."""
    pkcs8 = private(rsa_issued, DER, FORMATS.PKCS8)
    usual, pss = bytes.fromhex("300d06092a864886f70d0101010500"), bytes.fromhex("300b06092a864886f70d01010a")
    assert usual in pkcs8
    shorter = pkcs8.replace(usual, pss)
    shorter = shorter[:2] + (len(shorter) - 4).to_bytes(2) + shorter[4:]
    spki = rsa_issued.certificate.spki.replace(usual, pss)
    spki = spki[:2] + (len(spki) - 4).to_bytes(2) + spki[4:]
    (key,) = public_keys_in(shorter)
    assert key.spki == spki


@pytest.mark.parametrize("form", [FORMATS.PKCS8, FORMATS.TraditionalOpenSSL])
def test_an_encrypted_key_says_so(issued: Issued, form: FORMATS) -> None:
    """Needs a password, takes the right one, and says that another is wrong."""
    data = private(issued, PEM, form, LOCKED)
    with pytest.raises(PasswordNeeded, match="the private key is encrypted"):
        public_keys_in(data)
    with pytest.raises(KeysUnreadable, match="the password is wrong"):
        public_keys_in(data, b"guess")
    (key,) = public_keys_in(data, b"secret")
    assert key.pin == issued.certificate.pin


def test_an_encrypted_key_in_der_says_so_too(issued: Issued) -> None:
    """Though nothing but its shape tells."""
    data = private(issued, DER, FORMATS.PKCS8, LOCKED)
    with pytest.raises(PasswordNeeded):
        public_keys_in(data)
    assert [key.pin for key in public_keys_in(data, b"secret")] == [issued.certificate.pin]


@pytest.mark.parametrize("beginning", [b"\x06\x01\x80", b"\x06\x00", b"\x30\x03\x06\x01\x80"])
def test_what_is_encrypted_is_not_taken_for_an_algorithm(issued: Issued, beginning: bytes) -> None:
    """One encrypted key in some hundreds begins with bytes that look like a broken identifier."""
    clear = issued.key.private_bytes(DER, FORMATS.PKCS8, CLEAR)
    found = public_keys_in(_encrypted(clear, b"secret", beginning), b"secret")
    assert [key.pin for key in found] == [issued.certificate.pin]


def _encrypted(clear: bytes, password: bytes, beginning: bytes) -> bytes:
    """An EncryptedPrivateKeyInfo (RFC 5958, with PBES2 of RFC 8018) whose ciphertext begins with these bytes."""
    salt = b"salt" * 4
    key = hashlib.pbkdf2_hmac("sha256", password, salt, 1000, 16)
    padded = clear + bytes([16 - len(clear) % 16]) * (16 - len(clear) % 16)
    wanted = beginning.ljust(16, b"\xff")
    plain = Cipher(algorithms.AES128(key), modes.ECB()).decryptor().update(wanted)  # noqa: S305 - to choose the IV
    vector = bytes(one ^ other for one, other in zip(plain, padded, strict=False))
    ciphertext = Cipher(algorithms.AES128(key), modes.CBC(vector)).encryptor().update(padded)
    assert ciphertext.startswith(beginning)
    sequence = functools.partial(der.encode, der.SEQUENCE)
    hmac_sha256 = sequence(bytes.fromhex("06082a864886f70d02090500"))
    derivation = sequence(
        bytes.fromhex("06092a864886f70d01050c")
        + sequence(der.encode(der.OCTET_STRING, salt) + der.encode(der.INTEGER, b"\x03\xe8") + hmac_sha256)
    )
    aes128_cbc = sequence(bytes.fromhex("0609608648016503040102") + der.encode(der.OCTET_STRING, vector))
    scheme = sequence(bytes.fromhex("06092a864886f70d01050d") + sequence(derivation + aes128_cbc))
    return sequence(scheme + der.encode(der.OCTET_STRING, ciphertext))


def test_a_password_that_is_not_needed_does_no_harm(issued: Issued) -> None:
    """One password file may be for one of several sources."""
    assert [key.pin for key in public_keys_in(issued.key_pem, b"secret")] == [issued.certificate.pin]


def pkcs12_of(issued: Issued, lock: object, *, with_certificate: bool = True) -> bytes:
    """A PKCS#12 file with the key."""
    certificate = x509.load_der_x509_certificate(issued.certificate.der) if with_certificate else None
    return pkcs12.serialize_key_and_certificates(b"name", issued.key, certificate, None, lock)  # type: ignore[arg-type]


def test_pkcs12_is_opened(issued: Issued) -> None:
    """With its password, or without one where it has none."""
    locked = pkcs12_of(issued, LOCKED)
    with pytest.raises(PasswordNeeded, match="the PKCS#12 file is encrypted"):
        public_keys_in(locked)
    with pytest.raises(KeysUnreadable, match="the PKCS#12 file cannot be opened"):
        public_keys_in(locked, b"guess")
    for data, password in ((locked, b"secret"), (pkcs12_of(issued, CLEAR), None)):
        (key,) = public_keys_in(data, password)
        assert (key.holder, key.pin) == (KeyHolder.CERTIFICATE, issued.certificate.pin)
    (key,) = public_keys_in(pkcs12_of(issued, CLEAR, with_certificate=False))
    assert (key.holder, key.pin) == (KeyHolder.PRIVATE_KEY, issued.certificate.pin)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "neither PEM nor DER"),
        (b"hello", "neither PEM nor DER"),
        (b"-----BEGIN CERTIFICATE-----\nno end", "there is no certificate, request or key in it"),
        (b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----", "is not valid base64"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "not a readable certificate"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "the PEM block PUBLIC KEY cannot be read"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "the private key cannot be read"),
        (b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----", "there is no certificate, request or key in it"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "it is an OpenSSH key"),
    ],
)
def test_what_holds_no_key_is_refused(data: bytes, complaint: str) -> None:
    """In one sentence that says what it is."""
    with pytest.raises(KeysUnreadable, match=complaint):
        public_keys_in(data)


LABELS = ("CERTIFICATE", "CERTIFICATE REQUEST", "PUBLIC KEY", "RSA PUBLIC KEY", "PRIVATE KEY", "EC PRIVATE KEY", "X")
_SAMPLE = pki.issue("sample", names=["sample.example.test"])
SAMPLES = [_SAMPLE.certificate.der, private(_SAMPLE, DER, FORMATS.PKCS8), pkcs12_of(_SAMPLE, CLEAR), _SAMPLE.key_pem]


@given(st.sampled_from(SAMPLES), st.data())
def test_any_bytes_parse_or_give_the_declared_error(sample: bytes, data: st.DataObject) -> None:
    """Whatever is done to a file."""
    position = data.draw(st.integers(0, len(sample) - 1))
    changed = sample[:position] + data.draw(st.binary(max_size=4)) + sample[position + data.draw(st.integers(0, 4)) :]
    label = data.draw(st.sampled_from(LABELS)).encode()
    for content in (changed, b"-----BEGIN " + label + b"-----\n" + changed + b"\n-----END " + label + b"-----\n"):
        with suppress(KeysUnreadable):
            assert public_keys_in(content)
