"""Which addresses a webhook may be called at.

Who configures receivers may name servers of their own network, so private addresses are allowed unless that is changed.
What no alert is ever meant for is refused: link-local addresses, where clouds hand out credentials to whoever asks on
a machine, the few metadata services elsewhere, and what is no address of a single host.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    Address = IPv4Address | IPv6Address
    Network = IPv4Network | IPv6Network

# Metadata services outside the link-local ranges: AWS and Google Cloud by IPv6, Alibaba, Oracle.
_METADATA = tuple(map(ip_address, ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192")))
# NAT64 (RFC 6052) and the deprecated IPv4-compatible addresses (RFC 4291): the last 32 bits are an IPv4 address.
_EMBEDDING = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))
_OWN = (IPv6Address("::"), IPv6Address("::1"))
_THIS_HOST = ip_network("0.0.0.0/8")  # RFC 1122: a source only, yet Linux connects it to the loopback


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What may be connected to: the addresses of ``networks`` in any case; ``private`` ones only if that is true."""

    private: bool = True
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def objection(self, address: str) -> str | None:
        """Why this address may not be connected to, continuing a sentence after it; None if it may.

        An IPv6 address that stands for an IPv4 address is judged by that as well.
        """
        found = ip_address(address.partition("%")[0])
        for one in _meanings(found):
            if any(one in network for network in self.networks):
                return None
        for one in _meanings(found):
            if objection := self._objection(one):
                return objection
        return None

    def _objection(self, address: Address) -> str | None:
        if address.is_link_local or address in _METADATA:
            return "is where clouds hand out credentials; list it in allow_private if it is meant"
        if address.is_unspecified or address.is_multicast or _is_reserved(address):
            return "is not the address of a host"
        if not self.private and not address.is_global:
            return "is private; list its network in allow_private if it is meant"
        return None


def _is_reserved(address: Address) -> bool:
    return isinstance(address, IPv4Address) and (address.is_reserved or address in _THIS_HOST)


def _meanings(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 address that it stands for."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    yield address
    if isinstance(address, IPv6Address) and address not in _OWN:
        embedded = address.sixtofour
        if any(address in network for network in _EMBEDDING):
            embedded = IPv4Address(int(address) & 0xFFFFFFFF)
        if embedded is not None:
            yield embedded
