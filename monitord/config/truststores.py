"""Trust stores out of files: Mozilla's as certifi ships it, the platform's, and the user's own."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import certifi

from monitord.config.document import read_capped
from monitord.errors import MonitordError
from monitord.pinning.certificate import Certificate, CertificateUnreadable, certificates_in, parse_certificate
from monitord.pinning.trust import TrustStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitord.pinning.trust import Distrust

MOZILLA, SYSTEM = "mozilla", "system"
BUILT_IN = (MOZILLA, SYSTEM)
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",  # older RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # the BSDs, macOS
    "/usr/local/share/certs/ca-root-nss.crt",  # FreeBSD
)
_BLOCK_START = re.compile(rb"(?=-----BEGIN )")


class TrustStoreError(MonitordError):
    """A trust store has nothing to offer; the sentence names the file."""


class TrustStoreReader:
    """Reads trust stores; a file that several have in common is parsed once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """A reader that honours ``SSL_CERT_FILE`` of this environment for the store ``system``."""
        self._environment = environment
        self._parsed: dict[bytes, tuple[list[Certificate], list[str]]] = {}

    def read(self, name: str, path: Path | None) -> tuple[TrustStore, tuple[str, ...]]:
        """A store, and a sentence for each certificate that was left out because it cannot be read.

        ``path`` is a PEM or DER file or a directory of such, None for the stores of BUILT_IN. Raises
        TrustStoreError if there is not one certificate.
        """
        if path is not None:
            files = _files(path)
        elif name == SYSTEM:
            files = [self._system_bundle()]
        else:
            anchors, notes = self._certificates(certifi.contents().encode("ascii"))
            return TrustStore(name, anchors), tuple(notes)
        anchors, notes = [], []
        for file in files:
            try:
                found, faults = self._certificates(read_capped(file))
            except OSError as error:
                if path == file or path is None:
                    raise TrustStoreError(f"{file} cannot be read: {error.strerror}") from error
                found, faults = [], [f"it cannot be read: {error.strerror}"]
            anchors += found
            notes += [f"{file}: {fault}" for fault in faults]
        if not anchors:
            first = f": {notes[0]}" if notes else ""
            raise TrustStoreError(f"there is no readable certificate in {path or files[0]}{first}")
        return TrustStore(name, anchors), tuple(notes)

    def _system_bundle(self) -> Path:
        named = self._environment.get("SSL_CERT_FILE")
        if named:
            return Path(named)
        for bundle in _SYSTEM_BUNDLES:
            if Path(bundle).is_file():
                return Path(bundle)
        raise TrustStoreError(f"the system has no bundle of roots at {_SYSTEM_BUNDLES[0]} or the other usual places")

    def _certificates(self, data: bytes) -> tuple[list[Certificate], list[str]]:
        digest = hashlib.sha256(data).digest()
        if digest not in self._parsed:
            self._parsed[digest] = _parse(data)
        return self._parsed[digest]


@dataclass(frozen=True, slots=True)
class TrustSources:
    """Where the trust stores in use come from: ``paths`` has a file or directory, None for those of BUILT_IN.

    ``distrusts`` are the rules that the clients with a store follow, by the name of the store.
    """

    paths: Mapping[str, Path | None] = field(default_factory=dict)
    distrusts: Mapping[str, Mapping[bytes, Distrust]] = field(default_factory=dict)

    def read(self, name: str, reader: TrustStoreReader) -> tuple[TrustStore, tuple[str, ...]]:
        """A store as it is now, and what ``reader`` left out of it. Raises TrustStoreError."""
        store, notes = reader.read(name, self.paths[name])
        rules = self.distrusts.get(name)
        return (store.distrusting(rules) if rules else store), notes

    def read_all(self, environment: Mapping[str, str]) -> dict[str, TrustStore]:
        """Every store as it is now; ``environment`` is as for the reader. Raises TrustStoreError."""
        reader = TrustStoreReader(environment)
        return {name: self.read(name, reader)[0] for name in self.paths}


def _files(path: Path) -> list[Path]:
    try:
        if path.is_dir():
            return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    except (OSError, ValueError) as error:
        raise TrustStoreError(f"{path} cannot be read: {error}") from error
    return [path]


def _parse(data: bytes) -> tuple[list[Certificate], list[str]]:
    """One block at a time, so that a broken certificate costs only itself."""
    anchors: list[Certificate] = []
    notes: list[str] = []
    blocks = [block for block in _BLOCK_START.split(data) if block.startswith(b"-----BEGIN ")] or [data]
    for number, block in enumerate(blocks, 1):
        try:
            anchors += [parse_certificate(der) for der in certificates_in(block)]
        except CertificateUnreadable as error:
            notes.append(f"block {number} is left out: {error}")
    return anchors, notes
