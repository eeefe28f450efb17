"""Presented DER to certificates, each parsed once as long as it is seen: chains rarely change between rounds."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from monitord.pinning.certificate import CertificateUnreadable, parse_certificate
from monitord.pinning.observation import Failure, FailureReason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.pinning.certificate import Certificate


class ChainReader:
    """Reads presented chains and remembers the most recent ``max_bytes`` of DER; what is in use is known anyway."""

    def __init__(self, max_bytes: int = 16 * 1024 * 1024) -> None:
        """A reader that remembers nothing yet."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._known: OrderedDict[bytes, Certificate] = OrderedDict()

    def read(self, presented: Sequence[bytes]) -> tuple[tuple[Certificate, ...], Failure | None]:
        """The certificates of a chain, leaf first, and a failure if one of them cannot be read.

        Without a readable leaf there is no chain. Another certificate that cannot be read is left out: no client can
        use it either, and the rest is worth judging.
        """
        chain: list[Certificate] = []
        failure = None
        for position, der in enumerate(presented):
            try:
                chain.append(self._certificate(der))
            except CertificateUnreadable as error:
                detail = f"certificate {position + 1} of {len(presented)} sent is {error}"
                failure = failure or Failure(FailureReason.CERTIFICATE_UNREADABLE, detail)
                if position == 0:
                    break
        return tuple(chain), failure

    def _certificate(self, der: bytes) -> Certificate:
        known = self._known.get(der)
        if known is not None:
            self._known.move_to_end(der)
            return known
        parsed = parse_certificate(der)
        self._known[parsed.der] = parsed
        self._bytes += len(der)
        while self._bytes > self._max_bytes:
            self._bytes -= len(self._known.popitem(last=False)[0])
        return parsed
