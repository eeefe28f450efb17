from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from monitord import pki
from monitord.pinning.keys import public_keys_in
from tests.cli.conftest import HOST
from tests.support.tlsserver import Site, TlsServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Result, World

    Monitord = Callable[..., Result]
    Register = Callable[..., None]

UNKNOWN_PIN = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def _private(key: pki.PrivateKey, password: bytes = b"") -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _request(key: pki.PrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="session")
def key() -> pki.PrivateKey:
    """A key that has no certificate yet."""
    return pki.new_key()


@pytest.fixture
def csr(home: Path, key: pki.PrivateKey) -> Path:
    """A request for the key."""
    path = home / "new.csr"
    path.write_bytes(_request(key))
    return path


@pytest.fixture
def pin(csr: Path) -> str:
    """The pin of the key."""
    (found,) = public_keys_in(csr.read_bytes())
    return str(found.pin)


@pytest.fixture
def port(world: World) -> Iterator[int]:
    """An endpoint that serves the present certificate."""
    with world.serve() as server:
        yield server.port


def _app(client: str, pins: str) -> str:
    return f"  pinsets:\n    - {{name: app, client: {client}, {pins}}}\n"


def test_a_pinned_key_passes(csr: Path, pin: str, port: int, register: Register, monitord: Monitord) -> None:
    """The expected path has the key first, and nothing is claimed of a certificate that does not exist."""
    register(port, pin, UNKNOWN_PIN)
    result = monitord("verify", HOST, "--csr", csr, "--json")
    assert (result.code, result.record["verdict"], result.err) == (0, "ok", "")
    assert result.record["key"] == {"holder": "csr", "subject": f"CN={HOST}", "spki": pin}
    (observation,) = result.record["observations"]
    leaf, intermediate, root = observation["path"]
    assert observation["chain"] == []
    assert leaf == {"role": "leaf", "subject": f"CN={HOST}", "spki": pin, "certificate_sha256": None, "not_after": None}
    assert [one["subject"] for one in (intermediate, root)] == ["CN=Intermediate", "CN=Root"]


@pytest.mark.parametrize("form", ["private", "public", "der"])
def test_a_key_is_taken_in_any_form(
    home: Path, key: pki.PrivateKey, pin: str, port: int, register: Register, monitord: Monitord, *, form: str
) -> None:
    """Private, public, PEM or DER."""
    data = {
        "private": _private(key),
        "public": key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        "der": key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    }
    (home / "key").write_bytes(data[form])
    register(port, pin)
    assert monitord("verify", HOST, "--key", home / "key").code == 0


def test_an_unknown_key_is_held_back(
    csr: Path, world: World, port: int, register: Register, monitord: Monitord
) -> None:
    """The present key is pinned and the new one is not."""
    register(port, world.leaf.certificate.pin)
    result = monitord("verify", HOST, "--csr", csr)
    assert result.code == 2
    assert result.out.startswith(f"MONITORD CRITICAL - 1 of 1 pin sets fail: {HOST}:443 default pin_mismatch\n")
    assert "expected path, by what is served at 127.0.0.1:\n" in result.out
    assert "the new certificate" in result.out
    assert f"{world.leaf.certificate.pin}  a spare: a known certificate has it" in result.out
    assert "What to do: Do not have a certificate issued for this key" in result.out


@pytest.mark.parametrize(("client", "code"), [("okhttp", 0), ("curl", 2)])
def test_a_pinned_issuer_is_enough_where_the_client_looks_there(
    csr: Path, world: World, port: int, register: Register, monitord: Monitord, *, client: str, code: int
) -> None:
    """And the sentence says that it hangs on the issuer."""
    register(port, more=_app(client, f"pins: [{world.intermediate.certificate.pin}]"))
    result = monitord("verify", HOST, "--csr", csr, "--json")
    assert result.code == code
    assert ("only if the same authorities issue" in result.record["reason"]) is (code == 0)


