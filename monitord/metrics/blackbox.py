"""A look on demand in the terms of Prometheus's blackbox_exporter, so that its dashboards and rules go on working.

Names, labels and help are those of ``prober/prober.go``, ``prober/tls.go`` and ``prober/utils.go`` there. It looks at
one address and one type of key; where there are several, a series says what the worst of them does, and an info has one
for each. What is not known has no series, where blackbox_exporter shows 0.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.config.tlsnames import go_cipher
from monitord.metrics.endpoint import label_value
from monitord.metrics.negotiation import negotiate
from monitord.metrics.text import head, sample
from monitord.pinning.extensions import read_profile
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.examination import Examination

    Labels = tuple[tuple[str, str], ...]

_LONGEST_NAMES = 4096
_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193  # FNV-1a of 32 bits


@dataclass(frozen=True, slots=True)
class _Family:
    name: str
    help: str


_SUCCESS = _Family("probe_success", "Displays whether or not the probe was a success")
_DURATION = _Family("probe_duration_seconds", "Returns how long the probe took to complete in seconds")
_TIMEOUT = _Family("probe_timeout_seconds", "Returns how long the probe timeout is in seconds")
_LOOKUP = _Family("probe_dns_lookup_time_seconds", "Returns the time taken for probe dns lookup in seconds")
_PROTOCOL = _Family("probe_ip_protocol", "Specifies whether probe ip protocol is IP4 or IP6")
_ADDRESS = _Family(
    "probe_ip_addr_hash",
    "Specifies the hash of IP address. It's useful to detect if the IP address changes.",
)
_EARLIEST = _Family("probe_ssl_earliest_cert_expiry", "Returns last SSL chain expiry in unixtime")
_LAST_CHAIN = _Family("probe_ssl_last_chain_expiry_timestamp_seconds", "Returns last SSL chain expiry in timestamp")
_CHAIN_INFO = _Family("probe_ssl_last_chain_info", "Contains SSL leaf certificate information")
_VERSION = _Family("probe_tls_version_info", "Returns the TLS version used or NaN when unknown")
_CIPHER = _Family("probe_tls_cipher_info", "Returns the TLS cipher negotiated during handshake")


def render(examination: Examination, accept: str = "") -> tuple[list[bytes], str]:
    """The series of one look, in pieces, and their content type."""
    _, content_type, openmetrics = negotiate(accept)
    pieces, last = [], None
    for family, labels, value in _series(examination):
        if family is not last:
            pieces.append(head(family.name, "gauge", family.help, openmetrics=openmetrics))
        last = family
        pieces.append(sample(family.name, labels, value))
    pieces += ["# EOF\n"] * openmetrics
    return ["".join(pieces).encode()], content_type


def _series(seen: Examination) -> Iterator[tuple[_Family, Labels, float]]:
    yield _SUCCESS, (), float(seen.success)
    yield _DURATION, (), seen.duration
    yield _TIMEOUT, (), seen.budget
    if seen.lookup is not None:
        yield _LOOKUP, (), seen.lookup
    addresses = [one.address for one in seen.observations if one.address]
    if addresses:
        address = ipaddress.ip_address(addresses[0])
        yield _PROTOCOL, (), address.version
        yield _ADDRESS, (), _hashed(address.packed)
    chains = [one.chain for one in seen.observations if one.chain]
    if chains:
        yield _EARLIEST, (), min(_end(one) for chain in chains for one in chain)
    paths = [one.path for one in seen.trust.judgements if one.path and one.verdict is Verdict.NOT_PINNED]
    if paths:
        yield _LAST_CHAIN, (), min(min(_end(one) for one in path) for path in paths)
    for leaf in dict.fromkeys(chain[0] for chain in chains):
        yield _CHAIN_INFO, _described(leaf), 1
    for version in dict.fromkeys(one.tls_version for one in seen.observations if one.tls_version):
        yield _VERSION, (("version", version.replace("TLSv", "TLS ")),), 1
    for cipher in dict.fromkeys(one.cipher for one in seen.observations if one.cipher):
        yield _CIPHER, (("cipher", go_cipher(cipher)),), 1


def _described(leaf: Certificate) -> Labels:
    names = [name.text for name in read_profile(leaf).alternative_names or () if name.kind == "dns"]
    return (
        ("fingerprint_sha256", leaf.sha256.hex()),
        ("issuer", label_value(leaf.display_issuer)),
        ("serialnumber", leaf.serial.lstrip(b"\0").hex()),
        ("subject", label_value(leaf.display_subject)),
        ("subjectalternative", label_value(",".join(names), _LONGEST_NAMES)),
    )


def _end(certificate: Certificate) -> float:
    return certificate.not_after.timestamp()


def _hashed(address: bytes) -> int:
    found = _FNV_OFFSET
    for byte in address:
        found = (found ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    return found
