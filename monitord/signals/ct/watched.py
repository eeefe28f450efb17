"""Which registered names a certificate covers: fast for the millions of others that pass by."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING

from monitord.pinning import der
from monitord.pinning.hostname import names_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from monitord.pinning.certificate import Certificate
    from monitord.signals.source import Subject

_EXTENSIONS_TAG = 0xA3
_ALTERNATIVE_NAME = b"\x55\x1d\x11"  # 2.5.29.17
_DNS, _IP = 0x82, 0x87
_WILDCARD = b"*."


class Watched:
    """The names of the registered endpoints, and the hosts that they stand for."""

    def __init__(self, subjects: Iterable[Subject]) -> None:
        """The names are those that the endpoints' certificates must carry."""
        self._hosts: dict[str, set[str]] = {}
        for subject in subjects:
            self._hosts.setdefault(subject.target.name.lower(), set()).add(subject.target.host)
        # What may stand in a certificate, as it stands there, and the watched names that it may cover.
        self._addresses: dict[bytes, list[str]] = {}
        self._names: dict[bytes, list[str]] = {}
        for name in self._hosts:
            try:
                self._addresses.setdefault(ipaddress.ip_address(name.strip("[]")).packed, []).append(name)
            except ValueError:
                text = name.encode("ascii", "replace").removesuffix(b".")
                for pattern in (text, _WILDCARD + text.partition(b".")[2]):
                    self._names.setdefault(pattern, []).append(name)

    def __bool__(self) -> bool:
        """Whether any name is watched at all."""
        return bool(self._hosts)

    @property
    def dns_names(self) -> tuple[str, ...]:
        """The watched names that are not addresses, sorted."""
        return tuple(sorted(self._hosts.keys() - {name for names in self._addresses.values() for name in names}))

    def may_name(self, signed: bytes) -> bool:
        """Whether a certificate or TBSCertificate might cover a watched name; ``hosts`` has the last word."""
        return any(self._candidates(signed))

    def hosts(self, certificate: Certificate) -> tuple[str, ...]:
        """The hosts whose name the certificate covers, wildcards included, sorted."""
        names = {name for found in self._candidates(certificate.tbs) for name in found}
        covered = (self._hosts[name] for name in names if names_host(certificate, name))
        return tuple(sorted(set().union(*covered)))

    def _candidates(self, signed: bytes) -> Iterator[list[str]]:
        try:
            for name in _alternative_names(signed):
                if name.tag == _DNS:
                    yield self._names.get(name.content.lower().removesuffix(b"."), [])
                elif name.tag == _IP:
                    yield self._addresses.get(name.content, [])
        except der.DerError:
            return


class Watching:
    """Watched names over time: worked out when the endpoints have changed, and not on the event loop."""

    def __init__(self) -> None:
        """Nothing is watched yet."""
        self._subjects: Sequence[Subject] | None = None
        self._watched = Watched(())

    async def __call__(self, subjects: Sequence[Subject]) -> Watched:
        """The names of these endpoints; the very same object for the very same sequence."""
        if subjects is not self._subjects:
            self._watched = await asyncio.to_thread(Watched, subjects)
            self._subjects = subjects
        return self._watched


def _alternative_names(signed: bytes) -> Iterator[der.Element]:
    """The names in the subject alternative name extension of a certificate or TBSCertificate. Raises DerError.

    Reads no more than it must, because nearly all certificates of the world come by here to be passed over.
    """
    outer = der.read_element(signed)
    first = next(outer.children(), None)
    tbs = first if first is not None and first.tag == der.SEQUENCE else outer
    for field in tbs.children():
        if field.tag != _EXTENSIONS_TAG:
            continue
        for block in field.children():
            for extension in block.children():
                parts = list(extension.children())
                if parts and parts[0].content == _ALTERNATIVE_NAME:
                    yield from der.read_element(parts[-1].content).children()
