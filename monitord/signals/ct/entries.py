"""Log entries as bytes: MerkleTreeLeaf and extra_data of RFC 6962, and the data tiles of static-ct-api.

Lengths are those of TLS presentation language (RFC 8446 section 3): a length in two or three octets, then that much.
Nothing here believes what it reads: whatever does not fit to the octet is an EntryUnreadable.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitord.errors import MonitordError

FINGERPRINT_SIZE = 32
_VERSION_AND_TYPE = b"\0\0"  # v1, timestamped_entry
_X509, _PRECERT = 0, 1
_UINT16, _UINT24, _UINT64 = 2, 3, 8
_MAX_ISSUERS = 10


class EntryUnreadable(MonitordError):  # noqa: N818 - it says what the entry is
    """The bytes are not an entry; the sentence says where they stop to be one."""


@dataclass(frozen=True, slots=True)
class Precertificate:
    """What the log's tree holds of a precertificate: its TBSCertificate without poison, and who will issue it.

    ``issuer_key_hash`` is the SHA-256 of the issuer's SubjectPublicKeyInfo.
    """

    issuer_key_hash: bytes
    tbs: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a log.

    ``leaf`` is the MerkleTreeLeaf, which the tree is made of. ``certificate`` is the DER of the certificate, or of the
    precertificate with its poison. ``issuers`` are what was submitted beside it, each the issuer of the one before:
    DER, or the SHA-256 of the DER where ``by_fingerprint``. Of a precertificate, ``certificate`` and ``issuers`` are
    not covered by the tree; ``precertificate`` is. ``fault`` is why all but ``leaf`` is missing.
    """

    leaf: bytes
    certificate: bytes = b""
    issuers: tuple[bytes, ...] = ()
    precertificate: Precertificate | None = None
    by_fingerprint: bool = False
    fault: str | None = None

    @property
    def signed(self) -> bytes:
        """What the tree covers and names stand in: the certificate, or the TBSCertificate of a precertificate."""
        return self.precertificate.tbs if self.precertificate else self.certificate


def read_entry(leaf_input: bytes, extra_data: bytes) -> Entry:
    """An entry as ``get-entries`` gives it (RFC 6962 section 4.6). Never raises: what is wrong is in ``fault``."""
    try:
        leaf = _Reader(leaf_input)
        certificate, precertificate = _merkle_tree_leaf(leaf)
        leaf.expect_end("the leaf")
        extra = _Reader(extra_data)
        if precertificate is not None:
            certificate = extra.block(_UINT24, "the precertificate")
        chain = _Reader(extra.block(_UINT24, "the chain"))
        extra.expect_end("the extra data")
        issuers = []
        while chain.remains:
            issuers.append(chain.block(_UINT24, "an issuer"))
    except EntryUnreadable as error:
        return Entry(leaf_input, fault=str(error))
    return Entry(leaf_input, certificate, tuple(issuers[:_MAX_ISSUERS]), precertificate)


def read_tile(data: bytes, count: int) -> tuple[Entry, ...]:
    """The entries of a data tile that is ``count`` wide (static-ct-api, "Log entries"). Raises EntryUnreadable."""
    tile = _Reader(data)
    entries = tuple(_tile_leaf(tile) for _ in range(count))
    tile.expect_end("the tile")
    return entries


def _tile_leaf(tile: _Reader) -> Entry:
    start = tile.position
    certificate, precertificate = _timestamped_entry(tile)
    leaf = _VERSION_AND_TYPE + tile.data[start : tile.position]
    if precertificate is not None:
        certificate = tile.block(_UINT24, "the precertificate")
    chain = _Reader(tile.block(_UINT16, "the fingerprints"))
    issuers = []
    while chain.remains:
        issuers.append(chain.take(FINGERPRINT_SIZE, "a fingerprint"))
    return Entry(leaf, certificate, tuple(issuers[:_MAX_ISSUERS]), precertificate, by_fingerprint=True)


def _merkle_tree_leaf(leaf: _Reader) -> tuple[bytes, Precertificate | None]:
    if leaf.take(len(_VERSION_AND_TYPE), "the version") != _VERSION_AND_TYPE:
        raise EntryUnreadable("its version or type is not one of RFC 6962")
    return _timestamped_entry(leaf)


def _timestamped_entry(reader: _Reader) -> tuple[bytes, Precertificate | None]:
    """The certificate, or an empty one and what the tree holds of the precertificate."""
    reader.take(_UINT64, "the timestamp")
    kind = int.from_bytes(reader.take(_UINT16, "the type of entry"))
    certificate, precertificate = b"", None
    if kind == _X509:
        certificate = reader.block(_UINT24, "the certificate")
    elif kind == _PRECERT:
        issuer = reader.take(FINGERPRINT_SIZE, "the hash of the issuer's key")
        precertificate = Precertificate(issuer, reader.block(_UINT24, "the TBSCertificate"))
    else:
        raise EntryUnreadable(f"its type of entry is {kind}, which RFC 6962 does not know")
    reader.block(_UINT16, "the extensions")
    return certificate, precertificate


class _Reader:
    """Takes bytes from the front, never beyond the end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    @property
    def remains(self) -> bool:
        return self.position < len(self.data)

    def take(self, count: int, what: str) -> bytes:
        end = self.position + count
        if end > len(self.data):
            raise EntryUnreadable(f"it ends inside {what}")
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def block(self, octets: int, what: str) -> bytes:
        return self.take(int.from_bytes(self.take(octets, f"the length of {what}")), what)

    def expect_end(self, what: str) -> None:
        if self.remains:
            raise EntryUnreadable(f"{len(self.data) - self.position} bytes follow the end of {what}")
