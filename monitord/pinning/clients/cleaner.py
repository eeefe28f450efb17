"""OkHttp on the JVM, second part: the cleaner, which makes the path that pins see of what the JDK has trusted.

Source: OkHttp 3.13 ``BasicCertificateChainCleaner``, ``BasicTrustRootIndex``. It is run for hosts that have pins.

1. From the leaf on, a trusted certificate that signed comes before presented ones, in presented order; a presented one
   is used up when it is taken.
2. It ends well at a trusted certificate that is self-signed, or where nobody signed the last one if a trusted one was
   met before. An anchor that is not self-signed does not end it: it goes on to what is trusted or presented.
3. It never goes back, looks at no dates, and fails if it has not ended after 9 steps.

Of several trusted ones that signed, a hash set decides, so it depends on the run: all runs are followed.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from monitord.pinning.clients.jdkstore import anchors_named
from monitord.pinning.signature import signed_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.clients.platform import Presented
    from monitord.pinning.trust import TrustStore

_MAX_STEPS = 9
_MAX_RUNS = 256


def cleaned_paths(presented: Presented) -> tuple[tuple[Certificate, ...], ...]:
    """What the cleaner may make of the chain, each result once; () among them stands for runs that fail."""
    runs = _runs(presented.chain[:1], presented.chain[1:], presented.trust, steps=_MAX_STEPS, met_trusted=False)
    return tuple(dict.fromkeys(islice(runs, _MAX_RUNS)))


def _runs(
    path: tuple[Certificate, ...],
    queue: tuple[Certificate, ...],
    trust: TrustStore,
    *,
    steps: int,
    met_trusted: bool,
) -> Iterator[tuple[Certificate, ...]]:
    """The result of every run from here on."""
    if steps == 0:
        yield ()
        return
    last = path[-1]
    signers = [anchor for anchor in anchors_named(last.issuer_key, trust) if signed_by(last, anchor)]
    for signer in signers:
        longer = path if path == (signer,) else (*path, signer)
        if signer.self_issued and signed_by(signer, signer):
            yield longer
        else:
            yield from _runs(longer, queue, trust, steps=steps - 1, met_trusted=True)
    if signers:
        return
    for position, candidate in enumerate(queue):
        if candidate.subject_key == last.issuer_key and signed_by(last, candidate):
            rest = queue[:position] + queue[position + 1 :]
            yield from _runs((*path, candidate), rest, trust, steps=steps - 1, met_trusted=met_trusted)
            return
    yield path if met_trusted else ()