def test_whole_certificate_clients_break_with_any_new_one(
    home: Path, world: World, port: int, register: Register, monitord: Monitord
) -> None:
    """Though the key is the present one."""
    register(port, more=_app("certificate", f"pins: [{world.leaf.certificate.certificate_pin}]"))
    (home / "key").write_bytes(world.leaf.key_pem)
    for more in ([], ["--offline"]):
        result = monitord("verify", HOST, "--key", home / "key", *more, "--json")
        assert (result.code, result.record["verdict"]) == (2, "pin_mismatch")
        assert "any new one breaks it" in result.record["reason"]


def test_an_expired_certificate_may_be_renewed(
    home: Path, world: World, register: Register, monitord: Monitord
) -> None:
    """The dates of the present one do not count, those of its issuers do."""
    (home / "key").write_bytes(world.expired.key_pem)
    with world.serve(world.expired) as server:
        register(server.port, world.expired.certificate.pin)
        assert monitord("check").code == 2
        assert monitord("verify", HOST, "--key", home / "key").code == 0
        assert monitord("verify", HOST, "--key", home / "key", "--at", "2046-01-01").code == 2


def test_a_key_that_clients_refuse_is_untrusted(home: Path, port: int, register: Register, monitord: Monitord) -> None:
    """Pinned or not."""
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - that is the point
    (home / "key").write_bytes(_private(weak))
    (found,) = public_keys_in(_private(weak))
    register(port, found.pin)
    result = monitord("verify", HOST, "--key", home / "key", "--json")
    assert (result.code, result.record["verdict"]) == (2, "untrusted")
    assert "the key is rsa, and ecdsa is served now" in result.err


def test_the_chain_with_the_same_kind_of_key_is_expected(
    home: Path, world: World, register: Register, monitord: Monitord
) -> None:
    """Of a server with two certificates, whose issuers may differ."""
    other = pki.issue("RSA authority", issuer=world.root)
    leaf = pki.issue(HOST, issuer=other, names=[HOST], key=pki.new_key("rsa"))
    new = _private(pki.new_key("rsa"))
    (home / "key").write_bytes(new)
    both = Site(leaf, (other.certificate,))
    with TlsServer(world.leaf, world.intermediate.certificate, addresses=("127.0.0.1",), other=both) as server:
        register(server.port, other.certificate.pin)
        result = monitord("verify", HOST, "--key", home / "key", "--json")
    assert (result.code, result.record["verdict"], result.err) == (0, "ok", "")
    (observation,) = result.record["observations"]
    assert [one["subject"] for one in observation["path"]][1:] == ["CN=RSA authority", "CN=Root"]


def test_nothing_follows_from_a_self_signed_certificate(
    csr: Path, pin: str, register: Register, monitord: Monitord
) -> None:
    """There is no issuer to expect."""
    with TlsServer(pki.issue(HOST, names=[HOST]), addresses=("127.0.0.1",)) as server:
        register(server.port, pin)
        result = monitord("verify", HOST, "--csr", csr)
    assert result.code == 3
    assert "serves a self-signed certificate" in result.err


def test_an_endpoint_that_is_silent_leaves_it_open(csr: Path, pin: str, register: Register, monitord: Monitord) -> None:
    """Unknown is not ok, though the key is pinned."""
    register(1, pin)
    result = monitord("verify", HOST, "--csr", csr, "--json")
    assert (result.code, result.record["verdict"]) == (3, "undetermined")
    assert result.record["observations"][0]["failure"]["reason"] == "refused"


