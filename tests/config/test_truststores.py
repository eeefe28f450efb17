"""Trust stores out of real files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitord.config.truststores import TrustStoreError, TrustStoreReader
from monitord.pki import issue, pem_of

if TYPE_CHECKING:
    from pathlib import Path

BROKEN_PEM = b"-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n"
ONE, TWO = issue("one"), issue("two")


def test_a_pem_file_with_text_between(tmp_path: Path) -> None:
    """Comments and keys between the certificates are passed over; a certificate given twice is one anchor."""
    path = tmp_path / "store.pem"
    path.write_bytes(b"# One\n" + ONE.pem + ONE.key_pem + b"# Two\n" + TWO.pem + ONE.pem)
    store, notes = TrustStoreReader({}).read("own", path)
    assert (store.name, store.anchors, notes) == ("own", (ONE.certificate, TWO.certificate), ())


def test_a_der_file(tmp_path: Path) -> None:
    """One certificate as DER."""
    path = tmp_path / "store.der"
    path.write_bytes(ONE.certificate.der)
    assert TrustStoreReader({}).read("own", path)[0].anchors == (ONE.certificate,)


def test_a_directory_of_files(tmp_path: Path) -> None:
    """PEM and DER, in the order of their names; hidden files and directories are passed over."""
    (tmp_path / "b.pem").write_bytes(ONE.pem)
    (tmp_path / "a.der").write_bytes(TWO.certificate.der)
    (tmp_path / ".hidden").write_bytes(b"nonsense")
    (tmp_path / "inner").mkdir()
    store, notes = TrustStoreReader({}).read("own", tmp_path)
    assert store.anchors == (TWO.certificate, ONE.certificate)
    assert notes == ()


def test_what_is_unreadable_costs_only_itself(tmp_path: Path) -> None:
    """The certificates before and after a broken one count; each broken one is noted by number."""
    path = tmp_path / "store.pem"
    cut = pem_of(ONE.certificate).replace(b"\n-----END", b"AA\n-----END")
    path.write_bytes(ONE.pem + BROKEN_PEM + cut + TWO.pem)
    store, notes = TrustStoreReader({}).read("own", path)
    assert store.anchors == (ONE.certificate, TWO.certificate)
    assert [note.partition(" is left out")[0] for note in notes] == [f"{path}: block 2", f"{path}: block 3"]


@pytest.mark.parametrize("content", [b"", b"no certificate", BROKEN_PEM, ONE.key_pem])
def test_nothing_readable_is_an_error(tmp_path: Path, content: bytes) -> None:
    """A store without anchors would make every endpoint untrusted."""
    path = tmp_path / "store.pem"
    path.write_bytes(content)
    with pytest.raises(TrustStoreError, match=f"no readable certificate in {path}"):
        TrustStoreReader({}).read("own", path)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The error names it."""
    with pytest.raises(TrustStoreError, match=r"nowhere\.pem cannot be read: No such file"):
        TrustStoreReader({}).read("own", tmp_path / "nowhere.pem")
    with pytest.raises(TrustStoreError, match="no readable certificate"):
        TrustStoreReader({}).read("own", tmp_path)


def test_the_system_store_follows_the_environment(tmp_path: Path) -> None:
    """SSL_CERT_FILE names another bundle, as OpenSSL has it."""
    path = tmp_path / "bundle.pem"
    path.write_bytes(ONE.pem)
    store, _ = TrustStoreReader({"SSL_CERT_FILE": str(path)}).read("system", None)
    assert store.anchors == (ONE.certificate,)
    with pytest.raises(TrustStoreError, match=r"nowhere\.pem cannot be read"):
        TrustStoreReader({"SSL_CERT_FILE": str(tmp_path / "nowhere.pem")}).read("system", None)


def test_mozilla_has_the_well_known_roots() -> None:
    """Every one of them can be read."""
    store, notes = TrustStoreReader({}).read("mozilla", None)
    assert notes == ()
    assert any("ISRG Root X1" in anchor.display_subject for anchor in store.anchors)


def test_equal_files_are_parsed_once(tmp_path: Path) -> None:
    """Two names for the same content have the very same anchors."""
    for name in ("a.pem", "b.pem"):
        (tmp_path / name).write_bytes(ONE.pem + TWO.pem)
    reader = TrustStoreReader({})
    first, _ = reader.read("a", tmp_path / "a.pem")
    second, _ = reader.read("b", tmp_path / "b.pem")
    assert first.sha256 == second.sha256
    assert all(one is other for one, other in zip(first.anchors, second.anchors, strict=True))