@pytest.mark.parametrize(
    ("client", "pins", "code", "verdict"),
    [
        ("generic", "pins: [{key}]", 0, "ok"),
        ("okhttp", "pins: [{other}]", 3, "undetermined"),
        ("android", "pins: [{key}, {other}]", 0, "ok"),
        ("curl", "pins: [{other}]", 2, "pin_mismatch"),
        ("curl", "pins: [{key}]", 0, "ok"),
        ("apple", "leaf_pins: [{key}]", 0, "ok"),
        ("apple", "leaf_pins: [{other}], ca_pins: [{key}]", 2, "pin_mismatch"),
        ("apple", "leaf_pins: [{key}], ca_pins: [{other}]", 3, "undetermined"),
        ("apple", "ca_pins: [{other}]", 3, "undetermined"),
    ],
)
def test_offline_only_what_holds_for_any_issuer_is_said(
    csr: Path, pin: str, register: Register, monitord: Monitord, *, client: str, pins: str, code: int, verdict: str
) -> None:
    """Nothing is probed; where the issuer could decide, it is left open."""
    register(1, more=_app(client, pins.format(key=pin, other=UNKNOWN_PIN)))
    result = monitord("verify", HOST, "--csr", csr, "--offline", "--json")
    assert (result.code, result.record["verdict"]) == (code, verdict), result
    (observation,) = result.record["observations"]
    assert (observation["verdict"], observation["chain"], observation["failure"]) == (verdict, [], None)
    assert [(one["role"], one["spki"]) for one in observation["path"]] == [("leaf", pin)]
    assert "uthority <" not in result.out


def test_without_pins_and_issuer_there_is_nothing_to_judge(csr: Path, world: World, monitord: Monitord) -> None:
    """Unknown is not ok; with the issuer, trust alone decides."""
    result = monitord("verify", HOST, "--csr", csr, "--offline", "--json")
    assert (result.code, result.record["verdict"]) == (3, "undetermined")
    assert result.record["reason"].startswith("there are no pins that could fail")
    with world.serve(world.local) as server:
        probed = monitord("verify", f"localhost:{server.port}", "--csr", csr, "--json")
    assert (probed.code, probed.record["verdict"]) == (0, "not_pinned")


def test_a_key_is_verified_for_every_client(
    csr: Path, world: World, port: int, register: Register, monitord: Monitord
) -> None:
    """As a chain is."""
    register(port, world.root.certificate.pin)
    result = monitord("verify", HOST, "--csr", csr, "--all-clients", "--json")
    assert result.code == 0
    assert {one["client"] for one in result.records if one["verdict"] != "ok"} == {"curl", "certificate"}
    assert all(one["key"]["holder"] == "csr" for one in result.records)


def test_an_encrypted_key_needs_its_password(
    home: Path, key: pki.PrivateKey, pin: str, port: int, register: Register, monitord: Monitord
) -> None:
    """From a file, as hooks have no terminal."""
    (home / "key").write_bytes(_private(key, b"secret"))
    (home / "password").write_text("secret\n")
    register(port, pin)
    refused = monitord("verify", HOST, "--key", home / "key")
    assert refused.code == 3
    assert "give its password with --password-file" in refused.err
    assert monitord("verify", HOST, "--key", home / "key", "--password-file", home / "password").code == 0


@pytest.mark.parametrize(
    ("option", "content", "complaint"),
    [
        ("--csr", "key", "--csr takes a file with one certificate request, and this one holds a bare key (for that"),
        ("--key", "csr", "--key takes a file with one key, and this one holds a certificate request (for that"),
        ("--key", "certificate", "--key takes a file with one key, and this one holds a certificate (for that"),
        ("--key", "two", "--key takes a file with one key, and this one holds several of them"),
        ("--csr", "junk", "it is no certificate, request, key or PKCS#12 file, neither PEM nor DER"),
    ],
)
def test_a_file_of_another_kind_is_one_sentence(
    home: Path, world: World, key: pki.PrivateKey, monitord: Monitord, *, option: str, content: str, complaint: str
) -> None:
    """With the option to use."""
    data = {
        "key": _private(key),
        "csr": _request(key),
        "certificate": world.leaf.pem,
        "two": _private(key) + world.leaf.key_pem,
        "junk": b"junk",
    }
    path = home / "file"
    path.write_bytes(data[content])
    result = monitord("verify", HOST, option, path)
    assert result.code == 3
    assert result.err.startswith(f"monitord: {path}: {complaint}")
    assert result.err.count("\n") == 1
